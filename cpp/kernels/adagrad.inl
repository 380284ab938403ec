// AdaGrad's step on the coordinates of a CSR row. Roots and quotients cost the most: a block of coordinates is
// gathered, taken through them in wide registers, and put back.
#pragma once

#include "core/math.hpp"
#include "kernels/lanes.inl"
#include "kernels/sparse.inl"
#include "kernels/table.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

struct AdagradMoves {
  FINITESUM_INLINE static double coefficient(const AdagradCoordinate& c, const AdagradStep&) { return c.first; }
  FINITESUM_INLINE static void move(const AdagradStep& a, double g, double& w, double& v) {
    v += g * g;
    w -= a.rate * g / (math::sqrt(v + a.inside) + a.outside);
  }
};

// The step of w (s + outside) is that of plain descent, with the threshold of all; but w stands still while s grows.
struct AdagradL1Moves {
  FINITESUM_INLINE static double coefficient(const AdagradCoordinate& c, const AdagradStep& a) {
    return math::soft_threshold(c.first, a.level) / (c.second + a.outside);
  }
  FINITESUM_INLINE static void move(const AdagradStep& a, double g, double& u, double& s) {
    const double grown = math::sqrt(s * s + g * g);
    const double growth = (grown + a.outside) / (s + a.outside);
    const double moved = math::soft_threshold(u, a.level) * growth - a.rate * g;
    u = moved == 0.0 ? 0.0 : moved + math::copysign(a.level, moved);
    s = grown;
  }
};

// As many coordinates as a register holds. In arrays of this length, filled and emptied one number at a time, they stay
// in registers: from memory a wide load would wait for the narrow stores before it.
struct AdagradBlock {
  double x[register_width];
  double first[register_width];
  double second[register_width];
};

template <class T, class I>
FINITESUM_INLINE AdagradBlock gather(const T* values, const I* indices, const AdagradCoordinate* coordinates) {
  AdagradBlock b;
#pragma GCC unroll 8
  for (std::size_t k = 0; k < register_width; ++k) {
    const AdagradCoordinate& c = coordinates[static_cast<std::size_t>(indices[k])];
    b.x[k] = static_cast<double>(values[k]);
    b.first[k] = c.first;
    b.second[k] = c.second;
  }
  return b;
}

template <class Moves, class I>
FINITESUM_INLINE void move_and_scatter(const AdagradStep& a, double factor, AdagradBlock b, const I* indices,
                                       AdagradCoordinate* coordinates) {
#pragma omp simd
  for (std::size_t k = 0; k < register_width; ++k) Moves::move(a, factor * b.x[k], b.first[k], b.second[k]);
#pragma GCC unroll 8
  for (std::size_t k = 0; k < register_width; ++k)
    coordinates[static_cast<std::size_t>(indices[k])] = {b.first[k], b.second[k]};
}

// The last block overlaps the one before. It is gathered ahead of all moves, so that what both hold comes out alike.
template <class Moves, class T, class I>
void adagrad_step(const T* values, const I* indices, std::size_t nonzeros, AdagradCoordinate* coordinates,
                  const AdagradStep* step, double factor) {
  const AdagradStep a = *step;
  if (nonzeros < register_width) {
    for (std::size_t i = 0; i < nonzeros; ++i) {
      AdagradCoordinate& c = coordinates[static_cast<std::size_t>(indices[i])];
      Moves::move(a, factor * static_cast<double>(values[i]), c.first, c.second);
    }
    return;
  }
  const std::size_t end = nonzeros - register_width;
  const AdagradBlock last = gather(values + end, indices + end, coordinates);
  for (std::size_t i = 0; i < end; i += register_width) {
    move_and_scatter<Moves>(a, factor, gather(values + i, indices + i, coordinates), indices + i, coordinates);
  }
  move_and_scatter<Moves>(a, factor, last, indices + end, coordinates);
}

template <class Moves, class T, class I>
double adagrad_dot(const T* values, const I* indices, std::size_t nonzeros, const AdagradCoordinate* coordinates,
                   const AdagradStep* step) {
  const AdagradStep a = *step;
  return sum_of_four(nonzeros, [=](std::size_t i) FINITESUM_INLINE_LAMBDA {
    const AdagradCoordinate& c = coordinates[static_cast<std::size_t>(indices[i])];
    return static_cast<double>(values[i]) * Moves::coefficient(c, a);
  });
}

template <class T, class I>
constexpr AdagradKernels<T, I> adagrad_kernels = {
    {adagrad_dot<AdagradMoves, T, I>, adagrad_dot<AdagradL1Moves, T, I>},
    {adagrad_step<AdagradMoves, T, I>, adagrad_step<AdagradL1Moves, T, I>}};

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
