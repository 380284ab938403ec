// The objective of stochastic gradient descent at any coefficients, by a pass over the rows.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "core/math.hpp"
#include "losses/subgradient.hpp"
#include "sgd/epoch_loss.hpp"
#include "sgd/options.hpp"
#include "sgd/rows.hpp"

namespace finitesum {

template <class View>
class SgdObjective {
 public:
  SgdObjective(const KernelTable& table, const SgdRows<View>& rows, const SgdOptions& options, double to_mean,
               double n_counted)
      : kernels_(row_kernels(table, rows.X)),
        rows_(rows),
        loss_(options.n_classes > 0 ? Logistic::name : options.loss, options.loss_parameter, table),
        softmax_(table.columns.softmax.softmax),
        l1_(options.alpha * options.l1_ratio),
        l2_(options.alpha * (1 - options.l1_ratio)),
        scale_(to_mean / n_counted),
        n_outputs_(options.n_classes > 0 ? options.n_classes : 1),
        z_((n_outputs_ + 3) / 4 * 4, -math::infinity),
        p_(z_.size()) {}

  // (1/S) sum_i s_i l(z_i, y_i); coefficients stand output by output.
  double loss(const std::vector<double>& coef, const std::vector<double>& intercepts) {
    return mean([&](std::size_t i, std::size_t k) {
      return dot(kernels_, rows_.X.row(i), coef.data() + k * rows_.X.n_columns) + intercepts[k];
    });
  }
  // With the penalty.
  double value(const std::vector<double>& coef, const std::vector<double>& intercepts) {
    const double penalty = chained_sum(
        coef.size(), [&](std::size_t j) { return 0.5 * l2_ * coef[j] * coef[j] + l1_ * math::abs(coef[j]); });
    return loss(coef, intercepts) + penalty;
  }
  double at_zero() {
    return mean([](std::size_t, std::size_t) { return 0.0; });
  }

 private:
  template <class Predict>
  double mean(const Predict& predict) {
    EpochLoss sum(loss_);
    sum.begin(math::infinity);
    for (std::size_t i = 0; i < rows_.X.n_rows; ++i) {
      const double weight = rows_.weight(i);
      if (weight == 0) continue;
      if (rows_.classes == nullptr) {
        sum.push(predict(i, 0), rows_.y[i], weight);
        continue;
      }
      for (std::size_t k = 0; k < n_outputs_; ++k) z_[k] = predict(i, k);
      sum.add(weight * softmax_(z_.data(), z_.size(), static_cast<std::size_t>(rows_.classes[i]), p_.data()));
    }
    sum.settle();
    return sum.sum() * scale_;
  }

  decltype(row_kernels(std::declval<const KernelTable&>(), std::declval<const View&>())) kernels_;
  SgdRows<View> rows_;
  SubgradientLoss loss_;
  decltype(SoftmaxKernels::softmax) softmax_;
  double l1_;
  double l2_;
  double scale_;
  std::size_t n_outputs_;
  std::vector<double> z_;  // padded as the kernel wants it
  std::vector<double> p_;
};

}  // namespace finitesum
