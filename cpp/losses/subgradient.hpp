// The losses of stochastic gradient descent: those of any.hpp, and what has no certificate here or no derivative
// everywhere. They bring a value, a (sub)gradient and the smoothness, infinite where there is none.
#pragma once

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/named_variant.hpp"
#include "kernels/table.hpp"
#include "losses/any.hpp"
#include "losses/epsilon_insensitive.hpp"
#include "losses/hinge.hpp"
#include "losses/modified_huber.hpp"
#include "losses/perceptron.hpp"
#include "losses/quantile.hpp"
#include "losses/squared_epsilon_insensitive.hpp"

namespace finitesum {

using SubgradientLosses = TypeList<Squared, Logistic, Hinge, SquaredHinge, ModifiedHuber, Perceptron, SmoothedHinge,
                                   Huber, Poisson, EpsilonInsensitive, SquaredEpsilonInsensitive, Quantile>;

// Where a type stands in a list, or its size.
template <class T, class... Ts>
constexpr std::size_t place_of(TypeList<Ts...>) {
  std::size_t place = 0;
  static_cast<void>(((std::is_same_v<T, Ts> ? true : (++place, false)) || ...));
  return place;
}

class SubgradientLoss {
 public:
  // `parameter` is epsilon, tau, gamma or delta where the loss has one, ignored otherwise.
  SubgradientLoss(std::string_view name, double parameter, const KernelTable& table)
      : table_(table), loss_(make_named<SubgradientLosses>("loss", name, [&](auto loss) {
          if constexpr (loss.has_parameter) {
            if (!(parameter >= 0.0) || !std::isfinite(parameter)) {
              throw std::invalid_argument("loss '" + std::string(name) +
                                          "': its parameter must be finite and not negative, got " +
                                          std::to_string(parameter));
            }
            loss.parameter = parameter;
          }
          return loss;
        })) {}

  double value(double z, double y) const {
    return call([&](const auto& loss) { return loss.value(z, y); });
  }
  double derivative(double z, double y) const {
    return call([&](const auto& loss) { return loss.derivative(z, y); });
  }
  // sum_i s_i l(z_i, y_i), by the vector kernels where the loss has them.
  double value_sum(const double* z, const double* y, const double* s, std::size_t n) const {
    return std::visit(
        [&](const auto& loss) {
          constexpr std::size_t place = place_of<std::decay_t<decltype(loss)>>(Losses{});
          if constexpr (place < Losses::size) {
            return table_.losses[place].value_sum(&loss, z, y, s, n);
          } else {
            double sum = 0;
            for (std::size_t i = 0; i < n; ++i) sum += s[i] * loss.value(z[i], y[i]);
            return sum;
          }
        },
        loss_);
  }
  double smoothness() const {
    return call([](const auto& loss) { return loss.smoothness(); });
  }
  TargetDomain target_domain() const {
    return std::visit([](const auto& loss) { return loss.target_domain; }, loss_);
  }

 private:
  // See LossFunction::call.
  template <class Function>
  double call(Function&& function) const {
    return call(function, std::make_index_sequence<SubgradientLosses::size>{});
  }
  template <class Function, std::size_t... Is>
  double call(Function& function, std::index_sequence<Is...>) const {
    double out = 0;
    static_cast<void>(((loss_.index() == Is ? (out = function(*std::get_if<Is>(&loss_)), true) : false) || ...));
    return out;
  }

  const KernelTable& table_;
  VariantOf<SubgradientLosses> loss_;
};

inline std::vector<std::string> subgradient_loss_names() { return names_of<SubgradientLosses>(); }

}  // namespace finitesum
