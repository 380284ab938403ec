// When a running fit has to stop for a reason outside of the mathematics: its deadline, or the host's interrupt.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <utility>

#include "solvers/report.hpp"

namespace finitesum {

// Thrown by sweeps before the first epoch, where an interrupt finds nothing yet to return.
struct Interrupted {};

class Control {
 public:
  Control(double time_limit, std::function<bool()> interrupted)
      : start_(Clock::now()), last_asked_(start_), time_limit_(time_limit), interrupted_(std::move(interrupted)) {}

  // Accounts for work (in stored entries of X) and tells whether to stop. The clock is read every 64k entries (some 0.1
  // ms), the host is asked every 20 ms, so that an interrupt is seen well within 50 ms of work.
  bool stop_after(std::size_t work) {
    pending_ += work;
    if (pending_ < work_between_looks) return stopped_;
    pending_ = 0;
    return look();
  }

  bool look() {
    if (stopped_) return true;
    const Clock::time_point now = Clock::now();
    if (interrupted_ && now - last_asked_ >= std::chrono::milliseconds(20)) {
      last_asked_ = now;
      if (interrupted_()) {
        if (!has_begun_) throw Interrupted{};
        stop(Stopping::interrupted);
      }
    }
    if (has_begun_ && !stopped_ && seconds_until(now) >= time_limit_) stop(Stopping::time_limit);
    return stopped_;
  }

  // The first epoch is next: before it, nothing stops the work but Interrupted.
  void begin() { has_begun_ = true; }
  bool has_begun() const { return has_begun_; }

  void stop(Stopping reason) {
    stopped_ = true;
    reason_ = reason;
  }

  // Goes on after a stop, for the certificate of where the run has ended; the reason stays. An interrupt stops again,
  // unless the work is certain to be short.
  void go_on(bool is_short) {
    stopped_ = false;
    time_limit_ = std::numeric_limits<double>::infinity();
    if (is_short) interrupted_ = nullptr;
  }

  bool stopped() const { return stopped_; }
  Stopping reason() const { return reason_; }  // of the last stop; max_iter before it
  double seconds() const { return seconds_until(Clock::now()); }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t work_between_looks = 65536;

  double seconds_until(Clock::time_point now) const { return std::chrono::duration<double>(now - start_).count(); }

  Clock::time_point start_;
  Clock::time_point last_asked_;
  double time_limit_;
  std::function<bool()> interrupted_;
  std::size_t pending_ = 0;
  bool has_begun_ = false;
  bool stopped_ = false;
  Stopping reason_ = Stopping::max_iter;
};

// Whom a loop over the rows asks, if anyone, and what a row costs it, in entries of X.
struct Watch {
  Control* control = nullptr;
  std::size_t work_per_row = 1;

  bool has_stopped() const { return control != nullptr && control->stopped(); }
};

// Calls work(begin, end) for consecutive parts of [0, n), each but the last a multiple of `unit`, and asks control
// between parts of about a million entries of X; false if it stops the work.
template <class Work>
bool in_parts(std::size_t n, std::size_t unit, std::size_t work_per_unit, Control* control, Work&& work) {
  constexpr std::size_t work_between_looks = std::size_t{1} << 20;
  const std::size_t at_once = control == nullptr ? n : (work_between_looks / work_per_unit + 1) * unit;
  for (std::size_t begin = 0; begin < n; begin += at_once) {
    if (control != nullptr && control->stopped()) return false;
    const std::size_t end = std::min(begin + at_once, n);
    work(begin, end);
    if (control != nullptr && end < n) control->stop_after((end - begin) / unit * work_per_unit);
  }
  return true;
}

}  // namespace finitesum
