// The smoothness constant L of the rows, for losses that have no global one, found along the way (Schmidt, Le Roux,
// Bach 2017, section 4.6): a row with gradient f_i' asks for f_i(w - f_i'/L) <= f_i(w) - |f_i'|^2 / (2 L), and L
// doubles until it holds. For a linear model a trial costs O(1): it only shifts the row's prediction.
#pragma once

#include "solvers/archive.hpp"
#include "solvers/loss_function.hpp"

namespace finitesum {

class LineSearch {
 public:
  explicit LineSearch(double smoothness) : smoothness_(smoothness) {}

  double smoothness() const { return smoothness_; }

  // A row of squared norm q and relative weight omega = n s_i / S, with prediction z and derivative g. True if L had to
  // grow.
  bool raise(const LossFunction& loss, double z, double y, double g, double q, double omega) {
    constexpr double smallest_squared_norm = 1e-8;  // below, rounding decides
    if (omega * omega * g * g * q <= smallest_squared_norm) return false;
    const double value = loss.value(z, y);
    const double before = smoothness_;
    while (smoothness_ < 1e300 &&
           !(loss.value(z - omega * g * q / smoothness_, y) <= value - omega * g * g * q / (2 * smoothness_))) {
      smoothness_ *= 2;
    }
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
