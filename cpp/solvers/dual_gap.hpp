// The certificate. For any u in the domain of the conjugates, with sum_i s_i u_i = 0 where there is an intercept, weak
// duality gives
//     min F >= D(u) = -(1/S) sum_i s_i l*(u_i, y_i) - R*(-(1/S) X^T (s o u)),
// so gap = F(w, b) - D(u) bounds the suboptimality of (w, b). Derivatives of the losses are such u, up to the two
// repairs made here: the sum over the rows (intercept) and the largest correlation (pure L1).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <variant>

#include "solvers/passes.hpp"

namespace finitesum {

// (w, b) as the certificate needs it.
struct Certificate {
  double objective = 0;  // infinite: unknown
  double lower_bound = -std::numeric_limits<double>::infinity();
  double gradient_norm = std::numeric_limits<double>::quiet_NaN();  // largest entry; only where no finite gap exists
  double nonzeros = 0;

  static Certificate unfinished(double nonzeros) {
    Certificate certificate;
    certificate.objective = std::numeric_limits<double>::infinity();
    certificate.nonzeros = nonzeros;
    return certificate;
  }
};

// Without a penalty R* is the indicator of zero, which no u of ours hits exactly.
template <class View>
bool has_finite_gap(const Problem<View>& problem) {
  return problem.l1() > 0 || problem.l2() > 0;
}

inline double penalty_value(const AnyPenalty& penalty, const double* w, std::size_t n) {
  return std::visit([&](const auto& p) { return chained_sum(n, [&](std::size_t j) { return p.value(w[j]); }); },
                    penalty);
}
template <class View>
double penalty_value(const Problem<View>& problem, const double* w, double b) {
  return penalty_value(problem.penalty, w, problem.n_columns()) + problem.intercept_penalty.value(b);
}

inline double count_nonzeros(const double* w, std::size_t n) {
  return static_cast<double>(n - static_cast<std::size_t>(std::count(w, w + n, 0.0)));
}

// How u is balanced so that sum_i s_i u_i = 0: the rows on the heavier side are shrunk towards zero, which keeps u in
// its domain. A sixteenth of the rows, or fewer, suffices when the excess is small; the loss in D is of second order in
// the excess.
struct Balance {
  double sign = 0;    // of the rows to shrink; 0: nothing to do
  double factor = 1;  // what is left of them
  std::size_t stride = 1;

  // Whether the rows to shrink are more than a few.
  bool is_heavy() const { return sign != 0 && stride < 16; }
  // The first multiple of the stride from row `first` on, counted from there.
  std::size_t first_in(std::size_t first) const { return (stride - first % stride) % stride; }
  // Whether row i, a multiple of the stride, is shrunk.
  bool shrinks(double u) const { return u * sign > 0; }

