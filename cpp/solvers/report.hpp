// What a run of the driver is asked, and what it reports.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <vector>

namespace finitesum {

// What is known at one check of the stop rule.
struct Check {
  double epoch = 0;
  double passes = 0;  // gradient evaluations divided by the number of rows
  double seconds = 0;
  double objective = 0;
  double gap = std::numeric_limits<double>::infinity();
  double step_size = 0;
  double nonzeros = 0;
};

enum class Stopping { duality_gap, gradient_norm, max_iter, no_progress, time_limit, interrupted, callback };

struct StopRule {
  double tol = 1e-4;
  std::size_t max_iter = 1000;
  std::size_t check_interval = 0;  // 0: chosen by the driver
  // After every check, once for each output; true stops the fit.
  std::function<bool(std::size_t output, const Check&)> monitor;
};

struct Outcome {
  double objective = 0;
  double dual_gap = std::numeric_limits<double>::infinity();
  double lower_bound = -std::numeric_limits<double>::infinity();
  std::size_t n_iter = 0;
  bool converged = false;
  Stopping stopping = Stopping::max_iter;
  std::vector<Check> history;

  // Interrupted before there was a first epoch.
  static Outcome before_start(double objective) {
    Outcome outcome;
    outcome.objective = objective;
    outcome.stopping = Stopping::interrupted;
    outcome.history.emplace_back();
    outcome.history.back().objective = objective;
    return outcome;
  }
};

}  // namespace finitesum
