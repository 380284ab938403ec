// dw_k = momentum dw_{k-1} - rate grad(W_{k-1} + momentum dw_{k-1}),  W_k = W_{k-1} + dw_k  (Nesterov, 1983).
// The coordinate kept is where the gradient is taken, w = W + momentum dw; with dw = -rate m this becomes
//   m <- momentum m + g,  w <- w - rate (g + momentum m)  (Sutskever, Martens, Dahl and Hinton, ICML 2013),
// and W = w + rate momentum m. The two are equal as long as the rate is constant.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/idle.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Nesterov : RuleDefaults {
  static constexpr const char* name = "nesterov";
  static constexpr std::size_t n_slots = 1;  // m
  static constexpr double default_rate = 0.01;

  double momentum = 0.9;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("momentum", momentum, Range::fraction);
  }

  template <class T>
  struct Step {
    T rate;
    T momentum;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t /*k*/) const {
    return {static_cast<T>(rate), static_cast<T>(momentum)};
  }
  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    slots[0] = s.momentum * slots[0] + g;
    w -= s.rate * (g + s.momentum * slots[0]);
    return s.rate;
  }

  using Idle = LinearMap;
  static bool can_idle(const Decay& decay) { return decay.l1 == 0.0; }
  Idle idle(double rate, std::int64_t /*k*/, const Decay& decay) const {
    const double pull = decay.l2 * (1.0 + momentum);
    return {1.0 - rate * decay.decoupled - rate * pull, -rate * momentum * momentum, decay.l2, momentum};
  }
  static void catch_up(const Idle& missed, const Decay&, double& w, double* slots) { missed.apply(w, slots[0]); }
};

}  // namespace finitesum
