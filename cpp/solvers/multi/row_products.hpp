// X W and X^T U for p x K matrices W, and n x K matrices U, stored by rows. Sparse rows work on the K numbers of a
// column side by side. Dense rows go four at a time against the transpose of W, a copy, whose rows are read once for
// them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "solvers/multi/problem.hpp"

namespace finitesum {

// Row i of a sweep over all of them, whose next row's part of the p x K matrix w is fetched meanwhile.
template <class View>
typename View::Row row_before_next(const MultiProblem<View>& problem, std::size_t i, const double* w) {
  constexpr std::size_t numbers_in_cache = 16384;
  if (i + 1 < problem.n_rows() && problem.n_coefficients() > numbers_in_cache) {
    if (i + 4 < problem.n_rows()) prefetch_once(problem.X.row(i + 4));
    prefetch_columns(problem.X.row(i + 1), w, problem.n_outputs);
  }
  return problem.X.row(i);
}

// The scores x_i W; zeros where a row does not count. A row's have the same bits however they are asked for.
template <class View>
class RowProducts {
 public:
  RowProducts(const MultiProblem<View>& problem, const double* W) : problem_(problem), W_(W) {}

  // K numbers for each of the rows [first, first + count).
  void operator()(std::size_t first, std::size_t count, double* z) const {
    const std::size_t K = problem_.n_outputs;
    for (std::size_t i = first; i < first + count; ++i, z += K) {
      if (problem_.weight(i) == 0) {
        std::fill_n(z, K, 0.0);
      } else {
        dot(kernels(), row_before_next(problem_, i, W_), W_, K, z);
      }
    }
  }
  void of_row(std::size_t i, double* z) const { dot(kernels(), problem_.X.row(i), W_, problem_.n_outputs, z); }
  void of_output(std::size_t k, std::size_t first, std::size_t count, double* z) const {
    for (std::size_t i = first; i < first + count; ++i, ++z) {
      const auto row = problem_.X.row(i);
      *z = 0;
      if (problem_.weight(i) != 0) kernels().dot(row.values, row.indices, row.size, W_ + k, problem_.n_outputs, 1, z);
    }
  }

 private:
  const auto& kernels() const { return column_kernels(problem_.kernels, problem_.X); }

  const MultiProblem<View>& problem_;
  const double* W_;
};

template <class T>
class RowProducts<DenseView<T>> {
 public:
  RowProducts(const MultiProblem<DenseView<T>>& problem, const double* W)
      : problem_(problem), kernels_(dense_of<T>(problem.kernels.quads)), transposed_(problem.n_coefficients()) {
    for (std::size_t j = 0; j < problem.n_columns(); ++j) {
      for (std::size_t k = 0; k < problem.n_outputs; ++k) transposed_[k * problem.n_columns() + j] = *W++;
    }
  }

  void operator()(std::size_t first, std::size_t count, double* z) const {
    multiply(first, count, transposed_.data(), problem_.n_outputs, z);
  }
  void of_row(std::size_t i, double* z) const {
    kernels_.multiply_row(problem_.X.row(i).values, problem_.n_columns(), transposed_.data(), problem_.n_outputs, z);
  }
  void of_output(std::size_t k, std::size_t first, std::size_t count, double* z) const {
    multiply(first, count, transposed_.data() + k * problem_.n_columns(), 1, z);
  }

 private:
  void multiply(std::size_t first, std::size_t count, const double* w, std::size_t K, double* z) const {
    std::size_t done = 0;
    for (; done + 4 <= count; done += 4) {
      std::array<const T*, 4> rows;
      for (std::size_t r = 0; r < 4; ++r) rows[r] = problem_.X.row(first + done + r).values;
      kernels_.multiply(rows.data(), problem_.n_columns(), w, K, z + done * K);
    }
    for (; done < count; ++done)
      kernels_.multiply_row(problem_.X.row(first + done).values, problem_.n_columns(), w, K, z + done * K);
    for (std::size_t i = 0; problem_.s != nullptr && i < count; ++i) {
      if (problem_.weight(first + i) == 0) std::fill_n(z + i * K, K, 0.0);
    }
  }

  const MultiProblem<DenseView<T>>& problem_;
  const DenseQuadKernels<T>& kernels_;
  std::vector<double> transposed_;
};

// Adds (s_i / S) x_i u_i^T, row by row, to a p x K matrix, which is complete after finish().
template <class View>
class RowSums {
 public:
  RowSums(const MultiProblem<View>& problem, double* sum) : problem_(problem), sum_(sum), factors_(problem.n_outputs) {}

  void add(std::size_t i, const double* u) {
    const double factor = problem_.weight(i) / problem_.total_weight;
    if (factor == 0) return;
    for (std::size_t k = 0; k < factors_.size(); ++k) factors_[k] = factor * u[k];
    axpy(column_kernels(problem_.kernels, problem_.X), factors_.data(), row_before_next(problem_, i, sum_), sum_,
         factors_.size());
  }
  void finish() {}

 private:
  const MultiProblem<View>& problem_;
  double* sum_;
  std::vector<double> factors_;
};

template <class T>
class RowSums<DenseView<T>> {
 public:
  RowSums(const MultiProblem<DenseView<T>>& problem, double* sum)
      : problem_(problem),
        kernels_(dense_of<T>(problem.kernels.quads)),
        sum_(sum),
        transposed_(problem.n_coefficients()),
        factors_(4 * problem.n_outputs) {}

  void add(std::size_t i, const double* u) {
    const double factor = problem_.weight(i) / problem_.total_weight;
    if (factor == 0) return;
    const std::size_t K = problem_.n_outputs;
    for (std::size_t k = 0; k < K; ++k) factors_[n_rows_ * K + k] = factor * u[k];
    rows_[n_rows_++] = problem_.X.row(i).values;
    if (n_rows_ == 4) apply();
  }
  void finish() {
    if (n_rows_ > 0) apply();
    double* sum = sum_;
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) {
      for (std::size_t k = 0; k < problem_.n_outputs; ++k) *sum++ += transposed_[k * problem_.n_columns() + j];
    }
    std::fill(transposed_.begin(), transposed_.end(), 0.0);
  }

 private:
  void apply() {
    const std::size_t K = problem_.n_outputs;
    for (; n_rows_ < 4; ++n_rows_) {
      rows_[n_rows_] = rows_[0];
      std::fill_n(&factors_[n_rows_ * K], K, 0.0);
    }
    kernels_.add_products(factors_.data(), rows_.data(), problem_.n_columns(), transposed_.data(), K);
    n_rows_ = 0;
  }

  const MultiProblem<DenseView<T>>& problem_;
  const DenseQuadKernels<T>& kernels_;
  double* sum_;
  std::vector<double> transposed_;
  std::array<const T*, 4> rows_{};
  std::vector<double> factors_;  // by rows
  std::size_t n_rows_ = 0;       // met since the last kernel
};

}  // namespace finitesum
