// v <- gamma v + (1 - gamma) g^2,  a <- gamma a + (1 - gamma) g,  w <- w - rate g / sqrt(v - a^2 + eps): RMSProp with
// the gradient's variance instead of its mean square (A. Graves, arXiv:1308.0850 (2013), eq. 38 to 40); eps_mode moves
// eps. The variance of roundings, below zero, counts as zero.
#pragma once

#include "optimizers/rmsprop.hpp"

namespace finitesum {

struct RmspropCentered : Rmsprop {
  static constexpr const char* name = "rmsprop_centered";
  static constexpr std::size_t n_slots = 2;  // v, a

  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    slots[0] = s.gamma * slots[0] + s.fresh * (g * g);
    slots[1] = s.gamma * slots[1] + s.fresh * g;
    const T length = quotient(s.rate, s.root(math::max(slots[0] - slots[1] * slots[1], T{0})));
    w -= length * g;
    return length;
  }

  static void catch_up(const Idle& missed, const Decay&, double& w, double* slots) {
    w *= missed.shrink;
    slots[0] *= missed.keep;
    slots[1] *= missed.keep;
  }
};

}  // namespace finitesum
