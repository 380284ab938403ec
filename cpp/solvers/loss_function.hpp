// A loss bound to its vector kernels: scalars for the stochastic steps, blocks for the full passes.
#pragma once

#include <cstddef>
#include <utility>
#include <variant>

#include "kernels/table.hpp"
#include "losses/visit.hpp"

namespace finitesum {

class LossFunction {
 public:
  LossFunction(AnyLoss loss, const KernelTable& table)
      : loss_(std::move(loss)), kernels_(&table.losses[loss_index(loss_)]) {}

  bool is_quadratic() const { return std::holds_alternative<Squared>(loss_); }
  double smoothness() const {
    return std::visit([](const auto& loss) { return loss.smoothness(); }, loss_);
  }
  TargetDomain target_domain() const {
    return std::visit([](const auto& loss) { return loss.target_domain; }, loss_);
  }
  double value(double prediction, double target) const {
    return call([&](const auto& loss) { return loss.value(prediction, target); });
  }
  double derivative(double prediction, double target) const {
    return call([&](const auto& loss) { return loss.derivative(prediction, target); });
  }

  double dual_step(double z, double u, double q, double target) const {
    return call([&](const auto& loss) { return loss.dual_step(z, u, q, target); });
  }

  double value_sum(const double* z, const double* y, const double* s, std::size_t n) const {
    return kernels_->value_sum(address(), z, y, s, n);
  }
  void derivatives(const double* z, const double* y, double* out, std::size_t n) const {
    kernels_->derivatives(address(), z, y, out, n);
  }
  void curvatures(const double* z, const double* y, double* out, std::size_t n) const {
    kernels_->curvatures(address(), z, y, out, n);
  }
  double conjugate_sum(double scale, const double* u, const double* y, const double* s, std::size_t n) const {
    return kernels_->conjugate_sum(address(), scale, u, y, s, n);
  }

 private:
  const void* address() const {
    return std::visit([](const auto& loss) -> const void* { return &loss; }, loss_);
  }

  // std::visit goes through a table of pointers and cannot inline; this chain of compares always takes the same branch.
  template <class Function>
  double call(Function&& function) const {
    return call(function, std::make_index_sequence<std::variant_size_v<AnyLoss>>{});
  }
  template <class Function, std::size_t... Is>
  double call(Function& function, std::index_sequence<Is...>) const {
    double out = 0;
    static_cast<void>(((loss_.index() == Is ? (out = function(*std::get_if<Is>(&loss_)), true) : false) || ...));
    return out;
  }

  AnyLoss loss_;
  const LossKernels* kernels_;
};

}  // namespace finitesum
