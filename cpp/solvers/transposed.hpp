// X by columns: what coordinate descent reads. A copy of X, the size of X, whose rows are the columns of X, so that all
// row arithmetic (rows.hpp) works on columns. Rows of weight zero are left out, whatever they hold.
#pragma once

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

#include "core/large_pages.hpp"
#include "solvers/problem.hpp"

namespace finitesum {

template <class View>
class Transposed;

// Strided reads would fetch a cache line per entry, in every sweep.
template <class T>
class Transposed<DenseView<T>> {
 public:
  explicit Transposed(const Problem<DenseView<T>>& problem) : values_(problem.X.n_stored()) {
    constexpr std::size_t tile = 64;
    const std::size_t n = problem.n_rows();
    const std::size_t p = problem.n_columns();
    Control* control = control_before_start(problem);
    for (std::size_t i0 = 0; i0 < n; i0 += tile) {
      if (control != nullptr) control->stop_after(tile * p);
      for (std::size_t j0 = 0; j0 < p; j0 += tile) {
        for (std::size_t i = i0; i < std::min(n, i0 + tile); ++i) {
          if (problem.weight(i) == 0) continue;
          const T* row = problem.X.row(i).values;
          for (std::size_t j = j0; j < std::min(p, j0 + tile); ++j) values_[j * n + i] = row[j];
        }
      }
    }
    view_ = {values_.data(), p, n};
  }
  Transposed(const Transposed&) = delete;
  Transposed& operator=(const Transposed&) = delete;

  const DenseView<T>& view() const { return view_; }

 private:
  LargeVector<T> values_;
  DenseView<T> view_;
};

// By counting: each column's rows come in order.
template <class T, class I>
class Transposed<CsrView<T, I>> {
 public:
  explicit Transposed(const Problem<CsrView<T, I>>& problem) : pointers_(problem.n_columns() + 1) {
    if (problem.n_rows() > static_cast<std::size_t>(std::numeric_limits<I>::max()))
      throw std::invalid_argument("X has more rows than the type of its column indices can number.");
    for_each_entry(problem, [&](std::size_t, I j, T) { ++pointers_[static_cast<std::size_t>(j) + 1]; });
    for (std::size_t j = 0; j < problem.n_columns(); ++j) pointers_[j + 1] += pointers_[j];
    const auto n_entries = static_cast<std::size_t>(pointers_.back());
    values_.resize(n_entries);
    indices_.resize(n_entries);
    std::vector<std::int64_t> next(pointers_.begin(), pointers_.end() - 1);
    for_each_entry(problem, [&](std::size_t i, I j, T value) {
      const auto at = static_cast<std::size_t>(next[static_cast<std::size_t>(j)]++);
      values_[at] = value;
      indices_[at] = static_cast<I>(i);
    });
    view_ = {values_.data(),      indices_.data(),  {nullptr, pointers_.data()},
             problem.n_columns(), problem.n_rows(), n_entries};
  }
  Transposed(const Transposed&) = delete;
  Transposed& operator=(const Transposed&) = delete;

  const CsrView<T, I>& view() const { return view_; }

 private:
  template <class Visit>
  static void for_each_entry(const Problem<CsrView<T, I>>& problem, Visit&& visit) {
    visit_rows(problem, [&](std::size_t i) {
      if (problem.weight(i) == 0) return;
      const auto row = problem.X.row(i);
      for (std::size_t k = 0; k < row.size; ++k) visit(i, row.indices[k], row.values[k]);
    });
  }

  std::vector<std::int64_t> pointers_;
  LargeVector<T> values_;
  LargeVector<I> indices_;
  CsrView<T, I> view_;
};

}  // namespace finitesum
