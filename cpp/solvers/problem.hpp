// The problem every solver is handed: F(w, b) = (1/S) sum_i s_i l(x_i.w + b, y_i) + R(w), S = sum_i s_i + r(b),
// S = sum_i s_i. The intercept is free, r = 0, unless it stands for the coefficient of a constant column.
#pragma once

#include <cstddef>
#include <variant>

#include "core/targets.hpp"
#include "penalties/visit.hpp"
#include "solvers/control.hpp"
#include "solvers/loss_function.hpp"
#include "solvers/rows.hpp"

namespace finitesum {

template <class View>
struct Problem {
  View X;
  Targets y;
  const double* s;  // null: every weight is one
  double total_weight;
  LossFunction loss;
  AnyPenalty penalty;
  bool fit_intercept;
  ElasticNet intercept_penalty{0, 0};  // r; alpha = 0 for a free intercept
  const KernelTable& kernels;
  int n_threads;               // for passes over all rows
  Control* control = nullptr;  // of the fit, for sweeps outside of its epochs

  std::size_t n_rows() const { return X.n_rows; }
  std::size_t n_columns() const { return X.n_columns; }
  double weight(std::size_t i) const { return s != nullptr ? s[i] : 1.0; }
  const double* weights_from(std::size_t first) const { return s != nullptr ? s + first : nullptr; }
  bool has_penalized_intercept() const { return intercept_penalty.alpha > 0; }
  bool has_free_intercept() const { return fit_intercept && !has_penalized_intercept(); }
  double prox_intercept(double b, double step) const {
    return has_penalized_intercept() ? intercept_penalty.prox(b, step) : b;
  }
  // l'(z, y_i); zero where the row does not count, whatever its features: zero times infinity would be no number.
  double derivative(std::size_t i, double z) const { return weight(i) == 0 ? 0 : loss.derivative(z, y[i]); }
  double l1() const {
    return std::visit([](const auto& penalty) { return penalty.l1(); }, penalty);
  }
  double l2() const {
    return std::visit([](const auto& penalty) { return penalty.l2(); }, penalty);
  }
};

// Whom sweeps before the first epoch ask; null after that, and where nobody listens. For one output and for several.
template <class AnyProblem>
Control* control_before_start(const AnyProblem& problem) {
  return problem.control != nullptr && !problem.control->has_begun() ? problem.control : nullptr;
}

// Calls visit(i) for all rows in order, before the first epoch.
template <class AnyProblem, class Visit>
void visit_rows(const AnyProblem& problem, Visit&& visit) {
  const std::size_t n = problem.n_rows();
  in_parts(n, 1, problem.X.n_stored() / n + 1, control_before_start(problem), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) visit(i);
  });
}

}  // namespace finitesum
