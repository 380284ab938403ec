// m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2,
// w <- w - rate m' / (sqrt(v') + eps),  m' = m / (1 - beta1^k),  v' = v / (1 - beta2^k)  (Kingma and Ba, ICLR 2015).
// bias_correction = false takes m' = m and v' = v; eps_mode moves eps.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/idle.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Adam : RuleDefaults {
  static constexpr const char* name = "adam";
  static constexpr std::size_t n_slots = 2;  // m, v
  static constexpr double default_rate = 0.001;

  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  EpsMode eps_mode = EpsMode::outside;
  bool bias_correction = true;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("beta1", beta1, Range::fraction);
    visit("beta2", beta2, Range::fraction);
    visit("eps", eps, Range::nonnegative);
    visit("eps_mode", eps_mode);
    visit("bias_correction", bias_correction);
  }

  template <class T>
  struct Step {
    T rate;  // over 1 - beta1^k
    T beta1;
    T fresh1;
    T beta2;
    T fresh2;
    Root<T> root;
  };
  template <class T>
  Step<T> step(double rate, std::int64_t k) const {
    const double number = static_cast<double>(k);
    const double first = bias_correction ? one_minus_power(beta1, number) : 1.0;
    const double second = bias_correction ? one_minus_power(beta2, number) : 1.0;
    return {static_cast<T>(rate / first), static_cast<T>(beta1),       static_cast<T>(1.0 - beta1),
            static_cast<T>(beta2),        static_cast<T>(1.0 - beta2), Root<T>(1.0 / second, eps, eps_mode)};
  }
  template <class T>
  FINITESUM_INLINE static T update(const Step<T>& s, T g, T& w, T* slots) {
    average(s, g, slots);
    return move(s, slots[0], slots[1], w);
  }

  // Without gradients step i moves w by at most rate / (1 - beta1^k) |m| / sqrt(v') q^i, q = beta1 / sqrt(beta2), and
  // |m| <= sqrt(v) (1 - beta1) / sqrt((1 - beta2) (1 - q^2)) (Cauchy and Schwarz): beyond spent_after() steps all moves
  // together are below 2^-60 of that rate-sized bound on one.
  using Idle = AveragedSteps;
  static constexpr bool has_spending = true;
  static bool can_idle(const Decay& decay) { return decay.l2 == 0.0 && decay.l1 == 0.0; }
  std::size_t spent_after() const { return complete_after(beta1 / math::sqrt(beta2)); }
  Idle idle(double rate, std::int64_t k, const Decay& decay) const {
    const auto s = step<double>(rate, k);
    return Idle::one(1.0 - rate * decay.decoupled, beta1, beta2, beta2, s.rate * beta1, s.root.scale * beta2);
  }
  static bool is_exact(const Idle& missed, const double* /*slots*/) { return missed.is_accurate(); }
  void take(const Idle& missed, double& w, double* slots) const { take_under(missed, slots[1], w, slots); }
  static void forget(const Idle& missed, double& w, double* slots) {
    w *= missed.shrink;
    slots[0] *= missed.keep1;
    slots[1] *= missed.keep2;
  }

 protected:
  // v: what stands under the root
  void take_under(const Idle& missed, double v, double& w, double* slots) const {
    const Root<double> root(1.0, eps, eps_mode);
    const double move = slots[0] * missed.sum(v, root.inside, root.outside);
    forget(missed, w, slots);
    w -= move;
  }
  template <class T>
  FINITESUM_INLINE static void average(const Step<T>& s, T g, T* slots) {
    slots[0] = s.beta1 * slots[0] + s.fresh1 * g;
    slots[1] = s.beta2 * slots[1] + s.fresh2 * (g * g);
  }
  template <class T>
  FINITESUM_INLINE static T move(const Step<T>& s, T m, T v, T& w) {
    const T length = quotient(s.rate, s.root(v));
    w -= length * m;
    return length;
  }
};

}  // namespace finitesum
