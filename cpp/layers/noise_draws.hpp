// Random numbers of a layer for a step: functions of (seed, stream, index) alone.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/math.hpp"
#include "core/random.hpp"
#include "layers/layer.hpp"

namespace finitesum {

// Zero with probability `rate`, else 1 / (1 - rate), with the rate rounded to a multiple of 2^-16.
inline MaskDraw mask_draw(double rate, std::uint64_t seed, std::uint64_t stream) {
  const double dropped = std::round(rate * 0x1p16);
  return {seed, stream, static_cast<std::uint32_t>(dropped), 1.0 / (1.0 - dropped * 0x1p-16)};
}

// n standard normal numbers (Box and Muller, Ann. Math. Stat. 29 (1958)).
template <class T>
void draw_normal(std::uint64_t seed, std::uint64_t stream, T* out, std::size_t n) {
  constexpr double two_pi = 6.283185307179586;
  const Philox random(seed, stream);
  for (std::size_t i = 0; i < n; i += 2) {
    const auto words = random.words(i / 2);
    const double u = (static_cast<double>(words[0] >> 11) + 1.0) * 0x1p-53;  // in (0, 1]
    const double angle = two_pi * (static_cast<double>(words[1] >> 11) * 0x1p-53);
    const double radius = std::sqrt(-2.0 * math::log(u));
    out[i] = static_cast<T>(radius * std::cos(angle));
    if (i + 1 < n) out[i + 1] = static_cast<T>(radius * std::sin(angle));
  }
}

}  // namespace finitesum
