// The iterate of columns.hpp for sparse rows where columns have steps of their own length, in classes as
// classed_iterate.hpp has them: w_jk = scale v_jk + slope d_jk, one scale and one slope per class for all outputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "solvers/column_scaling.hpp"
#include "solvers/multi/problem.hpp"

namespace finitesum {

template <class T, class I>
class ClassedColumns {
 public:
  static constexpr bool has_batches = true;
  static constexpr double mass_growth = 0;
  static constexpr double step_tolerance = 0;

  ClassedColumns(const MultiProblem<CsrView<T, I>>& problem, const ColumnScaling& scaling)
      : kernels_(sparse_of<T, I>(problem.kernels.columns)),
        K_(problem.n_outputs),
        l2_(problem.l2()),
        factors_(scaling.factors),
        rhos_(factors_.size(), 1),
        scales_(factors_.size(), 1),
        slopes_(factors_.size()),
        fresh_moves_(factors_.size()),
        change_moves_(factors_.size()),
        sums_of_scales_(factors_.size()),
        sums_of_slopes_(factors_.size()),
        classes_(scaling.classes.data()),
        pairs_(2 * problem.n_coefficients()),
        no_change_(K_) {}

  void predict(SparseRow<T, I> x, double* out) const {
    kernels_.dot_classed(x.values, x.indices, x.size, pairs_.data(), K_, classes_, scales_.data(), slopes_.data(), out);
  }

  double step_size() const { return step_; }
  void set_step(double step) {
    step_ = step;
    for (std::size_t c = 0; c < factors_.size(); ++c) rhos_[c] = 1 / (1 + step * factors_[c] * l2_);
    set_mass(mass_);
  }
  void set_mass(double mass) {
    mass_ = mass;
    direction_ = step_ / mass;
  }

  void step(SparseRow<T, I> x, const double* fresh, const double* change) {
    double smallest = 1;
    for (std::size_t c = 0; c < factors_.size(); ++c) {
      slopes_[c] = rhos_[c] * (slopes_[c] - factors_[c] * direction_);
      scales_[c] *= rhos_[c];
      fresh_moves_[c] = rhos_[c] * factors_[c] / scales_[c];
      change_moves_[c] = slopes_[c] / scales_[c];
      smallest = scales_[c] < smallest ? scales_[c] : smallest;
    }
    move(x, fresh, change);
    for (std::size_t c = 0; c < factors_.size(); ++c) {
      sums_of_scales_[c] += scales_[c];
      sums_of_slopes_[c] += slopes_[c];
    }
    if (smallest < (sum_.empty() ? smallest_scale : smallest_scale_of_sums)) settle();
  }
  void shift(SparseRow<T, I> x, const double* fresh) {
    for (std::size_t c = 0; c < factors_.size(); ++c) fresh_moves_[c] = factors_[c] / scales_[c];
    move(x, fresh, no_change_.data());
  }

  void begin_average() {
    settle();
    sum_.assign(pairs_.size() / 2, 0.0);
  }
  void end_average(double n_steps) {
    settle();
    for (std::size_t at = 0; at < sum_.size(); ++at) pairs_[at / K_ * 2 * K_ + at % K_] = sum_[at] / n_steps;
  }

  void prefetch(SparseRow<T, I> x) const {
    for (std::size_t e = 0; e < x.size; ++e) {
      const auto j = static_cast<std::size_t>(x.indices[e]);
      prefetch_bytes(pairs_.data() + j * 2 * K_, 2 * K_ * sizeof(double));
      __builtin_prefetch(&classes_[j]);
    }
  }

  void settle() {
    for (std::size_t at = 0; at < sum_.size(); ++at) {
      const std::size_t j = at / K_;
      const double* pair = &pairs_[j * 2 * K_ + at % K_];
      sum_[at] += sums_of_scales_[classes_[j]] * pair[0] + sums_of_slopes_[classes_[j]] * pair[K_];
    }
    for (std::size_t j = 0; j < pairs_.size() / (2 * K_); ++j) {
      const std::size_t c = classes_[j];
      double* v = &pairs_[j * 2 * K_];
      for (std::size_t k = 0; k < K_; ++k) v[k] = scales_[c] * v[k] + slopes_[c] * v[k + K_];
    }
    for (std::size_t c = 0; c < factors_.size(); ++c) {
      scales_[c] = 1;
      slopes_[c] = sums_of_scales_[c] = sums_of_slopes_[c] = 0;
    }
  }
  double& coefficient(std::size_t j, std::size_t k) { return pairs_[j * 2 * K_ + k]; }
  double& gradient_sum(std::size_t j, std::size_t k) { return pairs_[(j * 2 + 1) * K_ + k]; }
  double center(std::size_t) const { return 0; }

 private:
  static constexpr double smallest_scale = 1e-9;
  static constexpr double smallest_scale_of_sums = 1e-3;

  // The sum of the iterates, if it is wanted, is mended as in ScaledIterate: d stands still meanwhile.
  void move(SparseRow<T, I> x, const double* fresh, const double* change) {
    kernels_.step_classed(x.values, x.indices, x.size, pairs_.data(), K_, classes_, fresh_moves_.data(),
                          change_moves_.data(), fresh, change);
    for (std::size_t e = 0; e < x.size && !sum_.empty(); ++e) {
      const auto j = static_cast<std::size_t>(x.indices[e]);
      const std::size_t c = classes_[j];
      const double factor = sums_of_scales_[c] * fresh_moves_[c] * double{x.values[e]};
      for (std::size_t k = 0; k < K_; ++k) sum_[j * K_ + k] += factor * fresh[k];
    }
  }

  const SparseColumnKernels<T, I>& kernels_;
  std::size_t K_;
  double l2_;
  double step_ = 0;
  double mass_ = 1;
  double direction_ = 0;
  // Of the classes.
  std::vector<double> factors_;
  std::vector<double> rhos_;
  std::vector<double> scales_;
  std::vector<double> slopes_;
  std::vector<double> fresh_moves_;   // of v per unit of x and fresh, in the present step
  std::vector<double> change_moves_;  // and per unit of x and change
  std::vector<double> sums_of_scales_;
  std::vector<double> sums_of_slopes_;
  const std::uint8_t* classes_;  // of the columns
  std::vector<double> pairs_;    // per column: v, then d
  std::vector<double> no_change_;
  std::vector<double> sum_;
};

}  // namespace finitesum
