// Elementwise activations y = f(x) with the slope f'(x) written in y, so that the backward pass needs no x.
#pragma once

#include "core/math.hpp"
#include "core/type_list.hpp"

namespace finitesum {

struct Identity {
  static constexpr const char* name = "identity";
  template <class T>
  FINITESUM_INLINE static T value(T x) {
    return x;
  }
  template <class T>
  FINITESUM_INLINE static T slope(T /*y*/) {
    return T{1};
  }
};

// max(x, 0); the slope at 0 is 0.
struct Relu {
  static constexpr const char* name = "relu";
  template <class T>
  FINITESUM_INLINE static T value(T x) {
    return math::max(x, T{0});
  }
  template <class T>
  FINITESUM_INLINE static T slope(T y) {
    return y > T{0} ? T{1} : T{0};
  }
};

// With t = exp(-2 |x|) - 1: |tanh x| = -t / (2 + t).
struct Tanh {
  static constexpr const char* name = "tanh";
  template <class T>
  FINITESUM_INLINE static T value(T x) {
    const double z = static_cast<double>(x);
    const double t = math::expm1_of_negative(-2.0 * math::abs(z));
    return static_cast<T>(math::copysign(-t / (2.0 + t), z));
  }
  template <class T>
  FINITESUM_INLINE static T slope(T y) {
    return T{1} - y * y;
  }
};

// 1 / (1 + exp(-x)), from exp(-|x|).
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  template <class T>
  FINITESUM_INLINE static T value(T x) {
    const double z = static_cast<double>(x);
    const double e = math::exp_of_negative(-math::abs(z));
    return static_cast<T>((z < 0.0 ? e : 1.0) / (1.0 + e));
  }
  template <class T>
  FINITESUM_INLINE static T slope(T y) {
    return y * (T{1} - y);
  }
};

// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)); the slope, sigmoid(x), is 1 - exp(-y).
struct Softplus {
  static constexpr const char* name = "softplus";
  template <class T>
  FINITESUM_INLINE static T value(T x) {
    const double z = static_cast<double>(x);
    return static_cast<T>(math::max(z, 0.0) + math::log1p(math::exp_of_negative(-math::abs(z))));
  }
  template <class T>
  FINITESUM_INLINE static T slope(T y) {
    return static_cast<T>(-math::expm1_of_negative(-static_cast<double>(y)));
  }
};

using Activations = TypeList<Identity, Relu, Tanh, Sigmoid, Softplus>;

}  // namespace finitesum
