// Adam with the largest v so far in the denominator: w <- w - rate m' / (sqrt(v_max / (1 - beta2^k)) + eps)
// (Reddi, Kale and Kumar, ICLR 2018, who correct no bias; with correction as in PyTorch, where v_max is of v itself).
#pragma once

#include "optimizers/adam.hpp"

namespace finitesum {

struct Amsgrad : Adam {
  static constexpr const char* name = "amsgrad";
  static constexpr std::size_t n_slots = 3;  // m, v, v_max

  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    average(s, g, slots);
    slots[2] = math::max(slots[1], slots[2]);
    return move(s, slots[0], slots[2], w);
  }

  // As for Adam, but v_max stands still.
  std::size_t spent_after() const { return complete_after(beta1); }
  Idle idle(double rate, std::int64_t k, const Decay& decay) const {
    const auto s = step<double>(rate, k);
    return Idle::one(1.0 - rate * decay.decoupled, beta1, beta2, 1.0, s.rate * beta1, s.root.scale);
  }
  void take(const Idle& missed, double& w, double* slots) const { take_under(missed, slots[2], w, slots); }
};

}  // namespace finitesum
