// The best intercept for given margins: a convex problem in one dimension.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "core/targets.hpp"
#include "solvers/control.hpp"
#include "solvers/loss_function.hpp"

namespace finitesum {

// Targets, weights and fixed parts of the predictions (null: all zero, or computed block by block) of the problem min_b
// sum_i s_i l(z_i + b, y_i).
struct InterceptProblem {
  const LossFunction& loss;
  const double* z;
  Targets y;
  const double* s;  // null: every weight is one
  std::size_t n;
  int n_threads;
  std::function<void(std::size_t first, std::size_t count, double* z)> compute_z = nullptr;
  Watch watch{nullptr, 8};  // if its control stops the work, results are of no use

  double objective(double b) const;
  double solve(double b) const;  // safeguarded Newton from b
};

// The null model: zero coefficients and the best intercept (zero without one, and where it is penalized like a
// coefficient).
struct NullModel {
  double intercept;
  double objective;            // sum_i s_i l(b, y_i) / S
  double rounding;             // how exactly objectives of this problem can be evaluated
  double derivative_rounding;  // eps times the mean |l'|
};
NullModel fit_null_model(const LossFunction& loss, const Targets& y, const double* s, std::size_t n,
                         double total_weight, bool fit_intercept, int n_threads);

}  // namespace finitesum
