// l(z, y) = (z - y)^2 / 2,  l' = z - y,  l'' = 1.
// Conjugate: u z - l is largest at z = y + u, hence l*(u, y) = u^2 / 2 + u y.
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct Squared {
  static constexpr const char* name = "squared";
  static constexpr TargetDomain target_domain = TargetDomain::real;
  static constexpr bool has_parameter = false;

  FINITESUM_INLINE double value(double z, double y) const { return 0.5 * (z - y) * (z - y); }
  FINITESUM_INLINE double derivative(double z, double y) const { return z - y; }
  FINITESUM_INLINE double curvature(double, double) const { return 1.0; }
  FINITESUM_INLINE double conjugate(double u, double y) const { return u * (0.5 * u + y); }
  FINITESUM_INLINE double dual_step(double z, double u, double q, double y) const {
    return (z + q * u - y) / (1.0 + q);
  }
  FINITESUM_INLINE double smoothness() const { return 1.0; }
};

}  // namespace finitesum
