#include "sgd/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace finitesum {

Schedule::Schedule(const ScheduleOptions& options, double smoothness, double n_steps) : options_(options) {
  numerator_ = options.eta0;
  const double c = options.strong_convexity;
  switch (options.kind) {
    case LearningRate::optimal:
      if (!(options.alpha > 0)) {
        throw std::invalid_argument(
            "alpha must be > 0 since learning_rate is 'optimal'. alpha is used to compute the optimal learning rate.");
      }
      // scikit-learn's first step is alpha^(-1/4) / max(1, l'(-alpha^(-1/4), 1)), where no loss has a positive l'.
      numerator_ = 1 / options.alpha;
      offset_ = 1 / (std::sqrt(1 / std::sqrt(options.alpha)) * options.alpha) - 1;
      break;
    case LearningRate::bottou:
      // With mu = mu_G = 1 and M_V = 0, so M_G = 1: the first step is at most 1 / L.
      if (!options.beta && !(c > 0)) {
        throw std::invalid_argument(
            "learning_rate='bottou' needs an L2 penalty, or beta in schedule_options: beta must exceed 1/c, c the "
            "strong convexity.");
      }
      numerator_ = options.beta.value_or(2 / c);
      if (!options.gamma && !std::isfinite(smoothness)) {
        throw std::invalid_argument("learning_rate='bottou' needs gamma in schedule_options: this loss is not smooth.");
      }
      offset_ = options.gamma ? *options.gamma : math::max(numerator_ * smoothness - 1, 0.0);
      break;
    case LearningRate::minimax:
      numerator_ = options.radius / (options.gradient_bound * std::sqrt(options.n_steps.value_or(n_steps)));
      break;
    case LearningRate::dog: {
      const double first = 2 / smoothness;  // infinite where all rows are zero
      numerator_ = first > 0 && std::isfinite(first) ? first : options.eta0;
      break;
    }
    case LearningRate::fast_halving:
      if (!(c > 0)) throw std::invalid_argument("learning_rate='fast_halving' needs an L2 penalty.");
      break;
    default:
      break;
  }
}

double Schedule::formula(double t) const {
  switch (options_.kind) {
    case LearningRate::optimal:
    case LearningRate::bottou:
      return numerator_ / (offset_ + t);
    case LearningRate::invscaling:
      return numerator_ / (options_.power_t == 0.5 ? std::sqrt(t) : math::exp(options_.power_t * math::log(t)));
    case LearningRate::inverse:
      return numerator_ / t;
    case LearningRate::inverse_square:
      return numerator_ / (t * t);
    case LearningRate::exponential:
      return numerator_ * math::exp(-options_.decay * (t - 1));
    case LearningRate::dog:
      return squares_ > 0 ? distance_ / std::sqrt(squares_) : numerator_;
    default:
      return numerator_;
  }
}

void Schedule::observe(double gradient_square, double norm) {
  if (squares_ == 0) squares_ = (norm / numerator_) * (norm / numerator_);
  squares_ += gradient_square;
  if (distance_ == 0) distance_ = numerator_ * std::sqrt(squares_);
  distance_ = math::max(distance_, norm);
}

// What was seen on the way to a divergence says nothing of what comes.
void Schedule::halve() {
  factor_ *= 0.5;
  squares_ = distance_ = 0;
}

bool Schedule::has_stagnated(double score) {
  no_improvement_ = score < best_ + options_.tol ? no_improvement_ + 1 : 0;
  best_ = math::max(score, best_);
  const bool waits_otherwise = options_.kind == LearningRate::plateau && options_.patience;
  if (no_improvement_ < (waits_otherwise ? *options_.patience : options_.n_iter_no_change)) return false;
  no_improvement_ = 0;
  return true;
}

// A shorter step; false where it is short enough to end.
bool Schedule::reduce(double factor, double t) {
  constexpr double shortest = 1e-6;  // scikit-learn's
  if (!(rate(t) > shortest)) return false;
  factor_ *= factor;
  objectives_.clear();
  return true;
}

