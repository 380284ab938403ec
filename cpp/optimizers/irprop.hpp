// iRprop- (Igel and Huesken, "Improving the Rprop learning algorithm", 2000), PyTorch's Rprop: as Rprop+, but where the
// gradient turns, w stays where it is and the gradient is forgotten; no move is kept.
#pragma once

#include "optimizers/rprop.hpp"

namespace finitesum {

struct Irprop : SignSteps {
  static constexpr const char* name = "irprop";
  static constexpr std::size_t n_slots = 2;  // p, D

  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    const T agreement = with_sign(with_sign(T{1}, slots[0]), g);
    slots[1] = adapted(s, slots[1], agreement);
    const T kept = agreement < T{0} ? T{0} : g;
    w -= with_sign(slots[1], kept);
    slots[0] = kept;
    return T{0};
  }
};

}  // namespace finitesum
