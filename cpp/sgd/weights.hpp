// The coefficients of stochastic gradient descent, moved by w <- soft(decay w - sum_i a_i x_i, threshold), in time
// proportional to the entries of the rows and not to the columns: with a scale P and a level V,
//     w_j = sign(u_j) P max(|u_j| - V, 0),
// a decay multiplies P and a soft threshold adds threshold / P to V, both for all coordinates at once and exactly. For
// V = 0 this is the scale of L. Bottou's svmsgd; with it the cumulative penalty of Y. Tsuruoka, J. Tsujii and S.
// Ananiadou, ACL 2009, needs no counter per coordinate. Unlike theirs, a penalty that a coordinate at zero did not
// use up is not held against it later: each step is the proximal one.
//
// The average of the iterates is exact, too. While u_j stands still at a nonzero value, the sum of gamma_k w_kj is
// sign(u_j) (|u_j| A - B), A = sum gamma_k P_k and B = sum gamma_k P_k V_k over the steps k with V_k < |u_j|; what the
// steps before did not see is kept in c_j (W. Xu, "Towards optimal one pass large scale learning with averaged
// stochastic gradient descent", 2011, for V = 0).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/large_pages.hpp"
#include "core/math.hpp"
#include "sgd/gradient.hpp"
#include "sgd/options.hpp"
#include "solvers/archive.hpp"
#include "solvers/rows.hpp"

namespace finitesum {

template <class View>
class Weights {
 public:
  using Row = typename View::Row;

  Weights(const KernelTable& table, const View& X, bool is_averaged, Ball ball, double radius)
      : kernels_(row_kernels(table, X)),
        u_(X.n_columns),
        sums_(is_averaged ? X.n_columns : 0),
        smallest_scale_(is_averaged ? 1e-3 : 1e-12),
        ball_(ball),
        radius_(radius) {}

  std::size_t size() const { return u_.size(); }
  // The one that the ball bounds.
  double norm() const { return scale_ * (ball_ == Ball::l1 ? mass_ : std::sqrt(math::max(mass_, 0.0))); }

  double predict(Row x) const {
    if (level_ == 0) return scale_ * dot(kernels_, x, u_.data());
    double sum = 0;
    for_each_entry(x, [&](std::size_t j, double x_j) { sum += x_j * above_level(u_[j]); });
    return scale_ * sum;
  }

  // A step is decay(), add() for each row, threshold(), project(), count(), in this order.
  void decay(double factor) {
    if (factor == 1) return;
    if (factor * scale_ < smallest_scale_) fold();
    if (factor < smallest_scale_) {  // beyond the range of a scale; zero where a step would change signs
      for (double& u : u_) u *= math::max(factor, 0.0);
      mass_ = mass();
    } else {
      scale_ *= factor;
    }
  }

  // w <- w + a b x. What is known first, a, is divided by the scale while b is still on its way.
  template <class AnyRow>
  void add(AnyRow x, double a, double b) {
    const double change = a / scale_ * b;
    if (level_ == 0 && ball_ == Ball::none) {  // path_sum(u) is A u
      add_plainly(x, change, u_.data());
      if (!sums_.empty()) add_plainly(x, -change * totals_.back().a, sums_.data());
      return;
    }
    for_each_entry(x, [&](std::size_t j, double x_j) { move(j, change * x_j); });
  }

  void threshold(double amount) {
    if (amount > 0) level_ += amount / scale_;
  }

  // Onto the ball; after the threshold this is the prox of both at once. The L1 ball by the threshold of J. Duchi, S.
  // Shalev-Shwartz, Y. Singer and T. Chandra, ICML 2008, found by discarding what it makes zero (C. Michelot, JOTA 50
  // (1986)).
  void project() {
    if (ball_ == Ball::none) return;
    if (norm() <= radius_) return;
    mass_ = mass();  // the running one carries roundings, and knows nothing of thresholds, which make it smaller
    if (norm() <= radius_) return;
    if (ball_ == Ball::l2) {
      scale_ *= radius_ / norm();
      if (scale_ < smallest_scale_) fold();
    } else {
      level_ += l1_threshold();
      mass_ = radius_ / scale_;
    }
  }

  // Counts the present w with weight gamma in the average.
  void count(double gamma) {
    if (sums_.empty()) return;
    const Total& last = totals_.back();
    totals_.push_back({level_, last.a + gamma * scale_, last.b + gamma * scale_ * level_});
    weight_ += gamma;
    if (level_ == 0 && totals_.size() > 2) {  // no crossing can need what lies between
      totals_.front() = totals_.back();
      totals_.resize(1);
    }
    if (totals_.size() >= most_totals) fold();
  }

  // Counts coefficients that were moved elsewhere, and are put in by set().
  void count(double gamma, const std::vector<double>& coefficients) {
    for (std::size_t j = 0; j < sums_.size(); ++j) sums_[j] += gamma * coefficients[j];
    weight_ += gamma;
  }

  // Writes u = w; O(columns). Belongs at the end of an epoch.
  void fold() {
    if (level_ == 0 && sums_.empty()) {
      for (double& u : u_) u *= scale_;
      scale_ = 1;
      mass_ = mass();
      return;
    }
    for (std::size_t j = 0; j < u_.size(); ++j) {
      if (!sums_.empty()) sums_[j] += path_sum(u_[j]);
      u_[j] = scale_ * above_level(u_[j]);
    }
    scale_ = 1;
    level_ = 0;
    totals_.assign(1, {0, 0, 0});
    mass_ = mass();
  }

  void forget_average() {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    totals_.assign(1, {0, 0, 0});
    weight_ = 0;
  }

