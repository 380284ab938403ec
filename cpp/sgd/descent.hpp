// Stochastic gradient descent on F(w, b) = (1/S) sum_i s_i l(x_i.w + b, y_i) + R(w): the steps and the epochs. A step
// is
//     w <- prox_{eta l1}((1 - eta l2) w - eta g),   g the mean over a batch of (n s_i / S) l'(z_i, y_i) x_i,
// n the number of rows with a positive weight; rows of weight zero are passed over. For unit weights and batches of one
// row it is scikit-learn's step, except that its L1 penalty lags (weights.hpp), that it holds back the intercept of
// sparse rows by a factor of 0.01, and that it does not divide by the mean weight.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "core/targets.hpp"
#include "losses/subgradient.hpp"
#include "sgd/adagrad_weights.hpp"
#include "sgd/epoch_loss.hpp"
#include "sgd/gradient.hpp"
#include "sgd/options.hpp"
#include "sgd/row_order.hpp"
#include "sgd/rows.hpp"
#include "sgd/schedule.hpp"
#include "sgd/weights.hpp"
#include "sgd/whitened_weights.hpp"
#include "solvers/row_loop.hpp"

namespace finitesum {

// With several classes the loss is log sum_k exp(z_k) - z_y, the outputs share draws and steps, and a gradient's norm
// is that of all; a projection is each output's own. Coefficients stand output by output.
template <class View>
class Descent {
 public:
  Descent(const KernelTable& table, const SgdRows<View>& rows, const SgdOptions& options, double to_mean,
          double n_counted)
      : rows_(rows),
        options_(options),
        loss_(options.n_classes > 0 ? Logistic::name : options.loss, options.loss_parameter, table),
        softmax_(table.columns.softmax.softmax),
        l1_(options.alpha * options.l1_ratio),
        l2_(options.alpha * (1 - options.l1_ratio)),
        n_outputs_(std::max<std::size_t>(options.n_classes, 1)),
        to_mean_(to_mean),
        n_counted_(n_counted),
        batch_size_(std::min(options.batch_size, rows.X.n_rows)),
        schedule_(
            options.schedule,
            Schedule::needs_smoothness(options.schedule) ? smoothness(table) : std::numeric_limits<double>::infinity(),
            static_cast<double>(options.max_iter) * steps_per_epoch()),
        order_(options.seed, rows.X.n_rows, options.order),
        intercepts_(n_outputs_),
        intercept_sums_(n_outputs_),
        of_intercepts_(n_outputs_),
        z_((n_outputs_ + 3) / 4 * 4, -std::numeric_limits<double>::infinity()),
        p_(z_.size()) {
    const auto [rule, whitening] =
        make_descent_rule(options.optimizer, options.optimizer_options, WhiteningOptions::of_data());
    const bool is_plain = std::holds_alternative<Sgd>(rule) && !whitening;
    std::visit([&](const auto& of_rule) { check_rule(of_rule, rows.X.n_rows); }, rule);
    if (whitening && options.ball != Ball::none)
      throw std::invalid_argument("optimizer 'whitening' takes no projection.");
    if (!is_plain) moved_.resize(rows.X.n_columns);
    const bool follows_gradients = Schedule::follows_gradients(options.schedule);
    if (follows_gradients && (!is_plain || l1_ > 0 || options.ball == Ball::l1)) {
      throw std::invalid_argument(
          "learning_rate='dog' goes with optimizer='sgd', without an L1 penalty and without a projection onto the L1 "
          "ball.");
    }
    const bool is_decoupled = std::holds_alternative<Adamw>(rule);
    const Decay decay{is_decoupled ? 0 : l2_, is_decoupled ? l2_ : 0, l1_};
    batch_.reserve(batch_size_);
    factors_.reserve(batch_size_ * n_outputs_);
    const bool measures = follows_gradients && options.ball == Ball::none;  // a ball that holds all keeps the norm
    const Ball ball = measures ? Ball::l2 : options.ball;
    const double radius = measures ? math::infinity : options.radius;
    for (std::size_t k = 0; k < n_outputs_; ++k) {
      weights_.emplace_back(table, rows.X, options.average != Average::none, ball, radius);
      if (whitening) {
        rules_.push_back(
            make_whitened_weights(table, rows.X, {rule, whitening}, decay, options.fit_intercept, batch_size_));
      } else if (!is_plain) {
        rules_.push_back(make_rule_weights(table, rows.X, rule, decay, options.ball, options.radius));
      }
      if (!is_plain || options.clip != Clip::none || follows_gradients) gradients_.emplace_back(table, rows.X);
      if (options.per_example) variances_.emplace_back(table, rows.X);
    }
    is_direct_ = batch_size_ == 1 && options.clip == Clip::none && !follows_gradients;
  }

