#include "solvers/driver.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace finitesum {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// What is known of one output while the run goes on.
struct Progress {
  DriverLimits limits;
  Outcome outcome;
  double target = 0;
  double last_below_start = 0;
};

class Driver {
 public:
  Driver(Solver& solver, const StopRule& rule, const std::vector<DriverLimits>& limits, const Start& start,
         Control& control)
      : solver_(solver), rule_(rule), start_(start), control_(control) {
    for (const DriverLimits& of_output : limits) outputs_.push_back({of_output, {}});
  }

  std::vector<Outcome> run() {
    std::size_t epoch = 0;
    double next_check = 0;
    excess_at_last_check_ = 1 / rule_.tol;  // at the null model some dual value is about zero
    if (start_.is_warm) {
      check(epoch);
      excess_at_last_check_ = excess();
      passes_at_last_check_ = passes_at_start_ = solver_.passes();
    }
    while (epoch < rule_.max_iter && !converged() && !solver_.stalled() && !control_.look()) {
      checked_ = false;
      solver_.run_epoch(start_.epochs + epoch++, control_);
      if (control_.stopped()) break;
      const bool may_wait = rule_.check_interval > 0 || !solver_.checks_are_free();
      if (may_wait && progress(epoch) < next_check && epoch < rule_.max_iter) continue;
      check(epoch);
      if (!checked_) break;
      if (diverged()) {
        solver_.restart_with_half_step();
        checked_ = false;
        excess_at_last_check_ = 0;
        next_check = 0;
      } else {
        next_check = progress(epoch) + until_next_check();
      }
    }
    if (!checked_) check_end(epoch);
    std::vector<Outcome> outcomes;
    for (Progress& output : outputs_) {
      Outcome& outcome = output.outcome;
      outcome.n_iter = epoch;
      if (!outcome.converged) {
        if (solver_.stalled()) outcome.stopping = Stopping::no_progress;
        if (control_.reason() != Stopping::max_iter) outcome.stopping = control_.reason();
      }
      outcomes.push_back(std::move(outcome));
    }
    return outcomes;
  }

 private:
  // Where the run has ended. Who sets a time limit waits for the certificate; who interrupts gets it if it takes some
  // 20 ms, and else what the solver has at hand.
  void check_end(std::size_t epoch) {
    constexpr std::size_t short_work = std::size_t{1} << 24;  // entries of X
    const bool is_short = solver_.check_work() <= short_work;
    if (is_short || control_.reason() != Stopping::interrupted) control_.go_on(is_short);
    check(epoch);
    if (!checked_) check(epoch, true);
  }

  // An unfinished check leaves no trace, unless nothing better is to come.
  void check(std::size_t epoch, bool is_last = false) {
    const std::vector<Certificate> certificates = solver_.check_outputs(control_);
    const bool is_finished = std::all_of(certificates.begin(), certificates.end(), [](const Certificate& certificate) {
      return std::isfinite(certificate.objective);
    });
    checked_ = is_finished || is_last || !control_.stopped();
    if (!checked_) return;
    bool is_watched = static_cast<bool>(rule_.monitor);
    for (std::size_t k = 0; k < outputs_.size(); ++k) {
      const Check& entry = record(outputs_[k], certificates[k], epoch);
      if (is_watched && rule_.monitor(k, entry)) {
        control_.stop(Stopping::callback);
        is_watched = false;
      }
    }
  }

  const Check& record(Progress& output, const Certificate& certificate, std::size_t epoch) {
    Outcome& outcome = output.outcome;
    Check entry;
    entry.epoch = static_cast<double>(epoch);
    entry.passes = solver_.passes();
    entry.objective = std::isnan(certificate.objective) ? infinity : certificate.objective;
    // Every dual value bounds the optimum: the best one so far counts.
    outcome.lower_bound = std::max(outcome.lower_bound, certificate.lower_bound);
    if (std::isfinite(outcome.lower_bound) && std::isfinite(entry.objective)) {
      entry.gap = std::max(entry.objective - outcome.lower_bound, 0.0);
    }
    entry.step_size = solver_.step_size();
    entry.nonzeros = certificate.nonzeros;
    entry.seconds = control_.seconds();
    outcome.history.push_back(entry);
    outcome.objective = entry.objective;
    outcome.dual_gap = entry.gap;
    judge(output, certificate);
    return outcome.history.back();
  }

