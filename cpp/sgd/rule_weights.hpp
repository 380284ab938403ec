// The coefficients where another rule than plain descent moves them (optimizers/any.hpp): coordinate by coordinate,
// with the rule's own slots. Dense rows go through the kernels, sparse ones through SparseIterate, which makes up for
// missed steps with the outcome of dense ones. The intercept is one more coordinate, which no penalty shrinks.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/table.hpp"
#include "optimizers/sparse_iterate.hpp"
#include "optimizers/visit.hpp"
#include "sgd/gradient.hpp"
#include "solvers/archive.hpp"

namespace finitesum {

template <class View>
class RuleWeights {
 public:
  virtual ~RuleWeights() = default;
  virtual double predict(typename View::Row x) = 0;
  // The next step, along a gradient on columns that predict() has met since the last one.
  virtual void step(double rate, const BatchGradient<View>& gradient, double of_intercept, double& intercept) = 0;
  // The same along factor x, x the row that predict() has just met.
  virtual void step(double rate, typename View::Row x, double factor, double& intercept) = 0;
  // Before a step along a batch, for rules that average squares of gradients: lets them average the mean of the rows'
  // squares instead of the square of the mean, larger by the variance among the rows.
  virtual void widen(const BatchGradient<View>&, double /*of_intercept*/) {}
  // Of a coming row.
  virtual void prefetch(typename View::Row) const {}
  // Forgets all but the coefficients.
  virtual void start(const std::vector<double>& coef) = 0;
  virtual void read(std::vector<double>& coef) = 0;
  // After the last step of an epoch, before read().
  virtual void end_epoch(double& /*intercept*/) {}
  virtual void transfer(Archive& archive) = 0;  // dense and sparse alike: the next rows may be of the other kind
};

// What, added to v before a step, makes it gamma v + (1 - gamma) (g^2 + variance) after it.
template <class Rule>
double variance_share(const Rule& rule, double variance) {
  return (1 - rule.gamma) / rule.gamma * variance;
}

template <class Rule>
class RuleIntercept {
 public:
  void step(const typename Rule::template Step<double>& step, double g, double& intercept) {
    update_coordinate<Rule, false>(step, DecayStep<double>{0, 1, 0}, g, intercept, slots_.data());
  }
  void widen(double share) { slots_[0] += share; }
  void start() { slots_.fill(0); }
  double& slot(std::size_t i) { return slots_[i]; }
  void transfer(Archive& archive) {
    for (double& slot : slots_) archive(slot);
  }

 private:
  std::array<double, most_slots> slots_{};
};

namespace detail {

template <class View, class Rule>
class RuleWeightsOf;

template <class T, class Rule>
class RuleWeightsOf<DenseView<T>, Rule> final : public RuleWeights<DenseView<T>> {
 public:
  RuleWeightsOf(const KernelTable& table, const DenseView<T>& X, const AnyOptimizer& any, const Rule& rule,
                const Decay& decay)
      : kernels_(dense<T>(table)),
        update_(decay.l1 == 0 ? table.optimizers.dense_f64[optimizer_index(any)].update
                              : table.optimizers.dense_f64[optimizer_index(any)].update_l1),
        rule_(rule),
        decay_(decay),
        w_(X.n_columns),
        gradient_(X.n_columns) {
    for (std::size_t i = 0; i < Rule::n_slots; ++i) {
      slots_[i].resize(X.n_columns);
      places_[i] = slots_[i].data();
    }
  }

  double predict(DenseRow<T> x) override { return kernels_.dot(x.values, w_.data(), x.size); }
  void step(double rate, const BatchGradient<DenseView<T>>& gradient, double of_intercept, double& intercept) override {
    step_along(rate, gradient.row().values, of_intercept, intercept);
  }
  void step(double rate, DenseRow<T> x, double factor, double& intercept) override {
    for (std::size_t j = 0; j < x.size; ++j) gradient_[j] = factor * double{x.values[j]};
    step_along(rate, gradient_.data(), factor, intercept);
  }
  void widen(const BatchGradient<DenseView<T>>& variance, double of_intercept) override {
    if constexpr (Rule::averages_squares) {
      for_each_entry(variance.row(), [&](std::size_t j, double g) { slots_[0][j] += variance_share(rule_, g); });
      intercept_.widen(variance_share(rule_, of_intercept));
    }
  }
  void start(const std::vector<double>& coef) override {
    w_ = coef;
    for (std::vector<double>& slot : slots_) std::fill(slot.begin(), slot.end(), 0.0);
    intercept_.start();
    n_steps_ = 0;
  }
  void read(std::vector<double>& coef) override { coef = w_; }
  void transfer(Archive& archive) override {
    archive.integer(n_steps_);
    for (std::size_t j = 0; j < w_.size(); ++j) {
      archive(w_[j]);
      for (std::size_t i = 0; i < Rule::n_slots; ++i) archive(slots_[i][j]);
    }
    intercept_.transfer(archive);
  }

