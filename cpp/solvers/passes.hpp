// Passes over all rows, on several threads, with the same results on any number of them.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "solvers/problem.hpp"

namespace finitesum {

// A row that was never visited has no stored derivative; zero is in the domain of every conjugate here.
inline double derivative_or_zero(double u) { return u == u ? u : 0.0; }

// z_i = x_i.w + b for the rows [first, first + count); b where the weight is zero.
template <class View>
void margins(const Problem<View>& problem, const double* w, double b, std::size_t first, std::size_t count, double* z) {
  const auto& rows = row_kernels(problem.kernels, problem.X);
  for (std::size_t k = 0; k < count; ++k) {
    if (first + k + 4 < problem.n_rows()) prefetch_once(problem.X.row(first + k + 4));
    z[k] = problem.weight(first + k) == 0 ? b : b + dot(rows, problem.X.row(first + k), w);
  }
}

// Calls work(first, count) for the blocks of all rows, on one thread in their order; false if control stops the work.
template <class View, class Work>
bool for_each_row_block_on(int n_threads, const Problem<View>& problem, Control* control, Work&& work) {
  if (control == nullptr) control = control_before_start(problem);
  const std::size_t n = problem.n_rows();
  const std::size_t block_work = (problem.X.n_stored() / n + 1) * block_rows;
  return in_parts(n, block_rows, block_work, control, [&](std::size_t begin, std::size_t end) {
    for_each_block(end - begin, n_threads, [&](std::size_t first, std::size_t count) { work(begin + first, count); });
  });
}

template <class View, class Work>
bool for_each_row_block(const Problem<View>& problem, Control* control, Work&& work) {
  return for_each_row_block_on(problem.n_threads, problem, control, std::forward<Work>(work));
}

// The margins x_i.w of all rows; false if control stops the work.
template <class View>
bool all_margins(const Problem<View>& problem, const double* w, double* z, Control* control = nullptr) {
  return for_each_row_block(
      problem, control, [&](std::size_t first, std::size_t count) { margins(problem, w, 0, first, count, z + first); });
}

// Adds (1/S) sum_i s_i u_i x_i over the rows [first, first + count) to the gradient.
template <class View>
void add_gradient(const Problem<View>& problem, const double* u, std::size_t first, std::size_t count,
                  double* gradient) {
  const auto& rows = row_kernels(problem.kernels, problem.X);
  for (std::size_t k = 0; k < count; ++k) {
    const double factor = problem.weight(first + k) * u[k] / problem.total_weight;
    if (factor != 0) axpy(rows, factor, problem.X.row(first + k), gradient);
  }
}

// u as the functions below read it: derivatives(first, count, room) points to a block of it, stored or computed just
// now in the room lent.
struct StoredDerivatives {
  const double* u;
  const double* operator()(std::size_t first, std::size_t /*count*/, double* /*room*/) const { return u + first; }
};

// sum = sum of what add(first, count, sum) adds to p numbers for blocks of rows, small enough to stay in the cache
// between two visits. Where the columns are few beside the entries of X, chunks of the rows, whose number depends on
// the problem alone, are summed side by side. False if control stops the work.
template <class View, class Add>
bool sum_over_rows(const Problem<View>& problem, double* sum, const Add& add, Control* control = nullptr) {
  constexpr std::size_t most_chunks = 16;
  constexpr std::size_t cached = std::size_t{1} << 14;  // stored entries
  if (control == nullptr) control = control_before_start(problem);
  const std::size_t p = problem.n_columns();
  const std::size_t n_blocks = (problem.n_rows() + block_rows - 1) / block_rows;
  const std::size_t n_chunks =
      std::clamp<std::size_t>(problem.X.n_stored() / (8 * p), 1, std::min(most_chunks, n_blocks));
  const std::size_t at_once =
      std::clamp<std::size_t>(cached * problem.n_rows() / (problem.X.n_stored() + 1), 16, block_rows);
  const std::size_t stride = n_chunks == 1 ? p : (p + 15) / 8 * 8;  // whole cache lines apart
  std::vector<double> sums(n_chunks == 1 ? 0 : n_chunks * stride);
  std::fill_n(sum, p, 0.0);
  // Part after part, so many blocks of every chunk.
  const std::size_t longest = (n_blocks + n_chunks - 1) / n_chunks;
  const std::size_t work = (problem.X.n_stored() / problem.n_rows() + 1) * block_rows * n_chunks;
  const bool is_finished = in_parts(longest, 1, work, control, [&](std::size_t part_begin, std::size_t part_end) {
    parallel_for(n_chunks, problem.n_threads, [&](std::size_t chunk) {
      double* of_chunk = n_chunks == 1 ? sum : sums.data() + chunk * stride;
      const std::size_t chunk_begin = n_blocks * chunk / n_chunks;
      const std::size_t chunk_end = n_blocks * (chunk + 1) / n_chunks;
      const std::size_t begin = std::min(chunk_begin + part_begin, chunk_end) * block_rows;
      const std::size_t end = std::min(problem.n_rows(), std::min(chunk_begin + part_end, chunk_end) * block_rows);
      for (std::size_t first = begin; first < end;) {
        // No block crosses a multiple of block_rows: sums by block belong to one chunk.
        const std::size_t count = std::min({at_once, end - first, block_rows - first % block_rows});
        add(first, count, of_chunk);
        first += count;
      }
    });
  });
  if (!is_finished) return false;
  for (std::size_t j = 0; n_chunks > 1 && j < p; ++j) {
    sum[j] = 0;
    for (std::size_t chunk = 0; chunk < n_chunks; ++chunk) sum[j] += sums[chunk * stride + j];
  }
  return true;
}

// gradient = (1/S) X^T (s o u). Derivatives computed from margins of the same rows make this the fused pass: one
// reading of X for the predictions and for the gradient.
template <class View, class Derivatives>
bool sum_gradient(const Problem<View>& problem, const Derivatives& derivatives, double* gradient,
                  Control* control = nullptr) {
  const auto add = [&](std::size_t first, std::size_t count, double* sum) {
    std::array<double, block_rows> room;
    add_gradient(problem, derivatives(first, count, room.data()), first, count, sum);
  };
  return sum_over_rows(problem, gradient, add, control);
}

// sum_i s_i u_i over a block u of rows.
template <class View>
double weighted_sum(const Problem<View>& problem, const double* u, std::size_t first, std::size_t count) {
  return chained_sum(count, [&](std::size_t k) { return problem.weight(first + k) * derivative_or_zero(u[k]); });
}

// (1/S) sum_i s_i u_i: the gradient in the intercept.
template <class View, class Derivatives>
double mean_derivative(const Problem<View>& problem, const Derivatives& derivatives, const Watch& watch = {}) {
  const auto term = [&](std::size_t first, std::size_t count) {
    std::array<double, block_rows> room;
    return weighted_sum(problem, derivatives(first, count, room.data()), first, count);
  };
  return sum_over_blocks(problem.n_rows(), problem.n_threads, term, watch) / problem.total_weight;
}

// sum_i s_i l*(scale u_i, y_i)
template <class View, class Derivatives>
double conjugate_sum(const Problem<View>& problem, double scale, const Derivatives& derivatives,
                     const Watch& watch = {}) {
  const auto term = [&](std::size_t first, std::size_t count) {
    std::array<double, block_rows> room;
    const double* u = derivatives(first, count, room.data());
    const TargetBlock y(problem.y, first, count);
    return problem.loss.conjugate_sum(scale, u, y.data(), problem.weights_from(first), count);
  };
  return sum_over_blocks(problem.n_rows(), problem.n_threads, term, watch);
}

// The largest entry of the gradient of the smooth part at (w, b), the intercept's included; `gradient` is overwritten.
// Infinite if control stops the sweep.
template <class View>
double gradient_norm(const Problem<View>& problem, const double* w, double b, double* gradient,
                     Control* control = nullptr) {
  std::vector<double> sums((problem.n_rows() + block_rows - 1) / block_rows);  // of s_i u_i, for the intercept
  const bool is_finished = sum_gradient(
      problem,
      [&](std::size_t first, std::size_t count, double* u) {
        margins(problem, w, b, first, count, u);
        problem.loss.derivatives(u, TargetBlock(problem.y, first, count).data(), u, count);
        for (std::size_t k = 0; k < count; ++k) sums[first / block_rows] += problem.weight(first + k) * u[k];
        return u;
      },
      gradient, control);
  if (!is_finished) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (const double sum : sums) largest += sum;
  largest = problem.fit_intercept ? std::fabs(largest / problem.total_weight) : 0;
  for (std::size_t j = 0; j < problem.n_columns(); ++j) largest = std::max(largest, std::fabs(gradient[j]));
  return largest;
}

}  // namespace finitesum