  void judge(Progress& output, const Certificate& certificate) const {
    Outcome& outcome = output.outcome;
    const DriverLimits& limits = output.limits;
    if (std::isnan(certificate.gradient_norm)) {
      output.target = rule_.tol * limits.null_objective + limits.rounding;
      outcome.converged = outcome.dual_gap <= output.target;
      if (outcome.converged) outcome.stopping = Stopping::duality_gap;
    } else {
      outcome.converged = std::isfinite(certificate.objective) &&
                          certificate.gradient_norm <= rule_.tol * limits.null_gradient_norm + limits.gradient_rounding;
      if (outcome.converged) outcome.stopping = Stopping::gradient_norm;
    }
  }

  bool converged() const {
    return std::all_of(outputs_.begin(), outputs_.end(),
                       [](const Progress& output) { return output.outcome.converged; });
  }

  bool diverged() {
    bool any = false;
    for (Progress& output : outputs_) any = is_lost(output) || any;
    return any;
  }

  // Far above the start nothing is worth keeping, and what stays above it for long neither converges nor explodes: a
  // step at the edge of stability.
  bool is_lost(Progress& output) const {
    constexpr double hopeless = 100;
    constexpr double patience = 30;  // epochs
    const std::vector<Check>& history = output.outcome.history;
    const double epoch = history.back().epoch;
    const double start = std::isfinite(history.front().objective) && start_.is_warm
                             ? std::max(output.limits.null_objective, history.front().objective)
                             : output.limits.null_objective;
    if (output.outcome.objective <= start + output.limits.rounding) output.last_below_start = epoch;
    const bool is_lost = !(output.outcome.objective <= hopeless * start) || epoch - output.last_below_start >= patience;
    if (is_lost) output.last_below_start = epoch;
    return is_lost;
  }

  // How many times its target the gap is, of the output that is farthest from it.
  double excess() const {
    double worst = 0;
    for (const Progress& output : outputs_) worst = std::max(worst, output.outcome.dual_gap / output.target);
    return worst;
  }

  // What check_interval counts: epochs if it is set, else passes over X, of which some epochs take a part only.
  double progress(std::size_t epoch) const {
    return rule_.check_interval > 0 ? static_cast<double>(epoch) : solver_.passes();
  }

  // A check costs about half a pass. While the gap falls geometrically, three quarters of the passes that it still
  // needs can be run without looking; half of them by the rate of the first epoch alone, and never more than three
  // for two that were run.
  double until_next_check() {
    if (rule_.check_interval > 0) return static_cast<double>(rule_.check_interval);
    constexpr double least = 0.5;
    constexpr double most = 16;
    const bool is_first = outputs_.front().outcome.history.size() == (start_.is_warm ? 2 : 1);
    const double now = excess();
    const double passes = solver_.passes();
    const double longest = std::clamp(1.5 * (passes - passes_at_start_), least, most);
    double wait = least;
    if (now > 1 && std::isfinite(now) && excess_at_last_check_ > now && passes > passes_at_last_check_) {
      const double rate = std::log(excess_at_last_check_ / now) / (passes - passes_at_last_check_);
      wait = std::clamp((is_first ? 0.5 : 0.75) * std::log(now) / rate, least, longest);
    }
    excess_at_last_check_ = now;
    passes_at_last_check_ = passes;
    return wait;
  }

  Solver& solver_;
  const StopRule& rule_;
  const Start& start_;
  Control& control_;
  std::vector<Progress> outputs_;
  bool checked_ = false;  // the present iterate
  double excess_at_last_check_ = 0;
  double passes_at_last_check_ = 0;
  double passes_at_start_ = 0;
};

}  // namespace

std::vector<Outcome> drive(Solver& solver, const StopRule& rule, const std::vector<DriverLimits>& limits,
                           const Start& start, Control& control) {
  return Driver(solver, rule, limits, start, control).run();
}

Outcome drive(Solver& solver, const StopRule& rule, const DriverLimits& limits, const Start& start, Control& control) {
  return std::move(drive(solver, rule, std::vector<DriverLimits>{limits}, start, control).front());
}

}  // namespace finitesum