  std::int64_t n_steps() const { return n_steps_; }
  // change(j, w_j, slots) for each coordinate, slots a function of their number.
  template <class Change>
  void change_each(const Change& change) {
    for (std::size_t j = 0; j < w_.size(); ++j) {
      change(j, w_[j], [&](std::size_t i) -> double& { return slots_[i][j]; });
    }
  }
  void step_along(double rate, const double* gradient, double of_intercept, double& intercept) {
    const auto step = rule_.template step<double>(rate, ++n_steps_);
    const DecayStep<double> decay = decay_.template step<double>(rate);
    update_(&step, &decay, gradient, w_.data(), places_.data(), w_.size());
    intercept_.step(step, of_intercept, intercept);
  }

 private:
  const DenseKernels<T>& kernels_;
  decltype(OptimizerKernels<double>::update) update_;
  Rule rule_;
  Decay decay_;
  std::vector<double> w_;
  std::array<std::vector<double>, most_slots> slots_;
  std::array<double*, most_slots> places_{};
  std::vector<double> gradient_;  // of a single row
  RuleIntercept<Rule> intercept_;
  std::int64_t n_steps_ = 0;
};

template <class T, class I, class Rule>
class RuleWeightsOf<CsrView<T, I>, Rule> final : public RuleWeights<CsrView<T, I>> {
 public:
  RuleWeightsOf(const KernelTable&, const CsrView<T, I>& X, const AnyOptimizer&, const Rule& rule, const Decay& decay)
      : rule_(rule), decay_(decay), iterate_(rule, decay, std::vector<double>(X.n_columns).data(), X.n_columns) {}

  double predict(SparseRow<T, I> x) override {
    double sum = 0;
    for (std::size_t k = 0; k < x.size; ++k)
      sum += double{x.values[k]} * iterate_.fetch(static_cast<std::size_t>(x.indices[k]));
    return sum;
  }
  void step(double rate, const BatchGradient<CsrView<T, I>>& gradient, double of_intercept,
            double& intercept) override {
    step_along(rate, gradient.row(), 1, of_intercept, intercept);
  }
  void step(double rate, SparseRow<T, I> x, double factor, double& intercept) override {
    step_along(rate, x, factor, factor, intercept);
  }
  void widen(const BatchGradient<CsrView<T, I>>& variance, double of_intercept) override {
    if constexpr (Rule::averages_squares) {
      for_each_entry(variance.row(),
                     [&](std::size_t j, double g) { iterate_.state(j)[1] += variance_share(rule_, g); });
      intercept_.widen(variance_share(rule_, of_intercept));
    }
  }
  void start(const std::vector<double>& coef) override {
    iterate_ = SparseIterate<Rule>(rule_, decay_, coef.data(), coef.size());
    intercept_.start();
  }
  void read(std::vector<double>& coef) override {
    iterate_.settle();
    for (std::size_t j = 0; j < coef.size(); ++j) coef[j] = iterate_.state(j)[0];
  }
  void transfer(Archive& archive) override {
    iterate_.settle();
    std::int64_t n_steps = iterate_.n_steps();
    archive.integer(n_steps);
    if (archive.is_loading()) {
      const std::vector<double> zero(iterate_.size());
      iterate_ = SparseIterate<Rule>(rule_, decay_, zero.data(), zero.size(), n_steps);
    }
    for (std::size_t j = 0; j < iterate_.size(); ++j) {
      for (std::size_t i = 0; i <= Rule::n_slots; ++i) archive(iterate_.state(j)[i]);
    }
    intercept_.transfer(archive);
  }

  std::int64_t n_steps() const { return iterate_.n_steps(); }
  template <class Change>
  void change_each(const Change& change) {
    iterate_.settle();
    for (std::size_t j = 0; j < iterate_.size(); ++j) {
      double* state = iterate_.state(j);
      change(j, state[0], [&](std::size_t i) -> double& { return state[1 + i]; });
    }
  }
  template <class Value>
  void step_along(double rate, SparseRow<Value, I> x, double factor, double of_intercept, double& intercept) {
    iterate_.begin_step(rate);
    for (std::size_t k = 0; k < x.size; ++k)
      iterate_.update(static_cast<std::size_t>(x.indices[k]), factor * double{x.values[k]});
    intercept_.step(rule_.template step<double>(rate, iterate_.n_steps()), of_intercept, intercept);
  }

 private:
  Rule rule_;
  Decay decay_;
  SparseIterate<Rule> iterate_;
  RuleIntercept<Rule> intercept_;
};

}  // namespace detail

}  // namespace finitesum
