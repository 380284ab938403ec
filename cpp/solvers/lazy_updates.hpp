// The iterate w and the gradient sum d = sum_i s_i g_i x_i of the variance-reduced methods, moved together by
//     w <- prox_{step R}(w - direction d - fresh x),   d <- d + change x,      direction = step / mass,
// with prox_{step R}(v) = soft(v, step l1) / (1 + step l2). Since 1 / (1 + step l2) = 1 - step' l2 with step' = step /
// (1 + step l2), this is the exact treatment of L2 in Schmidt, Le Roux and Bach (2017), section 4.1, w <- (1 - step'
// l2) w - step' (...), for step = 1/L and so step' = 1/(L + l2); unlike that form it needs no guard for step' l2 = 1.
//
// Dense rows touch every coordinate at each step. Sparse rows move only their own coordinates, and the others exactly
// as if they had been moved too: without L1 through a scaled representation, with L1 through closed-form catch-up.
//
// A step along several rows is shift(x, fresh), w <- w - fresh x, for all but the last of them, whose step follows.
// From begin_average() to end_average(), while d stands still (SVRG), the iterates are summed, as exactly.
#pragma once

#include <cstddef>
#include <vector>

#include "solvers/classed_iterate.hpp"
#include "solvers/column_scaling.hpp"
#include "solvers/lagged_iterate.hpp"
#include "solvers/problem.hpp"

namespace finitesum {

template <class T>
class DenseIterate {
 public:
  // The mass may follow every row that is seen for the first time.
  static constexpr double mass_growth = 0;
  static constexpr double step_tolerance = 0;

  DenseIterate(const Problem<DenseView<T>>& problem, double* /*lent*/, const ColumnScaling& scaling)
      : kernels_(dense<T>(problem.kernels)),
        add_(dense<double>(problem.kernels).axpy),
        scaling_(scaling),
        l1_(problem.l1()),
        l2_(problem.l2()),
        w_(problem.n_columns()),
        d_(problem.n_columns()) {}

  double predict(DenseRow<T> x) const {
    if (scaling_.is_on()) return kernels_.centered_dot(x.values, centers(), w_.data(), x.size);
    return kernels_.dot(x.values, w_.data(), x.size);
  }

  // Another strength of the pull towards a center; set_step must follow.
  void set_kappa(double kappa) { kappa_ = kappa; }
  double step_size() const { return step_; }
  void set_step(double step) {
    step_ = step;
    coefficients_.threshold = step * l1_;
    coefficients_.shrink = 1 / (1 + step * (l2_ + kappa_));
    set_mass(mass_);
  }
  void set_mass(double mass) {
    mass_ = mass;
    coefficients_.direction = step_ / mass;
  }

  void step(DenseRow<T> x, double fresh, double change) {
    if (scaling_.is_on()) {
      scaled_step(x, {coefficients_.direction, fresh, change, step_ * l1_, step_ * l2_, 1 + step_ * kappa_, centers(),
                      factors()});
    } else {
      coefficients_.fresh = fresh;
      coefficients_.change = change;
      (l1_ > 0 ? kernels_.step_l1 : kernels_.step)(x.values, w_.data(), d_.data(), x.size, &coefficients_);
    }
    if (!sum_.empty()) add_(1, w_.data(), sum_.data(), w_.size());
  }
  void shift(DenseRow<T> x, double fresh) {
    if (scaling_.is_on()) {
      scaled_step(x, {0, fresh, 0, 0, 0, 1, centers(), factors()});
    } else {
      kernels_.axpy(-fresh, x.values, w_.data(), x.size);
    }
  }

  void begin_average() { sum_.assign(w_.size(), 0.0); }
  void end_average(double n_steps) {
    for (std::size_t j = 0; j < w_.size(); ++j) w_[j] = sum_[j] / n_steps;
  }

  void prefetch(DenseRow<T>) const {}
  void settle() {}
  void wake() {}
  double& coefficient(std::size_t j) { return w_[j]; }
  double& gradient_sum(std::size_t j) { return d_[j]; }
  const double* coefficients() const { return w_.data(); }
  bool is_centered() const { return scaling_.is_on(); }
  double center(std::size_t j) const { return scaling_.is_on() ? scaling_.centers[j] : 0; }

 private:
  const double* centers() const { return scaling_.centers.data(); }
  const double* factors() const { return scaling_.factors.data(); }
  void scaled_step(DenseRow<T> x, const ScaledStep& step) {
    (step.threshold > 0 ? kernels_.scaled_step_l1 : kernels_.scaled_step)(x.values, w_.data(), d_.data(), x.size,
                                                                          &step);
  }

  const DenseKernels<T>& kernels_;
  decltype(DenseKernels<double>::axpy) add_;
  const ColumnScaling& scaling_;
  double l1_;
  double l2_;
  double kappa_ = 0;
  double step_ = 0;
  double mass_ = 1;
  StepCoefficients coefficients_{};
  std::vector<double> w_;
  std::vector<double> d_;
  std::vector<double> sum_;  // of the iterates; empty: not wanted
};

// w = scale (v + slope d) with v and d side by side, so that a step reads and writes one cache line per nonzero and
// nothing else. A step is
//     scale <- scale rho,  slope <- slope - direction / scale,  v <- v - (fresh / scale + slope change) x,  d <- d +
//     change x
// with rho = 1 / (1 + step l2), the old scale in the two quotients and the new slope in the product: no timestamps.
//
// The sum of the iterates, sum_t scale_t (v_t + slope_t d), is A v + B d + c with the running sums A of the scales and
// B of scale slope, the present v, and c mended wherever v changes by delta: c <- c - A delta, since the steps before
// did not see it. This is the averaging of L. Bottou's svmasgd and of W. Xu, "Towards optimal one pass large scale
// learning with averaged stochastic gradient descent", 2011.
template <class T, class I>
class ScaledIterate {
 public:
  static constexpr double mass_growth = 0;
  static constexpr double step_tolerance = 0;

