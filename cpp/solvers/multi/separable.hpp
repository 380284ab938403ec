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
  SeparableEvaluation(const MultiProblem<View>& problem, Control* control)
      : MultiEvaluation<View>(problem, control),
        K_(problem.n_outputs),
        columns_(room_.size()),
        targets_(room_.size()) {}

  // Each intercept in turn: scores of one output, and its targets, are enough for that.
  std::vector<double> best_objectives(const double* W, const RowScores& z, double* b) override {
    if (problem_.has_free_intercept()) {
      const std::size_t n = problem_.n_rows();
      std::vector<double> y_k(n);
      std::vector<double> z_k(z.are_stored ? n : 0);
      for (std::size_t k = 0; k < K_; ++k) {
        for (std::size_t i = 0; i < n; ++i) y_k[i] = problem_.target(i, k);
        InterceptProblem along{problem_.loss.of_output(), z_k.data(), Targets(y_k.data()), problem_.s, n, 1};
        along.watch.control = sweep_.control();
        if (z.are_stored) {
          z.of_output(k, 0, n, z_k.data());
        } else {
          along.compute_z = [&](std::size_t first, std::size_t count, double* z_of_k) {
            z.of_output(k, first, count, z_of_k);
          };
          along.watch.work_per_row = this->row_work(problem_);
        }
        b[k] = along.solve(b[k]);
      }
    }
    return objectives(W, z.of_rows, b);
  }

  std::vector<Certificate> certify_iterate(const double* W, const double* b, const double* table,
                                           double* gradient) override {
    const RowProducts<View> products(problem_, W);
    const auto z = [&](std::size_t first, std::size_t count, double* room) {
      products(first, count, room);
      return static_cast<const double*>(room);
    };
    const std::vector<double> at_b = objectives(W, z, b);
    if (at_b.empty() || problem_.has_finite_gap()) return this->certify(W, at_b, stored_numbers(table, K_), gradient);
    std::vector<Certificate> certificates = this->primal_half(W, at_b);
    const std::vector<double> norms = this->gradient_norms(W, b, gradient);
    if (norms.empty()) return this->unfinished(W);
    for (std::size_t k = 0; k < K_; ++k) certificates[k].gradient_norm = norms[k];
    return certificates;
  }

 private:
  using MultiEvaluation<View>::problem_;
  using MultiEvaluation<View>::sweep_;
  using MultiEvaluation<View>::room_;

  // dual_gap.hpp's, for K outputs whose shrunk rows are the same: signs, factors, one stride.
  struct Balance {
    std::vector<double> sign;
    std::vector<double> factor;
    std::size_t stride = 0;  // 0: nothing to do

    // The first of the rows to shrink from row `first` on, counted from there.
    std::size_t first_in(std::size_t first) const { return (stride - first % stride) % stride; }
    double shrunk(std::size_t k, double u) const { return u * sign[k] > 0 ? u * factor[k] : u; }
  };

  bool find_balance(const RowNumbers& u, Balance& balance) {
    constexpr std::array<std::size_t, 4> strides{1, 4, 16, 128};
    constexpr std::array<double, 4> least_factors{0, 0.75, 0.75, 0.97};
    if (!problem_.has_free_intercept()) return true;
    std::array<std::vector<double>, strides.size()> positive;
    std::array<std::vector<double>, strides.size()> negative;
    positive.fill(std::vector<double>(K_));
    negative.fill(std::vector<double>(K_));
    const bool is_finished = sweep_([&](std::size_t first, std::size_t count) {
      const double* block = u(first, count, room_.data());
      for (std::size_t choice = 0; choice < strides.size(); ++choice) {
        const std::size_t stride = strides[choice];
        for (std::size_t i = (stride - first % stride) % stride; i < count; i += stride) {
          for (std::size_t k = 0; k < K_; ++k) {
            const double mass = problem_.weight(first + i) * derivative_or_zero(block[i * K_ + k]);
            positive[choice][k] += std::max(mass, 0.0);
            negative[choice][k] -= std::min(mass, 0.0);
          }
        }
      }
    });
    if (!is_finished) return false;
    balance.sign.assign(K_, 0.0);
    balance.factor.assign(K_, 1.0);
    for (std::size_t k = 0; k < K_; ++k) {
      const double excess = positive[0][k] - negative[0][k];
      // An excess at the level of rounding changes D by no more than rounding does.
      if (std::fabs(excess) > 1e-15 * (positive[0][k] + negative[0][k])) balance.sign[k] = excess > 0 ? 1 : -1;
    }
    if (std::all_of(balance.sign.begin(), balance.sign.end(), [](double sign) { return sign == 0; })) return true;
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
    return true;
  }

  bool move_gradient(const Balance& balance, const RowNumbers& u, double* gradient) {
    if (balance.stride == 0) return true;
    std::vector<double> change(K_);
    RowSums<View> sums(problem_, gradient);
    const bool is_finished = sweep_([&](std::size_t first, std::size_t count) {
      if (balance.first_in(first) >= count) return;
      const double* block = u(first, count, room_.data());
      for (std::size_t i = balance.first_in(first); i < count; i += balance.stride) {
        for (std::size_t k = 0; k < K_; ++k) {
          const double before = derivative_or_zero(block[i * K_ + k]);
          change[k] = balance.shrunk(k, before) - before;
        }
        sums.add(first + i, change.data());
      }
    });
    sums.finish();
    return is_finished;
  }

  std::vector<double> dual_objectives(const RowNumbers& u, double* gradient) override {
    Balance balance;
    if (!find_balance(u, balance) || !move_gradient(balance, u, gradient)) return {};
    const ElasticNet& of_intercept = problem_.intercept_penalty;
    std::vector<double> slopes(K_);
    if (problem_.has_penalized_intercept()) slopes = this->mean_derivatives(u);
    if (slopes.empty()) return {};
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
    const auto balanced = [&](std::size_t first, std::size_t count, double* room) {
      const double* block = u(first, count, room);
      for (std::size_t at = 0; at < count * K_; ++at) room[at] = derivative_or_zero(block[at]);
      for (std::size_t i = balance.stride == 0 ? count : balance.first_in(first); i < count; i += balance.stride) {
        for (std::size_t k = 0; k < K_; ++k) room[i * K_ + k] = balance.shrunk(k, room[i * K_ + k]);
      }
      return static_cast<const double*>(room);
    };
    const std::vector<double> conjugates = sums_over_rows(
        balanced, [&](std::size_t k, const double* of_k, const double* y, const double* s, std::size_t count) {
          return problem_.loss.of_output().conjugate_sum(scale[k], of_k, y, s, count);
        });
    if (conjugates.empty()) return {};
    for (std::size_t k = 0; k < K_; ++k) bounds[k] -= conjugates[k] / problem_.total_weight;
    return bounds;
  }

  std::vector<double> objectives(const double* W, const RowNumbers& z, const double* b) {
    const auto scores = [&](std::size_t first, std::size_t count, double* room) {
      const double* block = z(first, count, room);
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t k = 0; k < K_; ++k) room[i * K_ + k] = block[i * K_ + k] + b[k];
      }
      return static_cast<const double*>(room);
    };
    const std::vector<double> losses = sums_over_rows(
        scores, [&](std::size_t, const double* of_k, const double* y, const double* s, std::size_t count) {
          return problem_.loss.of_output().value_sum(of_k, y, s, count);
        });
    if (losses.empty()) return {};
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

  // Per output, the sum over blocks of rows of sum_up(k, numbers, targets, weights, count): the numbers come by rows,
  // and kernels want them by outputs.
  template <class SumUp>
  std::vector<double> sums_over_rows(const RowNumbers& numbers, const SumUp& sum_up) {
    std::vector<double> sums(K_);
    const std::size_t stride = sweep_.rows_at_once();
    const bool is_finished = sweep_([&](std::size_t first, std::size_t count) {
      const double* block = numbers(first, count, room_.data());
      for (std::size_t k = 0; k < K_; ++k) {
        double* of_k = &columns_[k * stride];
        double* targets = &targets_[k * stride];
        for (std::size_t i = 0; i < count; ++i) of_k[i] = block[i * K_ + k];
        for (std::size_t i = 0; i < count; ++i) targets[i] = problem_.target(first + i, k);
        sums[k] += sum_up(k, of_k, targets, problem_.weights_from(first), count);
      }
    });
    return is_finished ? sums : std::vector<double>{};
  }

  std::size_t K_;
  std::vector<double> columns_;  // the numbers of a block by outputs
  std::vector<double> targets_;
};

}  // namespace finitesum