  // Copies the u of `count` rows from row `first` on, with unknown entries as zero and the shrunk ones shrunk.
  void apply(const double* u, std::size_t first, std::size_t count, double* out) const {
    for (std::size_t k = 0; k < count; ++k) out[k] = derivative_or_zero(u[k]);
    if (sign == 0) return;
    for (std::size_t k = first_in(first); k < count; k += stride) {
      if (shrinks(out[k])) out[k] *= factor;
    }
  }
};

// Here and below of no use if the watch's control stops the work.
template <class View, class Derivatives>
Balance find_balance(const Problem<View>& problem, const Derivatives& u, const Watch& watch = {}) {
  constexpr std::array<std::size_t, 4> strides{1, 4, 16, 128};
  constexpr std::array<double, 4> least_factors{0, 0.5, 0.5, 0.9};
  std::array<double, strides.size()> positive{};
  std::array<double, strides.size()> negative{};
  std::array<double, block_rows> mass;
  const auto add = [&](std::size_t first, std::size_t count) {
    const double* block = u(first, count, mass.data());
    for (std::size_t k = 0; k < count; ++k) mass[k] = derivative_or_zero(block[k]);
    for (std::size_t k = 0; problem.s != nullptr && k < count; ++k) mass[k] *= problem.s[first + k];
    for (std::size_t choice = 0; choice < strides.size(); ++choice) {
      const std::size_t stride = strides[choice];  // a block begins with a multiple of every stride
      const std::size_t size = (count + stride - 1) / stride;
      const double sum = chained_sum(size, [&](std::size_t k) { return mass[k * stride]; });
      const double magnitude = chained_sum(size, [&](std::size_t k) { return std::fabs(mass[k * stride]); });
      positive[choice] += (magnitude + sum) / 2;
      negative[choice] += (magnitude - sum) / 2;
    }
  };
  for_each_watched_block(problem.n_rows(), watch, add);
  const double excess = positive[0] - negative[0];
  Balance balance;
  // An excess at the level of rounding changes D by no more than rounding does.
  if (std::fabs(excess) <= 1e-15 * (positive[0] + negative[0])) return balance;
  const auto& heavier = excess > 0 ? positive : negative;
  balance.sign = excess > 0 ? 1 : -1;
  for (std::size_t choice = strides.size(); choice-- > 0;) {
    balance.stride = strides[choice];
    balance.factor = 1 - std::fabs(excess) / heavier[choice];
    if (balance.factor >= least_factors[choice]) break;
  }
  balance.factor = std::max(balance.factor, 0.0);
  return balance;
}

template <class View, class Derivatives>
Balance balance_for(const Problem<View>& problem, const Derivatives& u, const Watch& watch = {}) {
  return problem.has_free_intercept() ? find_balance(problem, u, watch) : Balance{};
}

// Adds what the balance moves in the rows [first, first + count), whose u the block holds, to the gradient.
template <class View>
void add_moved(const Problem<View>& problem, const Balance& balance, const double* block, std::size_t first,
               std::size_t count, double* gradient) {
  const auto& rows = row_kernels(problem.kernels, problem.X);
  for (std::size_t k = balance.first_in(first); k < count; k += balance.stride) {
    if (!balance.shrinks(derivative_or_zero(block[k]))) continue;
    const double moved = (balance.factor - 1) * block[k];
    axpy(rows, problem.weight(first + k) * moved / problem.total_weight, problem.X.row(first + k), gradient);
  }
}
template <class View, class Derivatives>
void add_moved(const Problem<View>& problem, const Balance& balance, const Derivatives& u, double* gradient,
               const Watch& watch = {}) {
  if (balance.sign == 0) return;
  std::array<double, block_rows> room;
  for_each_watched_block(problem.n_rows(), watch, [&](std::size_t first, std::size_t count) {
    add_moved(problem, balance, u(first, count, room.data()), first, count, gradient);
  });
}

// D(u) for u (n numbers, NaN where unknown) once it is balanced, and the balanced gradient (1/S) X^T (s o u), which is
// overwritten by that of the u scaled for a pure L1 penalty.
template <class View, class Derivatives>
double balanced_dual_objective(const Problem<View>& problem, const Balance& balance, const Derivatives& u,
                               double* gradient, const Watch& watch = {}) {
  const double intercept_gradient = problem.has_penalized_intercept() ? mean_derivative(problem, u, watch) : 0;
  const std::size_t p = problem.n_columns();
  double scale = 1;
  double penalty_conjugate = 0;
  if (problem.l2() > 0) {
    penalty_conjugate = std::visit(
        [&](auto penalty) {  // a copy, whose parameters stay in registers
          return chained_sum(p, [&](std::size_t j) { return penalty.conjugate(-gradient[j]); });
        },
        problem.penalty);
    if (problem.has_penalized_intercept())
      penalty_conjugate += problem.intercept_penalty.conjugate(-intercept_gradient);
  } else {
    // R* is the indicator of |v_j| <= l1: u is scaled into it.
    double largest = 0;
    for (std::size_t j = 0; j < p; ++j) largest = std::max(largest, std::fabs(gradient[j]));
    if (largest > problem.l1()) scale = problem.l1() / largest;
    const double in_intercept = std::fabs(intercept_gradient);
    if (in_intercept * scale > problem.intercept_penalty.l1()) scale = problem.intercept_penalty.l1() / in_intercept;
    for (std::size_t j = 0; scale < 1 && j < p; ++j) gradient[j] *= scale;
  }
  const auto balanced = [&](std::size_t first, std::size_t count, double* room) {
    balance.apply(u(first, count, room), first, count, room);
    return room;
  };
  const double conjugate = conjugate_sum(problem, scale, balanced, watch);
  return -conjugate / problem.total_weight - penalty_conjugate;
}

// D(u) after both repairs, for u and its gradient as they are; the gradient is overwritten by that of the repaired u.
template <class View, class Derivatives>
double dual_objective(const Problem<View>& problem, const Derivatives& u, double* gradient, const Watch& watch) {
  const Balance balance = balance_for(problem, u, watch);
  add_moved(problem, balance, u, gradient, watch);
  return balanced_dual_objective(problem, balance, u, gradient, watch);
}

}  // namespace finitesum
