// Read-only views of the caller's data matrix. The core never copies X: dense rows and CSR rows differ only in the row
// type, and every algorithm is a template over the view.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <variant>

namespace finitesum {

template <class T>
struct DenseRow {
  const T* values;
  std::size_t size;
};

template <class T, class I>
struct SparseRow {
  const T* values;
  const I* indices;
  std::size_t size;
};

template <class T>
struct DenseView {
  using Value = T;
  using Row = DenseRow<T>;
  static constexpr bool is_sparse = false;

  const T* values;
  std::size_t n_rows;
  std::size_t n_columns;

  Row row(std::size_t i) const { return {values + i * n_columns, n_columns}; }
  std::size_t n_stored() const { return n_rows * n_columns; }
};

// CSR row pointers in the caller's own width: a branch that always goes the same way costs less than a widened copy.
struct RowPointers {
  const std::int32_t* narrow;
  const std::int64_t* wide;

  std::size_t operator[](std::size_t i) const {
    return static_cast<std::size_t>(wide != nullptr ? wide[i] : std::int64_t{narrow[i]});
  }
  void prefetch(std::size_t i) const {
    if (wide != nullptr) {
      __builtin_prefetch(wide + i);
    } else {
      __builtin_prefetch(narrow + i);
    }
  }
};

template <class T, class I>
struct CsrView {
  using Value = T;
  using Index = I;
  using Row = SparseRow<T, I>;
  static constexpr bool is_sparse = true;

  const T* values;
  const I* indices;
  RowPointers row_pointers;
  std::size_t n_rows;
  std::size_t n_columns;
  std::size_t n_entries;  // of values and indices: what the row pointers must not exceed

  Row row(std::size_t i) const {
    const std::size_t begin = row_pointers[i];
    return {values + begin, indices + begin, row_pointers[i + 1] - begin};
  }
  std::size_t n_stored() const { return row_pointers[n_rows]; }
};

using AnyMatrix =
    std::variant<DenseView<float>, DenseView<double>, CsrView<float, std::int32_t>, CsrView<double, std::int32_t>,
                 CsrView<float, std::int64_t>, CsrView<double, std::int64_t>>;

}  // namespace finitesum
