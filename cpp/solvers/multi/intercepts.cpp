#include "solvers/multi/intercepts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace finitesum {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

}  // namespace

InterceptsProblem::InterceptsProblem(const KernelTable& table, const std::int32_t* y, const double* s, std::size_t n,
                                     std::size_t K, RowSweep sweep)
    : table_(table),
      y_(y),
      s_(s),
      sweep_(sweep),
      K_(K),
      class_weights_(K),
      scores_(table, K),
      room_(sweep.rows_at_once() * K),
      products_(K * K),
      model_(K, 0, 0, 0) {
  for (std::size_t i = 0; i < n; ++i) class_weights_[static_cast<std::size_t>(y[i])] += s != nullptr ? s[i] : 1.0;
  total_weight_ = std::accumulate(class_weights_.begin(), class_weights_.end(), 0.0);
}

double InterceptsProblem::objective(const RowNumbers& z, const double* b) {
  double sum = 0;
  const bool is_finished = sweep_([&](std::size_t first, std::size_t count) {
    const double* z_i = z(first, count, room_.data());
    for (std::size_t i = first; i < first + count; ++i, z_i += K_) {
      for (std::size_t k = 0; k < K_; ++k) scores_.z()[k] = z_i[k] + b[k];
      sum += (s_ != nullptr ? s_[i] : 1.0) * scores_.evaluate(static_cast<std::size_t>(y_[i]));
    }
  });
  return is_finished ? sum : std::numeric_limits<double>::infinity();
}

void InterceptsProblem::evaluate(const RowNumbers& z, Point& point) {
  point.objective = 0;
  point.mass.assign(K_, 0.0);
  std::fill(products_.begin(), products_.end(), 0.0);
  std::vector<double> weighted(K_);
  const auto& kernels = table_.columns.dense_f64;
  const bool is_finished = sweep_([&](std::size_t first, std::size_t count) {
    const double* z_i = z(first, count, room_.data());
    for (std::size_t i = first; i < first + count; ++i, z_i += K_) {
      const double s = s_ != nullptr ? s_[i] : 1.0;
      if (s == 0) continue;
      for (std::size_t k = 0; k < K_; ++k) scores_.z()[k] = z_i[k] + point.b[k];
      point.objective += s * scores_.evaluate(static_cast<std::size_t>(y_[i]));
      const double* q = scores_.probabilities();
      for (std::size_t k = 0; k < K_; ++k) {
        weighted[k] = s * q[k];
        point.mass[k] += weighted[k];
      }
      kernels.axpy(weighted.data(), q, K_, products_.data(), K_);
    }
  });
  if (!is_finished) point.objective = std::numeric_limits<double>::infinity();
  point.excess = 0;
  for (std::size_t k = 0; k < K_; ++k) point.excess += std::fabs(point.mass[k] - class_weights_[k]);
}

// The Hessian is diag(mass) - products, singular along (1, ..., 1), which every model leaves alone: a multiple of its
// outer product makes it regular.
bool InterceptsProblem::newton_move(const Point& from, std::vector<double>& move) {
  const double gauge = total_weight_ / static_cast<double>(K_);
  std::vector<double> gradient(K_);
  for (std::size_t k = 0; k < K_; ++k) {
    for (std::size_t l = 0; l <= k; ++l) model_.row(k)[l] = gauge - products_[k * K_ + l];
    model_.row(k)[k] += from.mass[k];
    gradient[k] = from.mass[k] - class_weights_[k];
  }
  const std::vector<double> zero(K_);
  Control unlimited(std::numeric_limits<double>::infinity(), nullptr);
  return model_.solve(zero.data(), gradient.data(), 0, unlimited, move);
}

double InterceptsProblem::solve(const RowNumbers& z, double* b) {
  constexpr int max_iterations = 100;
  constexpr double nearly = 1e-8;  // of the weight; from there on only rounding can keep the excess from falling
  Point at;
  Point trial;
  std::vector<double> move;
  at.b.assign(b, b + K_);
  evaluate(z, at);
  for (int iteration = 0; iteration < max_iterations && at.excess > 8 * eps * total_weight_; ++iteration) {
    if (!std::isfinite(at.objective)) break;
    const double mean = std::accumulate(at.b.begin(), at.b.end(), 0.0) / static_cast<double>(K_);
    bool accepted = false;
    if (newton_move(at, move)) {
      trial.b = at.b;
      for (std::size_t k = 0; k < K_; ++k) trial.b[k] += move[k];
      evaluate(z, trial);
      accepted = trial.objective <= at.objective * (1 + 4 * eps);
    }
    if (at.excess <= nearly * total_weight_ && !(accepted && trial.excess < at.excess / 2)) break;
    if (!accepted) {
      constexpr double longest = 100;
      trial.b = at.b;
      double shift = mean;
      for (std::size_t k = 0; k < K_; ++k) {
        trial.b[k] += std::clamp(std::log(class_weights_[k] / at.mass[k]), -longest, longest);
        shift -= trial.b[k] / static_cast<double>(K_);
      }
      for (double& value : trial.b) value += shift;
      evaluate(z, trial);
    }
    std::swap(at, trial);
  }
  std::copy(at.b.begin(), at.b.end(), b);
  return at.objective;
}

MultiNullModel fit_multi_null_model(const std::vector<double>& class_weights, bool fit_intercept) {
  const std::size_t K = class_weights.size();
  const double total = std::accumulate(class_weights.begin(), class_weights.end(), 0.0);
  MultiNullModel null{std::vector<double>(K), std::log(static_cast<double>(K)), 0, 0};
  std::vector<double> q(K, 1 / static_cast<double>(K));
  if (fit_intercept) {
    null.objective = 0;
    double mean = 0;
    for (std::size_t k = 0; k < K; ++k) {
      q[k] = class_weights[k] / total;
      null.intercepts[k] = std::log(q[k]);
      null.objective -= q[k] * null.intercepts[k];
      mean += null.intercepts[k] / static_cast<double>(K);
    }
    for (double& b : null.intercepts) b -= mean;
  }
  // As in fit_null_model: scores near b are off by some eps |b|.
  double magnitude = 0;
  double largest = 0;
  for (std::size_t k = 0; k < K; ++k) {
    magnitude += 2 * class_weights[k] / total * (1 - q[k]);
    largest = std::max(largest, std::fabs(null.intercepts[k]));
  }
  const double shift = eps * largest;
  null.rounding = shift * magnitude + 8 * shift * shift * MultinomialLoss::smoothness() + 4 * eps * null.objective;
  null.derivative_rounding = eps * magnitude;
  return null;
}

}  // namespace finitesum
