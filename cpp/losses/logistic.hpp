// l(z, y) = log(1 + exp(-y z)), y = +-1;  with m = y z: l' = -y / (1 + e^m),  l'' = e^m / (1 + e^m)^2 <= 1/4.
// Conjugate, a = -u y: -a m - log(1 + e^-m) is largest where 1 / (1 + e^m) = a, possible for 0 <= a <= 1, and
// l*(u, y) = a log a + (1 - a) log(1 - a), minus the entropy of a coin.
// Written in e^-|m|, which never overflows.
// Dual step, in m = y t: m - q a = c with a = 1 / (1 + e^m) and c = y (z + q u), an increasing function with its root
// in [c, c + q]: Newton from y z (H.-F. Yu, F.-L. Huang, C.-J. Lin, "Dual coordinate descent methods for logistic
// regression and maximum entropy models", Machine Learning 85 (2011)), corrected for the bend as by Chebyshev where
// that is little (order three; an exponential costs far more than the correction), or bisection where it leaves the
// bracket or its steps do not halve: between the two sides of the bend it may go to and fro for ever. The last, short
// step adds to a by its slope and bend.
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct Logistic {
  static constexpr const char* name = "logistic";
  static constexpr TargetDomain target_domain = TargetDomain::sign;
  static constexpr bool has_parameter = false;

  FINITESUM_INLINE double value(double z, double y) const {
    const double m = y * z;
    return math::log1p(math::exp_of_negative(-math::abs(m))) - math::min(m, 0.0);
  }
  FINITESUM_INLINE double derivative(double z, double y) const {
    const double m = y * z;
    const double e = math::exp_of_negative(-math::abs(m));
    return -y * ((m > 0.0 ? e : 1.0) / (1.0 + e));
  }
  FINITESUM_INLINE double curvature(double z, double y) const {
    const double e = math::exp_of_negative(-math::abs(y * z));
    return e / ((1.0 + e) * (1.0 + e));
  }
  FINITESUM_INLINE double conjugate(double u, double y) const {
    const double a = -u * y;
    const double rest = a < 1.0 ? (1.0 - a) * math::log1p(-a) : 0.0;
    const double entropy = math::x_log_x(a) + rest;
    return a < 0.0 || a > 1.0 ? math::infinity : entropy;
  }
  FINITESUM_INLINE double dual_step(double z, double u, double q, double y) const {
    constexpr double is_short = 1e-4;  // the cube of it is rounding
    constexpr double is_little = 0.5;
    const double c = y * (z + q * u);
    double low = c;
    double high = c + q;
    double m = math::clamp(y * z, low, high);
    double last_move = math::infinity;
    for (int iteration = 0; iteration < 100; ++iteration) {
      const double e = math::exp_of_negative(-math::abs(m));
      const double share = 1.0 / (1.0 + e);
      const double a = (m > 0.0 ? e : 1.0) * share;
      const double slope = e * share * share;
      const double bend = slope * (1.0 - 2.0 * a);
      const double excess = (m - c) - q * a;
      const double to_newton = 1.0 / (1.0 + q * slope);
      const double newton = -excess * to_newton;
      const double correction = 0.5 * q * bend * newton * to_newton;
      const double move = math::abs(correction) <= is_little ? newton + newton * correction : newton;
      if (math::abs(move) <= is_short) return -y * math::clamp(a + move * (0.5 * bend * move - slope), 0.0, 1.0);
      (excess > 0.0 ? high : low) = m;
      m += move;
      const bool halves = math::abs(move) <= 0.5 * last_move;
      last_move = math::abs(move);
      if (halves && m >= low && m <= high) continue;
      last_move = 0.5 * (high - low);
      m = low + last_move;
    }
    return derivative(y * m, y);
  }
  FINITESUM_INLINE double smoothness() const { return 0.25; }
};

}  // namespace finitesum
