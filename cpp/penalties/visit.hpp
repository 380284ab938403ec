// Penalties chosen at run time.
#pragma once

#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/named_variant.hpp"
#include "penalties/any.hpp"

namespace finitesum {

using AnyPenalty = VariantOf<Penalties>;

inline std::vector<std::string> penalty_names() { return names_of<Penalties>(); }

// `l1_ratio` is ignored by the penalties that have only one term.
inline AnyPenalty make_penalty(std::string_view name, double alpha, double l1_ratio) {
  if (!(alpha >= 0.0) || !std::isfinite(alpha)) {
    throw std::invalid_argument("alpha must be finite and not negative, got " + std::to_string(alpha));
  }
  if (!(l1_ratio >= 0.0 && l1_ratio <= 1.0)) {
    throw std::invalid_argument("l1_ratio must lie in [0, 1], got " + std::to_string(l1_ratio));
  }
  return make_named<Penalties>("penalty", name, [&](auto penalty) { return penalty.make(alpha, l1_ratio); });
}

// The simplest penalty equal to alpha [(1 - l1_ratio)/2 w^2 + l1_ratio |w|].
inline AnyPenalty make_penalty(double alpha, double l1_ratio) {
  const bool has_l1 = alpha * l1_ratio != 0.0;
  const bool has_l2 = alpha * (1.0 - l1_ratio) != 0.0;
  const char* name = has_l1 ? (has_l2 ? ElasticNet::name : L1::name) : (has_l2 ? L2::name : None::name);
  return make_penalty(name, alpha, l1_ratio);
}

}  // namespace finitesum
