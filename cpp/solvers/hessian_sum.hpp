// The Hessian sum_i h_i (x_i, 1) (x_i, 1)^T of a quadratic model, or without the ones. Sparse rows add their products
// one by one, dense ones in tiles.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "solvers/passes.hpp"
#include "solvers/quadratic_model.hpp"

namespace finitesum {

template <class View>
class HessianSum {
 public:
  // Both must outlive the sum.
  HessianSum(const Problem<View>& problem, QuadraticModel& model)
      : problem_(problem),
        model_(model),
        n_strips_(View::is_sparse ? 0 : (model_.size() + strip_width - 1) / strip_width),
        rows_at_once_(View::is_sparse
                          ? 4 * block_rows
                          : std::clamp<std::size_t>(most_packed / model_.size() / block_rows, 1, 4) * block_rows),
        factors_(std::min((problem.n_rows() + block_rows - 1) / block_rows * block_rows, rows_at_once_)),
        rows_(factors_.size()),
        strips_(n_strips_ * strip_width * factors_.size()),
        row_products_(mean_row_size(problem) * mean_row_size(problem) / 2 + 1),
        is_sorted_(has_sorted_rows(problem.X)) {}

  // Replaces the model's Hessian; factors_of(first, count, h) tells h of a block of rows. False if control stops the
  // work.
  template <class FactorsOf>
  bool build(const FactorsOf& factors_of, Control& control) {
    model_.clear();
    for (std::size_t begin = 0; begin < problem_.n_rows() && !control.stopped(); begin += rows_at_once_) {
      const std::size_t count = std::min(rows_at_once_, problem_.n_rows() - begin);
      for_each_block(count, problem_.n_threads, [&](std::size_t first, std::size_t size) {
        factors_of(begin + first, size, factors_.data() + first);
      });
      add_rows(problem_.X, keep_rows(begin, count));
      control.stop_after(count * row_products_);
    }
    return !control.stopped();
  }

 private:
  static std::size_t mean_row_size(const Problem<View>& problem) { return problem.X.n_stored() / problem.n_rows() + 1; }

  // Of the rows from `begin` on those with a factor; how many.
  std::size_t keep_rows(std::size_t begin, std::size_t count) {
    std::size_t kept = 0;
    for (std::size_t k = 0; k < count; ++k) {
      rows_[kept] = begin + k;
      factors_[kept] = factors_[k];
      kept += factors_[k] != 0 ? 1 : 0;
    }
    return kept;
  }

  template <class T>
  static bool has_sorted_rows(const DenseView<T>&) {
    return true;
  }
  template <class T, class I>
  static bool has_sorted_rows(const CsrView<T, I>& X) {
    for (std::size_t i = 0; i < X.n_rows; ++i) {
      const SparseRow<T, I> x = X.row(i);
      if (!std::is_sorted(x.indices, x.indices + x.size)) return false;
    }
    return true;
  }

  // Dense rows, with a column of ones for the intercept, are packed times the square roots of their factors, block by
  // block; each row of tiles of the Hessian belongs to one thread.
  template <class T>
  void add_rows(const DenseView<T>& X, std::size_t count) {
    constexpr std::size_t block = block_rows * strip_width;
    for_each_block(count, problem_.n_threads, [&](std::size_t first, std::size_t size) {
      double* strips = strips_.data() + first * strip_width * n_strips_;
      for (std::size_t k = 0; k < size; ++k)
        pack(X.row(rows_[first + k]), factors_[first + k], strips + k * strip_width);
    });
    parallel_for(n_strips_, problem_.n_threads, [&](std::size_t task) {
      const std::size_t j = n_strips_ - 1 - task;  // the longest first
      for_each_block(count, [&](std::size_t first, std::size_t size) {
        const double* strips = strips_.data() + first * strip_width * n_strips_;
        for (std::size_t k = 0; k <= j; ++k) add_tile(strips + j * block, strips + k * block, size, j, k);
      });
    });
  }
  template <class T>
  void pack(DenseRow<T> x, double factor, double* strips) const {
    constexpr std::size_t stride = block_rows * strip_width;
    const double root = std::sqrt(factor);
    row_kernels(problem_.kernels, problem_.X).pack_row(root, x.values, x.size, strips, stride);
    if (problem_.fit_intercept) strips[x.size / strip_width * stride + x.size % strip_width] = root;
  }
  void add_tile(const double* a, const double* b, std::size_t count, std::size_t j, std::size_t k) {
    std::array<double, strip_width * strip_width> tile;
    problem_.kernels.multiply_strips(a, b, count, tile.data());
    for (std::size_t r = 0; r < strip_width && j * strip_width + r < model_.size(); ++r) {
      double* row = model_.row(j * strip_width + r) + k * strip_width;
      const std::size_t size = std::min(strip_width, model_.size() - k * strip_width);
      for (std::size_t c = 0; c < size; ++c) row[c] += tile[r * strip_width + c];
    }
  }

  // Each thread has rows of the Hessian of its own, equal areas of its triangle.
  template <class T, class I>
  void add_rows(const CsrView<T, I>& X, std::size_t count) {
    const auto n_parts = static_cast<std::size_t>(problem_.n_threads);
    parallel_for(n_parts, problem_.n_threads, [&](std::size_t part) {
      const auto bound = [&](std::size_t k) {
        const double share = std::sqrt(static_cast<double>(k) / static_cast<double>(n_parts));
        return k == n_parts ? model_.size() : static_cast<std::size_t>(share * static_cast<double>(model_.size()));
      };
      for (std::size_t k = 0; k < count; ++k) {
        add_outer_product(X.row(rows_[k]), factors_[k], bound(part), bound(part + 1));
      }
    });
  }
  // Adds rows [begin, end) of h (x, 1) (x, 1)^T to the lower triangle.
  template <class T, class I>
  void add_outer_product(SparseRow<T, I> x, double h, std::size_t begin, std::size_t end) {
    for (std::size_t a = 0; a < x.size; ++a) {
      const auto j = static_cast<std::size_t>(x.indices[a]);
      if (j < begin || j >= end) continue;
      double* row = model_.row(j);
      const double factor = h * double{x.values[a]};
      if (is_sorted_) {
        for (std::size_t b = 0; b <= a; ++b)
          row[static_cast<std::size_t>(x.indices[b])] += factor * double{x.values[b]};
        continue;
      }
      for (std::size_t b = 0; b < x.size; ++b) {
        if (x.indices[b] <= x.indices[a]) row[static_cast<std::size_t>(x.indices[b])] += factor * double{x.values[b]};
      }
    }
    const std::size_t p = problem_.n_columns();
    if (problem_.fit_intercept && begin <= p && p < end) {
      axpy(row_kernels(problem_.kernels, problem_.X), h, x, model_.row(p));
      model_.row(p)[p] += h;
    }
  }

  static constexpr std::size_t most_packed = std::size_t{1} << 16;  // numbers: what the second-level cache holds

  const Problem<View>& problem_;
  QuadraticModel& model_;
  std::size_t n_strips_;
  std::size_t rows_at_once_;
  std::vector<double> factors_;
  std::vector<std::size_t> rows_;  // that they belong to
  std::vector<double> strips_;
  std::size_t row_products_;  // per row of X, on average
  bool is_sorted_;            // by columns, within each row
};

}  // namespace finitesum
