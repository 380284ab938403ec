// One-dimensional NumPy arrays as the bindings take them: C-contiguous, of the exact dtype, never converted.
#pragma once

#include <pybind11/numpy.h>

#include <stdexcept>

namespace finitesum {

template <class T>
using Array = pybind11::array_t<T, pybind11::array::c_style>;

template <class... Ts>
std::size_t common_length(const Array<Ts>&... arrays) {
  const pybind11::ssize_t lengths[] = {arrays.size()...};
  for (const pybind11::ssize_t length : lengths) {
    if (length != lengths[0]) throw std::invalid_argument("the arrays must have the same length");
  }
  return static_cast<std::size_t>(lengths[0]);
}

// f(a_i) or f(a_i, b_i) for every element.
template <class Function, class... Ts>
Array<double> map_elements(const Function& f, const Array<Ts>&... arrays) {
  const std::size_t n = common_length(arrays...);
  Array<double> out(static_cast<pybind11::ssize_t>(n));
  double* result = out.mutable_data();
  for (std::size_t i = 0; i < n; ++i) result[i] = f(arrays.data()[i]...);
  return out;
}

}  // namespace finitesum
