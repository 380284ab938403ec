#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "api/fit_sgd.hpp"
#include "api/request_checks.hpp"
#include "bindings/bind.hpp"
#include "bindings/fit_report.hpp"
#include "bindings/matrix_arguments.hpp"
#include "isa/isa.hpp"
#include "losses/subgradient.hpp"

namespace py = pybind11;

namespace finitesum {
namespace {

struct EpochField {
  const char* name;
  double SgdEpoch::* member;
};
constexpr EpochField epoch_fields[] = {{"epoch", &SgdEpoch::epoch},       {"seconds", &SgdEpoch::seconds},
                                       {"loss", &SgdEpoch::loss},         {"objective", &SgdEpoch::objective},
                                       {"score", &SgdEpoch::score},       {"step_size", &SgdEpoch::step_size},
                                       {"nonzeros", &SgdEpoch::nonzeros}, {"restarts", &SgdEpoch::restarts}};

py::dict to_dict(const SgdEpoch& epoch) {
  py::dict entry;
  for (const EpochField& field : epoch_fields) entry[field.name] = epoch.*field.member;
  return entry;
}

py::dict to_dict(SgdResult&& result) {
  py::dict history;
  for (const EpochField& field : epoch_fields) {
    std::vector<double> column;
    for (const SgdEpoch& epoch : result.history) column.push_back(epoch.*field.member);
    history[field.name] = hand_over(std::move(column));
  }
  py::dict out;
  out["coef"] = hand_over(std::move(result.coef));
  out["intercepts"] = hand_over(std::move(result.intercepts));
  out["n_iter"] = result.n_iter;
  out["n_steps"] = result.n_steps;
  out["stopping"] = result.stopping;
  out["history"] = history;
  out["optimum"] = py::none();
  if (result.optimum) out["optimum"] = py::make_tuple(result.optimum->value, result.optimum->error);
  out["state"] = hand_over(std::move(result.state));
  return out;
}

// The rate of a schedule, and what is specific to it; the Python layer has checked types and ranges.
ScheduleOptions schedule_of(const std::string& kind, double alpha, double l1_ratio, const py::dict& given) {
  ScheduleOptions options;
  options.kind = parse<LearningRate>("learning_rate", kind, learning_rate_names);
  options.alpha = alpha;
  options.strong_convexity = alpha * (1 - l1_ratio);
  const auto number = [&](const char* name, double& value) {
    if (given.contains(name)) value = given[name].cast<double>();
  };
  number("alpha", options.alpha);
  number("eta0", options.eta0);
  number("power_t", options.power_t);
  number("decay", options.decay);
  number("radius", options.radius);
  number("gradient_bound", options.gradient_bound);
  number("factor", options.factor);
  number("tol", options.tol);
  if (given.contains("beta")) options.beta = given["beta"].cast<double>();
  if (given.contains("gamma")) options.gamma = given["gamma"].cast<double>();
  if (given.contains("n_steps")) options.n_steps = given["n_steps"].cast<double>();
  if (given.contains("patience")) options.patience = given["patience"].cast<std::size_t>();
  if (given.contains("n_iter_no_change")) options.n_iter_no_change = given["n_iter_no_change"].cast<std::size_t>();
  return options;
}

const double* weights_of(const py::object& given, py::ssize_t n) {
  return given.is_none() ? nullptr : data_of<double>(given, n, "sample_weight");
}

}  // namespace

void bind_sgd(py::module_& m) {
  m.def(
      "fit_sgd",
      [](const py::object& X, const py::object& y, const py::object& sample_weight, const std::string& loss,
         double loss_parameter, std::size_t n_classes, double alpha, double l1_ratio, bool fit_intercept,
         const std::string& optimizer, const OptimizerParameters& optimizer_options, bool per_example,
         std::size_t batch_size, std::size_t n_passes, const std::string& order, const std::string& clip,
         double clip_limit, const std::string& ball, double radius, const std::string& average, double average_start,
         bool exact_objective, const std::string& learning_rate, const py::dict& schedule, std::size_t max_iter,
         double time_limit, std::uint64_t seed, const py::object& validation, bool labels, const py::object& coef_init,
         const py::object& intercept_init, const py::object& state, bool keep_state, const py::object& monitor) {
        SgdRequest request;
        request.X = matrix_view(X);
        const auto n = static_cast<py::ssize_t>(n_rows_of(request.X));
        const auto p = static_cast<py::ssize_t>(n_columns_of(request.X));
        const bool has_classes = n_classes > 0;
        if (has_classes) {
          request.classes = data_of<std::int32_t>(y, n, "y");
        } else {
          request.y = targets(y, n);
        }
        request.sample_weight = weights_of(sample_weight, n);
        SgdOptions& options = request.options;
        options.loss = loss;
        options.loss_parameter = loss_parameter;
        options.n_classes = n_classes;
        options.alpha = alpha;
        options.l1_ratio = l1_ratio;
        options.fit_intercept = fit_intercept;
        options.optimizer = optimizer;
        options.optimizer_options = optimizer_options;
        options.per_example = per_example;
        options.batch_size = batch_size;
        options.n_passes = n_passes;
        options.order = parse<RowOrder>("order", order, row_order_names);
        options.clip = parse<Clip>("clip", clip, clip_names);
        options.clip_limit = clip_limit;
        options.ball = parse<Ball>("ball", ball, ball_names);
        options.radius = radius;
        options.average = parse<Average>("average", average, average_names);
        options.average_start = average_start;
        options.is_exact = exact_objective;
        options.schedule = schedule_of(learning_rate, alpha, l1_ratio, schedule);
        options.max_iter = max_iter;
        options.seed = seed;
        request.time_limit = time_limit;
        if (!validation.is_none()) {
          const auto parts = py::reinterpret_borrow<py::tuple>(validation);
          ValidationRows rows{matrix_view(parts[0]), {}, nullptr, nullptr, labels};
          const auto n_validation = static_cast<py::ssize_t>(n_rows_of(rows.X));
          if (has_classes) {
            rows.classes = data_of<std::int32_t>(parts[1], n_validation, "y");
          } else {
            rows.y = targets(parts[1], n_validation);
          }
          rows.sample_weight = weights_of(parts[2], n_validation);
          request.validation = rows;
        }
        const auto n_outputs = static_cast<py::ssize_t>(has_classes ? n_classes : 1);
        if (!coef_init.is_none()) request.coef_init = data_of<double>(coef_init, p * n_outputs, "coef_init");
        if (!intercept_init.is_none())
          request.intercept_init = data_of<double>(intercept_init, n_outputs, "intercept_init");
        if (!state.is_none()) {
          const auto size = py::reinterpret_borrow<py::array>(state).size();
          request.state = data_of<double>(state, size, "state");
          request.state_size = static_cast<std::size_t>(size);
        }
        request.keep_state = keep_state;
        if (!monitor.is_none()) {
          request.monitor = [&monitor](const SgdEpoch& epoch) {
            const py::gil_scoped_acquire gil;
            return ask(monitor, to_dict(epoch));
          };
        }
        request.interrupted = keyboard_interrupt_pending;
        SgdResult result;
        {
          const py::gil_scoped_release released;
          result = fit_sgd(request);
        }
        return to_dict(std::move(result));
      },
      py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::kw_only(), py::arg("loss"), py::arg("loss_parameter"),
      py::arg("n_classes") = 0, py::arg("alpha"), py::arg("l1_ratio"), py::arg("fit_intercept"),
      py::arg("optimizer") = "sgd", py::arg("optimizer_options") = OptimizerParameters{},
      py::arg("per_example") = false, py::arg("batch_size") = 1, py::arg("n_passes") = 1, py::arg("order") = "shuffle",
      py::arg("clip") = "none", py::arg("clip_limit") = 1.0, py::arg("ball") = "none", py::arg("radius") = 1.0,
      py::arg("average") = "none", py::arg("average_start") = 1.0, py::arg("exact_objective") = false,
      py::arg("learning_rate"), py::arg("schedule"), py::arg("max_iter"),
      py::arg("time_limit") = std::numeric_limits<double>::infinity(), py::arg("seed") = 0,
      py::arg("validation") = py::none(), py::arg("labels") = false, py::arg("coef_init") = py::none(),
      py::arg("intercept_init") = py::none(), py::arg("state") = py::none(), py::arg("keep_state") = false,
      py::arg("monitor") = py::none());
  m.def("subgradient_loss_names", &subgradient_loss_names);
  m.def("learning_rate_names",
        [] { return std::vector<std::string>(learning_rate_names.begin(), learning_rate_names.end()); });
  m.def(
      "subgradient_loss",
      [](const std::string& loss, double parameter, double z, double y) {
        const SubgradientLoss l(loss, parameter, kernels());
        return py::make_tuple(l.value(z, y), l.derivative(z, y), l.smoothness());
      },
      py::arg("name"), py::arg("parameter"), py::arg("z"), py::arg("y"));
}

}  // namespace finitesum
