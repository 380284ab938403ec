// AdaGrad's step on the coordinates of a CSR row. Roots and quotients cost the most: a block of coordinates is
// gathered, taken through them in wide registers, and put back. Blocks are short, so that one's roots are on their way
// while another is gathered.
#pragma once

#include "core/math.hpp"
#include "kernels/lanes.inl"
#include "kernels/table.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

struct AdagradMoves {
  FINITESUM_INLINE static double coefficient(const AdagradCoordinate& c, const AdagradStep&) { return c.first; }
  FINITESUM_INLINE static void move(const AdagradStep& a, double x, double& w, double& v) {
    const double g = a.factor * x;
    v += g * g;
    w -= a.rate * g / (math::sqrt(v + a.inside) + a.outside);
  }
};

// The step of w (s + outside) is that of plain descent, with the threshold of all; but w stands still while s grows.
struct AdagradL1Moves {
  FINITESUM_INLINE static double coefficient(const AdagradCoordinate& c, const AdagradStep& a) {
    return math::soft_threshold(c.first, a.level) / (c.second + a.outside);
  }
  FINITESUM_INLINE static void move(const AdagradStep& a, double x, double& u, double& s) {
    const double g = a.factor * x;
    const double grown = math::sqrt(s * s + g * g);
    const double growth = (grown + a.outside) / (s + a.outside);
    const double moved = math::soft_threshold(u, a.level) * growth - a.rate * g;
    u = moved == 0.0 ? 0.0 : moved + math::copysign(a.level, moved);
    s = grown;
  }
};

struct AdagradBlock {
  static constexpr std::size_t size = 16;
  double x[size] = {};
  double first[size] = {};
  double second[size] = {};
};

template <class Moves, class T, class I>
FINITESUM_INLINE void adagrad_block(const T* values, const I* indices, std::size_t n, AdagradCoordinate* coordinates,
                                    const AdagradStep& a) {
  AdagradBlock b;
  for (std::size_t k = 0; k < n; ++k) {
    const AdagradCoordinate& c = coordinates[static_cast<std::size_t>(indices[k])];
    b.x[k] = static_cast<double>(values[k]);
    b.first[k] = c.first;
    b.second[k] = c.second;
  }
#pragma omp simd
  for (std::size_t k = 0; k < AdagradBlock::size; ++k) Moves::move(a, b.x[k], b.first[k], b.second[k]);
  for (std::size_t k = 0; k < n; ++k) {
    coordinates[static_cast<std::size_t>(indices[k])] = {b.first[k], b.second[k]};
  }
}

template <class Moves, class T, class I>
void adagrad_step(const T* values, const I* indices, std::size_t nonzeros, AdagradCoordinate* coordinates,
                  const AdagradStep* step) {
  const AdagradStep a = *step;
  constexpr std::size_t size = AdagradBlock::size;
  std::size_t i = 0;
  for (; i + size <= nonzeros; i += size) adagrad_block<Moves>(values + i, indices + i, size, coordinates, a);
  if (i < nonzeros) adagrad_block<Moves>(values + i, indices + i, nonzeros - i, coordinates, a);
}

// In the order of sparse_dot's sums.
template <class Moves, class T, class I>
double adagrad_dot(const T* values, const I* indices, std::size_t nonzeros, const AdagradCoordinate* coordinates,
                   const AdagradStep* step) {
  const AdagradStep a = *step;
  double sums[4] = {};
  const auto term = [=](std::size_t i) FINITESUM_INLINE_LAMBDA {
    const AdagradCoordinate& c = coordinates[static_cast<std::size_t>(indices[i])];
    return static_cast<double>(values[i]) * Moves::coefficient(c, a);
  };
  std::size_t i = 0;
  for (; i + 4 <= nonzeros; i += 4) {
    for (std::size_t k = 0; k < 4; ++k) sums[k] += term(i + k);
  }
  for (std::size_t k = 0; i < nonzeros; ++i, ++k) sums[k] += term(i);
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

template <class T, class I>
constexpr AdagradKernels<T, I> adagrad_kernels = {
    {adagrad_dot<AdagradMoves, T, I>, adagrad_dot<AdagradL1Moves, T, I>},
    {adagrad_step<AdagradMoves, T, I>, adagrad_step<AdagradL1Moves, T, I>}};

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