  // All of these want folded weights.
  void read(double* out) const { std::copy(u_.begin(), u_.end(), out); }
  void set(const double* coefficients) {
    std::copy_n(coefficients, u_.size(), u_.begin());
    scale_ = 1;
    level_ = 0;
    mass_ = mass();
  }
  // No number where a coefficient is none, or infinite, even for l1 = l2 = 0.
  struct Summary {
    double penalty = 0;
    double nonzeros = 0;
  };
  Summary summary(double l1, double l2) const {
    Summary sum;
    for_each_block(u_.size(), [&](std::size_t first, std::size_t count) {
      const double* w = u_.data() + first;
      sum.penalty += chained_sum(count, [&](std::size_t j) { return 0.5 * l2 * w[j] * w[j] + l1 * math::abs(w[j]); });
      sum.nonzeros += chained_sum(count, [&](std::size_t j) { return w[j] != 0 ? 1.0 : 0.0; });
    });
    return sum;
  }
  double average_weight() const { return weight_; }
  void write_average(double* out) const {
    for (std::size_t j = 0; j < u_.size(); ++j) out[j] = sums_[j] / weight_;
  }
  void transfer(Archive& archive) {
    for (double& u : u_) archive(u);
    archive(sums_);
    archive(weight_);
    if (archive.is_loading()) mass_ = mass();
  }

 private:
  static constexpr std::size_t most_totals = 65536;

  // Of the steps since the last fold, in their order.
  struct Total {
    double level;
    double a;
    double b;
  };

  void add_plainly(Row x, double change, double* to) { axpy(kernels_, change, x, to); }
  // Of another type: a gradient.
  template <class AnyRow>
  void add_plainly(AnyRow x, double change, double* to) {
    for_each_entry(x, [&](std::size_t j, double x_j) { to[j] += change * x_j; });
  }

  double above_level(double u) const { return math::soft_threshold(u, level_); }

  void move(std::size_t j, double change) {
    const double before = above_level(u_[j]);
    const double after = before + change;
    const double u = after == 0 ? 0 : after + math::copysign(level_, after);
    if (!sums_.empty()) sums_[j] += path_sum(u_[j]) - path_sum(u);
    if (ball_ == Ball::l1) mass_ += math::abs(after) - math::abs(before);
    if (ball_ == Ball::l2) mass_ += after * after - before * before;
    u_[j] = u;
  }

  // sign(u) (|u| A - B) up to the step at which the level reached |u|.
  double path_sum(double u) const {
    if (u == 0) return 0;
    const Total& total = math::abs(u) <= totals_.back().level ? last_below(math::abs(u)) : totals_.back();
    return u * total.a - math::copysign(total.b, u);
  }
  // The last total with a level below `height`, 0 < height <= the last level. Levels rise smoothly: a line between two
  // of them points near the place, and a second look a little further closes in on it from the other side.
  const Total& last_below(double height) const {
    std::size_t low = 0;
    std::size_t high = totals_.size() - 1;
    while (high - low > 16) {
      const std::size_t span = high - low;
      const double share = (height - totals_[low].level) / (totals_[high].level - totals_[low].level);
      const double offset =
          share > 0 && share < 1 ? share * static_cast<double>(span) : 1;  // infinite levels: no share
      const std::size_t guess = low + std::clamp<std::size_t>(static_cast<std::size_t>(offset), 1, span - 1);
      const std::size_t step = span / 16;
      if (totals_[guess].level < height) {
        low = guess;
        if (high - low > step && !(totals_[low + step].level < height)) high = low + step;
      } else {
        high = guess;
        if (high - low > step && totals_[high - step].level < height) low = high - step;
      }
      const std::size_t middle = low + (high - low) / 2;  // halves the span in any case
      (totals_[middle].level < height ? low : high) = middle;
    }
    while (high - low > 1) {
      const std::size_t middle = low + (high - low) / 2;
      (totals_[middle].level < height ? low : high) = middle;
    }
    return totals_[low];
  }

  // |w|_1 / P, or |w|_2^2 / P^2.
  double mass() const {
    double sum = 0;
    if (ball_ == Ball::l1) sum = chained_sum(u_.size(), [&](std::size_t j) { return math::abs(above_level(u_[j])); });
    if (ball_ == Ball::l2) {
      sum = chained_sum(u_.size(), [&](std::size_t j) {
        const double above = above_level(u_[j]);
        return above * above;
      });
    }
    return sum;
  }

  // t with sum_j max(|u_j| - V - t, 0) = radius / P.
  double l1_threshold() const {
    double t = 0;
    for (std::size_t kept = u_.size() + 1;;) {
      double sum = 0;
      std::size_t n = 0;
      for (const double u : u_) {
        const double above = math::abs(above_level(u));
        if (above <= t) continue;
        sum += above;
        ++n;
      }
      if (n == 0 || n == kept) return t;
      kept = n;
      t = math::max((sum - radius_ / scale_) / static_cast<double>(n), 0.0);
    }
  }

  decltype(row_kernels(std::declval<const KernelTable&>(), std::declval<const View&>())) kernels_;
  LargeVector<double> u_;
  double scale_ = 1;
  double level_ = 0;
  std::vector<double> sums_;  // c; empty: no average is wanted
  double smallest_scale_;     // sums of w are differences of sums of u: roundings grow by its inverse
  std::vector<Total> totals_{{0, 0, 0}};
  double weight_ = 0;  // sum of gamma
  Ball ball_;
  double radius_;
  double mass_ = 0;
};

}  // namespace finitesum
