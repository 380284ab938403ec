// l(z, y) = max(0, 1 - m)^2 for m = y z >= -1, else -4 m, y = +-1 (T. Zhang, "Solving large scale linear prediction
// problems using stochastic gradient descent algorithms", ICML 2004).
#pragma once

#include "core/math.hpp"
#include "losses/target_domain.hpp"

namespace finitesum {

struct ModifiedHuber {
  static constexpr const char* name = "modified_huber";
  static constexpr TargetDomain target_domain = TargetDomain::sign;
  static constexpr bool has_parameter = false;

  FINITESUM_INLINE double value(double z, double y) const {
    const double m = y * z;
    const double h = math::max(1.0 - m, 0.0);
    return m >= -1.0 ? h * h : -4.0 * m;
  }
  FINITESUM_INLINE double derivative(double z, double y) const { return -2.0 * y * math::clamp(1.0 - y * z, 0.0, 2.0); }
  FINITESUM_INLINE double smoothness() const { return 2.0; }
};

}  // namespace finitesum
