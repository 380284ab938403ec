// The hinge loss smoothed over a width gamma (Shalev-Shwartz and Zhang, JMLR 14 (2013), section 5), y = +-1, h = 1 - y
// z: l = 0 if h <= 0;  h^2 / (2 gamma) if h < gamma;  h - gamma/2 otherwise.  With q = min(max(h, 0), gamma), the part
// of h in the quadratic zone, l = q^2 / (2 gamma) + max(h, 0) - q,  l' = -y q / gamma,  l'' = 1/gamma inside the zone,
// else 0. Conjugate, a = -u y, 0 <= a <= 1: the maximum lies at h = gamma a, hence l*(u, y) = gamma a^2 / 2 - a.
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct SmoothedHinge {
  static constexpr const char* name = "smoothed_hinge";
  static constexpr TargetDomain target_domain = TargetDomain::sign;
  static constexpr bool has_parameter = true;

  double parameter = 1.0;  // gamma

  FINITESUM_INLINE double value(double z, double y) const {
    const double h = math::max(1.0 - y * z, 0.0);
    const double q = math::min(h, parameter);
    return 0.5 * q * (q / parameter) + (h - q);
  }
  FINITESUM_INLINE double derivative(double z, double y) const {
    return -y * (math::clamp(1.0 - y * z, 0.0, parameter) / parameter);
  }
  FINITESUM_INLINE double curvature(double z, double y) const {
    const double h = 1.0 - y * z;
    return h > 0.0 && h < parameter ? 1.0 / parameter : 0.0;
  }
  FINITESUM_INLINE double conjugate(double u, double y) const {
    const double a = -u * y;
    return a < 0.0 || a > 1.0 ? math::infinity : a * (0.5 * parameter * a - 1.0);
  }
  FINITESUM_INLINE double dual_step(double z, double u, double q, double y) const {
    return -y * math::clamp((1.0 - y * (z + q * u)) / (parameter + q), 0.0, 1.0);
  }
  FINITESUM_INLINE double smoothness() const { return 1.0 / parameter; }
};

}  // namespace finitesum
