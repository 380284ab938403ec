#include "solvers/driver.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace finitesum {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class Driver {
 public:
  Driver(Solver& solver, const FitRequest& request, const DriverLimits& limits, Control& control, FitResult& result)
      : solver_(solver), request_(request), limits_(limits), control_(control), result_(result) {}

  void run() {
    std::size_t epoch = 0;
    std::size_t next_check = 1;
    if (request_.coef_init != nullptr) check(epoch);  // a warm start may be good enough
    while (epoch < request_.max_iter && !result_.converged && !solver_.stalled() && !control_.look()) {
      checked_ = false;
      solver_.run_epoch(epoch++, control_);
      if (control_.stopped()) break;
      if (epoch < next_check && epoch < request_.max_iter && !solver_.checks_are_free()) continue;
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
    result_.n_iter = epoch;
    if (result_.converged) return;
    if (control_.stopped())
      result_.stopping = control_.reason();
    else if (solver_.stalled())
      result_.stopping = Stopping::no_progress;
  }

 private:
  void check(std::size_t epoch) {
    const Certificate certificate = solver_.check();
    Check entry;
    entry.epoch = static_cast<double>(epoch);
    entry.passes = solver_.passes();
    entry.objective = std::isnan(certificate.objective) ? infinity : certificate.objective;
    // Every dual value bounds the optimum: the best one so far counts.
    result_.lower_bound = std::max(result_.lower_bound, certificate.lower_bound);
    if (std::isfinite(result_.lower_bound) && std::isfinite(entry.objective)) {
      entry.gap = std::max(entry.objective - result_.lower_bound, 0.0);
    }
    entry.step_size = solver_.step_size();
    entry.nonzeros = certificate.nonzeros;
    entry.seconds = control_.seconds();
    result_.history.push_back(entry);
    checked_ = true;
    result_.objective = entry.objective;
    result_.dual_gap = entry.gap;
    judge(certificate);
    if (request_.monitor && request_.monitor(entry)) control_.stop(Stopping::callback);
  }

  void judge(const Certificate& certificate) {
    if (std::isnan(certificate.gradient_norm)) {
      target_ = request_.tol * limits_.null_objective + limits_.rounding;
      result_.converged = result_.dual_gap <= target_;
      if (result_.converged) result_.stopping = Stopping::duality_gap;
    } else {
      result_.converged = certificate.gradient_norm <= request_.tol * limits_.null_gradient_norm;
      if (result_.converged) result_.stopping = Stopping::gradient_norm;
    }
  }

  bool diverged() const {
    // Far above the null model nothing is worth keeping.
    constexpr double hopeless = 100;
    const double objective = result_.objective;
    const double reference = std::max(limits_.null_objective, first_objective());
    return !std::isfinite(objective) || objective > hopeless * reference;
  }
  double first_objective() const {
    const double first = result_.history.front().objective;
    return std::isfinite(first) ? first : 0;
  }

  // A check costs up to 40 % of an epoch. While the gap falls geometrically, half of the epochs that it still needs can
  // be run without looking.
  std::size_t epochs_to_next_check() {
    if (request_.check_interval > 0) return request_.check_interval;
    constexpr double most = 16;
    const double gap = result_.dual_gap;
    const double epoch = result_.history.back().epoch;
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
  const FitRequest& request_;
  const DriverLimits& limits_;
  Control& control_;
  FitResult& result_;
  bool checked_ = false;  // the present iterate
  double target_ = 0;
  double gap_at_last_check_ = 0;
  double last_check_ = 0;
};

}  // namespace

void drive(Solver& solver, const FitRequest& request, const DriverLimits& limits, Control& control, FitResult& result) {
  Driver(solver, request, limits, control, result).run();
}

}  // namespace finitesum
