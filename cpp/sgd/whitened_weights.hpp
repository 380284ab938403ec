// The coefficients where descent goes on in whitened coordinates (optimizers/whitening.hpp), the model being one linear
// map: an epoch of sparse rows costs the entries of the rows and, at the end of each stretch of fixed coordinates, the
// columns. All columns have -pull_j G_0 of a step's gradient in common, G_0 that of the intercept: w = v + pull S, and
// with a linear rule v moves by what the entries say, S by -G_0.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

#include "optimizers/whitening.hpp"
#include "sgd/rule_weights.hpp"

namespace finitesum {

template <class View, class Rule>
class WhitenedWeights final : public RuleWeights<View> {
 public:
  WhitenedWeights(const KernelTable& table, const View& X, const DescentRule& rule, const Decay& penalty,
                  bool has_intercept, std::size_t batch_size)
      : rule_(std::get<Rule>(rule.rule)),
        penalty_(penalty),
        whitening_(of_rows(*rule.whitening, batch_size), X.n_columns, 1.0, has_intercept),
        inner_(table, X, rule.rule, rule_, Decay{}) {}

  double predict(typename View::Row x) override {
    double pull = 0;
    whitening_.begin_batch(1);
    for_each_entry(x, [&](std::size_t j, double x_j) { whitening_.observe(j, x_j); });
    if constexpr (View::is_sparse) {
      for_each_entry(x, [&](std::size_t j, double x_j) { pull += whitening_.pull(j) * x_j; });
    }
    return inner_.predict(x) + shared_ * pull;
  }

  void step(double rate, const BatchGradient<View>& gradient, double of_intercept, double& intercept) override {
    step_along(rate, gradient.row(), 1, of_intercept, intercept);
  }
  void step(double rate, typename View::Row x, double factor, double& intercept) override {
    step_along(rate, x, factor, factor, intercept);
  }
  void prefetch(typename View::Row x) const override { inner_.prefetch(x); }

  // The statistics stay: they are of the rows, not of the coefficients.
  void start(const std::vector<double>& coef) override {
    inner_.start(coef);
    shared_ = 0;
    of_shared_.start();
    owed_ = 0;
  }
  void read(std::vector<double>& coef) override {
    fold();
    inner_.read(coef);
  }
  void end_epoch(double& intercept) override {
    fold();
    pay(intercept);
  }
  void transfer(Archive& archive) override {
    fold();
    for (std::vector<double>& values : whitening_.state()) {
      for (double& value : values) archive(value);
    }
    inner_.transfer(archive);
  }

 private:
  // A batch's share in the averages, row by row.
  static WhiteningOptions of_rows(WhiteningOptions options, std::size_t batch_size) {
    options.averaging /= static_cast<double>(batch_size);
    return options;
  }

  // Along the gradient factor x in w and of_intercept in b.
  template <class Row>
  void step_along(double rate, Row x, double factor, double of_intercept, double& intercept) {
    whitening_.refresh_if_new();
    double pull = -of_intercept * whitening_.mean_length();
    double square = of_intercept * of_intercept * (whitening_.mean_length() + whitening_.beta2());
    values_.resize(x.size);
    std::size_t place = 0;
    for_each_entry(x, [&](std::size_t j, double x_j) {
      const double g = factor * x_j;
      const double scaled = whitening_.scale()[j] * g;
      pull += whitening_.mean()[j] * scaled;
      square += scaled * (g - 2 * whitening_.mean()[j] * of_intercept);
      values_[place++] = View::is_sparse ? scaled : scaled - whitening_.pull(j) * of_intercept;
    });
    if (whitening_.takes_squares()) {
      whitening_.take_square(square);
      rate *= whitening_.length_factor(whitening_.square());
    }
    owed_ += rate;
    move(rate, x, whitening_.beta2() * of_intercept - pull, of_intercept, intercept);
    if (!is_due(whitening_.options(), inner_.n_steps())) return;
    fold();
    pay(intercept);
    whitening_.refresh();
  }

  template <class T>
  void move(double rate, DenseRow<T> /*x*/, double of_intercept, double /*of_shared*/, double& intercept) {
    inner_.step_along(rate, values_.data(), of_intercept, intercept);
  }
  template <class T, class I>
  void move(double rate, SparseRow<T, I> x, double of_intercept, double of_shared, double& intercept) {
    inner_.step_along(rate, SparseRow<double, I>{values_.data(), x.indices, x.size}, 1.0, of_intercept, intercept);
    of_shared_.step(rule_.template step<double>(rate, inner_.n_steps()), -of_shared, shared_);
  }

  void fold() {
    if (!View::is_sparse) return;
    inner_.change_each([&](std::size_t j, double& w, const auto& slot) {
      w += whitening_.pull(j) * shared_;
      for (std::size_t i = 0; i != Rule::n_slots; ++i) slot(i) += whitening_.pull(j) * of_shared_.slot(i);
    });
    shared_ = 0;
    of_shared_.start();
  }

  // The penalty of the steps since it was paid last: one proximal step at a fixed output at x = mu.
  void pay(double& intercept) {
    if (owed_ > 0 && (penalty_.l1 > 0 || penalty_.l2 > 0)) {
      inner_.change_each([&](std::size_t j, double& w, const auto&) {
        const double before = w;
        const double length = owed_ * whitening_.scale()[j];
        w = math::soft_threshold(w, length * penalty_.l1) / (1 + length * penalty_.l2);
        intercept += whitening_.mean()[j] * (before - w);
      });
    }
    owed_ = 0;
  }

  Rule rule_;
  Decay penalty_;
  Whitening whitening_;
  detail::RuleWeightsOf<View, Rule> inner_;  // v
  double shared_ = 0;                        // S
  RuleIntercept<Rule> of_shared_;            // its slots
  std::vector<double> values_;               // the rescaled gradient's entries
  double owed_ = 0;                          // sum of the rates
};

template <class View>
std::unique_ptr<RuleWeights<View>> make_whitened_weights(const KernelTable& table, const View& X,
                                                         const DescentRule& rule, const Decay& penalty,
                                                         bool has_intercept, std::size_t batch_size) {
  if (std::holds_alternative<Momentum>(rule.rule)) {
    return std::make_unique<WhitenedWeights<View, Momentum>>(table, X, rule, penalty, has_intercept, batch_size);
  }
  return std::make_unique<WhitenedWeights<View, Sgd>>(table, X, rule, penalty, has_intercept, batch_size);
}

}  // namespace finitesum
