// l(z, y) = max(0, |z - y| - epsilon): Vapnik's loss of support vector regression.
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct EpsilonInsensitive {
  static constexpr const char* name = "epsilon_insensitive";
  static constexpr TargetDomain target_domain = TargetDomain::real;
  static constexpr bool has_parameter = true;

  double parameter = 0.1;  // epsilon

  FINITESUM_INLINE double value(double z, double y) const { return math::max(math::abs(z - y) - parameter, 0.0); }
  FINITESUM_INLINE double derivative(double z, double y) const {
    return math::abs(z - y) > parameter ? math::copysign(1.0, z - y) : 0.0;
  }
  FINITESUM_INLINE double smoothness() const { return math::infinity; }
};

}  // namespace finitesum
