// Full passes at one point (W, b): scores, objective, derivatives, gradient, and the certificate. With the dual
// variables u_i = q_i - e_{y_i}, the conjugate of the loss is sum_k q_ik log q_ik for q_i in the simplex, and weak
// duality gives
//     min F >= D(u) = -(1/S) sum_i s_i sum_k q_ik log q_ik - R*(-(1/S) X^T (s o u))
// for every such u with sum_i s_i u_i = 0 in R^K where there are intercepts.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <variant>
#include <vector>

#include "solvers/dual_gap.hpp"
#include "solvers/multi/intercepts.hpp"

namespace finitesum {

template <class View>
class MultiEvaluation {
 public:
  explicit MultiEvaluation(const MultiProblem<View>& problem)
      : problem_(problem),
        kernels_(column_kernels(problem.kernels, problem.X)),
        intercepts_(problem.kernels, problem.y, problem.s, problem.n_rows(), problem.n_outputs),
        scores_(problem.kernels, problem.n_outputs) {}

  // z = X W, n x K, without the intercepts.
  void multiply(const double* W, double* z) const {
    const std::size_t K = problem_.n_outputs;
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) dot(kernels_, problem_.X.row(i), W, K, z + i * K);
  }

  double objective(const double* W, const double* z, const double* b) {
    return intercepts_.objective(z, b) / problem_.total_weight + penalty(W);
  }
  // At the best intercepts, found from b on and written there.
  double best_objective(const double* W, const double* z, double* b) {
    return problem_.fit_intercept ? intercepts_.solve(z, b) / problem_.total_weight + penalty(W) : objective(W, z, b);
  }

