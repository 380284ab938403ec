// The quadratic model of F around a point, in the coefficients of a working set W and the intercept,
//     sum_i [ q_i t_i + h_i t_i^2 / 2 ] + R(w + v),   t = X_W v + c,
// with q the derivatives of the mean loss in the predictions and h their curvatures. Coordinate descent keeps
// q_i + h_i (X_W v)_i; what a free intercept adds is minimized out, which is descent on columns centered with weights
// h. Sweeps over W alternate with sweeps over its nonzeros, as in J. Friedman, T. Hastie, R. Tibshirani, J. Stat.
// Softw. 33 (2010); once these have cost as much as the nonzeros' Gram matrix would have, it is built and
// QuadraticModel ends it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/math.hpp"
#include "solvers/anderson.hpp"
#include "solvers/problem.hpp"
#include "solvers/quadratic_model.hpp"

namespace finitesum {

// w_i += a h_i x_i
template <class T>
void weighted_axpy(double a, DenseRow<T> x, const double* __restrict h, double* __restrict w) {
  const T* __restrict values = x.values;
  for (std::size_t i = 0; i < x.size; ++i) w[i] += a * h[i] * double{values[i]};
}
template <class T, class I>
void weighted_axpy(double a, SparseRow<T, I> x, const double* h, double* w) {
  for (std::size_t k = 0; k < x.size; ++k) {
    const auto i = static_cast<std::size_t>(x.indices[k]);
    w[i] += a * h[i] * double{x.values[k]};
  }
}

template <class T>
std::size_t entry_row(DenseRow<T>, std::size_t k) {
  return k;
}
template <class T, class I>
std::size_t entry_row(SparseRow<T, I> x, std::size_t k) {
  return static_cast<std::size_t>(x.indices[k]);
}

template <class View>
class ColumnModel {
 public:
  ColumnModel(const Problem<View>& problem, const View& columns)
      : problem_(problem),
        columns_(columns),
        kernels_(row_kernels(problem.kernels, columns)),
        slope_(problem.n_rows()),
        curvature_(problem.n_rows()),
        weighted_(problem.n_rows()),
        has_equal_curvatures_(problem.loss.is_quadratic() && problem.s == nullptr) {}

  // q and h, to be written before begin(), which has to follow.
  double* slope() { return slope_.data(); }
  double* curvature() { return curvature_.data(); }

  // False if control stops the work, which leaves no model.
  bool begin(const std::vector<std::size_t>& set, const double* w, double b, Control& control) {
    set_ = set;
    intercept_ = b;
    intercept_move_ = 0;
    const std::size_t n = problem_.n_rows();
    total_curvature_ = chained_sum(n, [&](std::size_t i) { return curvature_[i]; });
    intercept_slope_ = chained_sum(n, [&](std::size_t i) { return slope_[i]; });
    const std::size_t size = set.size();
    coef_.resize(size);
    start_.resize(size);
    mean_.resize(size);
    square_.resize(size);
    for (std::size_t k = 0; k < size; ++k) {
      const auto x = column(k);
      if (control.stop_after(2 * x.size + 1)) return false;
      coef_[k] = start_[k] = w[set[k]];
      square_[k] = chained_sum(x.size, [&](std::size_t e) {
        const double value = double{x.values[e]};
        return curvature_[entry_row(x, e)] * value * value;
      });
      mean_[k] = problem_.fit_intercept ? dot(kernels_, x, curvature_.data()) : 0;
      if (!problem_.has_free_intercept() || !(total_curvature_ > 0)) continue;
      const double centered = square_[k] - mean_[k] * mean_[k] / total_curvature_;
      square_[k] = centered > 1e-13 * square_[k] ? centered : 0;  // a constant column, up to rounding
    }
    is_bounded_ = !problem_.has_free_intercept() || total_curvature_ > 0;
    if (is_bounded_) balance();
    return true;
  }

  // Until a sweep over W gains less than `accuracy` times what the first one did, or rounds run out; what control
  // leaves unfinished is a descent all the same. False if the model falls for ever.
  bool solve(double accuracy, int max_rounds, Control& control) {
    all_.resize(set_.size());
    for (std::size_t k = 0; k < set_.size(); ++k) all_[k] = k;
    for (int round = 0; round < max_rounds && is_bounded_; ++round) {
      const double change = sweep(all_, control);
      if (round == 0) first_change_ = change;
      if (change <= accuracy * first_change_ || control.stopped()) break;
      settle_support(std::max(0.1 * change, accuracy * first_change_), control);
    }
    return is_bounded_;
  }

