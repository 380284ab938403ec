// The epoch loop: checks, history, stop rule, deadline, and the guard against divergence.
#pragma once

#include "api/fit.hpp"
#include "solvers/solver.hpp"

namespace finitesum {

struct DriverLimits {
  double null_objective;
  double rounding;            // a gap below this is zero, as far as the objective can be evaluated
  double null_gradient_norm;  // only where no finite gap exists
};

// Runs the solver until the relative gap gap / F(null) is at most tol (without a finite gap: the gradient norm relative
// to the null model's), or until it must stop. Fills everything of the result but the solution's coefficients.
void drive(Solver& solver, const FitRequest& request, const DriverLimits& limits, Control& control, FitResult& result);

}  // namespace finitesum
