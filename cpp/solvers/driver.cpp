#include "solvers/driver.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace finitesum {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class Driver {
 public:
  Driver(Solver& solver, const StopRule& rule, const DriverLimits& limits, const Start& start, Control& control)
      : solver_(solver), rule_(rule), limits_(limits), start_(start), control_(control) {}

  Outcome run() {
    std::size_t epoch = 0;
    std::size_t next_check = 1;
    if (start_.is_warm) check(epoch);
    while (epoch < rule_.max_iter && !outcome_.converged && !solver_.stalled() && !control_.look()) {
      checked_ = false;
      solver_.run_epoch(start_.epochs + epoch++, control_);
      if (control_.stopped()) break;
      if (epoch < next_check && epoch < rule_.max_iter && !solver_.checks_are_free()) continue;
      check(epoch);
      if (diverged()) {
        solver_.restart_with_half_step();
        checked_ = false;
        gap_at_last_check_ = 0;
        next_check = epoch + 1;
      } else {
        next_check = epoch + epochs_to_next_check();
      }
    }
    if (!checked_) check(epoch);
    outcome_.n_iter = epoch;
    if (!outcome_.converged) {
      if (solver_.stalled()) outcome_.stopping = Stopping::no_progress;
      if (control_.stopped()) outcome_.stopping = control_.reason();
    }
    return std::move(outcome_);
  }

 private:
  void check(std::size_t epoch) {
    const Certificate certificate = solver_.check();
    Check entry;
    entry.epoch = static_cast<double>(epoch);
    entry.passes = solver_.passes();
    entry.objective = std::isnan(certificate.objective) ? infinity : certificate.objective;
    // Every dual value bounds the optimum: the best one so far counts.
    outcome_.lower_bound = std::max(outcome_.lower_bound, certificate.lower_bound);
    if (std::isfinite(outcome_.lower_bound) && std::isfinite(entry.objective)) {
      entry.gap = std::max(entry.objective - outcome_.lower_bound, 0.0);
    }
    entry.step_size = solver_.step_size();
    entry.nonzeros = certificate.nonzeros;
    entry.seconds = control_.seconds();
    outcome_.history.push_back(entry);
    checked_ = true;
    outcome_.objective = entry.objective;
    outcome_.dual_gap = entry.gap;
    judge(certificate);
    if (rule_.monitor && rule_.monitor(entry)) control_.stop(Stopping::callback);
  }

  void judge(const Certificate& certificate) {
    if (std::isnan(certificate.gradient_norm)) {
      target_ = rule_.tol * limits_.null_objective + limits_.rounding;
      outcome_.converged = outcome_.dual_gap <= target_;
      if (outcome_.converged) outcome_.stopping = Stopping::duality_gap;
    } else {
      outcome_.converged =
          std::isfinite(certificate.objective) &&
          certificate.gradient_norm <= rule_.tol * limits_.null_gradient_norm + limits_.gradient_rounding;
      if (outcome_.converged) outcome_.stopping = Stopping::gradient_norm;
    }
  }

  // Far above the start nothing is worth keeping, and what stays above it for long neither converges nor explodes: a
  // step at the edge of stability.
  bool diverged() {
    constexpr double hopeless = 100;
    constexpr double patience = 30;  // epochs
    const double epoch = outcome_.history.back().epoch;
    const double start = std::isfinite(outcome_.history.front().objective) && start_.is_warm
                             ? std::max(limits_.null_objective, outcome_.history.front().objective)
                             : limits_.null_objective;
    if (outcome_.objective <= start + limits_.rounding) last_below_start_ = epoch;
    const bool is_lost = !(outcome_.objective <= hopeless * start) || epoch - last_below_start_ >= patience;
    if (is_lost) last_below_start_ = epoch;
    return is_lost;
  }

  // A check costs up to 40 % of an epoch. While the gap falls geometrically, half of the epochs that it still needs can
  // be run without looking.
  std::size_t epochs_to_next_check() {
    if (rule_.check_interval > 0) return rule_.check_interval;
    constexpr double most = 16;
    const double gap = outcome_.dual_gap;
    const double epoch = outcome_.history.back().epoch;
    double skip = 1;
    if (std::isfinite(gap) && gap_at_last_check_ > gap && target_ > 0) {
      const double rate = std::log(gap_at_last_check_ / gap) / (epoch - last_check_);
      skip = std::clamp(std::floor(std::log(gap / target_) / rate / 2), 1.0, most);
    }
    gap_at_last_check_ = gap;
    last_check_ = epoch;
    return static_cast<std::size_t>(skip);
  }

  Solver& solver_;
  const StopRule& rule_;
  const DriverLimits& limits_;
  const Start& start_;
  Control& control_;
  Outcome outcome_;
  bool checked_ = false;  // the present iterate
  double target_ = 0;
  double last_below_start_ = 0;
  double gap_at_last_check_ = 0;
  double last_check_ = 0;
};

}  // namespace

Outcome drive(Solver& solver, const StopRule& rule, const DriverLimits& limits, const Start& start, Control& control) {
  return Driver(solver, rule, limits, start, control).run();
}

}  // namespace finitesum
