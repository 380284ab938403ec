// Columns in units of their own. With w_j = v_j / D_j and x~_ij = x_ij / D_j the predictions stay what they are, and a
// step of length eta on v is one of length eta c_j, c_j = 1 / D_j^2, on w_j:
//     w_j <- prox_{eta c_j R_j}(w_j - eta c_j (...)_j).
// So the objective and the penalty stay the user's and X stays as it is: the c_j do all of it. Dense rows with an
// intercept are centered too: x_i.w + b = (x_i - m).w + (b + m.w), m the columns' means, and the intercept that the
// solver moves is b + m.w. Without that a column whose mean is large beside its spread fights with the intercept.
//
// D_j^2 = h_j / sqrt(q_j), with h_j the Hessian's diagonal over sup l'', that is the variance of the column, or its
// mean square where it is not centered, plus l2 / sup l''; and q_j the share of its entries that are not zero. D_j^2 =
// h_j would give the Hessian a diagonal of ones, but a rare feature then makes the few rows that have it so steep, in
// proportion to 1 / q_j, that all steps have to be short; h_j / q_j leaves rare features behind. In between both costs
// are shared, as in AdaGrad (Duchi, Hazan, Singer, JMLR 12, 2011): measured on a9a and news20, over three orders of
// alpha, it takes fewer epochs than both but once, down to a tenth. The c_j are rounded to powers of four, which puts a
// D_j off by at most a factor sqrt 2, so that sparse columns fall into few classes of equal c_j.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "solvers/problem.hpp"
#include "solvers/smoothness_sampling.hpp"
#include "solvers/solver.hpp"

namespace finitesum {

struct ColumnScaling {
  static constexpr std::size_t max_classes = 32;

  std::vector<double> factors;        // dense: c_j of the columns; sparse: of the classes; empty: all are one
  std::vector<double> centers;        // dense: m_j, zero without an intercept
  std::vector<std::uint8_t> classes;  // sparse: of the columns

