// Sums with the same bits on every instruction set: term i goes to lane i mod Lanes::size (the last ones, where no
// whole group of lanes is left, to the last lanes), and the lanes are added by a fixed tree. The lane count does not
// follow the register width; of 8, 16 and 32, measured, 16 is never slower than the others by more than noise.
#pragma once

#include "core/types.hpp"

#define FINITESUM_INLINE_LAMBDA __attribute__((always_inline))

namespace finitesum::FINITESUM_ISA {
namespace {

// Doubles; for what is the same at any width.
#if defined(__AVX512F__)
constexpr std::size_t register_width = 8;
#elif defined(__AVX__)
constexpr std::size_t register_width = 4;
#else
constexpr std::size_t register_width = 2;
#endif

struct Lanes {
  static constexpr std::size_t size = 16;
  double lane[size] = {};

  FINITESUM_INLINE double sum() const {
    double eight[8];
    double four[4];
    for (std::size_t l = 0; l < 8; ++l) eight[l] = lane[l] + lane[l + 8];
    for (std::size_t l = 0; l < 4; ++l) four[l] = eight[l] + eight[l + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
  }
};

// Sum of term(i), i < n; term must be free of branches and side effects.
template <class Term>
FINITESUM_INLINE double lane_sum(std::size_t n, const Term& term) {
  Lanes acc;
  std::size_t i = 0;
  for (; i + Lanes::size <= n; i += Lanes::size) {
#pragma omp simd
    for (std::size_t l = 0; l < Lanes::size; ++l) acc.lane[l] += term(i + l);
  }
  if (n < Lanes::size) {
    for (std::size_t l = 0; i < n; ++i, ++l) acc.lane[l] += term(i);
  } else if (i < n) {
    // The last terms once more as a whole, without those that are counted already: one by one they would cost more.
    const std::size_t first = n - Lanes::size;
    const std::size_t counted = i - first;
#pragma omp simd
    for (std::size_t l = 0; l < Lanes::size; ++l) {
      const double last = term(first + l);
      acc.lane[l] += l < counted ? 0.0 : last;
    }
  }
  return acc.sum();
}

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