  // The entries of a coming row in the coefficients: where these take eight bytes each they mostly lie in the
  // second-level cache, and waiting costs less than asking.
  void prefetch(typename View::Row x) const {
    if (!rules_.empty()) rules_[0]->prefetch(x);
  }

  std::size_t n_outputs() const { return n_outputs_; }
  double steps_per_epoch() const {
    return static_cast<double>(options_.n_passes) * std::ceil(n_counted_ / static_cast<double>(batch_size_));
  }
  Schedule& schedule() { return schedule_; }
  double step_size() const { return schedule_.rate(std::max(t_ - 1, 1.0)); }
  double t() const { return t_; }

  void start(const std::vector<double>& coef, const std::vector<double>& intercepts) {
    for (std::size_t k = 0; k < n_outputs_; ++k) {
      const double* part = coef.data() + k * rows_.X.n_columns;
      weights_[k].set(part);
      if (!rules_.empty()) {
        moved_.assign(part, part + rows_.X.n_columns);
        rules_[k]->start(moved_);
      }
    }
    intercepts_ = intercepts;
  }

  // False where the predictions have grown beyond all bounds: the mean loss exceeds `limit`, or is no number.
  bool run_epoch(std::uint64_t number, double limit, Control& control) {
    losses_.begin(limit * n_draws());
    const bool begins_suffix = options_.average == Average::suffix && ((number + 1) & number) == 0;
    if (begins_suffix) forget_average();
    for (std::size_t pass = 0; pass < options_.n_passes && !losses_.is_lost() && !control.stopped(); ++pass)
      run_pass(number * options_.n_passes + pass, control);
    summary_ = {};
    bool is_finite = !losses_.is_lost();
    for (std::size_t k = 0; k < n_outputs_; ++k) {
      if (!rules_.empty()) {
        double fixed = 0;
        rules_[k]->end_epoch(options_.fit_intercept ? intercepts_[k] : fixed);
        rules_[k]->read(moved_);
        weights_[k].set(moved_.data());
      }
      weights_[k].fold();
      const auto of_output = weights_[k].summary(l1_, l2_);
      summary_.penalty += of_output.penalty;
      summary_.nonzeros += of_output.nonzeros;
      is_finite = is_finite && std::isfinite(intercepts_[k]);
    }
    return is_finite && std::isfinite(summary_.penalty);
  }

  // Over the epoch, each row's at the time of its draw.
  double mean_loss() const { return losses_.sum() / n_draws(); }
  double peak_loss() const { return losses_.peak(); }
  // Of the epoch's last iterate.
  double penalty() const { return summary_.penalty; }
  double nonzeros() const { return summary_.nonzeros; }
  void forget_average() {
    for (Weights<View>& weights : weights_) weights.forget_average();
    std::fill(intercept_sums_.begin(), intercept_sums_.end(), 0.0);
  }
  // Between two epochs.
  void read(std::vector<double>& coef, std::vector<double>& intercepts) const {
    for (std::size_t k = 0; k < n_outputs_; ++k) weights_[k].read(coef.data() + k * rows_.X.n_columns);
    intercepts = intercepts_;
  }
  // The average if there is one.
  void read_result(std::vector<double>& coef, std::vector<double>& intercepts) const {
    const double weight = weights_.front().average_weight();
    if (weight == 0) return read(coef, intercepts);
    for (std::size_t k = 0; k < n_outputs_; ++k) {
      weights_[k].write_average(coef.data() + k * rows_.X.n_columns);
      intercepts[k] = intercept_sums_[k] / weight;
    }
  }

  void transfer(Archive& archive) {
    archive(t_);
    archive(intercepts_);
    archive(intercept_sums_);
    for (Weights<View>& weights : weights_) weights.transfer(archive);
    for (const auto& rule : rules_) rule->transfer(archive);
    schedule_.transfer(archive);
  }

 private:
  double n_draws() const { return n_counted_ * static_cast<double>(options_.n_passes); }

  void run_pass(std::uint64_t number, Control& control) {
    order_.begin(number);
    for_each_draw(
        rows_.X, *this, order_, number, control, [&](std::size_t i) { rows_.y.prefetch(i); },
        [&](const Draw& draw) { visit(draw.row); }, n_outputs_);
    losses_.settle();
    if (losses_.is_lost()) clear_batch();
    if (!batch_.empty()) step();
  }

