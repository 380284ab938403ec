// r(w) = alpha [(1 - rho)/2 w^2 + rho |w|] per coordinate, rho = l1_ratio (Zou and Hastie, JRSS B 67 (2005)).
// prox: argmin_w (w - v)^2 / 2 + step r(w) = soft(v, step l1) / (1 + step l2).
// Conjugate: v w - r(w) is largest at w = soft(v, l1) / l2, hence r*(v) = max(0, |v| - l1)^2 / (2 l2).
#pragma once

#include "penalties/lazy_prox.hpp"

namespace finitesum {

struct ElasticNet {
  static constexpr const char* name = "elastic_net";
  static constexpr bool has_l1 = true;

  double alpha = 1.0;
  double l1_ratio = 0.5;

  static ElasticNet make(double alpha, double l1_ratio) { return {alpha, l1_ratio}; }

  double l1() const { return alpha * l1_ratio; }
  double l2() const { return alpha * (1.0 - l1_ratio); }
  double value(double w) const { return 0.5 * l2() * w * w + l1() * math::abs(w); }
  double prox(double v, double step) const { return math::soft_threshold(v, step * l1()) / (1.0 + step * l2()); }
  LazyProx lazy(double step) const { return {step * l1(), step * l2()}; }
  double lazy_prox(double w, double drift, double step, std::int64_t k) const { return lazy(step)(w, drift, k); }
  double conjugate(double v) const {
    const double excess = math::max(math::abs(v) - l1(), 0.0);
    const double value = excess * excess * (0.5 / l2());  // computed first, for loops that vectorize
    return excess == 0.0 ? 0.0 : value;
  }
};

}  // namespace finitesum