  ScaledIterate(const Problem<CsrView<T, I>>& problem, double* /*lent*/, const ColumnScaling& /*off*/)
      : l2_(problem.l2()), pairs_(problem.n_columns()) {}

  double predict(SparseRow<T, I> x) const {
    // Two chains hide the latency of the additions; their fixed number keeps the sum's order fixed.
    double v[2] = {0, 0};
    double d[2] = {0, 0};
    std::size_t k = 0;
    for (; k + 2 <= x.size; k += 2) {
      for (std::size_t lane = 0; lane < 2; ++lane) {
        const Pair& pair = pairs_[static_cast<std::size_t>(x.indices[k + lane])];
        v[lane] += double{x.values[k + lane]} * pair.v;
        d[lane] += double{x.values[k + lane]} * pair.d;
      }
    }
    if (k < x.size) {
      const Pair& pair = pairs_[static_cast<std::size_t>(x.indices[k])];
      v[0] += double{x.values[k]} * pair.v;
      d[0] += double{x.values[k]} * pair.d;
    }
    return scale_ * ((v[0] + v[1]) + slope_ * (d[0] + d[1]));
  }

  void set_kappa(double kappa) { kappa_ = kappa; }
  double step_size() const { return step_; }
  void set_step(double step) {
    step_ = step;
    rho_ = 1 / (1 + step * (l2_ + kappa_));
    set_mass(mass_);
  }
  void set_mass(double mass) {
    mass_ = mass;
    direction_ = step_ / mass;
  }

  void step(SparseRow<T, I> x, double fresh, double change) {
    slope_ -= direction_ / scale_;
    const double move = fresh / scale_ + slope_ * change;
    for (std::size_t k = 0; k < x.size; ++k) {
      Pair& pair = pairs_[static_cast<std::size_t>(x.indices[k])];
      const double value = double{x.values[k]};
      pair.v -= move * value;
      pair.d += change * value;
    }
    mend_sum(x, move);
    scale_ *= rho_;
    sum_of_scales_ += scale_;
    sum_of_slopes_ += scale_ * slope_;
    if (scale_ < (sum_.empty() ? smallest_scale : smallest_scale_of_sums)) settle();
  }
  void shift(SparseRow<T, I> x, double fresh) {
    const double move = fresh / scale_;
    for (std::size_t k = 0; k < x.size; ++k)
      pairs_[static_cast<std::size_t>(x.indices[k])].v -= move * double{x.values[k]};
    mend_sum(x, move);
  }

  void begin_average() {
    settle();
    sum_.assign(pairs_.size(), 0.0);
  }
  void end_average(double n_steps) {
    settle();
    for (std::size_t j = 0; j < pairs_.size(); ++j) pairs_[j].v = sum_[j] / n_steps;
  }

  void prefetch(SparseRow<T, I> x) const {
    for (std::size_t k = 0; k < x.size; ++k) __builtin_prefetch(&pairs_[static_cast<std::size_t>(x.indices[k])]);
  }

  void settle() {
    if (scale_ == 1 && slope_ == 0) return;
    for (std::size_t j = 0; j < sum_.size(); ++j)
      sum_[j] += sum_of_scales_ * pairs_[j].v + sum_of_slopes_ * pairs_[j].d;
    for (Pair& pair : pairs_) pair.v = scale_ * (pair.v + slope_ * pair.d);
    scale_ = 1;
    slope_ = 0;
    sum_of_scales_ = 0;
    sum_of_slopes_ = 0;
  }
  void wake() {}
  double& coefficient(std::size_t j) { return pairs_[j].v; }
  double& gradient_sum(std::size_t j) { return pairs_[j].d; }
  static constexpr bool is_centered() { return false; }
  static double center(std::size_t /*j*/) { return 0; }

 private:
  struct alignas(16) Pair {
    double v = 0;
    double d = 0;
  };
  static constexpr double smallest_scale = 1e-9;
  static constexpr double smallest_scale_of_sums = 1e-3;  // what v and c gain over w, they lose where they cancel

  // What the steps before, whose scales are summed, did not see of v's move along x.
  void mend_sum(SparseRow<T, I> x, double move) {
    if (sum_.empty()) return;
    for (std::size_t k = 0; k < x.size; ++k)
      sum_[static_cast<std::size_t>(x.indices[k])] += sum_of_scales_ * move * double{x.values[k]};
  }

  double l2_;
  double kappa_ = 0;
  double step_ = 0;
  double mass_ = 1;
  double rho_ = 1;
  double direction_ = 0;
  double scale_ = 1;
  double slope_ = 0;
  double sum_of_scales_ = 0;
  double sum_of_slopes_ = 0;  // times the scales
  std::vector<Pair> pairs_;
  std::vector<double> sum_;  // of the iterates, but for what the two sums above still owe it; empty: not wanted
};

template <class Iterate>
struct IterateType {
  using type = Iterate;
};

// Calls make(IterateType<...>) with the iterate that suits the view, the penalty and the scaling.
template <class View, class Make>
auto with_iterate(const Problem<View>& problem, const ColumnScaling& scaling, Make&& make) {
  using T = typename View::Value;
  if constexpr (View::is_sparse) {
    using I = typename View::Index;
    if (problem.l1() > 0) return make(IterateType<LaggedIterate<T, I>>{});
    if (scaling.is_on()) return make(IterateType<ClassedIterate<T, I>>{});
    return make(IterateType<ScaledIterate<T, I>>{});
  } else {
    return make(IterateType<DenseIterate<T>>{});
  }
}

}  // namespace finitesum
