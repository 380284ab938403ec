// The epoch loop: checks, history, stop rule, deadline, and the guard against divergence.
#pragma once

#include <cstddef>
#include <vector>

#include "solvers/report.hpp"
#include "solvers/solver.hpp"

namespace finitesum {

struct DriverLimits {
  double null_objective;
  double rounding;            // a gap below this is zero, as far as the objective can be evaluated
  double null_gradient_norm;  // only where no finite gap exists, like the next
  double gradient_rounding;   // a gradient norm below this is zero
};

// Where a run begins.
struct Start {
  bool is_warm;        // not at the null model: may already be good enough
  std::size_t epochs;  // run before, by a fit that this one resumes
};

// Runs the solver until the relative gap gap / F(null) is at most tol (without a finite gap: the gradient norm relative
// to the null model's), or until it must stop. Where the solver works on several outputs, each has limits and an
// outcome of its own, and the run goes on until all have converged.
std::vector<Outcome> drive(Solver& solver, const StopRule& rule, const std::vector<DriverLimits>& limits,
                           const Start& start, Control& control);
Outcome drive(Solver& solver, const StopRule& rule, const DriverLimits& limits, const Start& start, Control& control);

}  // namespace finitesum
