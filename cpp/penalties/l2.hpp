// r(w) = alpha w^2 / 2 per coordinate (Hoerl and Kennard, Technometrics 12 (1970)).
// prox: v / (1 + step alpha).  Conjugate: v w - r(w) is largest at w = v / alpha, hence r*(v) = v^2 / (2 alpha).
#pragma once

#include "penalties/lazy_prox.hpp"

namespace finitesum {

struct L2 {
  static constexpr const char* name = "l2";
  static constexpr bool has_l1 = false;

  double alpha = 1.0;

  static L2 make(double alpha, double /*l1_ratio*/) { return {alpha}; }

  double l1() const { return 0.0; }
  double l2() const { return alpha; }
  double value(double w) const { return 0.5 * alpha * w * w; }
  double prox(double v, double step) const { return v / (1.0 + step * alpha); }
  LazyProx lazy(double step) const { return {0.0, step * alpha}; }
  double lazy_prox(double w, double drift, double step, std::int64_t k) const { return lazy(step)(w, drift, k); }
  double conjugate(double v) const {
    const double value = v * v * (0.5 / alpha);  // computed first, for loops that vectorize
    return v == 0.0 ? 0.0 : value;
  }
};

}  // namespace finitesum
