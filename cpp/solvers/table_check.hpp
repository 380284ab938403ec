// The certificate of an iterate whose solver keeps a table of derivatives, the dual point, and its image X^T (s o
// table): SAG, SAGA, SDCA. X is read once, for F, and in that same sweep the image follows the rows that a balance
// moves. Only where several threads share the sweep are these, one in 32 or fewer, read again.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <variant>
#include <vector>

#include "solvers/dual_gap.hpp"

namespace finitesum {

// x.w of a settled iterate. Unlike predict() it leaves the iterate alone, and threads may share it.
template <class T, class Iterate>
double settled_dot(const DenseKernels<T>& kernels, Iterate& iterate, DenseRow<T> x) {
  return kernels.dot(x.values, iterate.coefficients(), x.size);
}
template <class T, class I, class Iterate>
double settled_dot(const SparseKernels<T, I>& /*kernels*/, Iterate& iterate, SparseRow<T, I> x) {
  const auto term = [&](std::size_t k) {
    return double{x.values[k]} * iterate.coefficient(static_cast<std::size_t>(x.indices[k]));
  };
  std::array<double, 4> chains{};
  std::size_t k = 0;
  for (; k + 4 <= x.size; k += 4) {
    for (std::size_t chain = 0; chain < 4; ++chain) chains[chain] += term(k + chain);
  }
  for (; k < x.size; ++k) chains[0] += term(k);
  return (chains[0] + chains[2]) + (chains[1] + chains[3]);
}

// A row that is moved comes from the first-level cache, and memory would idle meanwhile.
template <class T>
void fetch_ahead(DenseRow<T> x, bool moves) {
  if (moves) prefetch(x);
}
template <class T, class I>
void fetch_ahead(SparseRow<T, I> x, bool /*moves*/) {
  prefetch_once(x);
}

// The mean loss of a settled iterate, infinite if control stops the sweep; the gradient becomes the balanced one.
template <class View, class Iterate>
double sweep(const Problem<View>& problem, Iterate& iterate, double intercept, const Balance& balance,
             const StoredDerivatives& table, double* gradient, Control& control) {
  const std::size_t n = problem.n_rows();
  const auto& rows = row_kernels(problem.kernels, problem.X);
  const bool moves = balance.is_heavy() || (balance.sign != 0 && problem.n_threads == 1);
  const std::size_t cached = std::clamp<std::size_t>(1024 * n / (problem.X.n_stored() + 1), 1, 16);  // rows
  const std::size_t ahead = View::is_sparse ? 4 : 2 * cached;
  std::vector<double> losses((n + block_rows - 1) / block_rows);
  const auto work = [&](std::size_t first, std::size_t count) {
    std::array<double, block_rows> z;
    for (std::size_t begin = 0; begin < count; begin += cached) {
      const std::size_t end = std::min(begin + cached, count);
      for (std::size_t k = begin; k < end; ++k) {
        const std::size_t i = first + k;
        if (i + ahead < n) fetch_ahead(problem.X.row(i + ahead), moves);
        z[k] = problem.weight(i) == 0 ? intercept : intercept + settled_dot(rows, iterate, problem.X.row(i));
      }
      if (moves) add_moved(problem, balance, table.u + first + begin, first + begin, end - begin, gradient);
    }
    const TargetBlock y(problem.y, first, count);
    losses[first / block_rows] = problem.loss.value_sum(z.data(), y.data(), problem.weights_from(first), count);
  };
  if (!for_each_row_block_on(moves ? 1 : problem.n_threads, problem, &control, work))
    return std::numeric_limits<double>::infinity();
  if (!moves) add_moved(problem, balance, table, gradient);
  return std::accumulate(losses.begin(), losses.end(), 0.0) / problem.total_weight;
}

// The certificate of a settled iterate and its table, unfinished if control stops the sweep. gradient_of(j) is entry j
// of (1/S) X^T (s o table); p doubles are lent.
template <class View, class Iterate, class GradientOf>
Certificate check_iterate(const Problem<View>& problem, Iterate& iterate, double intercept, const double* table,
                          const GradientOf& gradient_of, double* lent, Control& control) {
  const std::size_t p = problem.n_columns();
  const bool has_gap = has_finite_gap(problem);
  Certificate certificate;
  // One pass over the coefficients for three purposes: on wide sparse data it costs as much as some rows.
  std::size_t nonzeros = 0;
  const double penalty = std::visit(
      [&](const auto each) {  // a copy, whose parameters stay in registers
        return chained_sum(p, [&](std::size_t j) {
          const double w = iterate.coefficient(j);
          lent[j] = has_gap ? gradient_of(j) : w;
          nonzeros += w != 0;
          return each.value(w);
        });
      },
      problem.penalty);
  certificate.nonzeros = static_cast<double>(nonzeros);
  const StoredDerivatives u{table};
  const Balance balance = has_gap ? balance_for(problem, u) : Balance{};
  certificate.objective = sweep(problem, iterate, intercept, balance, u, lent, control) + penalty +
                          problem.intercept_penalty.value(intercept);
  if (control.stopped() && std::isinf(certificate.objective)) return certificate;
  if (has_gap) {
    certificate.lower_bound = balanced_dual_objective(problem, balance, u, lent);
  } else {
    std::vector<double> gradient(p);
    certificate.gradient_norm = gradient_norm(problem, lent, intercept, gradient.data(), &control);
  }
  return certificate;
}

}  // namespace finitesum