  double predict(std::size_t k, typename View::Row x) {
    return (rules_.empty() ? weights_[k].predict(x) : rules_[k]->predict(x)) + intercepts_[k];
  }

  // The loss of row i at z_; leaves the probabilities in p_.
  double multinomial(std::size_t i) {
    return softmax_(z_.data(), z_.size(), static_cast<std::size_t>(rows_.classes[i]), p_.data());
  }

  void visit(std::size_t i) {
    const double weight = rows_.weight(i) * to_mean_;
    if (losses_.is_lost() || weight == 0) return;
    const auto x = rows_.X.row(i);
    if (rows_.classes == nullptr) {
      const double z = predict(0, x);
      const double y = rows_.y[i];
      losses_.push(z, y, weight);
      const double factor = weight * loss_.derivative(z, y);
      if (is_direct_) return step_along(x, factor);
      factors_.push_back(factor);
    } else {
      for (std::size_t k = 0; k < n_outputs_; ++k) z_[k] = predict(k, x);
      losses_.add(weight * multinomial(i));
      p_[static_cast<std::size_t>(rows_.classes[i])] -= 1;
      for (std::size_t k = 0; k < n_outputs_; ++k) factors_.push_back(weight * p_[k]);
    }
    batch_.push_back(i);
    if (batch_.size() == batch_size_) step();
  }

  void clear_batch() {
    batch_.clear();
    factors_.clear();
  }

  void step() {
    const double share = 1 / static_cast<double>(batch_.size());
    for (std::size_t k = 0; k < n_outputs_; ++k) {
      double sum = 0;
      for (std::size_t m = k; m < factors_.size(); m += n_outputs_) sum += share * factors_[m];
      of_intercepts_[k] = sum;
    }
    if (!gradients_.empty()) find_gradients(share);
    if (Schedule::follows_gradients(options_.schedule)) observe();
    const double eta = schedule_.rate(t_);
    for (std::size_t k = 0; k < n_outputs_; ++k) {
      if (rules_.empty()) {
        descend(k, eta, [&](Weights<View>& weights) { add_batch(k, weights, eta, share); });
      } else {
        double fixed = 0;
        rules_[k]->step(eta, gradients_[k], of_intercepts_[k], options_.fit_intercept ? intercepts_[k] : fixed);
      }
    }
    end_step();
    clear_batch();
  }

  // The plain step on a single row, without the detour of a batch: a third less time where rows are short.
  void step_along(typename View::Row x, double factor) {
    const double eta = schedule_.rate(t_);
    if (!rules_.empty()) {
      double fixed = 0;
      rules_[0]->step(eta, x, factor, options_.fit_intercept ? intercepts_[0] : fixed);
      return end_step();
    }
    of_intercepts_[0] = factor;
    descend(0, eta, [&](Weights<View>& weights) {
      if (factor != 0) weights.add(x, -eta, factor);
    });
    end_step();
  }

  // Of iterate k, counted from the one that the average begins with.
  double share_in_average(double k) const {
    if (options_.average == Average::weighted) return k;
    double share = 1;
    for (int i = 0; options_.average == Average::polynomial && i < 8; ++i) share *= (k + i) / (1 + i);
    return share;
  }

  // Norms count all outputs and intercepts as one vector.
  void observe() {
    double gradient_square = 0;
    double norm_square = 0;
    for (std::size_t k = 0; k < n_outputs_; ++k) {
      const std::vector<double>& g = gradients_[k].values();
      gradient_square += chained_sum(g.size(), [&](std::size_t j) { return g[j] * g[j]; });
      norm_square += weights_[k].norm() * weights_[k].norm();
      if (!options_.fit_intercept) continue;
      gradient_square += of_intercepts_[k] * of_intercepts_[k];
      norm_square += intercepts_[k] * intercepts_[k];
    }
    schedule_.observe(gradient_square, std::sqrt(norm_square));
  }

  void find_gradients(double share) {
    for (std::size_t k = 0; k < n_outputs_; ++k) {
      gradients_[k].clear();
      for (std::size_t m = 0; m < batch_.size(); ++m)
        gradients_[k].add(rows_.X.row(batch_[m]), share * factors_[m * n_outputs_ + k]);
    }
    for (std::size_t k = 0; k < variances_.size(); ++k) widen(k, share);
    clip_gradients(options_.clip, options_.clip_limit, gradients_, of_intercepts_);
  }

