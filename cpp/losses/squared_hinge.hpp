// l(z, y) = h^2, h = max(0, 1 - y z), y = +-1;  l' = -2 y h,  l'' = 2 where y z < 1, else 0.
// Conjugate, a = -u y, m = y z: -a m - (1 - m)^2 is largest at m = 1 - a/2, a >= 0: l*(u, y) = a^2 / 4 - a.
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct SquaredHinge {
  static constexpr const char* name = "squared_hinge";
  static constexpr TargetDomain target_domain = TargetDomain::sign;
  static constexpr bool has_parameter = false;

  FINITESUM_INLINE double value(double z, double y) const {
    const double h = math::max(1.0 - y * z, 0.0);
    return h * h;
  }
  FINITESUM_INLINE double derivative(double z, double y) const { return -2.0 * y * math::max(1.0 - y * z, 0.0); }
  FINITESUM_INLINE double curvature(double z, double y) const { return y * z < 1.0 ? 2.0 : 0.0; }
  FINITESUM_INLINE double conjugate(double u, double y) const {
    const double a = -u * y;
    return a < 0.0 ? math::infinity : a * (0.25 * a - 1.0);
  }
  FINITESUM_INLINE double dual_step(double z, double u, double q, double y) const {
    return -y * math::max((1.0 - y * (z + q * u)) / (0.5 + q), 0.0);
  }
  FINITESUM_INLINE double smoothness() const { return 2.0; }
};

}  // namespace finitesum