  // sqrt(c_j) = 1 / D_j, a power of two
  double unit(std::size_t j) const {
    return is_on() ? std::sqrt(classes.empty() ? factors[j] : factors[classes[j]]) : 1;
  }
  bool is_on() const { return !factors.empty(); }
  double smallest_factor() const { return is_on() ? *std::min_element(factors.begin(), factors.end()) : 1; }
};

inline const ColumnScaling no_scaling;

template <class T>
double squared_norm(const KernelTable& table, const ColumnScaling& scaling, DenseRow<T> x) {
  const DenseKernels<T>& kernels = dense<T>(table);
  if (!scaling.is_on()) return kernels.squared_norm(x.values, x.size);
  return kernels.scaled_squared_norm(x.values, scaling.centers.data(), scaling.factors.data(), x.size);
}
template <class T, class I>
double squared_norm(const KernelTable& table, const ColumnScaling& scaling, SparseRow<T, I> x) {
  if (!scaling.is_on()) return sparse<T, I>(table).squared_norm(x.values, x.size);
  double sum = 0;
  for (std::size_t k = 0; k < x.size; ++k) {
    const double value = double{x.values[k]};
    sum += scaling.factors[scaling.classes[static_cast<std::size_t>(x.indices[k])]] * (value * value);
  }
  return sum;
}

// Weighted means over the rows, column by column.
struct ColumnMoments {
  std::vector<double> centers;  // dense: the values' mean with a free intercept, else zero
  std::vector<double> squares;  // of the values less their center
  std::vector<double> shares;   // of the values that are not zero
};

template <class AnyProblem, class T, class I>
ColumnMoments column_moments(const AnyProblem& problem, const CsrView<T, I>& X) {
  const std::size_t p = problem.n_columns();
  ColumnMoments moments{{}, std::vector<double>(p), std::vector<double>(p)};
  visit_rows(problem, [&](std::size_t i) {
    const auto row = X.row(i);
    const double weight = problem.weight(i) / problem.total_weight;
    for (std::size_t k = 0; weight != 0 && k < row.size; ++k) {
      const auto j = static_cast<std::size_t>(row.indices[k]);
      const double value = double{row.values[k]};
      moments.squares[j] += weight * (value * value);
      moments.shares[j] += value != 0 ? weight : 0;
    }
  });
  return moments;
}

template <class AnyProblem, class T>
ColumnMoments column_moments(const AnyProblem& problem, const DenseView<T>& X) {
  const std::size_t p = problem.n_columns();
  ColumnMoments moments{std::vector<double>(p), std::vector<double>(p), std::vector<double>(p)};
  // Deviations from the first row that counts: nothing cancels where the spread is small beside the mean.
  std::vector<double> origin(p);
  std::size_t first = 0;
  while (problem.weight(first) == 0) ++first;
  if (problem.has_free_intercept()) std::copy_n(X.row(first).values, p, origin.data());
  visit_rows(problem, [&](std::size_t i) {
    const T* row = X.row(i).values;
    const double weight = problem.weight(i) / problem.total_weight;
    for (std::size_t j = 0; weight != 0 && j < p; ++j) {
      const double value = double{row[j]} - origin[j];
      moments.centers[j] += weight * value;
      moments.squares[j] += weight * (value * value);
      moments.shares[j] += row[j] != 0 ? weight : 0;
    }
  });
  if (!problem.has_free_intercept()) {
    std::fill(moments.centers.begin(), moments.centers.end(), 0.0);
    return moments;
  }
  for (std::size_t j = 0; j < p; ++j) {
    moments.squares[j] = std::max(moments.squares[j] - moments.centers[j] * moments.centers[j], 0.0);
    moments.centers[j] += origin[j];
  }
  return moments;
}

// log4 of c = 1 / size, as a whole number; the levels in use span fewer than max_classes, from the longest columns on.
class FactorLevels {
 public:
  explicit FactorLevels(const std::vector<double>& sizes) {
    for (const double size : sizes) {
      if (size > 0) lowest_ = std::min(lowest_, level(size));
    }
    if (std::isinf(lowest_)) lowest_ = 0;  // nothing but zeros, and no penalty
  }
  std::uint8_t operator()(double size) const {
    return static_cast<std::uint8_t>(std::clamp<double>(level(size) - lowest_, 0, ColumnScaling::max_classes - 1));
  }
  double factor(std::uint8_t level) const { return std::exp2(2 * (lowest_ + level)); }

 private:
  // Far from where powers of four overflow.
  static double level(double size) { return std::clamp(std::round(-std::log2(size) / 2), -450.0, 450.0); }

