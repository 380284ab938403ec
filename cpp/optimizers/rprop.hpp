// Rprop+ (Riedmiller and Braun, ICNN 1993; with the name of Igel and Huesken, 2000): a step D of its own per
// coordinate, which only the signs of the gradient g and its predecessor p change. By the sign of p g:
//   +  D <- min(growth D, largest),      w <- w - sign(g) D,    p <- g
//   -  D <- max(shrinkage D, smallest),  w <- what it was,      p <- 0
//   0                                    w <- w - sign(g) D,    p <- g
// D is a length, clamped before it gets a sign. Clamping the signed move from below instead, as some texts print it,
// turns its direction around. The signs of mini-batches are noise: full batches only. The first D is the rate.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

// What the two variants share.
struct SignSteps : RuleDefaults {
  static constexpr double default_rate = 0.1;
  static constexpr bool full_batch = true;
  static constexpr bool has_length = false;

  double growth = 1.2;
  double shrinkage = 0.5;
  double smallest = 1e-6;
  double largest = 50.0;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("growth", growth, Range::above_one);
    visit("shrinkage", shrinkage, Range::fraction);
    visit("smallest", smallest, Range::nonnegative);
    visit("largest", largest, Range::positive);
  }

  template <class T>
  struct Step {
    T first;  // the first step's D, else 0
    T growth;
    T shrinkage;
    T smallest;
    T largest;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t k) const {
    return {static_cast<T>(k == 1 ? rate : 0.0), static_cast<T>(growth), static_cast<T>(shrinkage),
            static_cast<T>(smallest), static_cast<T>(largest)};
  }

  // D after a step where p g has this sign.
  template <class T>
  FINITESUM_INLINE static T adapted(const Step<T>& s, T length, T agreement) {
    const T grown = math::min(s.growth * length, s.largest);
    const T shrunk = math::max(s.shrinkage * length, s.smallest);
    const T kept = length + s.first;
    return agreement > T{0} ? grown : (agreement < T{0} ? shrunk : kept);
  }
  template <class T>
  FINITESUM_INLINE static T with_sign(T length, T g) {
    return g > T{0} ? length : (g < T{0} ? -length : T{0} * g);  // a NaN stays one
  }
};

struct Rprop : SignSteps {
  static constexpr const char* name = "rprop";
  static constexpr std::size_t n_slots = 3;  // p, D, the last move

  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    const T agreement = with_sign(with_sign(T{1}, slots[0]), g);  // the sign of p g, which itself may underflow
    slots[1] = adapted(s, slots[1], agreement);
    const bool turned = agreement < T{0};
    const T move = turned ? -slots[2] : -with_sign(slots[1], g);
    w += move;
    slots[2] = turned ? T{0} : move;
    slots[0] = turned ? T{0} : g;
    return T{0};
  }
};

}  // namespace finitesum
