// How long the steps of stochastic gradient descent are: by a formula in the number of the step, and by what the
// epochs' objectives tell.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "core/math.hpp"
#include "solvers/archive.hpp"

namespace finitesum {

enum class LearningRate {
  constant,
  optimal,         // 1 / (alpha (t0 + t - 1)), 1 / (alpha t0) = alpha^(-1/4): scikit-learn's, after L. Bottou's svmsgd
  invscaling,      // eta0 / t^power_t
  inverse,         // eta0 / t
  inverse_square,  // eta0 / t^2, whose sum is finite: it stops short of the optimum
  exponential,     // eta0 exp(-decay (t - 1))
  bottou,          // beta / (gamma + t): L. Bottou, F. Curtis, J. Nocedal, SIAM Review 60 (2018), theorem 4.7
  minimax,         // radius / (gradient_bound sqrt(n_steps)): Shalev-Shwartz and Ben-David (2014), theorem 14.8
  adaptive,        // eta0, a fifth of it after n_iter_no_change epochs without improvement: scikit-learn's
  plateau,         // eta0, `factor` of it after `patience` such epochs
  plateau_test,    // the same when two halves of the last 2 `patience` epochs do not differ beyond their noise
  halving,         // half of it then, with an estimate of the optimum
  fast_halving,    // half of it when the distance to the step's noise floor has fallen to a third
  dog              // the longest w so far over the root of the gradients' squares so far (see Schedule::observe)
};
inline constexpr std::array<const char*, 14> learning_rate_names{
    "constant", "optimal",  "invscaling", "inverse",      "inverse_square", "exponential",  "bottou",
    "minimax",  "adaptive", "plateau",    "plateau_test", "halving",        "fast_halving", "dog"};

struct ScheduleOptions {
  LearningRate kind = LearningRate::optimal;
  double alpha = 1e-4;
  double strong_convexity = 0;  // c, of the penalty
  double eta0 = 0.01;
  double power_t = 0.5;
  double decay = 1e-4;
  std::optional<double> beta;   // 2 / c
  std::optional<double> gamma;  // beta L - 1, at least 0
  double radius = 1;
  double gradient_bound = 1;
  std::optional<double> n_steps;  // of the whole run
  double factor = 0.1;
  std::optional<std::size_t> patience;  // epochs; n_iter_no_change
  double tol = 1e-3;                    // improvement that counts; minus infinity: none is asked for
  std::size_t n_iter_no_change = 5;
};

// F* ~ 2 F_{eta/2} - F_eta (Bottou, Curtis and Nocedal, section 4.2: to first order the noise floor is proportional to
// the step) with the standard error that the epochs' objectives give it.
struct OptimumEstimate {
  double value;
  double error;
};

class Schedule {
 public:
  // `smoothness` of the sampled losses, penalty included, and the number of steps, where the options leave them open.
  Schedule(const ScheduleOptions& options, double smoothness, double n_steps);

  static bool needs_smoothness(const ScheduleOptions& options) {
    return (options.kind == LearningRate::bottou && !options.gamma) || follows_gradients(options);
  }
  static bool follows_gradients(const ScheduleOptions& options) { return options.kind == LearningRate::dog; }

  // Before each step of a schedule that follows gradients: |g|^2, and |(w, b)|. "dog" is "distance over gradients" (M.
  // Ivgi, O. Hinder and Y. Carmon, ICML 2023, eq. 4), eta_t = max_{i <= t} |w_i - w_0| / sqrt(sum_{i <= t} |g_i|^2),
  // with w_0 = 0 whatever the start, and with a first step of 2 / L, or of eta0 where the loss is not smooth, instead
  // of a small number: where the optimum is far, as in text, most of a pass would be over before the distance has
  // grown. A start other than zero counts as if gradients with the root sum |w| / (first step) had led there; without
  // them the first step would be as long as w.
  void observe(double gradient_square, double norm);

  // Of step t, counted from one.
  double rate(double t) const { return factor_ * formula(t); }
  void halve();

  // Told after each epoch; returns whether the run has come to its end. `score` may be anything to maximize.
  bool end_epoch(double objective, double score, double t);

  std::optional<OptimumEstimate> optimum() const;
  void transfer(Archive& archive);

 private:
  // The objectives at one step length, over the second half of its epochs.
  struct Floor {
    double mean = 0;
    double variance = 0;  // of the mean
    double n = 0;         // epochs; 0: not known
  };

  double formula(double t) const;
  bool reduce(double factor, double t);
  bool is_flat() const;
  bool has_stagnated(double score);
  bool end_stage(double t);
  static Floor second_half(const std::vector<double>& objectives, std::size_t skipped, std::size_t count);

  ScheduleOptions options_;
  double offset_ = 0;     // t0 - 1, or gamma
  double numerator_ = 0;  // eta0, 1/alpha, beta or radius / ...
  double factor_ = 1;
  double squares_ = 0;   // of the gradients so far
  double distance_ = 0;  // the largest so far

  double best_ = -math::infinity;  // score so far
  std::size_t no_improvement_ = 0;
  double stage_end_ = 0;            // of fast halving: the step
  std::vector<double> objectives_;  // of the stage's epochs
  Floor floors_[2];                 // of the last two stages that have ended
};

}  // namespace finitesum
