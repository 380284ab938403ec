#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <stdexcept>
#include <utility>

#include "api/fit.hpp"
#include "bindings/bind.hpp"
#include "bindings/fit_report.hpp"
#include "bindings/matrix_arguments.hpp"
#include "bindings/option_arguments.hpp"
#include "core/fingerprint.hpp"

namespace py = pybind11;

namespace finitesum {
namespace {

py::dict to_dict(FitResult&& result) {
  py::dict out;
  report_outcome(result, result.null_objective, out);
  report_run(result, out);
  out["coef"] = hand_over(std::move(result.coef));
  out["intercept"] = result.intercept;
  return out;
}

// answer(request, n_outputs): how a problem would be solved, whatever its targets.
template <class Answer>
void define_question(py::module_& m, const char* name, const Answer& answer) {
  m.def(
      name,
      [answer](const py::object& X, const py::object& sample_weight, const std::string& loss, double loss_parameter,
               double alpha, double l1_ratio, bool fit_intercept, double intercept_scaling, const std::string& solver,
               const std::string& sampling, const std::string& step_rule, double step_size,
               const py::dict& solver_options, std::size_t n_outputs) {
        FitRequest request;
        request.X = matrix_view(X);
        const auto n = static_cast<py::ssize_t>(n_rows_of(request.X));
        if (!sample_weight.is_none()) request.sample_weight = data_of<double>(sample_weight, n, "sample_weight");
        request.loss = loss;
        request.loss_parameter = loss_parameter;
        request.alpha = alpha;
        request.l1_ratio = l1_ratio;
        request.fit_intercept = fit_intercept;
        request.intercept_scaling = intercept_scaling;
        request.solver = solver;
        request.sampling = sampling;
        request.step_rule = step_rule;
        request.step_size = step_size;
        request.options = parse_options(solver_options);
        const py::gil_scoped_release released;
        return answer(request, n_outputs);
      },
      py::arg("X"), py::arg("sample_weight"), py::kw_only(), py::arg("loss"), py::arg("loss_parameter"),
      py::arg("alpha"), py::arg("l1_ratio"), py::arg("fit_intercept"), py::arg("intercept_scaling"), py::arg("solver"),
      py::arg("sampling"), py::arg("step_rule"), py::arg("step_size"), py::arg("solver_options"), py::arg("n_outputs"));
}

}  // namespace

void bind_fit(py::module_& m) {
  py::register_local_exception_translator([](std::exception_ptr raised) {
    try {
      if (raised) std::rethrow_exception(raised);
    } catch (const Interrupted&) {
      PyErr_SetNone(PyExc_KeyboardInterrupt);
    }
  });
  m.def(
      "fit",
      [](const py::object& X, const py::object& y, const py::object& sample_weight, const std::string& loss,
         double loss_parameter, double alpha, double l1_ratio, bool fit_intercept, double intercept_scaling,
         const std::string& solver, const std::string& sampling, const std::string& step_rule, double step_size,
         const py::dict& solver_options, double tol, std::size_t max_iter, std::size_t check_interval,
         double time_limit, int n_threads, std::uint64_t seed, const py::object& coef_init,
         std::optional<double> intercept_init, const py::object& state, bool keep_state, const py::object& monitor) {
        FitRequest request;
        request.X = matrix_view(X);
        const auto n = static_cast<py::ssize_t>(n_rows_of(request.X));
        const auto p = static_cast<py::ssize_t>(n_columns_of(request.X));
        request.y = targets(y, n);
        if (!sample_weight.is_none()) request.sample_weight = data_of<double>(sample_weight, n, "sample_weight");
        request.loss = loss;
        request.loss_parameter = loss_parameter;
        request.alpha = alpha;
        request.l1_ratio = l1_ratio;
        request.fit_intercept = fit_intercept;
        request.intercept_scaling = intercept_scaling;
        request.solver = solver;
        request.sampling = sampling;
        request.step_rule = step_rule;
        request.step_size = step_size;
        request.options = parse_options(solver_options);
        request.stop.tol = tol;
        request.stop.max_iter = max_iter;
        request.stop.check_interval = check_interval;
        request.time_limit = time_limit;
        request.n_threads = n_threads;
        request.seed = seed;
        if (!coef_init.is_none()) request.coef_init = data_of<double>(coef_init, p, "coef_init");
        request.intercept_init = intercept_init;
        if (!state.is_none()) {
          const auto size = py::reinterpret_borrow<py::array>(state).size();
          request.state = data_of<double>(state, size, "state");
          request.state_size = static_cast<std::size_t>(size);
        }
        request.keep_state = keep_state;
        if (!monitor.is_none()) request.stop.monitor = calling(monitor);
        request.interrupted = keyboard_interrupt_pending;
        FitResult result;
        {
          const py::gil_scoped_release released;
          result = fit(request);
        }
        return to_dict(std::move(result));
      },
      py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::kw_only(), py::arg("loss"), py::arg("loss_parameter"),
      py::arg("alpha"), py::arg("l1_ratio"), py::arg("fit_intercept"), py::arg("intercept_scaling") = infinity,
      py::arg("solver"), py::arg("sampling"), py::arg("step_rule") = "auto", py::arg("step_size"),
      py::arg("solver_options") = py::dict(), py::arg("tol"), py::arg("max_iter"), py::arg("check_interval"),
      py::arg("time_limit"), py::arg("n_threads") = 0, py::arg("seed"), py::arg("coef_init"), py::arg("intercept_init"),
      py::arg("state") = py::none(), py::arg("keep_state") = false, py::arg("monitor"));
  define_question(m, "automatic_solver", automatic_solver);
  m.def(
      "fingerprint",
      [](const py::array& array) {
        if ((array.flags() & py::array::c_style) == 0) throw py::type_error("fingerprint takes contiguous arrays");
        const py::gil_scoped_release released;
        return fingerprint(array.data(), static_cast<std::size_t>(array.nbytes()));
      },
      py::arg("array"));
  m.def("check_solver_options", [](const py::dict& options) { parse_options(options); });
  m.def("solver_names", &solver_names, py::arg("has_l1") = false);
  m.def("sampling_choices", &sampling_choices);
  m.def("step_size_choices", &step_size_choices);
  m.def(
      "has_duplicates",
      [](const py::array& indices, const py::array& row_pointers, std::size_t n_columns) {
        // Only the structure matters: the values are never read, and bytes stand in for them.
        const py::array_t<float> values(indices.size());
        const AnyMatrix X = matrix_view(py::make_tuple(values, indices, row_pointers, n_columns));
        const py::gil_scoped_release released;
        return has_duplicates(X, keyboard_interrupt_pending);
      },
      py::arg("indices"), py::arg("indptr"), py::arg("n_columns"));
}

}  // namespace finitesum
