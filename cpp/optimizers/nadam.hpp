// Adam with Nesterov's momentum and a momentum that grows (Dozat, ICLR workshop 2016; constants as there and in
// PyTorch): mu_k = beta1 (1 - 0.96^(k psi) / 2),  psi = 0.004,  M_k = mu_1 ... mu_k,
//   w <- w - rate ((1 - mu_k) / (1 - M_k) g + mu_{k+1} / (1 - M_{k+1}) m) / (sqrt(v / (1 - beta2^k)) + eps).
// m and v are Adam's.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/idle.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Nadam : RuleDefaults {
  static constexpr const char* name = "nadam";
  static constexpr std::size_t n_slots = 2;  // m, v
  static constexpr double default_rate = 0.002;

  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double momentum_decay = 0.004;
  EpsMode eps_mode = EpsMode::outside;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("beta1", beta1, Range::fraction);
    visit("beta2", beta2, Range::fraction);
    visit("eps", eps, Range::nonnegative);
    visit("momentum_decay", momentum_decay, Range::nonnegative);
    visit("eps_mode", eps_mode);
  }

  template <class T>
  struct Step {
    T gradient_rate;
    T momentum_rate;
    T beta1;
    T fresh1;
    T beta2;
    T fresh2;
    Root<T> root;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t k) const {
    const double before = momentum_product(k - 1);
    const double mu = momentum(k);
    const double next = momentum(k + 1);
    const double product = before * mu;
    const double root_factor = 1.0 / one_minus_power(beta2, static_cast<double>(k));
    return {static_cast<T>(rate * (1.0 - mu) / (1.0 - product)),
            static_cast<T>(rate * next / (1.0 - product * next)),
            static_cast<T>(beta1),
            static_cast<T>(1.0 - beta1),
            static_cast<T>(beta2),
            static_cast<T>(1.0 - beta2),
            Root<T>(root_factor, eps, eps_mode)};
  }
  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    slots[0] = s.beta1 * slots[0] + s.fresh1 * g;
    slots[1] = s.beta2 * slots[1] + s.fresh2 * (g * g);
    const T scale = quotient(T{1}, s.root(slots[1]));
    w -= scale * (s.gradient_rate * g + s.momentum_rate * slots[0]);
    return scale * s.gradient_rate;
  }

  // As for Adam (adam.hpp): without gradients only the momentum term is left.
  using Idle = AveragedSteps;
  static constexpr bool has_spending = true;
  static bool can_idle(const Decay& decay) { return decay.l2 == 0.0 && decay.l1 == 0.0; }
  std::size_t spent_after() const { return complete_after(beta1 / math::sqrt(beta2)); }
  Idle idle(double rate, std::int64_t k, const Decay& decay) const {
    const auto s = step<double>(rate, k);
    return Idle::one(1.0 - rate * decay.decoupled, beta1, beta2, beta2, s.momentum_rate * beta1, s.root.scale * beta2);
  }
  static bool is_exact(const Idle& missed, const double* /*slots*/) { return missed.is_accurate(); }
  void take(const Idle& missed, double& w, double* slots) const {
    const Root<double> root(1.0, eps, eps_mode);
    const double move = slots[0] * missed.sum(slots[1], root.inside, root.outside);
    forget(missed, w, slots);
    w -= move;
  }
  static void forget(const Idle& missed, double& w, double* slots) {
    w *= missed.shrink;
    slots[0] *= missed.keep1;
    slots[1] *= missed.keep2;
  }

 private:
  double momentum(std::int64_t k) const {
    constexpr double log_of_decay = -0.040821994520255166;  // log(0.96)
    return beta1 * (1.0 - 0.5 * math::exp(static_cast<double>(k) * momentum_decay * log_of_decay));
  }
  // M_k, or 0 where it is below beta1^k <= 2^-60: 1 - M_k does not see it.
  double momentum_product(std::int64_t k) const {
    if (beta1 == 0.0 || static_cast<double>(k) * math::log(beta1) < -60.0 * 0.6931471805599453) {
      return k == 0 ? 1.0 : 0.0;
    }
    double product = 1.0;
    for (std::int64_t i = 1; i <= k; ++i) product *= momentum(i);
    return product;
  }
};

}  // namespace finitesum
