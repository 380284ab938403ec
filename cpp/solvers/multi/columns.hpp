// lazy_updates.hpp with K outputs per column: the iterate W and the gradient sum d = sum_i s_i x_i g_i^T move together
// by
//     W <- prox_{step R}(W - direction d - x fresh^T),   d <- d + x change^T,      direction = step / mass,
// fresh and change being vectors of K numbers. One scale, one slope and one clock serve all outputs of a row.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "solvers/column_scaling.hpp"
#include "solvers/multi/classed_columns.hpp"
#include "solvers/multi/lagged_columns.hpp"
#include "solvers/multi/problem.hpp"
#include "solvers/multi/quad_columns.hpp"

namespace finitesum {

// Dense rows one by one. State and arithmetic are those of K single outputs, whose loops run along the columns.
template <class T>
class DenseColumns {
 public:
  static constexpr bool has_batches = true;
  static constexpr double mass_growth = 0;
  static constexpr double step_tolerance = 0;

  DenseColumns(const MultiProblem<DenseView<T>>& problem, const ColumnScaling& scaling)
      : kernels_(dense<T>(problem.kernels)),
        add_(dense<double>(problem.kernels).axpy),
        scaling_(scaling),
        p_(problem.n_columns()),
        K_(problem.n_outputs),
        l1_(problem.l1()),
        l2_(problem.l2()),
        w_(problem.n_coefficients()),
        d_(problem.n_coefficients()) {}

  void predict(DenseRow<T> x, double* out) const {
    for (std::size_t k = 0; k < K_; ++k) {
      const double* w = &w_[k * p_];
      out[k] = scaling_.is_on() ? kernels_.centered_dot(x.values, centers(), w, p_) : kernels_.dot(x.values, w, p_);
    }
  }

  double step_size() const { return step_size_; }
  void set_step(double step) {
    step_size_ = step;
    step_.threshold = step * l1_;
    step_.shrink = 1 / (1 + step * l2_);
    set_mass(mass_);
  }
  void set_mass(double mass) {
    mass_ = mass;
    step_.direction = step_size_ / mass;
  }

  void step(DenseRow<T> x, const double* fresh, const double* change) {
    for (std::size_t k = 0; k < K_; ++k) {
      if (scaling_.is_on()) {
        scaled_step(x, k,
                    {step_.direction, fresh[k], change[k], step_.threshold, step_size_ * l2_, 1, centers(), factors()});
        continue;
      }
      step_.fresh = fresh[k];
      step_.change = change[k];
      (l1_ > 0 ? kernels_.step_l1 : kernels_.step)(x.values, &w_[k * p_], &d_[k * p_], p_, &step_);
    }
    if (!sum_.empty()) add_(1, w_.data(), sum_.data(), w_.size());
  }
  void shift(DenseRow<T> x, const double* fresh) {
    for (std::size_t k = 0; k < K_; ++k) {
      if (scaling_.is_on()) {
        scaled_step(x, k, {0, fresh[k], 0, 0, 0, 1, centers(), factors()});
      } else {
        kernels_.axpy(-fresh[k], x.values, &w_[k * p_], p_);
      }
    }
  }

  void begin_average() { sum_.assign(w_.size(), 0.0); }
  void end_average(double n_steps) {
    for (std::size_t j = 0; j < w_.size(); ++j) w_[j] = sum_[j] / n_steps;
  }

  void prefetch(DenseRow<T>) const {}
  void settle() {}
  double& coefficient(std::size_t j, std::size_t k) { return w_[k * p_ + j]; }
  double& gradient_sum(std::size_t j, std::size_t k) { return d_[k * p_ + j]; }
  double center(std::size_t j) const { return scaling_.is_on() ? scaling_.centers[j] : 0; }

 private:
  const double* centers() const { return scaling_.centers.data(); }
  const double* factors() const { return scaling_.factors.data(); }
  void scaled_step(DenseRow<T> x, std::size_t k, const ScaledStep& step) {
    (step.threshold > 0 ? kernels_.scaled_step_l1 : kernels_.scaled_step)(x.values, &w_[k * p_], &d_[k * p_], p_,
                                                                          &step);
  }

  const DenseKernels<T>& kernels_;
  decltype(DenseKernels<double>::axpy) add_;
  const ColumnScaling& scaling_;
  std::size_t p_;
  std::size_t K_;
  double l1_;
  double l2_;
  double step_size_ = 0;
  double mass_ = 1;
  StepCoefficients step_{};
  std::vector<double> w_;
  std::vector<double> d_;
  std::vector<double> sum_;  // of the iterates; empty: not wanted
};

// W = scale (v + slope d) and the sum of such iterates, see ScaledIterate.
template <class T, class I>
class ScaledColumns {
 public:
  static constexpr bool has_batches = true;
  static constexpr double mass_growth = 0;
  static constexpr double step_tolerance = 0;

