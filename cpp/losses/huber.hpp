// Huber's robust loss (Annals of Mathematical Statistics 35 (1964)), r = z - y:
// l = r^2 / 2 if |r| <= delta, else delta (|r| - delta/2).  With q = min(|r|, delta), l = q (|r| - q/2),
// l' = r clamped to [-delta, delta],  l'' = 1 if |r| < delta, else 0.
// Conjugate: l is the infimal convolution of r^2/2 and delta |r|, so l*(u, y) = u^2 / 2 + u y for |u| <= delta.
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct Huber {
  static constexpr const char* name = "huber";
  static constexpr TargetDomain target_domain = TargetDomain::real;
  static constexpr bool has_parameter = true;

  double parameter = 1.35;  // delta

  FINITESUM_INLINE double value(double z, double y) const {
    const double r = math::abs(z - y);
    const double q = math::min(r, parameter);
    return q * (r - 0.5 * q);
  }
  FINITESUM_INLINE double derivative(double z, double y) const { return math::clamp(z - y, -parameter, parameter); }
  FINITESUM_INLINE double curvature(double z, double y) const { return math::abs(z - y) < parameter ? 1.0 : 0.0; }
  FINITESUM_INLINE double conjugate(double u, double y) const {
    return math::abs(u) > parameter ? math::infinity : u * (0.5 * u + y);
  }
  FINITESUM_INLINE double dual_step(double z, double u, double q, double y) const {
    return math::clamp((z + q * u - y) / (1.0 + q), -parameter, parameter);
  }
  FINITESUM_INLINE double smoothness() const { return 1.0; }
};

}  // namespace finitesum
