// w <- w - rate g.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/idle.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Sgd : RuleDefaults {
  static constexpr const char* name = "sgd";
  static constexpr std::size_t n_slots = 0;
  static constexpr double default_rate = 0.01;

  template <class Visit>
  void parameters(Visit&&) {}

  template <class T>
  struct Step {
    T rate;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t /*k*/) const {
    return {static_cast<T>(rate)};
  }
  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* /*slots*/) {
    w -= s.rate * g;
    return s.rate;
  }

  using Idle = Shrinkage;
  static bool can_idle(const Decay&) { return true; }
  Idle idle(double rate, std::int64_t /*k*/, const Decay& decay) const {
    return {1.0 - rate * decay.decoupled - rate * decay.l2, rate * decay.l1};
  }
  static void catch_up(const Idle& missed, const Decay&, double& w, double* /*slots*/) { w = missed(w); }
};

}  // namespace finitesum
