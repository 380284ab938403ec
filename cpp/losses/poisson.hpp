// Half the Poisson deviance with log link, y >= 0: l(z, y) = e^z - y z + y log y - y,  l' = e^z - y,  l'' = e^z.
// Conjugate, t = u + y: t z - e^z is largest at z = log t, t >= 0: l*(u, y) = t log t - t - (y log y - y), 0 log 0 = 0.
// The curvature is unbounded: no step size is safe everywhere.
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
  FINITESUM_INLINE double smoothness() const { return math::infinity; }
};

}  // namespace finitesum