  // Turns scores into derivatives, and writes (1/S) X^T (s o u) to the gradient.
  void differentiate(double* z, const double* b, double* gradient) {
    const std::size_t K = problem_.n_outputs;
    std::fill_n(gradient, problem_.n_coefficients(), 0.0);
    std::vector<double> factors(K);
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      double* u = z + i * K;
      for (std::size_t k = 0; k < K; ++k) scores_.z()[k] = u[k] + b[k];
      scores_.evaluate(problem_.label(i));
      std::copy_n(scores_.probabilities(), K, u);
      u[problem_.label(i)] -= 1;
      add_row(i, u, gradient, factors);
    }
  }

  // D(u). Both u and its gradient are overwritten by the repairs that make u feasible.
  double dual_objective(double* u, double* gradient) {
    if (problem_.fit_intercept) balance(u, gradient);
    const std::size_t n_coefficients = problem_.n_coefficients();
    double scale = 1;
    double penalty_conjugate = 0;
    if (problem_.l2() > 0) {
      penalty_conjugate = std::visit(
          [&](const auto& penalty) {
            double sum = 0;
            for (std::size_t j = 0; j < n_coefficients; ++j) sum += penalty.conjugate(-gradient[j]);
            return sum;
          },
          problem_.penalty);
    } else {
      // R* is the indicator of |v_jk| <= l1: u is scaled into it, that is, q_i mixed with e_{y_i}.
      const double largest = largest_entry(gradient, n_coefficients);
      if (largest > problem_.l1()) scale = problem_.l1() / largest;
    }
    return -conjugate_sum(u, scale) / problem_.total_weight - penalty_conjugate;
  }

  // The largest entry of the gradient, and of the intercepts' part of it.
  double gradient_norm(const double* u, const double* gradient) const {
    double largest = largest_entry(gradient, problem_.n_coefficients());
    if (!problem_.fit_intercept) return largest;
    for (const double excess : excess_of(u)) largest = std::max(largest, std::fabs(excess) / problem_.total_weight);
    return largest;
  }

  // What z (which becomes u) and its objective at (W, b) certify, b being the best intercepts.
  Certificate certify(const double* W, double* z, const double* b, double objective, double* scratch) {
    Certificate certificate;
    certificate.objective = objective;
    certificate.nonzeros = count_nonzeros(W, problem_.n_coefficients());
    differentiate(z, b, scratch);
    if (problem_.has_finite_gap()) {
      certificate.lower_bound = dual_objective(z, scratch);
    } else {
      certificate.gradient_norm = gradient_norm(z, scratch);
    }
    return certificate;
  }

 private:
  double penalty(const double* W) const { return penalty_value(problem_.penalty, W, problem_.n_coefficients()); }

  static double largest_entry(const double* v, std::size_t n) {
    double largest = 0;
    for (std::size_t j = 0; j < n; ++j) largest = std::max(largest, std::fabs(v[j]));
    return largest;
  }

  // gradient += (s_i / S) x_i change^T
  void add_row(std::size_t i, const double* change, double* gradient, std::vector<double>& factors) const {
    const double factor = problem_.weight(i) / problem_.total_weight;
    if (factor == 0) return;
    for (std::size_t k = 0; k < factors.size(); ++k) factors[k] = factor * change[k];
    axpy(kernels_, factors.data(), problem_.X.row(i), gradient, factors.size());
  }

  // sum_i s_i u_i
  std::vector<double> excess_of(const double* u) const {
    std::vector<double> excess(problem_.n_outputs);
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      for (std::size_t k = 0; k < excess.size(); ++k) excess[k] += problem_.weight(i) * *u++;
    }
    return excess;
  }

  // Makes sum_i s_i u_i = 0 by moving mass between the classes of each row: the classes that have too much, together R,
  // give the same share of what they have in every row, and the row's other classes receive it in proportion to what
  // they lack. Each q_i stays in the simplex, and the sums come out right at once. With the best intercepts there is
  // nothing to move beyond rounding, which changes D no more than rounding does.
  void balance(double* u, double* gradient) {
    constexpr double rounding = 1e-14;
    const std::size_t K = problem_.n_outputs;
    const std::vector<double> excess = excess_of(u);
    double too_much = 0;
    for (const double value : excess) too_much += std::max(value, 0.0);
    if (!(too_much > rounding * problem_.total_weight)) return;
    std::vector<double> share(K);  // given away
    for (std::size_t k = 0; k < K; ++k)
      share[k] = std::min(std::max(excess[k], 0.0) / (intercepts_.class_weights()[k] + excess[k]), 1.0);
    std::vector<double> change(K);
    std::vector<double> factors(K);
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      double* u_i = u + i * K;
      double given = 0;
      for (std::size_t k = 0; k < K; ++k) {
        const double q = u_i[k] + (k == problem_.label(i) ? 1.0 : 0.0);
        change[k] = excess[k] > 0 ? -share[k] * q : 0.0;
        given -= change[k];
      }
      for (std::size_t k = 0; k < K; ++k) {
        if (excess[k] < 0) change[k] = given * (-excess[k] / too_much);
        u_i[k] += change[k];
      }
      add_row(i, change.data(), gradient, factors);
    }
  }

  // sum_i s_i sum_k q_ik log q_ik with q_i = e_{y_i} + scale u_i
  double conjugate_sum(const double* u, double scale) {
    constexpr std::size_t numbers_at_once = 2048;
    const std::size_t K = problem_.n_outputs;
    const std::size_t rows_at_once = std::max<std::size_t>(numbers_at_once / K, 1);
    std::vector<double> q(rows_at_once * K);
    double sum = 0;
    for (std::size_t first = 0; first < problem_.n_rows(); first += rows_at_once) {
      const std::size_t count = std::min(rows_at_once, problem_.n_rows() - first);
      for (std::size_t k = 0; k < count * K; ++k) q[k] = scale * u[first * K + k];
      for (std::size_t i = 0; i < count; ++i) {
        double& of_label = q[i * K + problem_.label(first + i)];
        of_label = std::max(1 + of_label, 0.0);  // rounding
      }
      problem_.kernels.columns.softmax.x_log_x(q.data(), count * K);
      for (std::size_t i = 0; i < count; ++i) {
        double of_row = 0;
        for (std::size_t k = 0; k < K; ++k) of_row += q[i * K + k];
        sum += problem_.weight(first + i) * of_row;
      }
    }
    return sum;
  }

  const MultiProblem<View>& problem_;
  const std::remove_reference_t<decltype(column_kernels(problem_.kernels, problem_.X))>& kernels_;
  InterceptsProblem intercepts_;
  Scores scores_;
};

}  // namespace finitesum
