// The line search of the proximal Newton methods, as in J. Lee, Y. Sun, M. Saunders, SIAM J. Optim. 2014, with the free
// intercept of every point tried the best one.
#pragma once

#include <limits>

#include "solvers/anchor.hpp"

namespace finitesum {

// From the coefficients w (those that may move, `size` of them) and the intercept of the anchor towards w + move.
struct Direction {
  const double* w;
  const double* move;
  std::size_t size;
  double intercept_move;
  const double* margins;       // at w, without the intercept
  const double* margins_move;  // without the intercept's
  double slope;                // of the smooth part, along the move
};

// Backtracks until F decreases enough, and returns the length t of the step, with w + t move in `to` and margins,
// intercept and objective in `trial`; zero if the move promises nothing or does not keep its promise, or control stops
// the work.
template <class View>
double backtrack(const Problem<View>& problem, const Direction& along, const Anchor& anchor, double* to, Anchor& trial,
                 Control& control) {
  constexpr double smallest_step = 1e-3;
  constexpr double sufficient = 1e-4;  // of the decrease promised by the model (Armijo)
  const auto penalty_at = [&](const double* w, double b) {
    return penalty_value(problem.penalty, w, along.size) + problem.intercept_penalty.value(b);
  };
  const auto go = [&](double t) {
    for (std::size_t j = 0; j < along.size; ++j) to[j] = along.w[j] + t * along.move[j];
    trial.intercept = anchor.intercept + t * along.intercept_move;
  };
  go(1);
  const double promised = along.slope + penalty_at(to, trial.intercept) - penalty_at(along.w, anchor.intercept);
  // Moves too small to be seen in the objective still sharpen the certificate.
  const double rounding = 4 * std::numeric_limits<double>::epsilon() * anchor.objective;
  if (!(promised <= rounding)) return 0;
  for (double t = 1; t > smallest_step; t /= 2) {
    go(t);
    for (std::size_t i = 0; i < problem.n_rows(); ++i) trial.margins[i] = along.margins[i] + t * along.margins_move[i];
    trial.objective = best_mean_loss(problem, trial, &control) + penalty_at(to, trial.intercept);
    if (control.stopped()) return 0;
    if (trial.objective <= anchor.objective + sufficient * t * promised + rounding) return t;
  }
  return 0;
}

}  // namespace finitesum
