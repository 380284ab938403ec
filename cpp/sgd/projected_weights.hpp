// The coefficients where another rule than plain descent moves them and they have to stay in a ball. A step is the
// rule's own, with its penalty, and then the point of the ball that is nearest in the metric of the step,
//     min over |w| <= B of sum_j (w_j - v_j)^2 / (2 d_j),   d_j the step's length per unit of gradient
// (Duchi, Hazan and Singer, JMLR 12 (2011), eq. 3): the Euclidean nearest one would have fixed points other than the
// minimum over the ball. After L1's prox in that metric this is the prox of both at once. All coordinates take part in
// each step, those that a sparse row does not touch, too.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "sgd/rule_weights.hpp"

namespace finitesum {

// The multiplier of |w|^2 / 2 <= B^2 / 2, w_j = v_j / (1 + multiplier d_j), by Newton's method on B / |w|, which is
// concave in the multiplier: it approaches from below (More and Sorensen, SIAM J. Sci. Stat. Comput. 4 (1983)).
inline double l2_multiplier(double radius, const std::vector<double>& d, const std::vector<double>& v) {
  double multiplier = 0;
  for (int i = 0; i < 64; ++i) {
    double square = 0;
    double slope = 0;
    for (std::size_t j = 0; j < v.size(); ++j) {
      const double shrunk = 1 + multiplier * d[j];
      const double w = v[j] / shrunk;
      square += w * w;
      slope += w * w * d[j] / shrunk;
    }
    const double next = multiplier + (std::sqrt(square) / radius - 1) * (square / slope);
    if (!(next > multiplier) || !std::isfinite(next)) break;
    multiplier = next;
  }
  return multiplier;
}

// That of |w|_1 <= B, w_j = soft(v_j, multiplier d_j), from below as well: a root of the line on which the coordinates
// that are left lie, until none is left out any more.
inline double l1_multiplier(double radius, const std::vector<double>& d, const std::vector<double>& v) {
  double multiplier = 0;
  for (std::size_t kept = v.size() + 1;;) {
    double sum = 0;
    double lengths = 0;
    std::size_t n = 0;
    for (std::size_t j = 0; j < v.size(); ++j) {
      if (math::abs(v[j]) <= multiplier * d[j]) continue;
      sum += math::abs(v[j]);
      lengths += d[j];
      ++n;
    }
    if (n == 0 || n >= kept) return multiplier;
    kept = n;
    multiplier = math::max((sum - radius) / lengths, 0.0);
  }
}

// Coordinates without a length, which no gradient has moved yet, count as the longest; all alike where none has one.
inline void project_in_metric(Ball ball, double radius, std::vector<double>& d, std::vector<double>& w) {
  const auto norm = [&] {
    const double sum =
        chained_sum(w.size(), [&](std::size_t j) { return ball == Ball::l1 ? math::abs(w[j]) : w[j] * w[j]; });
    return ball == Ball::l1 ? sum : std::sqrt(sum);
  };
  const double before = norm();
  if (!(before > radius) || !std::isfinite(before)) return;
  const double longest = *std::max_element(d.begin(), d.end());
  for (double& length : d) length = longest > 0 ? (length > 0 ? length / longest : 1) : 1;
  const double multiplier = (ball == Ball::l1 ? l1_multiplier : l2_multiplier)(radius, d, w);
  for (std::size_t j = 0; j < w.size(); ++j)
    w[j] = ball == Ball::l1 ? math::soft_threshold(w[j], multiplier * d[j]) : w[j] / (1 + multiplier * d[j]);
  const double after = norm();  // above the radius by roundings
  for (std::size_t j = 0; after > radius && j < w.size(); ++j) w[j] *= radius / after;
}

template <class View, class Rule>
class ProjectedWeights final : public RuleWeights<View> {
 public:
  using Row = typename View::Row;

  ProjectedWeights(const View& X, const Rule& rule, const Decay& decay, Ball ball, double radius)
      : rule_(rule),
        decay_(decay),
        ball_(ball),
        radius_(radius),
        w_(X.n_columns),
        slots_(X.n_columns * Rule::n_slots),
        gradient_(X.n_columns),
        lengths_(X.n_columns) {}

  double predict(Row x) override {
    double sum = 0;
    for_each_entry(x, [&](std::size_t j, double x_j) { sum += x_j * w_[j]; });
    return sum;
  }
  void step(double rate, const BatchGradient<View>& gradient, double of_intercept, double& intercept) override {
    step_along(rate, gradient.row(), 1, of_intercept, intercept);
  }
  void step(double rate, Row x, double factor, double& intercept) override {
    step_along(rate, x, factor, factor, intercept);
  }
  void widen(const BatchGradient<View>& variance, double of_intercept) override {
    if constexpr (Rule::averages_squares) {
      for_each_entry(variance.row(),
                     [&](std::size_t j, double g) { slots_[j * Rule::n_slots] += variance_share(rule_, g); });
      intercept_.widen(variance_share(rule_, of_intercept));
    }
  }
  void start(const std::vector<double>& coef) override {
    w_ = coef;
    std::fill(slots_.begin(), slots_.end(), 0.0);
    intercept_.start();
    n_steps_ = 0;
  }
  void read(std::vector<double>& coef) override { coef = w_; }
  void transfer(Archive& archive) override {
    archive.integer(n_steps_);
    for (std::size_t j = 0; j < w_.size(); ++j) {
      archive(w_[j]);
      for (std::size_t i = 0; i < Rule::n_slots; ++i) archive(slots_[j * Rule::n_slots + i]);
    }
    intercept_.transfer(archive);
  }

 private:
  template <class AnyRow>
  void step_along(double rate, AnyRow x, double factor, double of_intercept, double& intercept) {
    for_each_entry(x, [&](std::size_t j, double x_j) { gradient_[j] = factor * x_j; });
    const auto step = rule_.template step<double>(rate, ++n_steps_);
    const DecayStep<double> decay = decay_.template step<double>(rate);
    for (std::size_t j = 0; j < w_.size(); ++j) {
      double* slots = slots_.data() + j * Rule::n_slots;
      lengths_[j] = decay_.l1 == 0 ? update_coordinate<Rule, false>(step, decay, gradient_[j], w_[j], slots)
                                   : update_coordinate<Rule, true>(step, decay, gradient_[j], w_[j], slots);
    }
    for_each_entry(x, [&](std::size_t j, double) { gradient_[j] = 0; });
    project_in_metric(ball_, radius_, lengths_, w_);
    intercept_.step(step, of_intercept, intercept);
  }

  Rule rule_;
  Decay decay_;
  Ball ball_;
  double radius_;
  std::vector<double> w_;
  std::vector<double> slots_;  // of a coordinate together
  std::vector<double> gradient_;
  std::vector<double> lengths_;
  RuleIntercept<Rule> intercept_;
  std::int64_t n_steps_ = 0;
};

}  // namespace finitesum
