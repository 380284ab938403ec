// Stochastic gradient descent on F(w, b) = (1/S) sum_i s_i l(x_i.w + b, y_i) + R(w): the steps and the epochs. A step
// is
//     w <- prox_{eta l1}((1 - eta l2) w - eta g),   g the mean over a batch of (n s_i / S) l'(z_i, y_i) x_i,
// n the number of rows with a positive weight; rows of weight zero are passed over. For unit weights and batches of one
// row it is scikit-learn's step, except that its L1 penalty lags (weights.hpp), that it holds back the intercept of
// sparse rows by a factor of 0.01, and that it does not divide by the mean weight.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "core/targets.hpp"
#include "losses/subgradient.hpp"
#include "sgd/gradient.hpp"
#include "sgd/options.hpp"
#include "sgd/row_order.hpp"
#include "sgd/rule_weights.hpp"
#include "sgd/schedule.hpp"
#include "sgd/weights.hpp"
#include "solvers/row_loop.hpp"

namespace finitesum {

template <class View>
struct SgdRows {
  const View& X;
  Targets y;
  const double* s;  // null: every weight is one

  double weight(std::size_t i) const { return s != nullptr ? s[i] : 1.0; }
};

template <class View>
class Descent {
 public:
  Descent(const KernelTable& table, const SgdRows<View>& rows, const SgdOptions& options, double to_mean,
          double n_counted)
      : rows_(rows),
        options_(options),
        loss_(options.loss, options.loss_parameter, table),
        l1_(options.alpha * options.l1_ratio),
        l2_(options.alpha * (1 - options.l1_ratio)),
        weights_(table, rows.X, options.average != Average::none, options.ball, options.radius),
        to_mean_(to_mean),
        n_counted_(n_counted),
        batch_size_(std::min(options.batch_size, rows.X.n_rows)),
        schedule_(
            options.schedule,
            Schedule::needs_smoothness(options.schedule) ? smoothness(table) : std::numeric_limits<double>::infinity(),
            static_cast<double>(options.max_iter) * steps_per_epoch()),
        order_(options.seed, rows.X.n_rows, options.order) {
    batch_.reserve(batch_size_);
    const AnyOptimizer rule = make_optimizer(options.optimizer, options.optimizer_options);
    if (!std::holds_alternative<Sgd>(rule)) {
      if (options.ball != Ball::none) throw std::invalid_argument("A projection goes with optimizer='sgd' only.");
      std::visit([&](const auto& of_rule) { check_rule(of_rule, rows.X.n_rows); }, rule);
      const bool is_decoupled = std::holds_alternative<Adamw>(rule);
      rule_ = make_rule_weights(table, rows.X, rule, {is_decoupled ? 0 : l2_, is_decoupled ? l2_ : 0, l1_});
      moved_.resize(rows.X.n_columns);
    }
    if (rule_ || options.clip != Clip::none) gradient_.emplace(table, rows.X);
  }

  double steps_per_epoch() const { return std::ceil(n_counted_ / static_cast<double>(batch_size_)); }
  Schedule& schedule() { return schedule_; }
  double step_size() const { return schedule_.rate(std::max(t_ - 1, 1.0)); }
  double t() const { return t_; }

  void start(const std::vector<double>& coef, double intercept) {
    weights_.set(coef);
    if (rule_) rule_->start(coef);
    intercept_ = intercept;
  }

  // False where the predictions have grown beyond all bounds: the mean loss exceeds `limit`, or is no number.
  bool run_epoch(std::uint64_t number, double limit, Control& control) {
    loss_sum_ = 0;
    limit_ = limit * n_counted_;
    is_lost_ = false;
    const bool begins_suffix = options_.average == Average::suffix && ((number + 1) & number) == 0;
    if (begins_suffix) forget_average();
    order_.begin(number);
    for_each_draw(
        rows_.X, weights_, order_, number, control, [&](std::size_t i) { rows_.y.prefetch(i); },
        [&](const Draw& draw) { visit(draw.row); });
    settle_losses();
    if (is_lost_) batch_.clear();
    if (!batch_.empty()) step();
    if (rule_) {
      rule_->read(moved_);
      weights_.set(moved_);
    }
    weights_.fold();
    survey();
    return !is_lost_ && std::isfinite(intercept_) && std::isfinite(penalty_);
  }

  // Over the epoch, each row's at the time of its draw.
  double mean_loss() const { return loss_sum_ / n_counted_; }
  // Of the epoch's last iterate.
  double penalty() const { return penalty_; }
  double nonzeros() const { return nonzeros_; }
  // (1/S) sum_i s_i l(z_i, y_i) of the present iterate.
  double loss_now() const {
    double sum = 0;
    for (std::size_t i = 0; i < rows_.X.n_rows; ++i) {
      const double weight = rows_.weight(i);
      if (weight > 0) sum += weight * loss_.value(weights_.predict(rows_.X.row(i)) + intercept_, rows_.y[i]);
    }
    return sum * to_mean_ / n_counted_;
  }

  double intercept() const { return intercept_; }
  const std::vector<double>& coefficients() const { return weights_.coefficients(); }
  bool has_average() const { return weights_.average_weight() > 0; }
  void forget_average() {
    weights_.forget_average();
    intercept_sum_ = 0;
  }
  // The average if there is one; writes the coefficients and returns the intercept.
  double result(std::vector<double>& coef) const {
    if (!has_average()) {
      coef = weights_.coefficients();
      return intercept_;
    }
    weights_.write_average(coef.data());
    return intercept_sum_ / weights_.average_weight();
  }

