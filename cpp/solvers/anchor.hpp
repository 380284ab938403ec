// A full evaluation at one point: margins, the best intercept for them, derivatives and the gradient of the smooth
// part. SVRG's anchors and Newton's iterates are such points, and each one yields a certificate at no further cost.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "solvers/dual_gap.hpp"
#include "solvers/intercept.hpp"

namespace finitesum {

struct Anchor {
  explicit Anchor(std::size_t n_rows) : margins(n_rows) {}

  // Without the intercept between evaluate_margins and evaluate_gradient; the derivatives l'(z_i + b, y_i) after it.
  std::vector<double> margins;
  double intercept = 0;
  double intercept_slope = 0;  // (1/S) sum_i s_i u_i: zero at the best intercept
  double objective = 0;

  double* derivatives() { return margins.data(); }
};

// Completes (w, the anchor's margins) with the best intercept, if it is free, and the objective. With the intercept
// re-solved the derivatives sum to zero, as the dual point must.
template <class View>
void evaluate_objective(const Problem<View>& problem, const double* w, Anchor& anchor) {
  const InterceptProblem along{problem.loss, anchor.margins.data(), problem.y, problem.s, problem.n_rows()};
  if (problem.has_free_intercept()) anchor.intercept = along.solve(anchor.intercept);
  anchor.objective =
      along.objective(anchor.intercept) / problem.total_weight + penalty_value(problem, w, anchor.intercept);
}

template <class View>
void evaluate_margins(const Problem<View>& problem, const double* w, Anchor& anchor) {
  for_each_block(problem.n_rows(), [&](std::size_t first, std::size_t count) {
    margins(problem, w, 0, first, count, anchor.margins.data() + first);
  });
}

// Turns margins into derivatives, and writes (1/S) X^T (s o u) to the gradient.
template <class View>
void evaluate_gradient(const Problem<View>& problem, Anchor& anchor, double* gradient) {
  std::fill_n(gradient, problem.n_columns(), 0.0);
  for_each_block(problem.n_rows(), [&](std::size_t first, std::size_t count) {
    double* z = anchor.margins.data() + first;
    for (std::size_t k = 0; k < count; ++k) z[k] += anchor.intercept;
    problem.loss.derivatives(z, TargetBlock(problem.y, first, count).data(), z, count);
    add_gradient(problem, z, first, count, gradient);
  });
  if (problem.has_penalized_intercept()) anchor.intercept_slope = mean_derivative(problem, anchor.derivatives());
}

// The certificate of an evaluated anchor; `scratch` holds the gradient and is overwritten.
template <class View>
Certificate certify(const Problem<View>& problem, Anchor& anchor, double nonzeros, double* scratch) {
  Certificate certificate;
  certificate.objective = anchor.objective;
  certificate.nonzeros = nonzeros;
  if (has_finite_gap(problem)) {
    certificate.lower_bound = dual_objective(problem, anchor.derivatives(), scratch);
  } else {
    // The intercept is at its best, so its own entry is zero.
    certificate.gradient_norm = 0;
    for (std::size_t j = 0; j < problem.n_columns(); ++j)
      certificate.gradient_norm = std::max(certificate.gradient_norm, std::fabs(scratch[j]));
  }
  return certificate;
}

}  // namespace finitesum
