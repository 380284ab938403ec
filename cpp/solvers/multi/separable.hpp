// The certificates of separable losses: for each output k that of dual_gap.hpp,
//     min F_k >= D_k(u_k) = -(1/S) sum_i s_i l*(u_ik, y_ik) - R*(-(1/S) X^T (s o u_k)),   sum_i s_i u_ik = 0,
// all of them in one pass over X; the last condition is for free intercepts. As there, SAG's table is the dual point.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <variant>
#include <vector>

#include "solvers/intercept.hpp"
#include "solvers/multi/evaluation.hpp"

namespace finitesum {

template <class View>
class SeparableEvaluation final : public MultiEvaluation<View> {
 public:
  explicit SeparableEvaluation(const MultiProblem<View>& problem)
      : MultiEvaluation<View>(problem),
        K_(problem.n_outputs),
        numbers_(K_ * rows_at_once_),
        columns_(K_ * rows_at_once_),
        targets_(K_ * rows_at_once_) {}

  std::vector<double> best_objectives(const double* W, const double* z, double* b) override {
    const std::size_t n = problem_.n_rows();
    std::vector<double> objectives = penalties(W);
    std::vector<double> z_k(n);
    std::vector<double> y_k(n);
    for (std::size_t k = 0; k < K_; ++k) {
      for (std::size_t i = 0; i < n; ++i) z_k[i] = z[i * K_ + k];
      for (std::size_t i = 0; i < n; ++i) y_k[i] = problem_.target(i, k);
      const InterceptProblem along{problem_.loss.of_output(), z_k.data(), Targets(y_k.data()), problem_.s, n, 1};
      if (problem_.has_free_intercept()) b[k] = along.solve(b[k]);
      objectives[k] += along.objective(b[k]) / problem_.total_weight + problem_.intercept_penalty.value(b[k]);
    }
    return objectives;
  }

  std::vector<Certificate> certify_iterate(const double* W, const double* b, const double* table,
                                           double* gradient) override {
    std::vector<Certificate> certificates = this->primal_half(W, objectives(W, b));
    if (problem_.has_finite_gap()) {
      const Balance balance = find_balance(table);
      RowSums<View> sums(problem_, gradient);
      for_each_shrunk_row(balance, table, [&](std::size_t i, const double* change) { sums.add(i, change); });
      sums.finish();
      this->set_bounds(dual_objectives(table, balance, gradient), certificates);
    } else {
      this->set_norms(this->gradient_norms(W, b, gradient), certificates);
    }
    return certificates;
  }

 private:
  using MultiEvaluation<View>::problem_;
  using MultiEvaluation<View>::rows_at_once_;

  // dual_gap.hpp's, for K outputs whose shrunk rows are the same: signs, factors, one stride.
  struct Balance {
    std::vector<double> sign;
    std::vector<double> factor;
    std::size_t stride = 0;  // 0: nothing to do

    bool moves(std::size_t i) const { return stride != 0 && i % stride == 0; }
    double shrunk(std::size_t k, double u) const { return u * sign[k] > 0 ? u * factor[k] : u; }
  };

  Balance find_balance(const double* u) const {
    constexpr std::array<std::size_t, 4> strides{1, 4, 16, 128};
    constexpr std::array<double, 4> least_factors{0, 0.75, 0.75, 0.97};
    std::array<std::vector<double>, strides.size()> positive;
    std::array<std::vector<double>, strides.size()> negative;
    for (std::size_t choice = 0; choice < strides.size(); ++choice) {
      positive[choice].resize(K_);
      negative[choice].resize(K_);
      for (std::size_t i = 0; problem_.has_free_intercept() && i < problem_.n_rows(); i += strides[choice]) {
        for (std::size_t k = 0; k < K_; ++k) {
          const double mass = problem_.weight(i) * derivative_or_zero(u[i * K_ + k]);
          positive[choice][k] += std::max(mass, 0.0);
          negative[choice][k] -= std::min(mass, 0.0);
        }
      }
    }
    Balance balance{std::vector<double>(K_), std::vector<double>(K_, 1.0)};
    for (std::size_t k = 0; k < K_; ++k) {
      const double excess = positive[0][k] - negative[0][k];
      // An excess at the level of rounding changes D by no more than rounding does.
      if (std::fabs(excess) > 1e-15 * (positive[0][k] + negative[0][k])) balance.sign[k] = excess > 0 ? 1 : -1;
    }
    if (std::all_of(balance.sign.begin(), balance.sign.end(), [](double sign) { return sign == 0; })) return balance;
    for (std::size_t choice = strides.size(); choice-- > 0;) {
      balance.stride = strides[choice];
      bool suffices = true;
      for (std::size_t k = 0; k < K_; ++k) {
        if (balance.sign[k] == 0) continue;
        const double excess = std::fabs(positive[0][k] - negative[0][k]);
        balance.factor[k] = 1 - excess / (balance.sign[k] > 0 ? positive : negative)[choice][k];
        suffices &= balance.factor[k] >= least_factors[choice];
      }
      if (suffices) break;
    }
    for (double& factor : balance.factor) factor = std::max(factor, 0.0);
    return balance;
  }

  // Calls work(i, change) for the rows that the balance moves.
  template <class Work>
  void for_each_shrunk_row(const Balance& balance, const double* u, Work&& work) const {
    if (balance.stride == 0) return;
    std::vector<double> change(K_);
    for (std::size_t i = 0; i < problem_.n_rows(); i += balance.stride) {
      for (std::size_t k = 0; k < K_; ++k) {
        const double before = derivative_or_zero(u[i * K_ + k]);
        change[k] = balance.shrunk(k, before) - before;
      }
      work(i, change.data());
    }
  }