  // Rows of weight s count as s rows: s (l' x)^2.
  void widen(std::size_t k, double share) {
    const double of_intercept = find_variance(variances_[k], gradients_[k], of_intercepts_[k], [&](const auto& add) {
      for (std::size_t m = 0; m < batch_.size(); ++m) {
        const double factor = factors_[m * n_outputs_ + k];
        add(rows_.X.row(batch_[m]), share * factor * (factor / (rows_.weight(batch_[m]) * to_mean_)));
      }
    });
    rules_[k]->widen(variances_[k], of_intercept);
  }

  void add_batch(std::size_t k, Weights<View>& weights, double eta, double share) {
    if (!gradients_.empty()) return weights.add(gradients_[k].row(), -eta, 1);
    for (std::size_t m = 0; m < batch_.size(); ++m) {
      const double factor = factors_[m * n_outputs_ + k];
      if (factor != 0) weights.add(rows_.X.row(batch_[m]), -eta * share, factor);
    }
  }

  template <class Add>
  void descend(std::size_t k, double eta, Add&& add) {
    Weights<View>& weights = weights_[k];
    weights.decay(1 - eta * l2_);
    add(weights);
    weights.threshold(eta * l1_);
    weights.project();
    if (options_.fit_intercept) intercepts_[k] -= eta * of_intercepts_[k];
  }

  void end_step() {
    const bool counts = options_.average != Average::none && t_ >= options_.average_start;
    const double gamma = share_in_average(t_ - options_.average_start + 1);
    for (std::size_t k = 0; counts && k < n_outputs_; ++k) count(k, gamma);
    t_ += 1;
  }

  void count(std::size_t k, double gamma) {
    if (rules_.empty()) {
      weights_[k].count(gamma);
    } else {
      rules_[k]->read(moved_);
      weights_[k].count(gamma, moved_);
    }
    intercept_sums_[k] += gamma * intercepts_[k];
  }

  template <class Rule>
  void check_rule(const Rule& rule, std::size_t n_rows) const {
    const std::string name = "optimizer '" + std::string(rule.name) + "' ";
    if (rule.full_batch && batch_size_ < n_rows)
      throw std::invalid_argument(name + "takes full batches: batch_size must be at least the number of samples.");
    if (!rule.has_length && l1_ > 0) throw std::invalid_argument(name + "takes no L1 penalty.");
    if (!rule.has_length && options_.ball != Ball::none) {
      throw std::invalid_argument(name +
                                  "takes no projection: its steps have no length per unit of gradient, in whose "
                                  "metric a point would be the nearest.");
    }
    if (options_.per_example && rule.gamma == 0)
      throw std::invalid_argument("per_example goes with rmsprop and rmsprop_centered, with a positive gamma.");
  }

  double smoothness(const KernelTable& table) const {
    constexpr double of_softmax = 0.5;
    const bool takes_all = options_.order != RowOrder::iid && static_cast<double>(batch_size_) >= n_counted_;
    const RowSquares squares = weighted_squares(table, rows_, to_mean_, options_.fit_intercept);
    return (options_.n_classes > 0 ? of_softmax : loss_.smoothness()) *
               (takes_all ? squares.sum / n_counted_ : squares.largest) +
           l2_;
  }

  SgdRows<View> rows_;
  const SgdOptions& options_;
  SubgradientLoss loss_;
  EpochLoss losses_{loss_};
  decltype(SoftmaxKernels::softmax) softmax_;
  double l1_;
  double l2_;
  std::size_t n_outputs_;
  double to_mean_;  // n / S
  double n_counted_;
  std::size_t batch_size_;
  Schedule schedule_;
  EpochOrder order_;
  std::vector<Weights<View>> weights_;
  std::vector<BatchGradient<View>> gradients_;             // empty where steps are linear in them
  std::vector<BatchGradient<View>> variances_;             // among a batch's rows; empty where no rule asks
  std::vector<std::unique_ptr<RuleWeights<View>>> rules_;  // empty: plain descent
  std::vector<double> moved_;                              // by a rule
  double t_ = 1;                                           // of the coming step
  std::vector<double> intercepts_;
  std::vector<double> intercept_sums_;
  std::vector<double> of_intercepts_;  // the gradient's
  std::vector<double> z_;              // of a row with classes, padded as the kernel wants it, and its probabilities
  std::vector<double> p_;
  bool is_direct_;
  typename Weights<View>::Summary summary_;
  std::vector<std::size_t> batch_;
  std::vector<double> factors_;  // weight times derivative, row by row
};

}  // namespace finitesum
