// A full evaluation at one point: margins, the best intercept for them, derivatives and the gradient of the smooth
// part. The anchors of SVRG (rounded_anchor.hpp) and Katyusha and Newton's iterates are such points, and each one
// yields a certificate at no further cost.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "solvers/dual_gap.hpp"
#include "solvers/intercept.hpp"

namespace finitesum {

struct Anchor {
  explicit Anchor(std::size_t n_rows) : margins(n_rows) {}

  // Of all rows: without the intercept between evaluate_margins and evaluate_gradient, the derivatives l'(z_i + b, y_i)
  // after it.
  std::vector<double> margins;
  double intercept = 0;
  double intercept_slope = 0;  // (1/S) sum_i s_i u_i: zero at the best intercept
  double objective = 0;

  double* derivatives() { return margins.data(); }
};

// The margins of a block turned into derivatives.
template <class View>
void differentiate(const Problem<View>& problem, double b, std::size_t first, std::size_t count, double* z) {
  for (std::size_t k = 0; k < count; ++k) z[k] += b;
  problem.loss.derivatives(z, TargetBlock(problem.y, first, count).data(), z, count);
}

// The derivatives of a block of rows, once the gradient is evaluated.
template <class View>
const double* derivatives_of(const Problem<View>& /*problem*/, Anchor& anchor, std::size_t first, std::size_t /*count*/,
                             double* /*room*/) {
  return anchor.derivatives() + first;
}

// False, here and below, if control stops the work.
template <class View>
bool evaluate_margins(const Problem<View>& problem, const double* w, Anchor& anchor, Control* control = nullptr) {
  return all_margins(problem, w, anchor.margins.data(), control);
}

// The mean loss at the anchor's margins, with the best intercept if it is free. With the intercept re-solved the
// derivatives sum to zero, as the dual point must. Of no use, here and below, if control stops the work.
template <class View>
double best_mean_loss(const Problem<View>& problem, Anchor& anchor, Control* control = nullptr) {
  InterceptProblem along{problem.loss, anchor.margins.data(), problem.y,
                         problem.s,    problem.n_rows(),      problem.n_threads};
  along.watch.control = control != nullptr ? control : control_before_start(problem);
  if (problem.has_free_intercept()) anchor.intercept = along.solve(anchor.intercept);
  return along.objective(anchor.intercept) / problem.total_weight;
}

// Completes (w, the anchor's margins) with the best intercept, if it is free, and the objective.
template <class View>
bool evaluate_objective(const Problem<View>& problem, const double* w, Anchor& anchor, Control* control = nullptr) {
  anchor.objective = best_mean_loss(problem, anchor, control) + penalty_value(problem, w, anchor.intercept);
  return control == nullptr || !control->stopped();
}

// Turns margins into derivatives, and writes (1/S) X^T (s o u) to the gradient.
template <class View>
bool evaluate_gradient(const Problem<View>& problem, Anchor& anchor, double* gradient, Control* control = nullptr) {
  std::vector<double> slopes((problem.n_rows() + block_rows - 1) / block_rows);
  const bool is_finished = sum_gradient(
      problem,
      [&](std::size_t first, std::size_t count, double* /*room*/) {
        double* u = anchor.derivatives() + first;
        differentiate(problem, anchor.intercept, first, count, u);
        if (problem.has_penalized_intercept()) slopes[first / block_rows] += weighted_sum(problem, u, first, count);
        return u;
      },
      gradient, control);
  anchor.intercept_slope = std::accumulate(slopes.begin(), slopes.end(), 0.0) / problem.total_weight;
  return is_finished;
}

// The certificate of an evaluated anchor; `scratch` holds the gradient and is overwritten. Of no use if the watch's
// control stops the work.
template <class View, class EvaluatedAnchor>
Certificate certify(const Problem<View>& problem, EvaluatedAnchor& anchor, double nonzeros, double* scratch,
                    const Watch& watch = {}) {
  Certificate certificate;
  certificate.objective = anchor.objective;
  certificate.nonzeros = nonzeros;
  if (has_finite_gap(problem)) {
    const auto u = [&](std::size_t first, std::size_t count, double* room) {
      return derivatives_of(problem, anchor, first, count, room);
    };
    certificate.lower_bound = dual_objective(problem, u, scratch, watch);
  } else {
    // The intercept is at its best, so its own entry is zero.
    certificate.gradient_norm = 0;
    for (std::size_t j = 0; j < problem.n_columns(); ++j)
      certificate.gradient_norm = std::max(certificate.gradient_norm, std::fabs(scratch[j]));
  }
  return certificate;
}

}  // namespace finitesum
