// ScaledIterate of lazy_updates.hpp where columns have steps of their own length, in classes of equal length: each
// class has a scale and a slope, w_j = scale v_j + slope d_j. A step is
//     slope <- rho (slope - c direction),   scale <- rho scale,   rho = 1 / (1 + c step l2)
// for every class, and v_j <- v_j - (rho c fresh + slope change) / scale x_j, d_j <- d_j + change x_j for the row's
// columns, with the new slope and scale of their class.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "solvers/column_scaling.hpp"
#include "solvers/problem.hpp"

namespace finitesum {

template <class T, class I>
class ClassedIterate {
 public:
  static constexpr double mass_growth = 0;
  static constexpr double step_tolerance = 0;

  ClassedIterate(const Problem<CsrView<T, I>>& problem, double* /*lent*/, const ColumnScaling& scaling)
      : l2_(problem.l2()), columns_(scaling.classes.data()), pairs_(problem.n_columns()) {
    for (const double factor : scaling.factors) classes_.push_back({factor});
  }

  double predict(SparseRow<T, I> x) const {
    // Two chains, as in ScaledIterate.
    double sum[2] = {0, 0};
    std::size_t k = 0;
    for (; k + 2 <= x.size; k += 2) {
      for (std::size_t lane = 0; lane < 2; ++lane)
        sum[lane] += double{x.values[k + lane]} * coefficient_of(x, k + lane);
    }
    if (k < x.size) sum[0] += double{x.values[k]} * coefficient_of(x, k);
    return sum[0] + sum[1];
  }

  // Another strength of the pull towards a center; set_step must follow.
  void set_kappa(double kappa) { kappa_ = kappa; }
  double step_size() const { return step_; }
  void set_step(double step) {
    step_ = step;
    for (Class& c : classes_) c.rho = 1 / (1 + step * (c.factor * l2_ + kappa_));
    set_mass(mass_);
  }
  void set_mass(double mass) {
    mass_ = mass;
    direction_ = step_ / mass;
  }

  void step(SparseRow<T, I> x, double fresh, double change) {
    double smallest = 1;
    for (Class& c : classes_) {
      c.slope = c.rho * (c.slope - c.factor * direction_);
      c.scale *= c.rho;
      c.move = (c.rho * c.factor * fresh + c.slope * change) / c.scale;
      smallest = c.scale < smallest ? c.scale : smallest;
    }
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      const double value = double{x.values[k]};
      pairs_[j].v -= classes_[columns_[j]].move * value;
      pairs_[j].d += change * value;
    }
    mend_sum(x);
    for (Class& c : classes_) {
      c.sum_of_scales += c.scale;
      c.sum_of_slopes += c.slope;
    }
    if (smallest < (sum_.empty() ? smallest_scale : smallest_scale_of_sums)) settle();
  }
  void shift(SparseRow<T, I> x, double fresh) {
    for (Class& c : classes_) c.move = c.factor * fresh / c.scale;
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      pairs_[j].v -= classes_[columns_[j]].move * double{x.values[k]};
    }
    mend_sum(x);
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
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      __builtin_prefetch(&pairs_[j]);
      __builtin_prefetch(&columns_[j]);
    }
  }

  void settle() {
    for (std::size_t j = 0; j < sum_.size(); ++j) {
      const Class& c = classes_[columns_[j]];
      sum_[j] += c.sum_of_scales * pairs_[j].v + c.sum_of_slopes * pairs_[j].d;
    }
    for (std::size_t j = 0; j < pairs_.size(); ++j) {
      const Class& c = classes_[columns_[j]];
      pairs_[j].v = c.scale * pairs_[j].v + c.slope * pairs_[j].d;
    }
    for (Class& c : classes_) {
      c.scale = 1;
      c.slope = 0;
      c.sum_of_scales = 0;
      c.sum_of_slopes = 0;
    }
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
  struct Class {
    double factor;
    double rho = 1;
    double scale = 1;
    double slope = 0;
    double move = 0;  // of v per unit of x, in the present step
    double sum_of_scales = 0;
    double sum_of_slopes = 0;
  };
  static constexpr double smallest_scale = 1e-9;
  static constexpr double smallest_scale_of_sums = 1e-3;

  double coefficient_of(SparseRow<T, I> x, std::size_t k) const {
    const auto j = static_cast<std::size_t>(x.indices[k]);
    const Class& c = classes_[columns_[j]];
    return c.scale * pairs_[j].v + c.slope * pairs_[j].d;
  }

  void mend_sum(SparseRow<T, I> x) {
    if (sum_.empty()) return;
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      const Class& c = classes_[columns_[j]];
      sum_[j] += c.sum_of_scales * c.move * double{x.values[k]};
    }
  }

  double l2_;
  double kappa_ = 0;
  double step_ = 0;
  double mass_ = 1;
  double direction_ = 0;
  std::vector<Class> classes_;
  const std::uint8_t* columns_;  // their classes
  std::vector<Pair> pairs_;
  std::vector<double> sum_;  // of the iterates, as in ScaledIterate
};

}  // namespace finitesum
