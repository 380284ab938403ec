// v <- gamma v + (1 - gamma) g^2,  w <- w - rate g / sqrt(v + eps)  (Tieleman and Hinton, 2012); eps_mode moves eps.
// v takes the gradient of the step itself; where v_k is written with g_{k-1}, the step would divide by a stale v.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/idle.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Rmsprop : RuleDefaults {
  static constexpr const char* name = "rmsprop";
  static constexpr std::size_t n_slots = 1;  // v
  static constexpr double default_rate = 0.001;
  static constexpr bool averages_squares = true;

  double gamma = 0.9;
  double eps = 1e-8;
  EpsMode eps_mode = EpsMode::inside;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("gamma", gamma, Range::fraction);
    visit("eps", eps, Range::nonnegative);
    visit("eps_mode", eps_mode);
  }

  template <class T>
  struct Step {
    T rate;
    T gamma;
    T fresh;
    Root<T> root;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t /*k*/) const {
    return {static_cast<T>(rate), static_cast<T>(gamma), static_cast<T>(1.0 - gamma), Root<T>(1.0, eps, eps_mode)};
  }
  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    slots[0] = s.gamma * slots[0] + s.fresh * (g * g);
    const T length = quotient(s.rate, s.root(slots[0]));
    w -= length * g;
    return length;
  }

  using Idle = Forgetting;
  static bool can_idle(const Decay& decay) { return decay.l2 == 0.0 && decay.l1 == 0.0; }
  Idle idle(double rate, std::int64_t /*k*/, const Decay& decay) const { return {1.0 - rate * decay.decoupled, gamma}; }
  static void catch_up(const Idle& missed, const Decay&, double& w, double* slots) {
    w *= missed.shrink;
    slots[0] *= missed.keep;
  }
};

}  // namespace finitesum
