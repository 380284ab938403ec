// What every rule can be combined with, coordinate by coordinate:
//   l2         coupled: the gradient gets l2 w, as if the objective had l2 w^2 / 2
//   decoupled  w is multiplied by 1 - rate * decoupled beside the step (Loshchilov and Hutter, ICLR 2019)
//   l1         after the step w goes through the prox of l1 |w| in the step's own metric: the threshold is l1 times
//              the length of the step per unit of gradient (for AdaGrad: Duchi, Hazan and Singer, JMLR 12 (2011), eq.
//              4)
// For plain SGD coupled and decoupled are the same; for rules that divide by past gradients they are not.
#pragma once

#include "core/math.hpp"

namespace finitesum {

template <class T>
struct DecayStep {
  T l2;
  T shrink;
  T l1;
};

struct Decay {
  double l2 = 0.0;
  double decoupled = 0.0;
  double l1 = 0.0;

  template <class T>
  FINITESUM_INLINE DecayStep<T> step(double rate) const {
    return {static_cast<T>(l2), static_cast<T>(1.0 - rate * decoupled), static_cast<T>(l1)};
  }
};

// One step of one coordinate, the only place where rule and decay meet. Returns the step's length per unit of gradient.
template <class Rule, bool HasL1, class T>
FINITESUM_INLINE T update_coordinate(const typename Rule::template Step<T>& step, const DecayStep<T>& decay, T g, T& w,
                                     T* slots) {
  const T coupled = g + decay.l2 * w;
  w = decay.shrink * w;
  const T length = Rule::update(step, coupled, w, slots);
  if constexpr (HasL1) w = math::soft_threshold(w, decay.l1 * length);
  return length;
}

}  // namespace finitesum
