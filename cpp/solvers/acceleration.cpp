#include "solvers/acceleration.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "solvers/rows.hpp"

namespace finitesum {
namespace {

// At least, before the first center: adaptive estimates have yet to be learned.
constexpr std::size_t n_plain_epochs = 2;

// alpha_0 of Catalyst where mu = 0 (section 4).
const double first_momentum = (std::sqrt(5.0) - 1) / 2;

double dot(const double* a, const double* b, std::size_t n) {
  return chained_sum(n, [&](std::size_t j) { return a[j] * b[j]; });
}

double squared_distance(const double* a, const double* b, std::size_t n) {
  return chained_sum(n, [&](std::size_t j) { return (a[j] - b[j]) * (a[j] - b[j]); });
}

}  // namespace

LimitedMemory::LimitedMemory(std::size_t n_columns)
    : n_columns_(n_columns), steps_(capacity * n_columns), changes_(capacity * n_columns), products_(capacity) {}

void LimitedMemory::learn(const double* step, const double* change, double inverse) {
  const double product = dot(step, change, n_columns_);
  if (!(product > inverse * dot(change, change, n_columns_))) return;
  std::copy_n(step, n_columns_, this->step(next_));
  std::copy_n(change, n_columns_, this->change(next_));
  products_[next_] = product;
  next_ = (next_ + 1) % capacity;
  size_ = std::min(size_ + 1, capacity);
}

void LimitedMemory::multiply(double* v, double scale) {
  std::array<double, capacity> weights;
  for (std::size_t k = 0; k < size_; ++k) {
    const std::size_t at = place(k);
    weights[k] = dot(step(at), v, n_columns_) / products_[at];
    for (std::size_t j = 0; j < n_columns_; ++j) v[j] -= weights[k] * change(at)[j];
  }
  for (std::size_t j = 0; j < n_columns_; ++j) v[j] *= scale;
  for (std::size_t k = size_; k-- > 0;) {
    const std::size_t at = place(k);
    const double weight = weights[k] - dot(change(at), v, n_columns_) / products_[at];
    for (std::size_t j = 0; j < n_columns_; ++j) v[j] += weight * step(at)[j];
  }
}

void LimitedMemory::transfer(Archive& archive) {
  archive.integer(size_);
  archive.integer(next_);
  archive(steps_);
  archive(changes_);
  archive(products_);
}

OuterLoop::OuterLoop(std::optional<Acceleration> kind, const InnerRule& rule, double mu, std::size_t n_columns)
    : kind_(kind), rule_(rule), mu_(mu) {
  if (!kind) return;
  center_.resize(n_columns);
  solution_.resize(n_columns);
  if (kind == Acceleration::catalyst) return;
  gradient_.resize(n_columns);
  last_gradient_.resize(n_columns);
  last_center_.resize(n_columns);
  memory_.emplace_back(n_columns);
}

void OuterLoop::reset() {
  kappa_ = 0;
  plain_epochs_ = 0;
  squared_move_ = std::numeric_limits<double>::infinity();
}

bool OuterLoop::is_due() {
  if (!kind_) return false;
  if (plain_epochs_ == n_plain_epochs) return true;
  ++plain_epochs_;
  return false;
}

bool OuterLoop::advance(const double* w, double length, double residual) {
  constexpr std::size_t most_epochs = 10;
  const std::size_t p = center_.size();
  if (kappa_ == 0 && is_fast(w)) return false;
  if (kappa_ == 0 || length > 2 * length_) {
    const double last_kappa = kappa_;
    begin(w, length);
    return kappa_ != last_kappa;
  }
  ++inner_epochs_;
  const double move = std::sqrt(squared_distance(center_.data(), w, p));
  if (residual > rule_.accuracy * kappa_ * move && inner_epochs_ < most_epochs) return false;
  inner_epochs_ = 0;
  if (kind_ == Acceleration::catalyst) {
    extrapolate(w);
  } else {
    step_by_envelope(w);
  }
  return true;
}

// Whether the plain solver's epochs shrink by more than exp(-contraction), each to the one before: as fast as an inner
// problem would, so that a center could only be in the way.
bool OuterLoop::is_fast(const double* w) {
  const double last = squared_move_;
  squared_move_ = squared_distance(w, solution_.data(), solution_.size());
  std::copy_n(w, solution_.size(), solution_.begin());
  return squared_move_ < std::exp(-2 * rule_.contraction) * last;
}

// Where kappa would not be positive, n > L / mu about, the plain solver is as fast as it gets.
void OuterLoop::begin(const double* w, double length) {
  length_ = length;
  kappa_ = std::max(rule_.contraction / length - mu_, 0.0);
  if (!std::isfinite(kappa_)) kappa_ = 0;
  std::copy_n(w, center_.size(), center_.begin());
  std::copy_n(w, solution_.size(), solution_.begin());
  inner_epochs_ = 0;
  momentum_ = first_momentum;
  is_trial_ = false;
  has_gradient_ = false;
  for (LimitedMemory& memory : memory_) memory.forget_all();
}

// alpha_k^2 = (1 - alpha_k) alpha_{k-1}^2 + q alpha_k,  beta_k = alpha_{k-1} (1 - alpha_{k-1}) / (alpha_{k-1}^2 +
// alpha_k)
// Momentum begins anew where it points uphill, and, without jumps, where the residual e_k - w_{k+1}, the envelope's
// gradient over kappa, has shrunk to a tenth since: Yu. Nesterov, "Gradient methods for minimizing composite
// functions", Math. Program. 140 (2013), restarts so where mu is not known. Directions of many curvatures that swing
// out of step never point uphill together, and die out as slowly as the penalty's mu has it.
void OuterLoop::extrapolate(const double* w) {
  constexpr double residual_left = 0.1;
  const double share = rule_.jumps ? 1 : -std::expm1(-rule_.contraction);
  double turn = 0;
  double squared_residual = 0;
  for (std::size_t j = 0; j < center_.size(); ++j) {
    const double residual = solution_[j] + share * (center_[j] - solution_[j]) - w[j];
    turn += residual * (w[j] - solution_[j]);
    squared_residual += residual * residual;
  }
  const bool is_done = !rule_.jumps && squared_residual < residual_left * residual_left * squared_move_;
  if (turn > 0 || is_done) momentum_ = first_momentum;
  if (momentum_ == first_momentum) squared_move_ = squared_residual;
  const double squared = momentum_ * momentum_;
  const double b = squared - mu_ / (mu_ + kappa_);
  const double next = (std::sqrt(b * b + 4 * squared) - b) / 2;
  const double beta = momentum_ * (1 - momentum_) / (squared + next);
  momentum_ = next;
  for (std::size_t j = 0; j < center_.size(); ++j) {
    center_[j] = w[j] + beta / share * (w[j] - solution_[j]);
    solution_[j] = w[j];
  }
}

// Gradients g at y and g+ at y + s tell whether the envelope has risen along s: by the trapezoidal rule, exact for a
// quadratic, the change is s.(g + g+)/2. If so, the plain proximal step from y is taken instead. No step is longer than
// twice the last one, or the move to the inner solution: where the envelope is all but flat, errors of the gradients
// pass for its curvature.
void OuterLoop::step_by_envelope(const double* w) {
  constexpr double most_growth = 2;
  const std::size_t p = center_.size();
  for (std::size_t j = 0; j < p; ++j) gradient_[j] = kappa_ * (center_[j] - w[j]);
  double radius = std::sqrt(squared_distance(center_.data(), w, p));
  bool has_risen = false;
  if (has_gradient_) {
    // The pair of differences is formed in place of what it is formed from.
    for (std::size_t j = 0; j < p; ++j) last_center_[j] = center_[j] - last_center_[j];
    has_risen = is_trial_ &&
                dot(last_center_.data(), gradient_.data(), p) > -dot(last_center_.data(), last_gradient_.data(), p);
    if (is_trial_) radius = std::max(radius, std::sqrt(dot(last_center_.data(), last_center_.data(), p)));
    for (std::size_t j = 0; j < p; ++j) last_gradient_[j] = gradient_[j] - last_gradient_[j];
    memory_[0].learn(last_center_.data(), last_gradient_.data(), 1 / kappa_);
  }
  has_gradient_ = true;
  last_center_ = center_;
  last_gradient_ = gradient_;
  is_trial_ = !has_risen && !memory_[0].empty();
  if (has_risen) {
    center_ = solution_;
    return;
  }
  std::copy_n(w, p, solution_.begin());
  memory_[0].multiply(gradient_.data(), 1 / kappa_);
  const double length = std::sqrt(dot(gradient_.data(), gradient_.data(), p));
  const double share = length > most_growth * radius ? most_growth * radius / length : 1;
  for (std::size_t j = 0; j < p; ++j) center_[j] -= share * gradient_[j];
}

void OuterLoop::transfer(Archive& archive) {
  if (!kind_) return;
  archive(length_);
  archive(kappa_);
  archive.integer(plain_epochs_);
  archive.integer(inner_epochs_);
  archive.integer(is_trial_);
  archive.integer(has_gradient_);
  archive(momentum_);
  archive(squared_move_);
  archive(center_);
  archive(solution_);
  archive(last_gradient_);
  archive(last_center_);
  for (LimitedMemory& memory : memory_) memory.transfer(archive);
}

}  // namespace finitesum
