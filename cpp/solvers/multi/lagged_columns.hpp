// The iterate of columns.hpp for sparse rows and a penalty with L1, in classes of columns with equal steps.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "penalties/lazy_prox.hpp"
#include "solvers/column_scaling.hpp"
#include "solvers/multi/problem.hpp"

namespace finitesum {

// See LaggedIterate: one number per column says up to which step all its outputs are current.
template <class T, class I>
class LaggedColumns {
 public:
  static constexpr bool has_batches = true;
  static constexpr double mass_growth = 1.0 / 16;
  static constexpr double step_tolerance = 1.0 / 16;

  LaggedColumns(const MultiProblem<CsrView<T, I>>& problem, const ColumnScaling& scaling)
      : kernels_(sparse_of<T, I>(problem.kernels.columns)),
        K_(problem.n_outputs),
        l1_(problem.l1()),
        l2_(problem.l2()),
        factors_(scaling.is_on() ? scaling.factors : std::vector<double>{1}),
        classes_(scaling.classes.empty() ? nullptr : scaling.classes.data()),
        prox_(factors_.size(), LazyProx(0, 0)),
        thresholds_(factors_.size()),
        shrinks_(factors_.size()),
        segments_(1),
        pairs_(2 * problem.n_coefficients()),
        current_to_(problem.n_columns()) {}

  void predict(SparseRow<T, I> x, double* out) {
    for (std::size_t k = 0; k < x.size; ++k) catch_up(static_cast<std::size_t>(x.indices[k]));
    kernels_.dot(x.values, x.indices, x.size, pairs_.data(), 2 * K_, K_, out);
  }

  double step_size() const { return step_size_; }
  void set_step(double step) {
    if (step == step_size_) return;
    settle();
    step_size_ = step;
    for (std::size_t c = 0; c < factors_.size(); ++c) {
      prox_[c] = LazyProx(step * factors_[c] * l1_, step * factors_[c] * l2_);
      thresholds_[c] = step * factors_[c] * l1_;
      shrinks_[c] = 1 / (1 + step * factors_[c] * l2_);
    }
    set_mass(mass_);
  }
  void set_mass(double mass) {
    mass_ = mass;
    const double direction = step_size_ / mass;
    if (segments_.back().first_step == clock_) {
      segments_.back().direction = direction;
    } else {
      segments_.push_back({clock_, direction});
    }
  }

  // Must follow predict(x), which has brought the row's columns up to date.
  void step(SparseRow<T, I> x, const double* fresh, const double* change) {
    const ColumnStep step{
        segments_.back().direction, classes_, factors_.data(), thresholds_.data(), shrinks_.data(), fresh, change};
    kernels_.step_l1(x.values, x.indices, x.size, pairs_.data(), K_, &step);
    ++clock_;
    for (std::size_t e = 0; e < x.size; ++e) {
      const auto j = static_cast<std::size_t>(x.indices[e]);
      current_to_[j] = clock_;
      for (std::size_t k = 0; k < K_ && !sum_.empty(); ++k) sum_[j * K_ + k] += pairs_[j * 2 * K_ + k];
    }
  }
  // Must follow predict(x), too.
  void shift(SparseRow<T, I> x, const double* fresh) {
    for (std::size_t e = 0; e < x.size; ++e) {
      const auto j = static_cast<std::size_t>(x.indices[e]);
      double* w = &pairs_[j * 2 * K_];
      const double factor = factors_[class_of(j)];
      for (std::size_t k = 0; k < K_; ++k) w[k] -= factor * (fresh[k] * double{x.values[e]});
    }
  }

  void begin_average() { sum_.assign(pairs_.size() / 2, 0.0); }
  void end_average(double n_steps) {
    settle();
    for (std::size_t at = 0; at < sum_.size(); ++at) pairs_[at / K_ * 2 * K_ + at % K_] = sum_[at] / n_steps;
  }

  void prefetch(SparseRow<T, I> x) const {
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      prefetch_bytes(pairs_.data() + j * 2 * K_, 2 * K_ * sizeof(double));
      __builtin_prefetch(&current_to_[j]);
    }
  }

  void settle() {
    if (clock_ == 0) return;
    for (std::size_t j = 0; j < current_to_.size(); ++j) catch_up(j);
    std::fill(current_to_.begin(), current_to_.end(), 0);
    clock_ = 0;
    segments_.assign(1, {0, step_size_ / mass_});
  }
  double& coefficient(std::size_t j, std::size_t k) { return pairs_[j * 2 * K_ + k]; }
  double& gradient_sum(std::size_t j, std::size_t k) { return pairs_[(j * 2 + 1) * K_ + k]; }
  double center(std::size_t) const { return 0; }

 private:
  struct Segment {
    std::int64_t first_step;
    double direction;
  };

  std::size_t class_of(std::size_t j) const { return classes_ == nullptr ? 0 : classes_[j]; }

  void catch_up(std::size_t j) {
    std::int64_t from = current_to_[j];
    current_to_[j] = clock_;
    if (from == clock_) return;
    double* w = &pairs_[j * 2 * K_];
    const double* d = w + K_;
    const std::size_t c = class_of(j);
    const LazyProx& prox = prox_[c];
    std::size_t segment = segments_.size() - 1;
    while (segments_[segment].first_step > from) --segment;
    while (from < clock_) {
      const std::int64_t to = segment + 1 < segments_.size() ? segments_[segment + 1].first_step : clock_;
      const double direction = segments_[segment].direction * factors_[c];
      const LazyProx::Steps steps = prox.steps(to - from);
      for (std::size_t k = 0; k < K_ && !sum_.empty(); ++k)
        sum_[j * K_ + k] += prox.path_sum(w[k], direction * d[k], to - from);
      for (std::size_t k = 0; k < K_; ++k) w[k] = prox(w[k], direction * d[k], steps);
      from = to;
      ++segment;
    }
  }

  const SparseColumnKernels<T, I>& kernels_;
  std::size_t K_;
  double l1_;
  double l2_;
  std::vector<double> factors_;  // one: of all columns
  const std::uint8_t* classes_;  // null: there is one
  std::vector<LazyProx> prox_;   // of the classes, and so are the two that follow
  std::vector<double> thresholds_;
  std::vector<double> shrinks_;
  double step_size_ = 0;
  double mass_ = 1;
  std::int64_t clock_ = 0;
  std::vector<Segment> segments_;
  std::vector<double> pairs_;  // per column: w, then d
  std::vector<std::int64_t> current_to_;
  std::vector<double> sum_;  // see LaggedIterate
};

}  // namespace finitesum
