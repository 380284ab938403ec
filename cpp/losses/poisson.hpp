// Half the Poisson deviance with log link, y >= 0: l(z, y) = e^z - y z + y log y - y,  l' = e^z - y,  l'' = e^z.
// Conjugate, t = u + y: t z - e^z is largest at z = log t, t >= 0: l*(u, y) = t log t - t - (y log y - y), 0 log 0 = 0.
// The curvature is unbounded: no step size is safe everywhere.
// Dual step: t + q e^t = c with c = z + q (u + y), an increasing convex function: Newton descends from any t right of
// the root. Such are c, log((c - low) / q) for any low left of it, and 0 if q >= c. The last, short step adds to e^t.
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct Poisson {
  static constexpr const char* name = "poisson";
  static constexpr TargetDomain target_domain = TargetDomain::nonnegative;
  static constexpr bool has_parameter = false;

  FINITESUM_INLINE double value(double z, double y) const { return math::exp(z) - y * z + (math::x_log_x(y) - y); }
  FINITESUM_INLINE double derivative(double z, double y) const { return math::exp(z) - y; }
  FINITESUM_INLINE double curvature(double z, double) const { return math::exp(z); }
  FINITESUM_INLINE double conjugate(double u, double y) const {
    const double t = u + y;
    const double inside = (math::x_log_x(t) - t) - (math::x_log_x(y) - y);
    return t < 0.0 ? math::infinity : inside;
  }
  FINITESUM_INLINE double dual_step(double z, double u, double q, double y) const {
    constexpr double is_short = 1e-7;
    const double c = z + q * (u + y);
    double t = math::min(z, c);
    if (q > 0.0 && t + q * math::exp(t) < c) {
      t = math::min(c, math::log((c - t) / q));
    } else if (c > q && q > 0.0) {
      t = math::min(t, math::log(c / q));
    } else {
      t = math::min(t, math::max(c - q, 0.0));
    }
    for (int iteration = 0; iteration < 100; ++iteration) {
      const double e = math::exp(t);
      const double move = (c - t - q * e) / (1.0 + q * e);
      if (math::abs(move) <= is_short) return e * (1.0 + move) - y;
      t += move;
    }
    return derivative(t, y);
  }
  FINITESUM_INLINE double smoothness() const { return math::infinity; }
};

}  // namespace finitesum
