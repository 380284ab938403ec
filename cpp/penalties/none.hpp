// r(w) = 0.  prox: the identity.  Conjugate: 0 at v = 0, else infinity.
#pragma once

#include "penalties/lazy_prox.hpp"

namespace finitesum {

struct None {
  static constexpr const char* name = "none";
  static constexpr bool has_l1 = false;

  static None make(double /*alpha*/, double /*l1_ratio*/) { return {}; }

  double l1() const { return 0.0; }
  double l2() const { return 0.0; }
  double value(double) const { return 0.0; }
  double prox(double v, double /*step*/) const { return v; }
  LazyProx lazy(double /*step*/) const { return {0.0, 0.0}; }
  double lazy_prox(double w, double drift, double step, std::int64_t k) const { return lazy(step)(w, drift, k); }
  double conjugate(double v) const { return v == 0.0 ? 0.0 : math::infinity; }
};

}  // namespace finitesum
