// Steps to the minimum of a model of the objective at the iterate. J. Lee, Y. Sun, M. Saunders, "Proximal Newton-type
// methods for minimizing composite functions", SIAM J. Optim. 2014. A model that may be too flat is damped (Levenberg
// and Marquardt), and a line search makes each step a descent: the margins are linear along it, so that a trial costs
// no sweep over X. A free intercept is at its best in every trial. No randomness: integer weights and repeated rows
// give the same iterates up to rounding.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "solvers/anchor.hpp"
#include "solvers/backtracking.hpp"
#include "solvers/solver.hpp"

namespace finitesum {

// Where a model is made. All belongs to the solver.
struct ModelPoint {
  const double* w;
  const std::vector<double>& gradient;  // of the smooth part
  const std::vector<double>& margins;   // x_i.w
  const Anchor& anchor;
};

// An upper bound of the Hessian's largest eigenvalue: sup l'' times the mean squared row norm, or the trace.
inline double curvature_bound(const LossFunction& loss, double mean_squared_norm, double trace) {
  const double smoothness = loss.smoothness();
  return std::isfinite(smoothness) ? smoothness * mean_squared_norm : trace;
}

// A Model is made from the problem and the setup, and has these, with damping from zero on; move is for the
// coefficients and, where there is one, the intercept:
//   void build(point, control)                  // early if control stops the work
//   bool solve(point, damping, control, move)   // false if control stops the work, or the model is not definite
//   bool margins(move, out, control)            // out = X move, after solve; false if control stops the work
//   double passes()                             // over the rows, so far
//   void transfer(archive)
template <class View, class Model>
class NewtonSteps final : public Solver {
 public:
  NewtonSteps(const Problem<View>& problem, const SolverSetup& setup)
      : problem_(problem),
        w_(setup.coef),
        scratch_(problem.n_columns()),
        gradient_(problem.n_columns()),
        anchor_(problem.n_rows()),
        trial_(problem.n_rows()),
        margins_(problem.n_rows()),
        direction_(problem.n_rows()),
        move_(problem.n_columns() + (problem.fit_intercept ? 1 : 0)),
        model_(problem, setup) {
    trial_.intercept = setup.intercept;
    evaluate_margins(problem_, w_, trial_);
    evaluate_objective(problem_, w_, trial_);
    margins_ = trial_.margins;
    evaluate_gradient(problem_, trial_, gradient_.data());
    std::swap(anchor_, trial_);
    passes_ = 1;
  }

  // At damping one the model majorizes F, so that only rounding can make every step fail.
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

  Certificate check(Control&) override {
    scratch_ = gradient_;
    return certify(problem_, anchor_, count_nonzeros(w_, problem_.n_columns()), scratch_.data());
  }

  std::size_t check_work() const override { return 0; }
  bool checks_are_free() const override { return true; }
  double passes() const override { return passes_ + model_.passes(); }
  const char* sampling() const override { return "none"; }
  double step_size() const override { return step_; }
  void restart_with_half_step() override {}  // every step decreases the objective
  void transfer(Archive& archive) override {
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) archive(w_[j]);
    archive(gradient_);
    archive(anchor_.margins);
    archive(anchor_.intercept);
    archive(anchor_.intercept_slope);
    archive(anchor_.objective);
    archive(margins_);
    archive(damping_);
    archive(passes_);
    model_.transfer(archive);
  }
  double finish() override { return anchor_.intercept; }

 private:
  ModelPoint point() const { return {w_, gradient_, margins_, anchor_}; }

  // False if the move does not decrease F as promised, or control stops the work.
  bool line_search(Control& control) {
    const std::size_t p = problem_.n_columns();
    if (!model_.margins(move_, direction_, control)) return false;
    const double intercept_move = problem_.fit_intercept ? move_[p] : 0;
    double slope = anchor_.intercept_slope * intercept_move;
    for (std::size_t j = 0; j < p; ++j) slope += gradient_[j] * move_[j];
    const Direction along{w_, move_.data(), p, intercept_move, margins_.data(), direction_.data(), slope};
    const double step = backtrack(problem_, along, anchor_, scratch_.data(), trial_, control);
    return step > 0 && accept_trial(step, control);
  }

  // The trial t times the move away becomes the iterate, unless control stops the work.
  bool accept_trial(double t, Control& control) {
    const std::size_t p = problem_.n_columns();
    if (!evaluate_gradient(problem_, trial_, move_.data(), &control)) return false;
    std::copy_n(move_.data(), p, gradient_.data());
    std::copy_n(scratch_.data(), p, w_);
    for (std::size_t i = 0; i < margins_.size(); ++i) margins_[i] += t * direction_[i];
    std::swap(anchor_, trial_);
    step_ = t;
    passes_ += 1;
    return true;
  }

  const Problem<View>& problem_;
  double* w_;
  std::vector<double> scratch_;
  std::vector<double> gradient_;
  Anchor anchor_;  // the iterate, its derivatives and objective
  Anchor trial_;
  std::vector<double> margins_;    // of the iterate, without the intercept
  std::vector<double> direction_;  // margins of the move
  std::vector<double> move_;
  Model model_;
  double damping_ = 0;
  bool stalled_ = false;
  double step_ = 1;
  double passes_ = 0;
};

}  // namespace finitesum
