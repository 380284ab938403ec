// QuickProp (Fahlman, CMU-CS-88-162, 1988): per coordinate the minimum of the parabola through the last two slopes g'
// and g, a move d' apart,
//   d = d' g / (g' - g)   (with g - g', as some texts print it, it runs away from the minimum),
// at most growth |d'|, and growth d' where g has not fallen below growth / (1 + growth) g'; while g still points on the
// way of d', a gradient step is added. Without a last move d = -rate g. The slopes must be of one function: full
// batches.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Quickprop : RuleDefaults {
  static constexpr const char* name = "quickprop";
  static constexpr std::size_t n_slots = 2;  // g', d'
  static constexpr double default_rate = 0.01;
  static constexpr bool full_batch = true;
  static constexpr bool has_length = false;

  double growth = 1.75;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("growth", growth, Range::above_one);
  }

  template <class T>
  struct Step {
    T rate;
    T growth;
    T share;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t /*k*/) const {
    return {static_cast<T>(rate), static_cast<T>(growth), static_cast<T>(growth / (1.0 + growth))};
  }
  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    const T last = slots[1];
    const T ahead = last > T{0} ? -g : g;  // slopes as seen along the last move, downhill positive
    const T ahead_before = last > T{0} ? -slots[0] : slots[0];
    const T most = s.growth * math::abs(last);
    const T jump = math::min(math::max(last * quotient(ahead, ahead_before - ahead), -most), most);
    const T onward = ahead >= s.share * ahead_before ? s.growth * last : jump;
    const T gradient_step = -s.rate * g;
    const T added = ahead > T{0} ? gradient_step : T{0};
    const T move = last == T{0} ? gradient_step : onward + added;
    w += move;
    slots[0] = g;
    slots[1] = move;
    return T{0};
  }
};

}  // namespace finitesum