  ScaledColumns(const MultiProblem<CsrView<T, I>>& problem, const ColumnScaling& /*off*/)
      : kernels_(sparse_of<T, I>(problem.kernels.columns)),
        K_(problem.n_outputs),
        l2_(problem.l2()),
        pairs_(2 * problem.n_coefficients()),
        move_(K_),
        no_change_(K_) {}

  void predict(SparseRow<T, I> x, double* out) const {
    kernels_.dot_pairs(x.values, x.indices, x.size, pairs_.data(), K_, scale_, slope_, out);
  }

  double step_size() const { return step_; }
  void set_step(double step) {
    step_ = step;
    rho_ = 1 / (1 + step * l2_);
    set_mass(mass_);
  }
  void set_mass(double mass) {
    mass_ = mass;
    direction_ = step_ / mass;
  }

  void step(SparseRow<T, I> x, const double* fresh, const double* change) {
    slope_ -= direction_ / scale_;
    for (std::size_t k = 0; k < K_; ++k) move_[k] = fresh[k] / scale_ + slope_ * change[k];
    kernels_.step_pairs(x.values, x.indices, x.size, pairs_.data(), K_, move_.data(), change);
    mend_sum(x);
    scale_ *= rho_;
    sum_of_scales_ += scale_;
    sum_of_slopes_ += scale_ * slope_;
    if (scale_ < (sum_.empty() ? smallest_scale : smallest_scale_of_sums)) settle();
  }
  void shift(SparseRow<T, I> x, const double* fresh) {
    for (std::size_t k = 0; k < K_; ++k) move_[k] = fresh[k] / scale_;
    kernels_.step_pairs(x.values, x.indices, x.size, pairs_.data(), K_, move_.data(), no_change_.data());
    mend_sum(x);
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
    for (std::size_t k = 0; k < x.size; ++k)
      prefetch_bytes(pairs_.data() + static_cast<std::size_t>(x.indices[k]) * 2 * K_, 2 * K_ * sizeof(double));
  }

  void settle() {
    if (scale_ == 1 && slope_ == 0) return;
    for (std::size_t at = 0; at < sum_.size(); ++at) {
      const double* pair = &pairs_[at / K_ * 2 * K_ + at % K_];
      sum_[at] += sum_of_scales_ * pair[0] + sum_of_slopes_ * pair[K_];
    }
    for (std::size_t at = 0; at < pairs_.size(); at += 2 * K_) {
      for (std::size_t k = at; k < at + K_; ++k) pairs_[k] = scale_ * (pairs_[k] + slope_ * pairs_[k + K_]);
    }
    scale_ = 1;
    slope_ = 0;
    sum_of_scales_ = 0;
    sum_of_slopes_ = 0;
  }
  double& coefficient(std::size_t j, std::size_t k) { return pairs_[j * 2 * K_ + k]; }
  double& gradient_sum(std::size_t j, std::size_t k) { return pairs_[(j * 2 + 1) * K_ + k]; }
  double center(std::size_t) const { return 0; }

 private:
  static constexpr double smallest_scale = 1e-9;
  static constexpr double smallest_scale_of_sums = 1e-3;

  void mend_sum(SparseRow<T, I> x) {
    if (sum_.empty()) return;
    for (double& move : move_) move *= sum_of_scales_;
    kernels_.axpy(move_.data(), x.values, x.indices, x.size, sum_.data(), K_);
  }

  const SparseColumnKernels<T, I>& kernels_;
  std::size_t K_;
  double l2_;
  double step_ = 0;
  double mass_ = 1;
  double rho_ = 1;
  double direction_ = 0;
  double scale_ = 1;
  double slope_ = 0;
  double sum_of_scales_ = 0;
  double sum_of_slopes_ = 0;
  std::vector<double> pairs_;  // per column: v, then d
  std::vector<double> move_;
  std::vector<double> no_change_;
  std::vector<double> sum_;
};

template <class Columns>
struct ColumnsType {
  using type = Columns;
};

// Calls make(ColumnsType<...>, scaling) with the iterate that suits the view, the penalty and the scaling;
// `row_by_row`: it must have batches and averages.
template <class View, class Make>
auto with_columns(const MultiProblem<View>& problem, const MultiSetup& setup, bool has_table, bool row_by_row,
                  Make&& make) {
  using T = typename View::Value;
  ColumnScaling scaling = scale_columns(problem, setup, has_table);
  if constexpr (View::is_sparse) {
    using I = typename View::Index;
    if (problem.l1() > 0) return make(ColumnsType<LaggedColumns<T, I>>{}, std::move(scaling));
    if (scaling.is_on()) return make(ColumnsType<ClassedColumns<T, I>>{}, std::move(scaling));
    return make(ColumnsType<ScaledColumns<T, I>>{}, std::move(scaling));
  } else {
    if (problem.l1() > 0 || row_by_row || scaling.is_on())
      return make(ColumnsType<DenseColumns<T>>{}, std::move(scaling));
    return make(ColumnsType<QuadColumns<T>>{}, std::move(scaling));
  }
}

}  // namespace finitesum
