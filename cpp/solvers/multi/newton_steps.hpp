// newton_steps.hpp for the multinomial loss: steps to the minimum of a model of the objective at the iterate, damped
// where it may be too flat, with a line search along which the scores are linear. Free intercepts are at their best in
// every trial.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "solvers/multi/multinomial.hpp"

namespace finitesum {

// Where a model is made. All belongs to the solver.
struct MultiModelPoint {
  const double* w;
  const std::vector<double>& gradient;     // of the smooth part
  const std::vector<double>& derivatives;  // n x K
};

// A Model is made from the problem and the setup, and has build, solve, passes and transfer as NewtonSteps asks for; a
// move ends with that of the intercepts.
template <class View, class Model>
class MultiNewtonSteps final : public Solver {
 public:
  MultiNewtonSteps(const MultiProblem<View>& problem, const MultiSetup& setup)
      : problem_(problem),
        K_(problem.n_outputs),
        n_coefficients_(problem.n_coefficients()),
        w_(setup.coef),
        intercepts_out_(setup.intercepts),
        evaluation_(problem, problem.control),
        intercepts_(setup.intercepts, setup.intercepts + problem.n_outputs),
        trial_intercepts_(K_),
        scores_(problem.n_rows() * K_),
        trial_scores_(scores_.size()),
        derivatives_(scores_.size()),
        direction_(scores_.size()),
        gradient_(n_coefficients_),
        trial_(n_coefficients_),
        move_(n_coefficients_ + (problem.fit_intercept ? K_ : 0)),
        model_(problem, setup) {
    evaluation_.multiply(w_, scores_.data());
    objective_ = evaluation_.best_objective(w_, stored_numbers(scores_.data(), K_), intercepts_.data());
    derivatives_ = scores_;
    evaluation_.differentiate(derivatives_.data(), intercepts_.data(), gradient_.data());
    passes_ = 1;
  }

  // Damped as NewtonSteps is: see there.
  void run_epoch(std::size_t, Control& control) override {
    constexpr double smallest_damping = 1e-10;
    constexpr double largest_damping = 1e2;
    model_.build(point(), control);
    while (!control.look()) {
      const bool solved = model_.solve(point(), damping_, control, move_);
      if (solved && std::all_of(move_.begin(), move_.end(), [](double v) { return v == 0; })) {
        stalled_ = true;
        return;
      }
      if (solved && line_search(control)) {
        damping_ = damping_ > smallest_damping ? damping_ / 100 : 0;
        return;
      }
      if (control.stopped()) return;
      if (damping_ >= largest_damping) {
        stalled_ = true;
        return;
      }
      damping_ = std::max(100 * damping_, smallest_damping);
    }
  }
  bool stalled() const override { return stalled_; }

  // Once per iterate: a step cut short leaves it as it was.
  Certificate check(Control&) override {
    if (!is_certified_) {
      trial_ = gradient_;
      certificate_ =
          evaluation_.certify(w_, {objective_}, stored_numbers(derivatives_.data(), K_), trial_.data()).front();
      is_certified_ = std::isfinite(certificate_.objective);
    }
    return certificate_;
  }
  std::size_t check_work() const override { return 0; }
  bool checks_are_free() const override { return true; }
  double passes() const override { return passes_ + model_.passes(); }
  const char* sampling() const override { return "none"; }
  double step_size() const override { return step_; }
  void restart_with_half_step() override {}  // every step decreases the objective
  void transfer(Archive& archive) override {
    for (std::size_t j = 0; j < n_coefficients_; ++j) archive(w_[j]);
    archive(intercepts_);
    archive(scores_);
    archive(derivatives_);
    archive(gradient_);
    archive(objective_);
    archive(damping_);
    archive(passes_);
    model_.transfer(archive);
    if (archive.is_loading()) is_certified_ = false;
  }
  double finish() override {
    std::copy(intercepts_.begin(), intercepts_.end(), intercepts_out_);
    return 0;
  }

 private:
  MultiModelPoint point() const { return {w_, gradient_, derivatives_}; }

  // Adding one number to all intercepts changes nothing: an inexact solve may have left something of it.
  void center_intercepts_of_move() {
    const auto first = move_.begin() + static_cast<std::ptrdiff_t>(n_coefficients_);
    const double mean = std::accumulate(first, move_.end(), 0.0) / static_cast<double>(K_);
    for (auto b = first; b != move_.end(); ++b) *b -= mean;
  }

  // Backtracks along move_ as backtracking.hpp does. False, too, if control stops the work.
  bool line_search(Control& control) {
    constexpr double smallest_step = 1e-3;
    constexpr double sufficient = 1e-4;
    center_intercepts_of_move();
    if (!evaluation_.multiply(move_.data(), direction_.data())) return false;
    double promised = -penalty_value(problem_.penalty, w_, n_coefficients_);
    for (std::size_t j = 0; j < n_coefficients_; ++j) {
      promised += gradient_[j] * move_[j];
      trial_[j] = w_[j] + move_[j];
    }
    promised += penalty_value(problem_.penalty, trial_.data(), n_coefficients_);
    const double rounding = 4 * std::numeric_limits<double>::epsilon() * objective_;
    if (!(promised <= rounding)) return false;
    for (double t = 1; t > smallest_step; t /= 2) {
      const double objective = evaluate_trial(t);
      if (control.stopped()) return false;
      if (objective <= objective_ + sufficient * t * promised + rounding) {
        step_ = t;
        return accept_trial(objective);
      }
    }
    return false;
  }

  double evaluate_trial(double t) {
    for (std::size_t j = 0; j < n_coefficients_; ++j) trial_[j] = w_[j] + t * move_[j];
    for (std::size_t i = 0; i < scores_.size(); ++i) trial_scores_[i] = scores_[i] + t * direction_[i];
    for (std::size_t k = 0; k < K_; ++k)
      trial_intercepts_[k] = intercepts_[k] + (problem_.fit_intercept ? t * move_[n_coefficients_ + k] : 0.0);
    return evaluation_.best_objective(trial_.data(), stored_numbers(trial_scores_.data(), K_),
                                      trial_intercepts_.data());
  }

  // The trial becomes the iterate, all of it or, if control stops the work, nothing.
  bool accept_trial(double objective) {
    direction_ = trial_scores_;
    if (!evaluation_.differentiate(direction_.data(), trial_intercepts_.data(), move_.data())) return false;
    std::copy(trial_.begin(), trial_.end(), w_);
    std::copy_n(move_.begin(), n_coefficients_, gradient_.begin());
    std::swap(derivatives_, direction_);
    std::swap(scores_, trial_scores_);
    std::swap(intercepts_, trial_intercepts_);
    objective_ = objective;
    is_certified_ = false;
    passes_ += 1;
    return true;
  }

  const MultiProblem<View>& problem_;
  std::size_t K_;
  std::size_t n_coefficients_;
  double* w_;
  double* intercepts_out_;
  MultinomialEvaluation<View> evaluation_;
  std::vector<double> intercepts_;
  std::vector<double> trial_intercepts_;
  std::vector<double> scores_;  // of the iterate, without the intercepts
  std::vector<double> trial_scores_;
  std::vector<double> derivatives_;
  std::vector<double> direction_;
  std::vector<double> gradient_;
  std::vector<double> trial_;
  std::vector<double> move_;
  Model model_;
  double objective_ = 0;
  Certificate certificate_;  // of the iterate, if it is there
  bool is_certified_ = false;
  double damping_ = 0;
  bool stalled_ = false;
  double step_ = 1;
  double passes_ = 0;
};

}  // namespace finitesum
