// l(z, y) = max(0, 1 - y z), y = +-1 (Vapnik's support vector machine). Subgradient -y where y z <= 1: at the kink the
// one that scikit-learn's takes.
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct Hinge {
  static constexpr const char* name = "hinge";
  static constexpr TargetDomain target_domain = TargetDomain::sign;
  static constexpr bool has_parameter = false;

  FINITESUM_INLINE double value(double z, double y) const { return math::max(1.0 - y * z, 0.0); }
  FINITESUM_INLINE double derivative(double z, double y) const { return y * z <= 1.0 ? -y : 0.0; }
  FINITESUM_INLINE double smoothness() const { return math::infinity; }
};

}  // namespace finitesum
