// The smoothness constant L of the rows, for losses that have no global one, found along the way (Schmidt, Le Roux,
// Bach 2017, section 4.6): a row with gradient f_i' asks for f_i(w - f_i'/L) <= f_i(w) - |f_i'|^2 / (2 L), and L
// doubles until it holds. For a linear model a trial costs O(1): it only shifts the row's prediction.
#pragma once

#include "solvers/archive.hpp"

namespace finitesum {

class LineSearch {
 public:
  explicit LineSearch(double smoothness) : smoothness_(smoothness) {}

  double smoothness() const { return smoothness_; }

  // holds(L) tells whether L is large enough for a row with this squared norm of its gradient. True if L had to grow.
  template <class Condition>
  bool raise(double squared_gradient, const Condition& holds) {
    constexpr double smallest_squared_norm = 0x1p-26;  // the square root of the rounding unit: below, rounding decides
    if (squared_gradient <= smallest_squared_norm) return false;
    const double before = smoothness_;
    while (smoothness_ < 1e300 && !holds(smoothness_)) smoothness_ *= 2;
    return smoothness_ != before;
  }

  // The paper lets L decay by 2^(-1/n) per step; once per epoch by one half keeps the step size constant in between, as
  // exact lazy updates with L1 need.
  void relax() { smoothness_ /= 2; }
  void transfer(Archive& archive) { archive(smoothness_); }

 private:
  double smoothness_;
};

}  // namespace finitesum
