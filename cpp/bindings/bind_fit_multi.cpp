#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "api/fit_folds.hpp"
#include "api/fit_multi.hpp"
#include "bindings/bind.hpp"
#include "bindings/fit_report.hpp"
#include "bindings/matrix_arguments.hpp"
#include "bindings/option_arguments.hpp"

namespace py = pybind11;

namespace finitesum {
namespace {

void define_fit_folds(py::module_& m) {
  m.def(
      "fit_folds",
      [](const py::object& X, const py::object& y, const py::object& weights, const py::object& alphas,
         std::size_t n_folds, std::size_t n_steps, double l1_ratio, const std::string& loss, double loss_parameter,
         bool fit_intercept, const std::string& solver, double tol, std::size_t max_iter, std::size_t check_interval,
         int n_threads, std::uint64_t seed, const py::object& monitor, const py::object& report) {
        FoldRequest request;
        request.X = matrix_view(X);
        const auto n = static_cast<py::ssize_t>(n_rows_of(request.X));
        const auto p = static_cast<py::ssize_t>(n_columns_of(request.X));
        const auto K = static_cast<py::ssize_t>(n_folds);
        request.y = targets(y, n);
        request.weights = data_of<double>(weights, K * n, "weights");
        request.n_folds = n_folds;
        request.alphas = data_of<double>(alphas, static_cast<py::ssize_t>(n_steps) * K, "alphas");
        request.n_steps = n_steps;
        request.l1_ratio = l1_ratio;
        request.loss = loss;
        request.loss_parameter = loss_parameter;
        request.fit_intercept = fit_intercept;
        request.solver = solver;
        request.stop.tol = tol;
        request.stop.max_iter = max_iter;
        request.stop.check_interval = check_interval;
        request.n_threads = n_threads;
        request.seed = seed;
        if (!monitor.is_none()) request.stop.monitor = calling(monitor, true);
        request.interrupted = keyboard_interrupt_pending;
        const auto of_step = [&](FoldStep&& step) {
          const py::gil_scoped_acquire gil;
          py::list outcomes;
          for (std::size_t k = 0; k < step.outcomes.size(); ++k) {
            py::dict outcome;
            report_outcome(step.outcomes[k], step.null_objectives[k], outcome);
            outcomes.append(outcome);
          }
          py::list margins;
          for (const double* of_fold : step.margins) {
            if (of_fold == nullptr) {
              margins.append(py::none());
            } else {
              margins.append(py::array_t<double>(n, of_fold, py::capsule(of_fold, [](void*) {})));  // a view
            }
          }
          report(outcomes, hand_over(std::move(step.coef)).reshape({K, p}), hand_over(std::move(step.intercepts)),
                 margins);
        };
        const py::gil_scoped_release released;
        fit_folds(request, of_step);
      },
      py::arg("X"), py::arg("y"), py::arg("weights"), py::arg("alphas"), py::kw_only(), py::arg("n_folds"),
      py::arg("n_steps"), py::arg("l1_ratio"), py::arg("loss"), py::arg("loss_parameter"), py::arg("fit_intercept"),
      py::arg("solver"), py::arg("tol"), py::arg("max_iter"), py::arg("check_interval"), py::arg("n_threads"),
      py::arg("seed"), py::arg("monitor"), py::arg("report"));
}

}  // namespace

void bind_fit_multi(py::module_& m) {
  m.def(
      "fit_multi",
      [](const py::object& X, const py::object& y, const py::object& sample_weight, std::size_t n_outputs,
         const std::string& loss, double loss_parameter, double alpha, double l1_ratio, bool fit_intercept,
         double intercept_scaling, const std::string& solver, const std::string& sampling, const std::string& step_rule,
         double step_size, const py::dict& solver_options, double tol, std::size_t max_iter, std::size_t check_interval,
         double time_limit, std::uint64_t seed, const py::object& coef_init, const py::object& intercepts_init,
         const py::object& state, bool keep_state, const py::object& monitor) {
        MultiFitRequest request;
        request.X = matrix_view(X);
        const auto n = static_cast<py::ssize_t>(n_rows_of(request.X));
        const auto p = static_cast<py::ssize_t>(n_columns_of(request.X));
        const auto K = static_cast<py::ssize_t>(n_outputs);
        if (py::isinstance<py::array_t<std::int32_t>>(y)) {
          request.labels = data_of<std::int32_t>(y, n, "y");
        } else {
          request.targets = data_of<double>(y, n * K, "y");
        }
        request.n_outputs = n_outputs;
        request.loss = loss;
        request.loss_parameter = loss_parameter;
        if (!sample_weight.is_none()) request.sample_weight = data_of<double>(sample_weight, n, "sample_weight");
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
        request.seed = seed;
        if (!coef_init.is_none()) request.coef_init = data_of<double>(coef_init, p * K, "coef_init");
        if (!intercepts_init.is_none())
          request.intercepts_init = data_of<double>(intercepts_init, K, "intercepts_init");
        if (!state.is_none()) {
          const auto size = py::reinterpret_borrow<py::array>(state).size();
          request.state = data_of<double>(state, size, "state");
          request.state_size = static_cast<std::size_t>(size);
        }
        request.keep_state = keep_state;
        if (!monitor.is_none()) request.stop.monitor = calling(monitor, loss != "multinomial");
        request.interrupted = keyboard_interrupt_pending;
        MultiFitResult result;
        {
          const py::gil_scoped_release released;
          result = fit_multi(request);
        }
        py::list outputs;
        for (std::size_t k = 0; k < result.outcomes.size(); ++k) {
          py::dict of_output;
          report_outcome(result.outcomes[k], result.null_objectives[k], of_output);
          outputs.append(of_output);
        }
        py::dict out;
        report_run(result, out);
        out["outputs"] = outputs;
        out["coef"] = hand_over(std::move(result.coef)).reshape({p, K});
        out["intercept"] = hand_over(std::move(result.intercepts));
        return out;
      },
      py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::kw_only(), py::arg("n_outputs"), py::arg("loss"),
      py::arg("loss_parameter") = 1.0, py::arg("alpha"), py::arg("l1_ratio"), py::arg("fit_intercept"),
      py::arg("intercept_scaling") = infinity, py::arg("solver"), py::arg("sampling"), py::arg("step_rule") = "auto",
      py::arg("step_size"), py::arg("solver_options") = py::dict(), py::arg("tol"), py::arg("max_iter"),
      py::arg("check_interval"), py::arg("time_limit"), py::arg("seed"), py::arg("coef_init"),
      py::arg("intercepts_init"), py::arg("state") = py::none(), py::arg("keep_state") = false, py::arg("monitor"));
  m.def(
      "suits_several_outputs",
      [](const std::string& solver, const py::dict& solver_options) {
        return suits_several_outputs(solver, parse_options(solver_options));
      },
      py::arg("solver"), py::arg("solver_options"));
  define_fit_folds(m);
}

}  // namespace finitesum
