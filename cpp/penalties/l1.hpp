// r(w) = alpha |w| per coordinate: the lasso's penalty (Tibshirani, JRSS B 58 (1996)).
// prox: soft(v, step alpha).  Conjugate: 0 where |v| <= alpha, else infinity.
#pragma once

#include "penalties/lazy_prox.hpp"

namespace finitesum {

struct L1 {
  static constexpr const char* name = "l1";
  static constexpr bool has_l1 = true;

  double alpha = 1.0;

  static L1 make(double alpha, double /*l1_ratio*/) { return {alpha}; }

  double l1() const { return alpha; }
  double l2() const { return 0.0; }
  double value(double w) const { return alpha * math::abs(w); }
  double prox(double v, double step) const { return math::soft_threshold(v, step * alpha); }
  LazyProx lazy(double step) const { return {step * alpha, 0.0}; }
  double lazy_prox(double w, double drift, double step, std::int64_t k) const { return lazy(step)(w, drift, k); }
  double conjugate(double v) const { return math::abs(v) > alpha ? math::infinity : 0.0; }
};

}  // namespace finitesum
