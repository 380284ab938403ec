// m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2,
// w <- w - rate m' / (sqrt(v') + eps),  m' = m / (1 - beta1^k),  v' = v / (1 - beta2^k)  (Kingma and Ba, ICLR 2015).
// bias_correction = false takes m' = m and v' = v; eps_mode moves eps.
#pragma once

#include "optimizers/decay.hpp"
#include "optimizers/parameters.hpp"

namespace finitesum {

struct Adam {
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
    slots[0] = s.beta1 * slots[0] + s.fresh1 * g;
    slots[1] = s.beta2 * slots[1] + s.fresh2 * (g * g);
    const T length = quotient(s.rate, s.root(slots[1]));
    w -= length * slots[0];
    return length;
  }
};

}  // namespace finitesum