  // By how much the first sweep's best coordinate lowered the model: what is left to gain, in its order of magnitude.
  double first_change() const { return first_change_; }
  const std::vector<double>& coef() const { return coef_; }
  const std::vector<double>& start() const { return start_; }
  double intercept_move() const { return intercept_move_; }
  std::size_t take_work() { return std::exchange(work_, 0); }  // entries of X read

 private:
  auto column(std::size_t k) const { return columns_.row(set_[k]); }

  double sweep(const std::vector<std::size_t>& coordinates, Control& control) {
    double largest = descend_intercept();
    for (const std::size_t k : coordinates) {
      largest = std::max(largest, descend(k));
      work_ += column(k).size;
      if (!is_bounded_ || control.stop_after(2 * column(k).size + 1)) break;
    }
    return largest;
  }

  double gradient(std::size_t k) const { return dot(kernels_, column(k), slope_.data()) + intercept_move_ * mean_[k]; }

  // Minimizes along a coordinate; returns its change squared times its curvature.
  double descend(std::size_t k) {
    const double slope = gradient(k);
    const double total = square_[k] + problem_.l2();
    if (!(total > 0) && std::fabs(slope) > problem_.l1() + 1e-13 * std::fabs(mean_[k])) is_bounded_ = false;
    if (!is_bounded_) return 0;
    const double to = total > 0 ? math::soft_threshold(square_[k] * coef_[k] - slope, problem_.l1()) / total : 0.0;
    const double change = to - coef_[k];
    if (change == 0) return 0;
    coef_[k] = to;
    move(k, change);
    return total > 0 ? change * change * total : problem_.l1() * std::fabs(change);
  }

  void move(std::size_t k, double change) {
    add_weighted(change, column(k), slope_.data());
    if (!problem_.fit_intercept) return;
    intercept_slope_ += change * mean_[k];
    balance();
  }

  // to += change (h o x)
  template <class Column>
  void add_weighted(double change, Column x, double* to) const {
    if (has_equal_curvatures_) {
      axpy(kernels_, change * curvature_[0], x, to);
    } else {
      weighted_axpy(change, x, curvature_.data(), to);
    }
  }

  void balance() {
    if (!problem_.has_free_intercept()) return;
    intercept_move_ -= intercept_slope_ / total_curvature_;
    intercept_slope_ = 0;
  }

  // A penalized intercept is a coordinate like the others.
  double descend_intercept() {
    if (!problem_.has_penalized_intercept()) return 0;
    const ElasticNet& penalty = problem_.intercept_penalty;
    const double total = total_curvature_ + penalty.l2();
    const double at = intercept_ + intercept_move_;
    if (!(total > 0)) return 0;
    const double to = math::soft_threshold(total_curvature_ * at - intercept_slope_, penalty.l1()) / total;
    move_intercept(to - at);
    return (to - at) * (to - at) * total;
  }
  void move_intercept(double change) {
    intercept_move_ += change;
    intercept_slope_ += change * total_curvature_;
  }

  // Sweeps over the nonzeros until none gains more than the target.
  void settle_support(double target, Control& control) {
    constexpr std::size_t widest = 1024;
    constexpr std::size_t most_sweeps = 200;
    support_.clear();
    std::size_t entries = 0;
    for (const std::size_t k : all_) {
      if (coef_[k] == 0) continue;
      support_.push_back(k);
      entries += column(k).size;
    }
    const std::size_t gram_sweeps = support_.size() <= widest ? support_.size() / 4 : most_sweeps;
    anderson_.begin(support_.size());
    for (std::size_t count = 0; count < most_sweeps; ++count) {
      if (count > gram_sweeps) return solve_support(control);
      if (sweep(support_, control) <= target || !is_bounded_ || control.stopped()) return;
      double* point = anderson_.next();
      for (std::size_t a = 0; a < support_.size(); ++a) point[a] = coef_[support_[a]];
      if (anderson_.commit() && anderson_.extrapolate(moves_)) extrapolate_support(control);
    }
  }

