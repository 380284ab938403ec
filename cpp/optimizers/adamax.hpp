// m <- beta1 m + (1 - beta1) g,  u <- max(beta2 u, |g| + eps),  w <- w - rate / (1 - beta1^k) m / u
// (Kingma and Ba, ICLR 2015, alg. 2; the paper has no eps, PyTorch has it here, so that u > 0).
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/idle.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Adamax : RuleDefaults {
  static constexpr const char* name = "adamax";
  static constexpr std::size_t n_slots = 2;  // m, u
  static constexpr double default_rate = 0.002;

  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("beta1", beta1, Range::fraction);
    visit("beta2", beta2, Range::fraction);
    visit("eps", eps, Range::nonnegative);
  }

  template <class T>
  struct Step {
    T rate;  // over 1 - beta1^k
    T beta1;
    T fresh;
    T beta2;
    T eps;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t k) const {
    return {static_cast<T>(rate / one_minus_power(beta1, static_cast<double>(k))), static_cast<T>(beta1),
            static_cast<T>(1.0 - beta1), static_cast<T>(beta2), static_cast<T>(eps)};
  }
  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    slots[0] = s.beta1 * slots[0] + s.fresh * g;
    slots[1] = math::max(math::abs(g) + s.eps, s.beta2 * slots[1]);
    const T length = quotient(s.rate, slots[1]);
    w -= length * slots[0];
    return length;
  }

  // As for Adam (adam.hpp), with q = beta1 / beta2, since u shrinks by beta2 per step; exact while u stays above eps.
  using Idle = GeometricSteps;
  static constexpr bool has_spending = true;
  static bool can_idle(const Decay& decay) { return decay.l2 == 0.0 && decay.l1 == 0.0; }
  std::size_t spent_after() const { return complete_after(beta1 / beta2); }
  Idle idle(double rate, std::int64_t k, const Decay& decay) const {
    return {1.0 - rate * decay.decoupled, beta1, beta2, step<double>(rate, k).rate * beta1 / beta2};
  }
  bool is_exact(const Idle& missed, const double* slots) const {
    return beta2 > 0.0 && slots[1] * missed.keep2 > 2.0 * eps;
  }
  void take(const Idle& missed, double& w, double* slots) const {
    const double move = missed.sum * quotient(slots[0], slots[1]);
    forget(missed, w, slots);
    w -= move;
  }
  void forget(const Idle& missed, double& w, double* slots) const {
    w *= missed.shrink;
    slots[0] *= missed.keep1;
    slots[1] = math::max(slots[1] * missed.keep2, eps);
  }
};

}  // namespace finitesum
