// v <- rho v + (1 - rho) g^2,  d = sqrt(u + eps) / sqrt(v + eps) g,  u <- rho u + (1 - rho) d^2,  w <- w - rate d
// (Zeiler, arXiv:1212.5701, who has no rate: 1). The slower averages start at zero, so that eps sets the first steps.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/idle.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Adadelta : RuleDefaults {
  static constexpr const char* name = "adadelta";
  static constexpr std::size_t n_slots = 2;  // v, u
  static constexpr double default_rate = 1.0;

  double rho = 0.9;
  double eps = 1e-6;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("rho", rho, Range::fraction);
    visit("eps", eps, Range::positive);  // with 0 it would never move
  }

  template <class T>
  struct Step {
    T rate;
    T rho;
    T fresh;
    T eps;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t /*k*/) const {
    return {static_cast<T>(rate), static_cast<T>(rho), static_cast<T>(1.0 - rho), static_cast<T>(eps)};
  }
  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    slots[0] = s.rho * slots[0] + s.fresh * (g * g);
    const T scale = math::sqrt(slots[1] + s.eps) / math::sqrt(slots[0] + s.eps);
    const T move = scale * g;
    slots[1] = s.rho * slots[1] + s.fresh * (move * move);
    w -= s.rate * move;
    return s.rate * scale;
  }

  using Idle = Forgetting;
  static bool can_idle(const Decay& decay) { return decay.l2 == 0.0 && decay.l1 == 0.0; }
  Idle idle(double rate, std::int64_t /*k*/, const Decay& decay) const { return {1.0 - rate * decay.decoupled, rho}; }
  static void catch_up(const Idle& missed, const Decay&, double& w, double* slots) {
    w *= missed.shrink;
    slots[0] *= missed.keep;
    slots[1] *= missed.keep;
  }
};

}  // namespace finitesum
