// m <- momentum m + (1 - dampening) g,  w <- w - rate m  (Polyak, 1964). A constant gradient reaches the velocity
// rate (1 - dampening) / (1 - momentum). The first step takes the gradient whole, as in PyTorch. With the rate inside,
// dw <- momentum dw - rate g, the steps are the same as long as the rate is.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/idle.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Momentum : RuleDefaults {
  static constexpr const char* name = "momentum";
  static constexpr std::size_t n_slots = 1;  // m
  static constexpr double default_rate = 0.01;

  double momentum = 0.9;
  double dampening = 0.0;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("momentum", momentum, Range::fraction);
    visit("dampening", dampening, Range::fraction);
  }

  template <class T>
  struct Step {
    T rate;
    T momentum;
    T fresh;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t k) const {
    return {static_cast<T>(rate), static_cast<T>(momentum), static_cast<T>(k == 1 ? 1.0 : 1.0 - dampening)};
  }
  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    slots[0] = s.momentum * slots[0] + s.fresh * g;
    w -= s.rate * slots[0];
    return s.rate;
  }

  using Idle = LinearMap;
  static bool can_idle(const Decay& decay) { return decay.l1 == 0.0; }
  Idle idle(double rate, std::int64_t k, const Decay& decay) const {
    const auto s = step<double>(rate, k);
    const double pull = s.fresh * decay.l2;
    return {1.0 - rate * decay.decoupled - rate * pull, -rate * s.momentum, pull, s.momentum};
  }
  static void catch_up(const Idle& missed, const Decay&, double& w, double* slots) { missed.apply(w, slots[0]); }
};

}  // namespace finitesum
