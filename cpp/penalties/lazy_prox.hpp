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

// Built once per step size: it holds the logarithm and the first powers of rho. tau = step * l1 >= 0, a = step * l2 >=
// 0.
class LazyProx {
 public:
  LazyProx(double tau, double a) : tau_(tau), a_(a), rho_(1.0 / (1.0 + a)), log1p_a_(math::log1p(a)) {
    for (std::int64_t k = 0; k < n_powers; ++k) powers_[k] = compute_power(static_cast<double>(k));
  }

  // One step, without branches.
  FINITESUM_INLINE double once(double v) const { return rho_ * math::soft_threshold(v, tau_); }

  // Powers of rho for k steps: coordinates that take the same number of steps share them.
  struct Steps {
    std::int64_t k;
    double rho_k;
    double sum;  // rho + ... + rho^k
  };
  FINITESUM_INLINE Steps steps(std::int64_t k) const {
    const Power p = power(k);
    return {k, p.rho_k, p.sum};
  }

  FINITESUM_INLINE double operator()(double w, double drift, std::int64_t k) const {
    return (*this)(w, drift, steps(k));
  }
  FINITESUM_INLINE double operator()(double w, double drift, const Steps& steps) const {
    // Mirrored so that w > 0, or so that a zero w can only grow.
    const double sign = math::copysign(1.0, w == 0.0 ? -drift : w);
    const double e = sign * drift + tau_;
    const double end = steps.rho_k * math::abs(w) - e * steps.sum;
    if (end <= 0.0 && e > 0.0 && w != 0.0 && tau_ > 0.0) return sign * cross(math::abs(w), sign * drift, steps.k);
    return sign * (tau_ > 0.0 ? math::max(end, 0.0) : end);
  }

  // The sum of the k iterates w_1 + ... + w_k, for averages of the path. While w keeps its sign it is
  //   w S_k - e T_k,  T_k = S_1 + ... + S_k.
  double path_sum(double w, double drift, std::int64_t k) const {
    const double sign = math::copysign(1.0, w == 0.0 ? -drift : w);
    const double e = sign * drift + tau_;
    const double start = math::abs(w);
    if (w == 0.0 && e >= 0.0) return 0.0;  // it stays there
    if (tau_ == 0.0 || e <= 0.0 || affine_steps(start, e, k) > 0.0) return sign * affine_path(start, e, k);
    const std::int64_t kept = steps_above_zero(start, e, k);
    const double next = once(math::max(affine_steps(start, e, kept), 0.0) - sign * drift);
    const double beyond = math::soft_threshold(sign * drift, tau_);
    const double rest = beyond == 0.0 ? 0.0 : affine_path(next, beyond, k - kept - 1);
    return sign * (affine_path(start, e, kept) + next + rest);
  }

 private:
  static constexpr std::int64_t n_powers = 256;
  struct Power {
    double rho_k;
    double sum;  // rho + ... + rho^k
  };

  Power compute_power(double k) const {
    if (a_ == 0.0) return {1.0, k};
    const double loss = math::expm1_of_negative(-k * log1p_a_);  // rho^k - 1
    return {loss > -0.5 ? 1.0 + loss : math::exp(-k * log1p_a_), -loss / a_};
  }
  Power power(std::int64_t k) const { return k < n_powers ? powers_[k] : compute_power(static_cast<double>(k)); }

  // k times w <- (w - e) / (1 + a).
  FINITESUM_INLINE double affine_steps(double w, double e, std::int64_t k) const {
    const Power p = power(k);
    return p.rho_k * w - e * p.sum;
  }

  double affine_path(double w, double e, std::int64_t k) const {
    return w * power(k).sum - e * sum_of_sums(static_cast<double>(k));
  }

  // T_k = (k - S_k) / a, which cancels where a k is small; there, with S_j = sum_m (-a)^m C(j + m, m + 1), the series
  // T_k = sum_m (-a)^m C(k + m + 1, m + 2), whose terms fall by a factor of four and more where a k <= 1 / 4.
  double sum_of_sums(double k) const {
    if (a_ * k > 0.25) return (k - compute_power(k).sum) / a_;
    double term = k * (k + 1.0) / 2.0;
    double sum = term;
    for (double m = 0.0; m < 30.0 && math::abs(term) > 1e-17 * sum; m += 1.0) {
      term *= -a_ * (k + m + 2.0) / (m + 3.0);
      sum += term;
    }
    return sum;
  }

  // k steps from w > 0 that do not all keep w > 0; e = drift + tau > 0.
  __attribute__((noinline)) double cross(double w, double drift, std::int64_t k) const {
    const std::int64_t kept = steps_above_zero(w, drift + tau_, k);
    w = once(math::max(affine_steps(w, drift + tau_, kept), 0.0) - drift);
    const double e = math::soft_threshold(drift, tau_);
    // From here on it stays at zero, or moves away from zero for ever.
    return e == 0.0 ? 0.0 : affine_steps(w, e, k - kept - 1);
  }

  // The largest m < k such that m affine steps keep w > 0; w > 0, e > 0.
  // rho^m w = e (1 - rho^m) / a gives m = log(1 + a w / e) / log(1 + a); rounding may put its floor off by one.
  std::int64_t steps_above_zero(double w, double e, std::int64_t k) const {
    const double estimate = a_ == 0.0 ? w / e : math::log1p(a_ * (w / e)) / log1p_a_;
    if (!(estimate < static_cast<double>(k))) return k - 1;
    auto m = static_cast<std::int64_t>(estimate);
    if (m + 1 < k && affine_steps(w, e, m + 1) > 0.0) {
      m += 1;
    } else if (m > 0 && !(affine_steps(w, e, m) > 0.0)) {
      m -= 1;
    }
    return m;
  }

  double tau_;
  double a_;
  double rho_;
  double log1p_a_;
  Power powers_[n_powers] = {};
};

}  // namespace finitesum
