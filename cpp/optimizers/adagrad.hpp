// v <- v + g^2,  w <- w - rate g / sqrt(v + eps)  (Duchi, Hazan and Singer, JMLR 12 (2011)); eps_mode moves eps.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/idle.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Adagrad : RuleDefaults {
  static constexpr const char* name = "adagrad";
  static constexpr std::size_t n_slots = 1;  // v
  static constexpr double default_rate = 0.01;

  double eps = 1e-8;
  EpsMode eps_mode = EpsMode::inside;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("eps", eps, Range::nonnegative);
    visit("eps_mode", eps_mode);
  }

  template <class T>
  struct Step {
    T rate;
    Root<T> root;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t /*k*/) const {
    return {static_cast<T>(rate), Root<T>(1.0, eps, eps_mode)};
  }
  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    slots[0] += g * g;
    const T length = quotient(s.rate, s.root(slots[0]));
    w -= length * g;
    return length;
  }

  using Idle = Shrinkage;  // thresholds in units of the coordinate's own 1 / sqrt(v + eps), which stands still
  static bool can_idle(const Decay& decay) { return decay.l2 == 0.0; }
  Idle idle(double rate, std::int64_t /*k*/, const Decay& decay) const {
    return {1.0 - rate * decay.decoupled, rate * decay.l1};
  }
  void catch_up(const Idle& missed, const Decay& decay, double& w, double* slots) const {
    w = decay.l1 == 0.0 ? missed.shrink * w : missed(w, quotient(1.0, Root<double>(1.0, eps, eps_mode)(slots[0])));
  }
};

}  // namespace finitesum
