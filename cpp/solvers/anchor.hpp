// A full evaluation at one point: margins, the best intercept for them, derivatives and the gradient of the smooth
// part. SVRG's anchors and Newton's iterates are such points, and each one yields a certificate at no further cost.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "solvers/dual_gap.hpp"
#include "solvers/intercept.hpp"

namespace finitesum {

struct Anchor {
  // Without storage the margins and derivatives are computed again, block by block, whenever they are needed.
  explicit Anchor(std::size_t n_rows, bool stores_rows = true)
      : stores(stores_rows), margins(stores_rows ? n_rows : 0) {}

  bool stores;
  // Of all rows, if stored: without the intercept between evaluate_margins and evaluate_gradient, the derivatives
  // l'(z_i + b, y_i) after it.
  std::vector<double> margins;
  const double* w = nullptr;  // of the caller's, while nothing is stored
  double intercept = 0;
  double intercept_slope = 0;  // (1/S) sum_i s_i u_i: zero at the best intercept
  double objective = 0;
  std::size_t rows_computed_again = 0;

  double* derivatives() { return margins.data(); }
};

template <class View>
void compute_margins(const Problem<View>& problem, Anchor& anchor, std::size_t first, std::size_t count, double* z) {
  margins(problem, anchor.w, 0, first, count, z);
  add_atomically(anchor.rows_computed_again, count);
}

// The margins of a block turned into derivatives.
template <class View>
void differentiate(const Problem<View>& problem, double b, std::size_t first, std::size_t count, double* z) {
  for (std::size_t k = 0; k < count; ++k) z[k] += b;
  problem.loss.derivatives(z, TargetBlock(problem.y, first, count).data(), z, count);
}

// The derivatives of a block of rows, once the gradient is evaluated.
template <class View>
const double* derivatives_of(const Problem<View>& problem, Anchor& anchor, std::size_t first, std::size_t count,
                             double* room) {
  if (anchor.stores) return anchor.derivatives() + first;
  compute_margins(problem, anchor, first, count, room);
  differentiate(problem, anchor.intercept, first, count, room);
  return room;
}

template <class View>
void evaluate_margins(const Problem<View>& problem, const double* w, Anchor& anchor) {
  anchor.w = w;
  if (anchor.stores) all_margins(problem, w, anchor.margins.data());
}

// The mean loss at the anchor's margins, with the best intercept if it is free. With the intercept re-solved the
// derivatives sum to zero, as the dual point must.
template <class View>
double best_mean_loss(const Problem<View>& problem, Anchor& anchor) {
  InterceptProblem along{problem.loss, anchor.margins.data(), problem.y,
                         problem.s,    problem.n_rows(),      problem.n_threads};
  if (!anchor.stores) {
    along.compute_z = [&](std::size_t first, std::size_t count, double* z) {
      compute_margins(problem, anchor, first, count, z);
    };
  }
  if (problem.has_free_intercept()) anchor.intercept = along.solve(anchor.intercept);
  return along.objective(anchor.intercept) / problem.total_weight;
}

// Completes (w, the anchor's margins) with the best intercept, if it is free, and the objective.
template <class View>
void evaluate_objective(const Problem<View>& problem, const double* w, Anchor& anchor) {
  anchor.objective = best_mean_loss(problem, anchor) + penalty_value(problem, w, anchor.intercept);
}

// Turns margins into derivatives, and writes (1/S) X^T (s o u) to the gradient.
template <class View>
void evaluate_gradient(const Problem<View>& problem, Anchor& anchor, double* gradient) {
  std::vector<double> slopes((problem.n_rows() + block_rows - 1) / block_rows);
  sum_gradient(
      problem,
      [&](std::size_t first, std::size_t count, double* room) {
        if (anchor.stores) differentiate(problem, anchor.intercept, first, count, anchor.derivatives() + first);
        const double* u = derivatives_of(problem, anchor, first, count, room);
        if (problem.has_penalized_intercept()) slopes[first / block_rows] = weighted_sum(problem, u, first, count);
        return u;
      },
      gradient);
  anchor.intercept_slope = std::accumulate(slopes.begin(), slopes.end(), 0.0) / problem.total_weight;
}

// The certificate of an evaluated anchor; `scratch` holds the gradient and is overwritten.
template <class View>
Certificate certify(const Problem<View>& problem, Anchor& anchor, double nonzeros, double* scratch) {
  Certificate certificate;
  certificate.objective = anchor.objective;
  certificate.nonzeros = nonzeros;
  if (has_finite_gap(problem)) {
    const auto u = [&](std::size_t first, std::size_t count, double* room) {
      return derivatives_of(problem, anchor, first, count, room);
    };
    certificate.lower_bound = dual_objective(problem, u, scratch);
  } else {
    // The intercept is at its best, so its own entry is zero.
    certificate.gradient_norm = 0;
    for (std::size_t j = 0; j < problem.n_columns(); ++j)
      certificate.gradient_norm = std::max(certificate.gradient_norm, std::fabs(scratch[j]));
  }
  return certificate;
}

}  // namespace finitesum
