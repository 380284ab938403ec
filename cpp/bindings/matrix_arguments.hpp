// X and the vectors beside it as Python hands them over, seen in place.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <limits>
#include <string>
#include <variant>

#include "bindings/arrays.hpp"
#include "core/matrix_view.hpp"
#include "core/targets.hpp"

namespace finitesum {

// No conversion, hence no copy: an array of another type or layout is an error of the caller.
template <class T>
const T* data_of(const pybind11::handle& object, pybind11::ssize_t size, const char* name) {
  if (!Array<T>::check_(object))
    throw pybind11::type_error(std::string(name) + " has the wrong dtype or is not contiguous");
  const auto array = pybind11::reinterpret_borrow<Array<T>>(object);
  if (array.ndim() != 1 || array.size() != size)
    throw pybind11::value_error(std::string(name) + " has the wrong shape");
  return array.data();
}

inline constexpr double infinity = std::numeric_limits<double>::infinity();

// One float64 per row, or the labels of a classifier as bits (numpy.packbits, the least significant first).
inline Targets targets(const pybind11::handle& y, pybind11::ssize_t n_rows) {
  if (Array<std::uint8_t>::check_(y)) return Targets(data_of<std::uint8_t>(y, (n_rows + 7) / 8, "y"));
  return Targets(data_of<double>(y, n_rows, "y"));
}

template <class T, class I>
AnyMatrix csr_view(const pybind11::tuple& X, std::size_t n_columns) {
  const auto values = pybind11::reinterpret_borrow<pybind11::array>(X[0]);
  const auto row_pointers = pybind11::reinterpret_borrow<pybind11::array>(X[2]);
  if (row_pointers.ndim() != 1 || row_pointers.size() < 1) throw pybind11::value_error("indptr has the wrong shape");
  RowPointers pointers{nullptr, nullptr};
  if (Array<std::int32_t>::check_(row_pointers)) {
    pointers.narrow = static_cast<const std::int32_t*>(row_pointers.data());
  } else {
    pointers.wide = data_of<std::int64_t>(row_pointers, row_pointers.size(), "indptr");
  }
  return CsrView<T, I>{data_of<T>(X[0], values.size(), "data"),
                       data_of<I>(X[1], values.size(), "indices"),
                       pointers,
                       static_cast<std::size_t>(row_pointers.size() - 1),
                       n_columns,
                       static_cast<std::size_t>(values.size())};
}

template <class T>
AnyMatrix dense_view(const pybind11::handle& object) {
  const auto X = pybind11::reinterpret_borrow<Array<T>>(object);
  if (X.ndim() != 2) throw pybind11::value_error("X must have two dimensions");
  return DenseView<T>{X.data(), static_cast<std::size_t>(X.shape(0)), static_cast<std::size_t>(X.shape(1))};
}

inline AnyMatrix matrix_view(const pybind11::object& object) {
  if (!pybind11::isinstance<pybind11::tuple>(object)) {
    if (Array<float>::check_(object)) return dense_view<float>(object);
    if (Array<double>::check_(object)) return dense_view<double>(object);
    throw pybind11::type_error("X must be a C-contiguous array of float32 or float64");
  }
  const auto X = pybind11::reinterpret_borrow<pybind11::tuple>(object);
  if (X.size() != 4) throw pybind11::type_error("sparse X must be (data, indices, indptr, n_columns)");
  const auto n_columns = X[3].cast<std::size_t>();
  const bool single = Array<float>::check_(X[0]);
  if (Array<std::int32_t>::check_(X[1])) {
    return single ? csr_view<float, std::int32_t>(X, n_columns) : csr_view<double, std::int32_t>(X, n_columns);
  }
  return single ? csr_view<float, std::int64_t>(X, n_columns) : csr_view<double, std::int64_t>(X, n_columns);
}

inline std::size_t n_rows_of(const AnyMatrix& X) {
  return std::visit([](const auto& view) { return view.n_rows; }, X);
}
inline std::size_t n_columns_of(const AnyMatrix& X) {
  return std::visit([](const auto& view) { return view.n_columns; }, X);
}

}  // namespace finitesum
