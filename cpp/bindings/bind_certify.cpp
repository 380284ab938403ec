#include <pybind11/stl.h>

#include <cstdint>
#include <string>

#include "api/certify.hpp"
#include "bindings/bind.hpp"
#include "bindings/matrix_arguments.hpp"

namespace py = pybind11;

namespace finitesum {

void bind_certify(py::module_& m) {
  m.def(
      "certify",
      [](const py::object& X, const py::object& y, const py::object& sample_weight, const py::object& coef,
         double intercept, const std::string& loss, double loss_parameter, double alpha, double l1_ratio,
         bool fit_intercept, double intercept_scaling, std::size_t max_iter) {
        FitRequest request;
        request.X = matrix_view(X);
        const auto n = static_cast<py::ssize_t>(n_rows_of(request.X));
        request.y = targets(y, n);
        if (!sample_weight.is_none()) request.sample_weight = data_of<double>(sample_weight, n, "sample_weight");
        request.coef_init = data_of<double>(coef, static_cast<py::ssize_t>(n_columns_of(request.X)), "coef");
        request.intercept_init = intercept;
        request.loss = loss;
        request.loss_parameter = loss_parameter;
        request.alpha = alpha;
        request.l1_ratio = l1_ratio;
        request.fit_intercept = fit_intercept;
        request.intercept_scaling = intercept_scaling;
        request.stop.max_iter = max_iter;
        request.interrupted = [] {
          const py::gil_scoped_acquire gil;
          return PyErr_CheckSignals() != 0;
        };
        PointCertificate certificate;
        {
          const py::gil_scoped_release released;
          certificate = certify_point(request);
        }
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        py::dict out;
        out["objective"] = certificate.objective;
        out["lower_bound"] = certificate.lower_bound;
        out["null_objective"] = certificate.null_objective;
        return out;
      },
      py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::kw_only(), py::arg("coef"), py::arg("intercept"),
      py::arg("loss"), py::arg("loss_parameter"), py::arg("alpha"), py::arg("l1_ratio"), py::arg("fit_intercept"),
      py::arg("intercept_scaling") = infinity, py::arg("max_iter"));
}

}  // namespace finitesum
