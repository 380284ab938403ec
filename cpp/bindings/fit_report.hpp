// What a fit reports to Python and asks of it while it runs.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <functional>
#include <utility>
#include <vector>

#include "api/fit.hpp"

namespace finitesum {

template <class T>
pybind11::array_t<T> hand_over(std::vector<T>&& values) {
  auto* owned = new std::vector<T>(std::move(values));
  const pybind11::capsule owner(owned, [](void* pointer) { delete static_cast<std::vector<T>*>(pointer); });
  return pybind11::array_t<T>(static_cast<pybind11::ssize_t>(owned->size()), owned->data(), owner);
}

struct CheckField {
  const char* name;
  double Check::* member;
};
inline constexpr CheckField check_fields[] = {{"epoch", &Check::epoch},      {"passes", &Check::passes},
                                              {"seconds", &Check::seconds},  {"objective", &Check::objective},
                                              {"gap", &Check::gap},          {"step_size", &Check::step_size},
                                              {"nonzeros", &Check::nonzeros}};

inline pybind11::dict to_dict(const Check& check) {
  pybind11::dict entry;
  for (const CheckField& field : check_fields) entry[field.name] = check.*field.member;
  return entry;
}

inline pybind11::dict to_dict(const std::vector<Check>& history) {
  pybind11::dict columns;
  for (const CheckField& field : check_fields) {
    std::vector<double> column;
    for (const Check& check : history) column.push_back(check.*field.member);
    columns[field.name] = hand_over(std::move(column));
  }
  return columns;
}

// What a fit reports of each of its outputs.
inline void report_outcome(const Outcome& outcome, double null_objective, pybind11::dict& out) {
  out["objective"] = outcome.objective;
  out["dual_gap"] = outcome.dual_gap;
  out["lower_bound"] = outcome.lower_bound;
  out["null_objective"] = null_objective;
  out["n_iter"] = outcome.n_iter;
  out["converged"] = outcome.converged;
  out["stopping"] = name_of(outcome.stopping);
  out["history"] = to_dict(outcome.history);
}

// None where the solver was named. Outputs fitted together have one.
inline pybind11::object to_dict(const SolverChoice& choice) {
  if (choice.solver.empty()) return pybind11::none();
  const ProblemStatistics& statistics = choice.statistics;
  pybind11::dict numbers;
  numbers["n_samples"] = static_cast<std::size_t>(statistics.n_rows);
  numbers["n_features"] = static_cast<std::size_t>(statistics.n_columns);
  numbers["n_outputs"] = static_cast<std::size_t>(statistics.n_outputs);
  numbers["n_stored"] = static_cast<std::size_t>(statistics.n_stored);
  numbers["sparse"] = statistics.is_sparse;
  numbers["mean_squared_norm"] = statistics.mean_smoothness;
  numbers["max_squared_norm"] = statistics.max_smoothness;
  numbers["condition"] = statistics.condition;
  pybind11::dict passes;
  pybind11::dict seconds;
  for (const PredictedCost& cost : choice.costs) {
    const pybind11::str name(cost.solver.data(), cost.solver.size());
    passes[name] = cost.passes;
    seconds[name] = cost.seconds;
  }
  pybind11::dict out;
  out["solver"] = choice.solver;
  out["reason"] = choice.reason;
  out["seconds"] = seconds;
  out["passes"] = passes;
  out["statistics"] = numbers;
  return out;
}

// What it reports once; takes the state out of a FitResult or a MultiFitResult.
template <class Result>
void report_run(Result& result, pybind11::dict& out) {
  out["solver"] = result.solver;
  out["auto_report"] = to_dict(result.choice);
  out["sampling"] = result.sampling;
  result.draw_shares.resize(10);
  out["draw_shares"] = hand_over(std::move(result.draw_shares));
  out["state"] = hand_over(std::move(result.state));
}

// The monitor's answer. Needs the interpreter's lock.
inline bool ask(const pybind11::object& monitor, const pybind11::dict& entry) {
  try {
    return monitor(entry).cast<bool>();
  } catch (const pybind11::error_already_set& error) {
    if (!error.matches(PyExc_KeyboardInterrupt)) throw;
    PyErr_SetInterrupt();  // pressed while Python ran: keyboard_interrupt_pending() is to see it
    return false;
  }
}

// `monitor` must outlive the fit. With several outputs a check says whose it is.
inline std::function<bool(std::size_t, const Check&)> calling(const pybind11::object& monitor, bool several = false) {
  return [&monitor, several](std::size_t output, const Check& check) {
    const pybind11::gil_scoped_acquire gil;
    pybind11::dict entry = to_dict(check);
    if (several) entry["output"] = output;
    return ask(monitor, entry);
  };
}

// True when the user pressed Ctrl-C; any other exception raised by a signal handler goes through.
inline bool keyboard_interrupt_pending() {
  const pybind11::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() == 0) return false;
  if (!PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) throw pybind11::error_already_set();
  PyErr_Clear();
  return true;
}

}  // namespace finitesum
