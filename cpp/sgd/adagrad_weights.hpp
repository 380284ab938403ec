// AdaGrad on sparse rows, where no L2 part moves coordinates without a gradient: they stand still, but for the
// thresholds of L1, which are the same for all in units of 1 / sqrt(v + eps). As in weights.hpp a level holds their
// sum, so that a coordinate makes up for any number of steps at once: within an epoch it is kept as (u, s) of
// kernels/table.hpp instead of (w, v), in the same two numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "core/large_pages.hpp"
#include "core/math.hpp"
#include "kernels/table.hpp"
#include "optimizers/adagrad.hpp"
#include "sgd/projected_weights.hpp"
#include "sgd/rule_weights.hpp"

namespace finitesum {

template <class T, class I, bool HasL1>
class AdagradWeights final : public RuleWeights<CsrView<T, I>> {
 public:
  AdagradWeights(const KernelTable& table, const CsrView<T, I>& X, const Adagrad& rule, double l1)
      : table_(table), rule_(rule), l1_(l1), root_(1.0, rule.eps, rule.eps_mode), coordinates_(X.n_columns) {}

  double predict(SparseRow<T, I> x) override {
    begin();
    const AdagradStep at{0, root_.inside, root_.outside, level_};
    return kernels<T>().dot[HasL1](x.values, x.indices, x.size, coordinates_.data(), &at);
  }
  void step(double rate, const BatchGradient<CsrView<T, I>>& gradient, double of_intercept,
            double& intercept) override {
    step_along(rate, gradient.row(), 1, of_intercept, intercept);
  }
  void step(double rate, SparseRow<T, I> x, double factor, double& intercept) override {
    step_along(rate, x, factor, factor, intercept);
  }
  void prefetch(SparseRow<T, I> x) const override {
    for (std::size_t k = 0; k < x.size; ++k) __builtin_prefetch(&coordinates_[static_cast<std::size_t>(x.indices[k])]);
  }
  void start(const std::vector<double>& coef) override {
    for (std::size_t j = 0; j < coef.size(); ++j) coordinates_[j] = {coef[j], 0};
    has_begun_ = false;
    level_ = 0;
    n_steps_ = 0;
    intercept_.start();
  }
  void read(std::vector<double>& coef) override {
    for (std::size_t j = 0; j < coef.size(); ++j) coef[j] = coefficient(coordinates_[j]);
  }
  void end_epoch(double& /*intercept*/) override { settle(); }
  void transfer(Archive& archive) override {
    settle();
    archive.integer(n_steps_);
    for (AdagradCoordinate& c : coordinates_) {
      archive(c.first);
      archive(c.second);
    }
    intercept_.transfer(archive);
  }

 private:
  template <class Value>
  const AdagradKernels<Value, I>& kernels() const {
    return sparse_of<Value, I>(table_.adagrad);
  }

  void begin() {
    if (!HasL1 || has_begun_) return;
    for (AdagradCoordinate& c : coordinates_) {
      const double s = math::sqrt(c.second + root_.inside);
      c = {c.first * (s + root_.outside), s};
    }
    has_begun_ = true;
  }
  void settle() {
    if (!has_begun_) return;
    for (AdagradCoordinate& c : coordinates_) {
      const double v = math::max(c.second * c.second - root_.inside, 0.0);
      c = {coefficient(c), v};
    }
    has_begun_ = false;
    level_ = 0;
  }
  double coefficient(const AdagradCoordinate& c) const {
    return has_begun_ ? math::soft_threshold(c.first, level_) / (c.second + root_.outside) : c.first;
  }

  template <class Value>
  void step_along(double rate, SparseRow<Value, I> x, double factor, double of_intercept, double& intercept) {
    const AdagradStep step{rate, root_.inside, root_.outside, level_};
    kernels<Value>().step[HasL1](x.values, x.indices, x.size, coordinates_.data(), &step, factor);
    level_ += rate * l1_;
    intercept_.step(rule_.template step<double>(rate, ++n_steps_), of_intercept, intercept);
  }

  const KernelTable& table_;
  Adagrad rule_;
  double l1_;
  Root<double> root_;
  LargeVector<AdagradCoordinate> coordinates_;
  bool has_begun_ = false;  // the epoch; never without L1
  double level_ = 0;        // sum of its thresholds
  RuleIntercept<Adagrad> intercept_;
  std::int64_t n_steps_ = 0;
};

template <class View>
std::unique_ptr<RuleWeights<View>> make_rule_weights(const KernelTable& table, const View& X, const AnyOptimizer& any,
                                                     const Decay& decay, Ball ball, double radius) {
  return std::visit(
      [&](const auto& rule) -> std::unique_ptr<RuleWeights<View>> {
        using Rule = std::decay_t<decltype(rule)>;
        if (ball != Ball::none) return std::make_unique<ProjectedWeights<View, Rule>>(X, rule, decay, ball, radius);
        if constexpr (std::is_same_v<Rule, Adagrad> && View::is_sparse) {
          using T = typename View::Value;
          using I = typename View::Index;
          if (decay.l2 == 0 && rule.eps > 0) {
            if (decay.l1 == 0) return std::make_unique<AdagradWeights<T, I, false>>(table, X, rule, 0);
            return std::make_unique<AdagradWeights<T, I, true>>(table, X, rule, decay.l1);
          }
        }
        return std::make_unique<detail::RuleWeightsOf<View, Rule>>(table, X, any, rule, decay);
      },
      any);
}

}  // namespace finitesum