  void balance(double* u, double* gradient) override {
    RowSums<View> sums(problem_, gradient);
    for_each_shrunk_row(find_balance(u), u, [&](std::size_t i, const double* change) {
      for (std::size_t k = 0; k < K_; ++k) u[i * K_ + k] += change[k];
      sums.add(i, change);
    });
    sums.finish();
  }

  std::vector<double> dual_objectives(const double* u, const double* gradient) override {
    return dual_objectives(u, {}, gradient);
  }
  std::vector<double> dual_objectives(const double* u, const Balance& balance, const double* gradient) {
    const ElasticNet& of_intercept = problem_.intercept_penalty;
    std::vector<double> slopes(K_);
    if (problem_.has_penalized_intercept()) slopes = this->mean_derivatives(u);
    std::vector<double> scale(K_, 1.0);
    std::vector<double> bounds(K_);
    if (problem_.l2() > 0) {
      bounds = std::visit(
          [&](const auto& penalty) {
            return sums_over_columns([&](std::size_t j) { return -penalty.conjugate(-gradient[j]); });
          },
          problem_.penalty);
      for (std::size_t k = 0; k < K_ && problem_.has_penalized_intercept(); ++k)
        bounds[k] -= of_intercept.conjugate(-slopes[k]);
    } else {
      const std::vector<double> largest = this->largest_entries(gradient, std::vector<double>(K_));
      for (std::size_t k = 0; k < K_; ++k) {
        if (largest[k] > problem_.l1()) scale[k] = problem_.l1() / largest[k];
        const double slope = std::fabs(slopes[k]);
        if (slope * scale[k] > of_intercept.l1()) scale[k] = of_intercept.l1() / slope;
      }
    }
    const auto balanced = [&](std::size_t first, std::size_t count) {
      for (std::size_t i = first; i < first + count; ++i) {
        double* of_row = &numbers_[(i - first) * K_];
        for (std::size_t k = 0; k < K_; ++k) of_row[k] = derivative_or_zero(u[i * K_ + k]);
        if (!balance.moves(i)) continue;
        for (std::size_t k = 0; k < K_; ++k) of_row[k] = balance.shrunk(k, of_row[k]);
      }
    };
    const std::vector<double> conjugates = sums_over_rows(
        balanced, [&](std::size_t k, const double* of_k, const double* y, const double* s, std::size_t count) {
          return problem_.loss.of_output().conjugate_sum(scale[k], of_k, y, s, count);
        });
    for (std::size_t k = 0; k < K_; ++k) bounds[k] -= conjugates[k] / problem_.total_weight;
    return bounds;
  }

  std::vector<double> objectives(const double* W, const double* b) {
    const RowProducts<View> multiply_rows(problem_, W);
    const auto scores = [&](std::size_t first, std::size_t count) {
      multiply_rows(first, count, numbers_.data());
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t k = 0; k < K_; ++k) numbers_[i * K_ + k] += b[k];
      }
    };
    const std::vector<double> losses = sums_over_rows(
        scores, [&](std::size_t, const double* of_k, const double* y, const double* s, std::size_t count) {
          return problem_.loss.of_output().value_sum(of_k, y, s, count);
        });
    std::vector<double> sums = penalties(W);
    for (std::size_t k = 0; k < K_; ++k)
      sums[k] += losses[k] / problem_.total_weight + problem_.intercept_penalty.value(b[k]);
    return sums;
  }

  std::vector<double> penalties(const double* W) const {
    return std::visit(
        [&](const auto& penalty) { return sums_over_columns([&](std::size_t j) { return penalty.value(W[j]); }); },
        problem_.penalty);
  }

  // Per output, the sum of term(j K + k) over the columns j.
  template <class Term>
  std::vector<double> sums_over_columns(const Term& term) const {
    std::vector<double> sums(K_);
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) {
      for (std::size_t k = 0; k < K_; ++k) sums[k] += term(j * K_ + k);
    }
    return sums;
  }

  // Per output, the sum over blocks of rows of sum_up(k, numbers, targets, weights, count): fill(first, count) writes
  // the numbers of a block by rows to numbers_, and kernels want them by outputs.
  template <class Fill, class SumUp>
  std::vector<double> sums_over_rows(const Fill& fill, const SumUp& sum_up) {
    std::vector<double> sums(K_);
    for (std::size_t first = 0; first < problem_.n_rows(); first += rows_at_once_) {
      const std::size_t count = std::min(rows_at_once_, problem_.n_rows() - first);
      fill(first, count);
      for (std::size_t k = 0; k < K_; ++k) {
        double* of_k = &columns_[k * rows_at_once_];
        double* targets = &targets_[k * rows_at_once_];
        for (std::size_t i = 0; i < count; ++i) of_k[i] = numbers_[i * K_ + k];
        for (std::size_t i = 0; i < count; ++i) targets[i] = problem_.target(first + i, k);
        sums[k] += sum_up(k, of_k, targets, problem_.weights_from(first), count);
      }
    }
    return sums;
  }

  std::size_t K_;
  std::vector<double> numbers_;  // of a block: by rows
  std::vector<double> columns_;  // by outputs
  std::vector<double> targets_;
};

}  // namespace finitesum
