// l(z, y) = max(0, -y z), y = +-1 (F. Rosenblatt, Psychological Review 65 (1958)). Subgradient -y where y z <= 0, so
// that zero coefficients move.
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct Perceptron {
  static constexpr const char* name = "perceptron";
  static constexpr TargetDomain target_domain = TargetDomain::sign;
  static constexpr bool has_parameter = false;

  FINITESUM_INLINE double value(double z, double y) const { return math::max(-y * z, 0.0); }
  FINITESUM_INLINE double derivative(double z, double y) const { return y * z <= 0.0 ? -y : 0.0; }
  FINITESUM_INLINE double smoothness() const { return math::infinity; }
};

}  // namespace finitesum
