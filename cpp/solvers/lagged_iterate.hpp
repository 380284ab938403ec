// The iterate of lazy_updates.hpp for sparse rows and a penalty with L1, in classes of columns with equal steps.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "penalties/lazy_prox.hpp"
#include "solvers/column_scaling.hpp"
#include "solvers/problem.hpp"

namespace finitesum {

// With L1 each coordinate carries the number of the step up to which it is current, and is brought up to date in closed
// form when a row names it. The caller lends p doubles for these numbers (exact as doubles up to 2^53 steps).
template <class T, class I>
class LaggedIterate {
 public:
  // A catch-up is closed-form only while `direction` stands still, so the mass follows the rows seen in jumps of a
  // sixteenth.
  static constexpr double mass_growth = 1.0 / 16;
  static constexpr double step_tolerance = 1.0 / 16;

  LaggedIterate(const Problem<CsrView<T, I>>& problem, double* lent, const ColumnScaling& scaling)
      : l1_(problem.l1()),
        l2_(problem.l2()),
        factors_(scaling.is_on() ? scaling.factors : std::vector<double>{1}),
        classes_(scaling.classes),
        prox_(factors_.size(), LazyProx(0, 0)),
        segments_(1),
        pairs_(problem.n_columns()),
        current_to_(lent) {}

  double predict(SparseRow<T, I> x) {
    double sum = 0;
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      catch_up(j);
      sum += double{x.values[k]} * pairs_[j].w;
    }
    return sum;
  }

  // Another strength of the pull towards a center, while settled; set_step must follow.
  void set_kappa(double kappa) {
    kappa_ = kappa;
    step_ = 0;
  }
  double step_size() const { return step_; }
  void set_step(double step) {
    if (step == step_) return;
    settle();
    wake();
    step_ = step;
    for (std::size_t k = 0; k < prox_.size(); ++k)
      prox_[k] = LazyProx(step * factors_[k] * l1_, step * (factors_[k] * l2_ + kappa_));
    set_mass(mass_);
  }
  void set_mass(double mass) {
    mass_ = mass;
    const double direction = step_ / mass;
    if (segments_.back().first_step == clock_) {
      segments_.back().direction = direction;
    } else {
      segments_.push_back({clock_, direction});
    }
  }

  // Must follow predict(x), which has brought the row's coordinates up to date.
  void step(SparseRow<T, I> x, double fresh, double change) {
    const double direction = segments_.back().direction;
    ++clock_;
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      Pair& pair = pairs_[j];
      const double value = double{x.values[k]};
      const std::size_t c = class_of(j);
      pair.w = prox_[c].once(pair.w - factors_[c] * (direction * pair.d + fresh * value));
      pair.d += change * value;
      current_to_[j] = static_cast<double>(clock_);
      if (!sum_.empty()) sum_[j] += pair.w;
    }
  }
  // Must follow predict(x), too.
  void shift(SparseRow<T, I> x, double fresh) {
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      pairs_[j].w -= factors_[class_of(j)] * (fresh * double{x.values[k]});
    }
  }

  void begin_average() { sum_.assign(pairs_.size(), 0.0); }
  void end_average(double n_steps) {
    settle();
    for (std::size_t j = 0; j < pairs_.size(); ++j) pairs_[j].w = sum_[j] / n_steps;
  }

  void prefetch(SparseRow<T, I> x) const {
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      __builtin_prefetch(&pairs_[j]);
      __builtin_prefetch(&current_to_[j]);
    }
  }

  // Leaves the lent doubles free for other use until wake().
  void settle() {
    if (clock_ == 0) return;
    for (std::size_t j = 0; j < pairs_.size(); ++j) catch_up(j);
    clock_ = 0;
    segments_.assign(1, {0, step_ / mass_});
  }
  void wake() { std::fill_n(current_to_, pairs_.size(), 0.0); }
  double& coefficient(std::size_t j) { return pairs_[j].w; }
  double& gradient_sum(std::size_t j) { return pairs_[j].d; }
  static constexpr bool is_centered() { return false; }
  static double center(std::size_t /*j*/) { return 0; }

 private:
  struct alignas(16) Pair {
    double w = 0;
    double d = 0;
  };
  struct Segment {
    std::int64_t first_step;
    double direction;
  };

  std::size_t class_of(std::size_t j) const { return classes_.empty() ? 0 : classes_[j]; }

  void catch_up(std::size_t j) {
    Pair& pair = pairs_[j];
    auto from = static_cast<std::int64_t>(current_to_[j]);
    current_to_[j] = static_cast<double>(clock_);
    if (from == clock_ || (pair.w == 0 && pair.d == 0)) return;
    const std::size_t c = class_of(j);
    const LazyProx& prox = prox_[c];
    const double pull = factors_[c] * pair.d;
    std::size_t segment = segments_.size() - 1;
    while (segments_[segment].first_step > from) --segment;
    while (from < clock_) {
      const std::int64_t to = segment + 1 < segments_.size() ? segments_[segment + 1].first_step : clock_;
      const double drift = segments_[segment].direction * pull;
      if (!sum_.empty()) sum_[j] += prox.path_sum(pair.w, drift, to - from);
      pair.w = prox(pair.w, drift, to - from);
      from = to;
      ++segment;
    }
  }

  double l1_;
  double l2_;
  double kappa_ = 0;
  std::vector<double> factors_;  // one: of all columns
  const std::vector<std::uint8_t>& classes_;
  double step_ = 0;
  std::vector<LazyProx> prox_;  // of the classes
  double mass_ = 1;
  std::int64_t clock_ = 0;
  std::vector<Segment> segments_;
  std::vector<Pair> pairs_;
  double* current_to_;
  std::vector<double> sum_;  // of the iterates that each coordinate has gone through; empty: not wanted
};

}  // namespace finitesum
