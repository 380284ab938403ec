// Sums of outer products of rows, for Hessians. The rows of a block are packed as doubles into strips of eight columns,
// so that eight by eight entries of the sum stay in registers while the block goes by. Each entry takes its terms in
// the order of the rows, so the width of the registers leaves the bits alone.
#pragma once

#include "kernels/lanes.inl"
#include "kernels/table.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

typedef double Register __attribute__((vector_size(8 * register_width), aligned(8), may_alias));

template <class T>
void pack_row(double a, const T* __restrict x, std::size_t n, double* __restrict strips, std::size_t stride) {
  std::size_t j = 0;
  for (; j + strip_width <= n; j += strip_width, strips += stride) {
#pragma omp simd
    for (std::size_t k = 0; k < strip_width; ++k) strips[k] = a * static_cast<double>(x[j + k]);
  }
  for (std::size_t k = 0; j < n; ++j, ++k) strips[k] = a * static_cast<double>(x[j]);
}

// As many rows of the tile at once as make eight accumulators.
void multiply_strips(const double* __restrict a, const double* __restrict b, std::size_t n, double* __restrict out) {
  constexpr std::size_t n_registers = strip_width / register_width;
  for (std::size_t first = 0; first < strip_width; first += register_width) {
    Register sums[register_width][n_registers] = {};
    for (std::size_t i = 0; i < n; ++i) {
      const double* a_i = a + i * strip_width + first;
      const Register* b_i = reinterpret_cast<const Register*>(b + i * strip_width);
#pragma GCC unroll 8
      for (std::size_t j = 0; j < register_width; ++j) {
#pragma GCC unroll 8
        for (std::size_t k = 0; k < n_registers; ++k) sums[j][k] += a_i[j] * b_i[k];
      }
    }
    for (std::size_t j = 0; j < register_width; ++j) {
      Register* row = reinterpret_cast<Register*>(out + (first + j) * strip_width);
      for (std::size_t k = 0; k < n_registers; ++k) row[k] = sums[j][k];
    }
  }
}

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
