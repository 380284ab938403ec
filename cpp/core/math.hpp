// Elementary functions that vectorize and give the same bits on every instruction set. libm's exp and log do
// neither: glibc selects variants by processor, and compilers leave the calls scalar without -ffast-math.
// Branch-free; only additions, multiplications, one division, selects, and 64-bit integer adds and shifts, which
// x86-64-v2 already has in vector form. No conversion between 64-bit integers and doubles (AVX-512 only): adding
// 1.5*2^52 rounds a double to an integer and leaves that integer in the low bits of the sum.
#pragma once

#include "core/types.hpp"

namespace finitesum::math {

inline constexpr double infinity = __builtin_inf();
inline constexpr double round_to_integer = 0x1.8p52;
inline constexpr double ln2_high = 0x1.62e42fee00000p-1;  // ln 2 = high + low; high has trailing zeros, so k * high
inline constexpr double ln2_low = 0x1.a39ef35793c76p-33;  // is exact for |k| < 2^20 (fdlibm e_log.c)

FINITESUM_INLINE std::uint64_t bits(double x) { return __builtin_bit_cast(std::uint64_t, x); }
FINITESUM_INLINE double from_bits(std::uint64_t b) { return __builtin_bit_cast(double, b); }

FINITESUM_INLINE double abs(double x) { return __builtin_fabs(x); }
FINITESUM_INLINE float abs(float x) { return __builtin_fabsf(x); }
FINITESUM_INLINE double sqrt(double x) { return __builtin_sqrt(x); }
FINITESUM_INLINE float sqrt(float x) { return __builtin_sqrtf(x); }
FINITESUM_INLINE double copysign(double x, double sign) { return __builtin_copysign(x, sign); }
// A NaN in x survives; bound must not be NaN.
template <class T>
FINITESUM_INLINE T max(T x, T bound) {
  return x < bound ? bound : x;
}
template <class T>
FINITESUM_INLINE T min(T x, T bound) {
  return bound < x ? bound : x;
}
FINITESUM_INLINE double clamp(double x, double low, double high) { return min(max(x, low), high); }
// argmin_w (w - v)^2 / 2 + threshold |w|
template <class T>
FINITESUM_INLINE T soft_threshold(T v, T threshold) {
  return max(v - threshold, T{0}) + min(v + threshold, T{0});
}

// 2^n for the integer n left in the low bits of rounded = n + round_to_integer, -1022 <= n <= 1023.
FINITESUM_INLINE double power_of_two(double rounded) { return from_bits((bits(rounded) + 1023u) << 52); }

// x = n ln 2 + r, |r| <= ln(2)/2 (Cody and Waite, Software Manual for the Elementary Functions (1980), ch. 6), and
// expm1(r) by the Taylor polynomial of degree 13 (truncation below 5e-18).
struct ReducedExponential {
  double n;
  double expm1_r;
};
FINITESUM_INLINE ReducedExponential reduce_exponential(double x) {
  constexpr double log2_e = 0x1.71547652b82fep+0;
  const double n = (x * log2_e + round_to_integer) - round_to_integer;
  const double r = (x - n * ln2_high) - n * ln2_low;
  // Estrin's scheme: pairs of terms, then pairs of pairs. Its short chain of dependent operations is what counts.
  const double r2 = r * r;
  const double r4 = r2 * r2;
  const double terms_2_to_5 = (0.5 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0));
  const double terms_6_to_9 = (1.0 / 720.0 + r * (1.0 / 5040.0)) + r2 * (1.0 / 40320.0 + r * (1.0 / 362880.0));
  const double terms_10_to_13 =
      (1.0 / 3628800.0 + r * (1.0 / 39916800.0)) + r2 * (1.0 / 479001600.0 + r * (1.0 / 6227020800.0));
  const double q = terms_2_to_5 + r4 * (terms_6_to_9 + r4 * terms_10_to_13);
  return {n, r + r2 * q};
}