  void transfer(Archive& archive) {
    archive(t_);
    archive(intercept_);
    archive(intercept_sum_);
    weights_.transfer(archive);
    if (rule_) rule_->transfer(archive);
    schedule_.transfer(archive);
  }

 private:
  struct Term {
    std::size_t row;
    double factor;
  };
  // What a draw was predicted and its target, for the epoch's loss: the kernels want many at a time.
  struct Predictions {
    std::array<double, block_rows> z;
    std::array<double, block_rows> y;
    std::array<double, block_rows> weight;
    std::size_t size = 0;

    void push(double prediction, double target, double weight_of_row) {
      z[size] = prediction;
      y[size] = target;
      weight[size++] = weight_of_row;
    }
    bool is_full() const { return size == block_rows; }
  };

  void settle_losses() {
    loss_sum_ += loss_.value_sum(seen_.z.data(), seen_.y.data(), seen_.weight.data(), seen_.size);
    seen_.size = 0;
    is_lost_ = !(loss_sum_ <= limit_);
  }

  void visit(std::size_t i) {
    const double weight = rows_.weight(i) * to_mean_;
    if (is_lost_ || weight == 0) return;
    const auto x = rows_.X.row(i);
    const double z = (rule_ ? rule_->predict(x) : weights_.predict(x)) + intercept_;
    const double y = rows_.y[i];
    seen_.push(z, y, weight);
    if (seen_.is_full()) settle_losses();
    batch_.push_back({i, weight * loss_.derivative(z, y)});
    if (batch_.size() == batch_size_) step();
  }

  void step() {
    const double eta = schedule_.rate(t_);
    const double share = 1 / static_cast<double>(batch_.size());
    double of_intercept = 0;
    for (const Term& term : batch_) of_intercept += share * term.factor;
    if (gradient_) {
      gradient_->clear();
      for (const Term& term : batch_) gradient_->add(rows_.X.row(term.row), share * term.factor);
      clip_gradient(options_.clip, options_.clip_limit, gradient_->values(), of_intercept);
    }
    if (rule_) {
      double fixed = 0;
      rule_->step(eta, *gradient_, of_intercept, options_.fit_intercept ? intercept_ : fixed);
    } else {
      descend(eta, share, of_intercept);
    }
    if (options_.average != Average::none && t_ >= options_.average_start) {
      count(options_.average == Average::weighted ? t_ - options_.average_start + 1 : 1);
    }
    t_ += 1;
    batch_.clear();
  }

  template <class Rule>
  void check_rule(const Rule& rule, std::size_t n_rows) const {
    const std::string name = "optimizer '" + std::string(rule.name) + "' ";
    if (rule.full_batch && batch_size_ < n_rows)
      throw std::invalid_argument(name + "takes full batches: batch_size must be at least the number of samples.");
    if (!rule.has_length && l1_ > 0) throw std::invalid_argument(name + "takes no L1 penalty.");
  }

  // The penalty is no number where a coefficient is none, or infinite, even if there is no penalty.
  void survey() {
    const std::vector<double>& w = weights_.coefficients();
    penalty_ = 0;
    nonzeros_ = 0;
    for_each_block(w.size(), [&](std::size_t first, std::size_t count) {
      const double* part = w.data() + first;
      penalty_ +=
          chained_sum(count, [&](std::size_t j) { return 0.5 * l2_ * part[j] * part[j] + l1_ * math::abs(part[j]); });
      nonzeros_ += chained_sum(count, [&](std::size_t j) { return part[j] != 0 ? 1.0 : 0.0; });
    });
  }

  void descend(double eta, double share, double of_intercept) {
    weights_.decay(1 - eta * l2_);
    if (gradient_) {
      weights_.add(gradient_->row(), -eta);
    } else {
      for (const Term& term : batch_) {
        if (term.factor != 0) weights_.add(rows_.X.row(term.row), -eta * share * term.factor);
      }
    }
    weights_.threshold(eta * l1_);
    weights_.project();
    if (options_.fit_intercept) intercept_ -= eta * of_intercept;
  }

  void count(double gamma) {
    if (rule_) {
      rule_->read(moved_);
      weights_.count(gamma, moved_);
    } else {
      weights_.count(gamma);
    }
    intercept_sum_ += gamma * intercept_;
  }

  // The largest of a row's loss, with the penalty's.
  double smoothness(const KernelTable& table) const {
    double largest = 0;
    for (std::size_t i = 0; i < rows_.X.n_rows; ++i) {
      const auto x = rows_.X.row(i);
      const double square = squared_norm(table, x.values, x.size) + (options_.fit_intercept ? 1 : 0);
      largest = std::max(largest, rows_.weight(i) * to_mean_ * square);
    }
    return loss_.smoothness() * largest + l2_;
  }

  SgdRows<View> rows_;
  const SgdOptions& options_;
  SubgradientLoss loss_;
  double l1_;
  double l2_;
  Weights<View> weights_;
  std::optional<BatchGradient<View>> gradient_;  // where steps are not linear in it
  std::unique_ptr<RuleWeights<View>> rule_;      // null: plain descent
  std::vector<double> moved_;                    // by the rule
  double to_mean_;                               // n / S
  double n_counted_;
  std::size_t batch_size_;
  Schedule schedule_;
  EpochOrder order_;
  double t_ = 1;  // of the coming step
  double intercept_ = 0;
  double intercept_sum_ = 0;
  double loss_sum_ = 0;
  double limit_ = 0;
  double penalty_ = 0;
  double nonzeros_ = 0;
  Predictions seen_;
  bool is_lost_ = false;
  std::vector<Term> batch_;
};

}  // namespace finitesum