  double lowest_ = std::numeric_limits<double>::infinity();
};

// While L <= 32 n l2 scaling has little to gain: SAG's rate is 1 - min(l2 / (16 L), 1 / (8 n)) per draw at worst, and
// this is where news20 begins to profit.
inline constexpr double easy_condition = 32;

// L over the Hessian's smallest diagonal entry, now by scaled; `norm` is the mean of |x_i|^2 + 1. On raw data it is 1e6
// and more, on a9a and news20 up to 1e2. Steps from the L_i where the iterate is profit from a factor of 4; those that
// are bound by sup l'', and a penalty of L1 alone, which leaves rare features at zero anyway, take raw data only.
inline double gain(double norm, const ColumnMoments& moments, const std::vector<double>& sizes, double floor,
                   bool has_intercept) {
  double smallest = has_intercept ? 1 : std::numeric_limits<double>::infinity();
  double scaled_smallest = smallest;
  double scaled_norm = has_intercept ? 1 : 0;
  for (std::size_t j = 0; j < sizes.size(); ++j) {
    if (!(moments.squares[j] > 0)) continue;
    smallest = std::min(smallest, moments.squares[j] + floor);
    scaled_smallest = std::min(scaled_smallest, (moments.squares[j] + floor) / sizes[j]);
    scaled_norm += moments.squares[j] / sizes[j];
  }
  return norm / smallest / (scaled_norm / scaled_smallest);
}

// c_j = 1 / sizes_j, about.
template <class View>
ColumnScaling scaling_by(const std::vector<double>& sizes, std::vector<double> centers) {
  const FactorLevels level(sizes);
  ColumnScaling scaling;
  scaling.centers = std::move(centers);
  if constexpr (View::is_sparse) {
    std::array<bool, ColumnScaling::max_classes> is_used{};
    std::array<std::uint8_t, ColumnScaling::max_classes> class_of{};
    for (const double size : sizes) is_used[level(size)] = true;
    for (std::uint8_t k = 0; k < ColumnScaling::max_classes; ++k) {
      if (!is_used[k]) continue;
      class_of[k] = static_cast<std::uint8_t>(scaling.factors.size());
      scaling.factors.push_back(level.factor(k));
    }
    scaling.classes.resize(sizes.size());
    for (std::size_t j = 0; j < sizes.size(); ++j) scaling.classes[j] = class_of[level(sizes[j])];
  } else {
    scaling.factors.resize(sizes.size());
    for (std::size_t j = 0; j < sizes.size(); ++j) scaling.factors[j] = level.factor(level(sizes[j]));
  }
  return scaling;
}

// The mean of |x_i|^2, and 1 for the intercept.
template <class AnyProblem>
double mean_squared_norm(const AnyProblem& problem) {
  double sum = 0;
  visit_rows(problem, [&](std::size_t i) {
    const double weight = problem.weight(i);
    if (weight != 0) sum += weight * squared_norm(problem.kernels, no_scaling, problem.X.row(i));
  });
  return sum / problem.total_weight + (problem.fit_intercept ? 1 : 0);
}

// By themselves SAG and SAGA keep to 16 (n + p) bytes: beside table and sampler there is room for the centers and
// factors of dense columns if rows are 2.5 times as many, for the classes of sparse ones if they are a sixth.
template <class View, class AnyProblem>
bool leaves_room_for_scaling(const AnyProblem& problem) {
  constexpr double budget = 16;
  constexpr double per_row = sizeof(double) + SmoothnessSampler::bytes_per_row;
  constexpr double per_column = (View::is_sparse ? 2 : 4) * sizeof(double) + (View::is_sparse ? 1 : 0);
  return (per_column - budget) * static_cast<double>(problem.n_columns()) <=
         (budget - per_row) * static_cast<double>(problem.n_rows());
}

// Of one output or of several, which all see the same columns. As the option asks; by itself where it pays, unless the
// step is given as a number: that is one for X as it is.
template <class AnyProblem, class Setup>
ColumnScaling scale_columns(const AnyProblem& problem, const Setup& setup, bool has_table) {
  using View = decltype(AnyProblem::X);
  const bool is_automatic = !setup.options.scale_columns.has_value();
  if (!setup.options.scale_columns.value_or(setup.step_size == 0)) return {};
  if (is_automatic && has_table && !leaves_room_for_scaling<View>(problem)) return {};
  const double smoothness = problem.loss.smoothness();
  const double floor = problem.l2() / (std::isinf(smoothness) ? 1 : smoothness);
  const double norm = is_automatic ? mean_squared_norm(problem) : 0;
  if (is_automatic && norm <= easy_condition * static_cast<double>(problem.n_rows()) * floor) return {};
  ColumnMoments moments = column_moments(problem, problem.X);
  std::vector<double> sizes = std::move(moments.shares);
  for (std::size_t j = 0; j < sizes.size(); ++j)
    sizes[j] = (moments.squares[j] + floor) / std::sqrt(sizes[j] > 0 ? sizes[j] : 1);
  const bool adapts = has_table && (setup.sampling == Sampling::automatic || setup.sampling == Sampling::adaptive);
  const double least_gain = adapts && problem.l2() > 0 ? 4 : 1e4;
  if (is_automatic && !(gain(norm, moments, sizes, floor, problem.fit_intercept) > least_gain)) return {};
  return scaling_by<View>(sizes, std::move(moments.centers));
}

}  // namespace finitesum
