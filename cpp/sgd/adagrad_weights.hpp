// AdaGrad on sparse rows, where no L2 part moves coordinates without a gradient: they stand still, but for the
// thresholds of L1, which are the same for all in units of 1 / sqrt(v + eps). So a coordinate carries the sum of the
// thresholds that it has been through instead of a time stamp, and makes up for any number of steps at once. Roots and
// quotients of a row are taken in a loop of their own, several at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "core/math.hpp"
#include "optimizers/adagrad.hpp"
#include "sgd/rule_weights.hpp"

namespace finitesum {

template <class T, class I, bool HasL1>
class AdagradWeights final : public RuleWeights<CsrView<T, I>> {
 public:
  AdagradWeights(const CsrView<T, I>& X, const Adagrad& rule, double l1)
      : rule_(rule), l1_(l1), root_(1.0, rule.eps, rule.eps_mode), coordinates_(X.n_columns) {
    std::size_t longest = 0;
    for (std::size_t i = 0; i < X.n_rows; ++i) longest = std::max(longest, X.row(i).size);
    resize(longest);
  }

  double predict(SparseRow<T, I> x) override {
    double sums[4] = {};
    const auto term = [&](std::size_t k) {
      return double{x.values[k]} * coefficient(coordinates_[static_cast<std::size_t>(x.indices[k])]);
    };
    std::size_t k = 0;
    for (; k + 4 <= x.size; k += 4) {
      for (std::size_t i = 0; i < 4; ++i) sums[i] += term(k + i);
    }
    for (; k < x.size; ++k) sums[0] += term(k);
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
  }
  void step(double rate, const BatchGradient<CsrView<T, I>>& gradient, double of_intercept,
            double& intercept) override {
    if (gradient.row().size > w_.size()) resize(gradient.row().size);
    step_along(rate, gradient.row(), 1, of_intercept, intercept);
  }
  void step(double rate, SparseRow<T, I> x, double factor, double& intercept) override {
    step_along(rate, x, factor, factor, intercept);
  }
  void prefetch(SparseRow<T, I> x) const override {
    for (std::size_t k = 0; k < x.size; ++k) __builtin_prefetch(&coordinates_[static_cast<std::size_t>(x.indices[k])]);
  }
  void start(const std::vector<double>& coef) override {
    for (std::size_t j = 0; j < coef.size(); ++j) {
      coordinates_[j] = {};
      coordinates_[j].w = coef[j];
      set_unit(coordinates_[j]);
    }
    level_ = 0;
    n_steps_ = 0;
    intercept_.start();
  }
  void read(std::vector<double>& coef) override {
    settle();
    for (std::size_t j = 0; j < coef.size(); ++j) coef[j] = coordinates_[j].w;
  }
  void transfer(Archive& archive) override {
    settle();
    archive.integer(n_steps_);
    for (auto& c : coordinates_) {
      archive(c.w);
      archive(c.v);
      set_unit(c);
    }
    intercept_.transfer(archive);
  }

 private:
  struct Still {
    double w = 0;
    double v = 0;
  };
  struct Shrinking {
    double w = 0;
    double v = 0;
    double unit = 0;  // 1 / sqrt(v + eps)
    double seen = 0;  // of level_
  };
  using Coordinate = std::conditional_t<HasL1, Shrinking, Still>;

  double coefficient(const Coordinate& c) const {
    if constexpr (HasL1) {
      return math::soft_threshold(c.w, (level_ - c.seen) * c.unit);
    } else {
      return c.w;
    }
  }
  void set_unit(Coordinate& c) const {
    if constexpr (HasL1) c.unit = 1 / root_(c.v);
  }
  void resize(std::size_t longest) {
    w_.resize(longest);
    v_.resize(longest);
    units_.resize(longest);
  }

  // Out of line and with `restrict`: only then are several taken at once.
  template <class Value>
  __attribute__((noinline)) static void move(Root<double> root, double rate, double factor,
                                             const Value* __restrict values, std::size_t size, double* __restrict w,
                                             double* __restrict v, double* __restrict units) {
    for (std::size_t k = 0; k < size; ++k) {
      const double g = factor * double{values[k]};
      v[k] += g * g;
      units[k] = 1 / root(v[k]);
      w[k] -= rate * units[k] * g;
    }
  }

  template <class Value>
  void step_along(double rate, SparseRow<Value, I> x, double factor, double of_intercept, double& intercept) {
    for (std::size_t k = 0; k < x.size; ++k) {
      const Coordinate& c = coordinates_[static_cast<std::size_t>(x.indices[k])];
      w_[k] = coefficient(c);
      v_[k] = c.v;
    }
    const double threshold = rate * l1_;
    level_ += threshold;
    move(root_, rate, factor, x.values, x.size, w_.data(), v_.data(), units_.data());
    for (std::size_t k = 0; k < x.size; ++k) {
      Coordinate& c = coordinates_[static_cast<std::size_t>(x.indices[k])];
      if constexpr (HasL1) {
        c = {math::soft_threshold(w_[k], threshold * units_[k]), v_[k], units_[k], level_};
      } else {
        c = {w_[k], v_[k]};
      }
    }
    intercept_.step(rule_.template step<double>(rate, ++n_steps_), of_intercept, intercept);
  }

  void settle() {
    if constexpr (HasL1) {
      for (Coordinate& c : coordinates_) {
        c.w = coefficient(c);
        c.seen = 0;
      }
    }
    level_ = 0;
  }

  Adagrad rule_;
  double l1_;
  Root<double> root_;
  std::vector<Coordinate> coordinates_;
  double level_ = 0;       // sum of the thresholds since the last settling
  std::vector<double> w_;  // of a row, packed, as are
  std::vector<double> v_;
  std::vector<double> units_;
  RuleIntercept<Adagrad> intercept_;
  std::int64_t n_steps_ = 0;
};

template <class View>
std::unique_ptr<RuleWeights<View>> make_rule_weights(const KernelTable& table, const View& X, const AnyOptimizer& any,
                                                     const Decay& decay) {
  return std::visit(
      [&](const auto& rule) -> std::unique_ptr<RuleWeights<View>> {
        using Rule = std::decay_t<decltype(rule)>;
        if constexpr (std::is_same_v<Rule, Adagrad> && View::is_sparse) {
          using T = typename View::Value;
          using I = typename View::Index;
          if (decay.l2 == 0 && rule.eps > 0) {
            if (decay.l1 == 0) return std::make_unique<AdagradWeights<T, I, false>>(X, rule, 0);
            return std::make_unique<AdagradWeights<T, I, true>>(X, rule, decay.l1);
          }
        }
        return std::make_unique<detail::RuleWeightsOf<View, Rule>>(table, X, any, rule, decay);
      },
      any);
}

}  // namespace finitesum
