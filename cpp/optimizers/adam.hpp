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
  // |m| <= sqrt(v) (1 - beta1) / sqrt((1 - beta2) (1 - q^2)) (Cauchy and Schwarz). What steps beyond steps_to_replay()
  // would add is below 2^-60 of that rate-sized bound.
  using Idle = Averages;
  static bool can_idle(const Decay& decay) { return decay.l2 == 0.0 && decay.l1 == 0.0; }
  std::size_t steps_to_replay() const { return complete_after(beta1 / math::sqrt(beta2)); }
  Idle idle(double rate, std::int64_t /*k*/, const Decay& decay) const {
    return {1.0 - rate * decay.decoupled, beta1, beta2};
  }
  static void catch_up(const Idle& missed, const Decay&, double& w, double* slots) {
    missed.apply(w, slots[0], slots[1]);
  }

 protected:
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