bool Schedule::end_epoch(double objective, double score, double t) {
  const bool may_end = options_.tol > -math::infinity;
  switch (options_.kind) {
    case LearningRate::adaptive:
      return has_stagnated(score) && !reduce(0.2, t);
    case LearningRate::plateau:
      return has_stagnated(score) && !reduce(options_.factor, t);
    case LearningRate::plateau_test:
      objectives_.push_back(objective);
      return is_flat() && !reduce(options_.factor, t) && may_end;
    case LearningRate::halving:
      objectives_.push_back(objective);
      return is_flat() && end_stage(t) && may_end;
    case LearningRate::fast_halving:
      // The distance to the floor falls by 1 - eta c per step, from three of the shorter step's floors to one of the
      // longer's, half of it above: (1 - eta c)^k = 1/3 (section 4.2). The first stage is as long.
      if (stage_end_ == 0) stage_end_ = std::log(3) / (rate(t) * options_.strong_convexity);
      while (t >= stage_end_) {
        factor_ *= 0.5;
        stage_end_ += std::log(3) / (rate(t) * options_.strong_convexity);
      }
      return has_stagnated(score) && may_end;
    default:
      return has_stagnated(score);
  }
}

Schedule::Floor Schedule::second_half(const std::vector<double>& objectives, std::size_t skipped, std::size_t count) {
  Floor floor;
  floor.n = static_cast<double>(count);
  for (std::size_t k = 0; k < count; ++k) floor.mean += objectives[skipped + k] / floor.n;
  for (std::size_t k = 0; k < count; ++k) {
    const double d = objectives[skipped + k] - floor.mean;
    floor.variance += d * d / (floor.n * (floor.n - 1));
  }
  return floor;
}

// Welch's statistic of the two halves of the last 2 `patience` epochs: has the objective ceased to fall beyond twice
// its noise?
bool Schedule::is_flat() const {
  const std::size_t half = std::max<std::size_t>(2, options_.patience.value_or(options_.n_iter_no_change));
  if (objectives_.size() < 2 * half) return false;
  const Floor before = second_half(objectives_, objectives_.size() - 2 * half, half);
  const Floor after = second_half(objectives_, objectives_.size() - half, half);
  return before.mean - after.mean <= 2 * std::sqrt(before.variance + after.variance);
}

// The run ends when halving the step once more would gain less than tol.
bool Schedule::end_stage(double t) {
  const std::size_t half = objectives_.size() / 2;
  floors_[0] = floors_[1];
  floors_[1] = second_half(objectives_, objectives_.size() - half, half);
  const bool is_enough = floors_[0].n > 0 && floors_[0].mean - floors_[1].mean <= options_.tol;
  return is_enough || (factor_ *= 0.5, objectives_.clear(), rate(t) == 0);
}

std::optional<OptimumEstimate> Schedule::optimum() const {
  if (floors_[0].n == 0) return {};
  return OptimumEstimate{2 * floors_[1].mean - floors_[0].mean,
                         std::sqrt(4 * floors_[1].variance + floors_[0].variance)};
}

// The rows to come may be steeper than those that the saved run has begun with: neither's first step is exceeded.
void Schedule::transfer(Archive& archive) {
  const double own_numerator = numerator_;
  const double own_offset = offset_;
  archive(numerator_);
  archive(offset_);
  if (options_.kind == LearningRate::dog) numerator_ = math::min(numerator_, own_numerator);
  if (options_.kind == LearningRate::bottou) offset_ = math::max(offset_, own_offset);
  archive(factor_);
  archive(squares_);
  archive(distance_);
  archive(best_);
  archive.integer(no_improvement_);
  archive(stage_end_);
  std::size_t n = objectives_.size();
  archive.integer(n);
  objectives_.resize(n);
  for (double& objective : objectives_) archive(objective);
  for (Floor& floor : floors_) {
    archive(floor.mean);
    archive(floor.variance);
    archive(floor.n);
  }
}

}  // namespace finitesum
