// How a rule names its hyper-parameters: parameters(visit) calls visit(name, member, range) for each. Names, defaults
// and checks in every language follow from that list.
#pragma once

#include "core/math.hpp"

namespace finitesum {

enum class Range { fraction, nonnegative, positive, above_one };  // [0, 1), [0, inf), (0, inf), (1, inf)

enum class EpsMode { inside, outside };  // sqrt(v + eps) or sqrt(v) + eps

// What bounds the length of a step along a natural gradient (whitening.hpp): nothing, each layer's own, or the
// network's.
enum class LengthOver { none, layer, network };

// Both modes in one formula, as one of the two is zero: sqrt(scale v + inside) + outside.
template <class T>
struct Root {
  T scale;
  T inside;
  T outside;

  FINITESUM_INLINE Root(double factor, double eps, EpsMode mode)
      : scale(static_cast<T>(factor)),
        inside(static_cast<T>(mode == EpsMode::inside ? eps : 0.0)),
        outside(static_cast<T>(mode == EpsMode::outside ? eps : 0.0)) {}

  FINITESUM_INLINE T operator()(T v) const { return math::sqrt(scale * v + inside) + outside; }
};

// What most rules have in common; a rule that differs hides it by a member of its own.
struct RuleDefaults {
  static constexpr double default_decoupled = 0.0;
  static constexpr bool full_batch = false;  // whether only gradients of the whole sum make sense
  static constexpr bool has_length = true;   // whether a step has a length per unit of gradient, which L1 needs

  // Whether the first slot is an average of squared gradients that keeps `gamma` of itself per step.
  static constexpr bool averages_squares = false;
  static constexpr double gamma = 0.0;

  // Whether a coordinate moves on by a momentum that is worth 2^-60 of what it was after spent_after() steps. Such a
  // rule has take(missed, w, slots) if is_exact(missed, slots), and forget(missed, w, slots) for what comes thereafter.
  static constexpr bool has_spending = false;
};

// a / b; 0 where b is 0, as in a coordinate that has had no gradient yet and eps = 0.
template <class T>
FINITESUM_INLINE T quotient(T a, T b) {
  return b == T{0} ? T{0} : a / b;
}

// 1 - beta^k without cancellation, k > 0; the same bits on every platform.
FINITESUM_INLINE double one_minus_power(double beta, double k) { return -math::expm1_of_negative(k * math::log(beta)); }

// The smallest k with q^k <= 2^-60 (1 - q), so that a geometric series of ratio q is complete to rounding after k
// terms; a number beyond all use where it never is.
inline std::size_t complete_after(double q) {
  if (!(q < 1.0)) return ~std::size_t{0};
  if (q == 0.0) return 1;
  return static_cast<std::size_t>((math::log(1.0 - q) - 60.0 * 0.6931471805599453) / math::log(q)) + 1;
}

}  // namespace finitesum
