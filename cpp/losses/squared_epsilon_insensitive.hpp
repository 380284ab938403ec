// l(z, y) = max(0, |z - y| - epsilon)^2, the square of Vapnik's loss, without a factor 1/2 as in scikit-learn.
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct SquaredEpsilonInsensitive {
  static constexpr const char* name = "squared_epsilon_insensitive";
  static constexpr TargetDomain target_domain = TargetDomain::real;
  static constexpr bool has_parameter = true;

  double parameter = 0.1;  // epsilon

  FINITESUM_INLINE double value(double z, double y) const {
    const double excess = math::max(math::abs(z - y) - parameter, 0.0);
    return excess * excess;
  }
  FINITESUM_INLINE double derivative(double z, double y) const { return 2.0 * math::soft_threshold(z - y, parameter); }
  FINITESUM_INLINE double smoothness() const { return 2.0; }
};

}  // namespace finitesum