// Relative error below 4e-16; gradual underflow to 0, overflow to infinity.
FINITESUM_INLINE double exp(double x) {
  const ReducedExponential e = reduce_exponential(clamp(x, -746.0, 710.0));
  // 2^n in two factors: n itself leaves the exponent's range where the result is subnormal or infinite.
  const double half_rounded = 0.5 * e.n + round_to_integer;
  const double rest_rounded = (e.n - (half_rounded - round_to_integer)) + round_to_integer;
  return ((1.0 + e.expm1_r) * power_of_two(half_rounded)) * power_of_two(rest_rounded);
}

// exp(x) for x <= 0, shorter by the care for overflow and subnormal numbers: below -700 it stays at exp(-700) = 1e-304.
FINITESUM_INLINE double exp_of_negative(double x) {
  const ReducedExponential e = reduce_exponential(max(x, -700.0));
  const double scale = power_of_two(e.n + round_to_integer);
  return scale + scale * e.expm1_r;
}

// exp(x) - 1 for x <= 0 without cancellation, relative error below 1e-15: (2^n - 1) + 2^n expm1(r).
FINITESUM_INLINE double expm1_of_negative(double x) {
  const ReducedExponential e = reduce_exponential(max(x, -700.0));
  const double scale = power_of_two(e.n + round_to_integer);
  return (scale - 1.0) + scale * e.expm1_r;
}

// log(u + correction) for a normal positive u and |correction| <= ulp(u), plus shift * log(2).
// u = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2); log(1 + f) by fdlibm's e_log.c: s = f / (2 + f),
// log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)), R the minimax polynomial Lg1..Lg7 (error below 2^-58).
FINITESUM_INLINE double log_of_normal(double u, double correction, double shift) {
  constexpr std::uint64_t one_bits = 0x3ff0000000000000u;
  constexpr std::uint64_t sqrt_half_bits = 0x3fe6a09e667f3bcdu;
  const std::uint64_t moved = bits(u) + (one_bits - sqrt_half_bits);
  const std::uint64_t biased = moved >> 52;  // k + 1023
  const double k = from_bits(biased | 0x4330000000000000u) - (0x1p52 + 1023.0);
  const double f = from_bits((moved & 0x000fffffffffffffu) + sqrt_half_bits) - 1.0;
  // log(u + c) - log(u) = c/u to first order; c 2^-k instead errs by a factor in [0.7, 1.42] of at most half an ulp.
  const double c = correction * (0.5 * from_bits((2047u - biased) << 52));  // 2^(1-k), 0 for the largest u

  const double half_square = 0.5 * f * f;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double w = z * z;
  const double even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const double odd =
      z * (6.666666666666735130e-01 +
           w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  const double exponent = k + shift;
  return (s * (half_square + (odd + even)) + (exponent * ln2_low + c) - half_square + f) + exponent * ln2_high;
}

// Natural logarithm, relative error below 1e-15; log(0) = -infinity, negative arguments give NaN.
FINITESUM_INLINE double log(double x) {
  const bool subnormal = x < 0x1p-1022;
  const double result = log_of_normal(subnormal ? x * 0x1p54 : x, 0.0, subnormal ? -54.0 : 0.0);
  const double at_edge = x == 0.0 ? -infinity : __builtin_nan("");
  return x > 0.0 ? (x < infinity ? result : x) : at_edge;
}

// log(1 + x), relative error below 1e-15; log1p(-1) = -infinity, smaller arguments give NaN.
// The rounding error of 1 + x is recovered exactly (Knuth's TwoSum) and added back to first order.
FINITESUM_INLINE double log1p(double x) {
  const double u = 1.0 + x;
  const double rounded_x = u - 1.0;
  const double lost = (1.0 - (u - rounded_x)) + (x - rounded_x);
  const double result = log_of_normal(u, x < 0x1p60 ? lost : 0.0, 0.0);
  const double at_edge = u == 0.0 ? -infinity : __builtin_nan("");
  return u > 0.0 ? (u < infinity ? result : u) : at_edge;
}

// x log x, continued by 0 at 0 (x >= 0).
FINITESUM_INLINE double x_log_x(double x) { return x > 0.0 ? x * log(x) : x * 0.0; }

}  // namespace finitesum::math
