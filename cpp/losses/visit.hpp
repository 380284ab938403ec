// Losses chosen at run time. Uses the standard library: not for kernel files.
#pragma once

#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/named_variant.hpp"
#include "losses/any.hpp"

namespace finitesum {

using AnyLoss = VariantOf<Losses>;

inline std::vector<std::string> loss_names() { return names_of<Losses>(); }

// `parameter` is gamma or delta where the loss has one, ignored otherwise.
inline AnyLoss make_loss(std::string_view name, double parameter) {
  return make_named<Losses>("loss", name, [&](auto loss) {
    if constexpr (loss.has_parameter) {
      if (!(parameter > 0.0) || !std::isfinite(parameter)) {
        throw std::invalid_argument("loss '" + std::string(name) +
                                    "': its parameter must be positive and finite, got " + std::to_string(parameter));
      }
      loss.parameter = parameter;
    }
    return loss;
  });
}

// The loss's row in KernelTable::losses.
inline std::size_t loss_index(const AnyLoss& loss) { return loss.index(); }

}  // namespace finitesum
