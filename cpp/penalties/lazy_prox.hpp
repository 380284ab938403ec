// k proximal steps with a constant drift at once: w <- soft(w - drift, tau) / (1 + a), k times, in O(1).
// This is what makes sparse steps cost O(nonzeros): a coordinate untouched for k iterations is brought up to date
// only when it is needed (Langford, Li and Zhang, JMLR 10 (2009); Schmidt, Le Roux and Bach, Math. Prog. 162 (2017)).
//
// While w keeps its sign the map is affine, w <- rho (w - e), rho = 1 / (1 + a), e = drift + sign(w) tau, hence
//   w_k = rho^k w - e S_k,  S_k = rho + ... + rho^k = (1 - rho^k) / a   (k if a = 0).
// The map is monotone and continuous, so a path changes regime at most twice: it leaves the sign of w once, in a step
// taken explicitly, and from zero or beyond it either stays at zero (|drift| <= tau) or moves away from zero for ever.
#pragma once

#include <cstdint>

#include "core/math.hpp"

namespace finitesum {

// Worth building once per step size (it holds a logarithm); tau = step * l1 >= 0, a = step * l2 >= 0.
class LazyProx {
 public:
  LazyProx(double tau, double a) : tau_(tau), a_(a), log1p_a_(math::log1p(a)) {}

  double operator()(double w, double drift, std::int64_t k) const {
    if (k <= 0) return w;
    if (k == 1) return step(w, drift);
    double steps = static_cast<double>(k);
    if (tau_ == 0.0) return affine_steps(w, drift, steps);

    const double sign = w < 0.0 ? -1.0 : 1.0;  // mirrored so that w >= 0
    w *= sign;
    drift *= sign;
    if (w > 0.0) {
      const double e = drift + tau_;
      const double kept = e > 0.0 ? steps_above_zero(w, e, steps) : steps;
      w = math::max(affine_steps(w, e, kept), 0.0);
      steps -= kept;
      if (steps > 0.0) {
        w = step(w, drift);
        steps -= 1.0;
      }
    }
    if (steps > 0.0) {  // w has left its sign, or was zero
      const double e = math::soft_threshold(drift, tau_);
      w = e == 0.0 ? 0.0 : affine_steps(w, e, steps);
    }
    return sign * w;
  }

 private:
  double step(double w, double drift) const { return math::soft_threshold(w - drift, tau_) / (1.0 + a_); }

  // k times w <- (w - e) / (1 + a).
  double affine_steps(double w, double e, double k) const {
    if (a_ == 0.0) return w - k * e;
    const double loss = math::expm1_of_negative(-k * log1p_a_);  // rho^k - 1
    const double power = loss > -0.5 ? 1.0 + loss : math::exp(-k * log1p_a_);
    return power * w + e * (loss / a_);
  }

  // The largest m <= k such that m affine steps keep w > 0; w > 0, e > 0.
  // rho^m w = e (1 - rho^m) / a gives m = log(1 + a w / e) / log(1 + a); rounding may put its floor off by one.
  double steps_above_zero(double w, double e, double k) const {
    const double estimate = a_ == 0.0 ? w / e : math::log1p(a_ * (w / e)) / log1p_a_;
    if (!(estimate < k + 1.0)) return k;
    double m = __builtin_floor(estimate);
    if (m < k && affine_steps(w, e, m + 1.0) > 0.0) {
      m += 1.0;
    } else if (m > 0.0 && !(affine_steps(w, e, m) > 0.0)) {
      m -= 1.0;
    }
    return math::min(m, k);
  }

  double tau_;
  double a_;
  double log1p_a_;
};

}  // namespace finitesum
