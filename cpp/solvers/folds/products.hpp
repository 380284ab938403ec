// X w and X^T a of all folds of a range in one reading of X: sparse rows work on the numbers of a column side by side,
// dense ones go four at a time. Bits do not depend on how the folds are cut into ranges.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "solvers/folds/problem.hpp"

namespace finitesum {

template <class View>
class FoldProducts {
 public:
  FoldProducts(const Problem<View>& problem, std::size_t n_folds)
      : problem_(problem), w_(problem.n_columns(), n_folds), z_(w_.stride()), n_folds_(n_folds) {}

  void set(std::size_t k, const double* w) {
    for (std::size_t j = 0; j < w_.size(); ++j) w_[j][k] = w[j];
  }

  // take(k, i, x_i.w_k) for the rows [first, first + count).
  template <class Take>
  void operator()(std::size_t first, std::size_t count, const Take& take) {
    for (std::size_t i = first; i < first + count; ++i) {
      if (i + 4 < problem_.n_rows()) prefetch_once(problem_.X.row(i + 4));
      dot_lanes(problem_, i, w_, z_.data());
      for (std::size_t k = 0; k < n_folds_; ++k) take(k, i, z_[k]);
    }
  }

 private:
  const Problem<View>& problem_;
  FoldColumns w_;
  std::vector<double> z_;
  std::size_t n_folds_;
};

template <class T>
class FoldProducts<DenseView<T>> {
 public:
  FoldProducts(const Problem<DenseView<T>>& problem, std::size_t n_folds)
      : problem_(problem), w_(n_folds * problem.n_columns()), z_(4 * n_folds), n_folds_(n_folds) {}

  void set(std::size_t k, const double* w) { std::copy_n(w, problem_.n_columns(), &w_[k * problem_.n_columns()]); }

  template <class Take>
  void operator()(std::size_t first, std::size_t count, const Take& take) {
    const auto& kernels = dense_of<T>(problem_.kernels.quads);
    const std::size_t end = first + count;
    for (std::size_t i = first; i < end; i += 4) {
      const std::size_t size = std::min<std::size_t>(4, end - i);
      std::array<const T*, 4> rows;
      for (std::size_t r = 0; r < 4; ++r) rows[r] = problem_.X.row(i + std::min(r, size - 1)).values;
      kernels.multiply(rows.data(), problem_.n_columns(), w_.data(), n_folds_, z_.data());
      for (std::size_t r = 0; r < size; ++r) {
        for (std::size_t k = 0; k < n_folds_; ++k) take(k, i + r, z_[r * n_folds_ + k]);
      }
    }
  }

 private:
  const Problem<DenseView<T>>& problem_;
  std::vector<double> w_;  // by folds
  std::vector<double> z_;  // by rows
  std::size_t n_folds_;
};

template <class View>
class FoldSums {
 public:
  FoldSums(const Problem<View>& problem, std::size_t n_folds)
      : problem_(problem), sums_(problem.n_columns(), n_folds), factors_(sums_.stride()), n_folds_(n_folds) {}

  // Adds a x_i to the sum of each fold k for the rows [first, first + count), a = factor(k, i).
  template <class Factor>
  void add(std::size_t first, std::size_t count, const Factor& factor) {
    for (std::size_t i = first; i < first + count; ++i) {
      if (i + 4 < problem_.n_rows()) prefetch_once(problem_.X.row(i + 4));
      for (std::size_t k = 0; k < n_folds_; ++k) factors_[k] = factor(k, i);
      axpy_lanes(problem_, factors_.data(), i, sums_);
    }
  }
  void write(std::size_t k, double* sum) const {
    for (std::size_t j = 0; j < sums_.size(); ++j) sum[j] = sums_[j][k];
  }

 private:
  const Problem<View>& problem_;
  FoldColumns sums_;
  std::vector<double> factors_;
  std::size_t n_folds_;
};

template <class T>
class FoldSums<DenseView<T>> {
 public:
  FoldSums(const Problem<DenseView<T>>& problem, std::size_t n_folds)
      : problem_(problem), sums_(n_folds * problem.n_columns()), factors_(4 * n_folds), n_folds_(n_folds) {}

  template <class Factor>
  void add(std::size_t first, std::size_t count, const Factor& factor) {
    const auto& kernels = dense_of<T>(problem_.kernels.quads);
    const std::size_t end = first + count;
    for (std::size_t i = first; i < end; i += 4) {
      std::array<const T*, 4> rows;
      for (std::size_t r = 0; r < 4; ++r) {
        const bool is_there = i + r < end;
        rows[r] = problem_.X.row(is_there ? i + r : i).values;
        for (std::size_t k = 0; k < n_folds_; ++k) factors_[r * n_folds_ + k] = is_there ? factor(k, i + r) : 0;
      }
      kernels.add_products(factors_.data(), rows.data(), problem_.n_columns(), sums_.data(), n_folds_);
    }
  }
  void write(std::size_t k, double* sum) const {
    std::copy_n(&sums_[k * problem_.n_columns()], problem_.n_columns(), sum);
  }

 private:
  const Problem<DenseView<T>>& problem_;
  std::vector<double> sums_;     // by folds
  std::vector<double> factors_;  // by rows
  std::size_t n_folds_;
};

}  // namespace finitesum