  // To the extrapolated coefficients in moves_, if the model is lower there. With t = X (their move) it changes by
  // t.q + t.(h o t) / 2, less what a free intercept gains by following.
  void extrapolate_support(Control& control) {
    const double l1 = problem_.l1();
    const double l2 = problem_.l2();
    std::fill(weighted_.begin(), weighted_.end(), 0.0);
    double change = 0;
    for (std::size_t a = 0; a < support_.size(); ++a) {
      const double from = coef_[support_[a]];
      const double to = moves_[a];
      change += l1 * (std::fabs(to) - std::fabs(from)) + 0.5 * l2 * (to - from) * (to + from);
      axpy(kernels_, to - from, column(support_[a]), weighted_.data());
      work_ += column(support_[a]).size;
      if (control.stop_after(column(support_[a]).size)) break;
    }
    const double* t = weighted_.data();
    const std::size_t n = problem_.n_rows();
    change += chained_sum(
        n, [&](std::size_t i) { return t[i] * (slope_[i] + curvature_[i] * (intercept_move_ + 0.5 * t[i])); });
    const double mean =
        problem_.fit_intercept ? chained_sum(n, [&](std::size_t i) { return curvature_[i] * t[i]; }) : 0;
    if (problem_.has_free_intercept()) change -= 0.5 * mean * mean / total_curvature_;
    if (change < 0 && !control.stopped()) {
      for (std::size_t a = 0; a < support_.size(); ++a) coef_[support_[a]] = moves_[a];
      for (std::size_t i = 0; i < n; ++i) slope_[i] += curvature_[i] * t[i];
      intercept_slope_ += mean;
      balance();
    }
    std::fill(weighted_.begin(), weighted_.end(), 0.0);
  }

  void solve_support(Control& control) {
    const std::size_t size = support_.size();
    const bool has_intercept = problem_.has_penalized_intercept();
    QuadraticModel model(size, has_intercept ? 1 : 0, problem_.l1(), problem_.l2(), 100);
    std::vector<double> w(size);
    std::vector<double> slope(size);
    for (std::size_t a = 0; a < size; ++a) {
      const auto x = column(support_[a]);
      add_weighted(1, x, weighted_.data());
      for (std::size_t b = 0; b <= a; ++b) {
        model.row(a)[b] = dot(kernels_, column(support_[b]), weighted_.data());
        if (control.stop_after(column(support_[b]).size)) break;
      }
      for (std::size_t e = 0; e < x.size; ++e) weighted_[entry_row(x, e)] = 0;
      if (control.stopped()) return;
      w[a] = coef_[support_[a]];
      slope[a] = gradient(support_[a]);
      if (has_intercept) model.row(size)[a] = mean_[support_[a]];
      if (!problem_.has_free_intercept()) continue;
      for (std::size_t b = 0; b < a; ++b) model.row(a)[b] -= mean_[support_[a]] * mean_[support_[b]] / total_curvature_;
      model.row(a)[a] = square_[support_[a]];
    }
    if (has_intercept) {
      model.row(size)[size] = total_curvature_;
      const ElasticNet& penalty = problem_.intercept_penalty;
      model.set_intercept({intercept_ + intercept_move_, intercept_slope_, penalty.l1(), penalty.l2()});
    }
    // Dependent columns without L1: a proximal point step is a descent, too.
    if (!model.solve(w.data(), slope.data(), 0, control, moves_) &&
        !model.solve(w.data(), slope.data(), 1e-10 * model.trace(), control, moves_))
      return;
    for (std::size_t a = 0; a < size; ++a) {
      if (moves_[a] == 0) continue;
      coef_[support_[a]] = w[a] + moves_[a];
      move(support_[a], moves_[a]);
    }
    if (has_intercept) move_intercept(moves_[size]);
  }

  const Problem<View>& problem_;
  const View& columns_;
  const std::decay_t<decltype(row_kernels(std::declval<KernelTable>(), std::declval<View>()))>& kernels_;
  std::vector<double> slope_;      // per row
  std::vector<double> curvature_;  // per row
  std::vector<double> weighted_;   // scratch, zero between two uses
  bool has_equal_curvatures_;
  std::vector<std::size_t> set_;  // the columns of W; all below count coordinates by their place in it
  std::vector<std::size_t> all_;
  std::vector<std::size_t> support_;
  std::vector<double> coef_;
  std::vector<double> start_;
  std::vector<double> square_;  // the model's curvature along a coordinate
  std::vector<double> mean_;    // sum_i h_i x_ij
  std::vector<double> moves_;
  Anderson anderson_;
  double intercept_ = 0;
  double intercept_move_ = 0;
  double intercept_slope_ = 0;  // at the present move
  double total_curvature_ = 0;
  double first_change_ = 0;
  bool is_bounded_ = true;
  std::size_t work_ = 0;
};

}  // namespace finitesum
