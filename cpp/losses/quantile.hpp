// l(z, y) = tau max(0, y - z) + (1 - tau) max(0, z - y): its minimizer is the tau-quantile (Koenker and Bassett,
// Econometrica 46 (1978)).
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct Quantile {
  static constexpr const char* name = "quantile";
  static constexpr TargetDomain target_domain = TargetDomain::real;
  static constexpr bool has_parameter = true;

  double parameter = 0.5;  // tau

  FINITESUM_INLINE double value(double z, double y) const {
    return math::max(parameter * (y - z), (1.0 - parameter) * (z - y));
  }
  FINITESUM_INLINE double derivative(double z, double y) const {
    return z < y ? -parameter : (z > y ? 1.0 - parameter : 0.0);
  }
  FINITESUM_INLINE double smoothness() const { return math::infinity; }
};

}  // namespace finitesum
