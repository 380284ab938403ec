// The certificate of the multinomial loss. With the dual variables u_i = q_i - e_{y_i}, the conjugate of the loss is
// sum_k q_ik log q_ik for q_i in the simplex, and weak duality gives
//     min F >= D(u) = -(1/S) sum_i s_i sum_k q_ik log q_ik - R*(-(1/S) X^T (s o u))
// for every such u with sum_i s_i u_i = 0 in R^K where there are intercepts. It is taken from fresh derivatives at the
// best intercepts: the latter need all scores at hand, n x K numbers during a check.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <variant>
#include <vector>

#include "solvers/multi/evaluation.hpp"
#include "solvers/multi/intercepts.hpp"

namespace finitesum {

template <class View>
class MultinomialEvaluation final : public MultiEvaluation<View> {
 public:
  explicit MultinomialEvaluation(const MultiProblem<View>& problem)
      : MultiEvaluation<View>(problem),
        intercepts_(problem.kernels, problem.y.labels, problem.s, problem.n_rows(), problem.n_outputs) {}

  double objective(const double* W, const double* z, const double* b) {
    return intercepts_.objective(z, b) / problem_.total_weight + penalty(W);
  }
  double best_objective(const double* W, const double* z, double* b) {
    return problem_.fit_intercept ? intercepts_.solve(z, b) / problem_.total_weight + penalty(W) : objective(W, z, b);
  }
  std::vector<double> best_objectives(const double* W, const double* z, double* b) override {
    return {best_objective(W, z, b)};
  }

  std::vector<Certificate> certify_iterate(const double* W, const double* b, const double*, double* gradient) override {
    const std::size_t K = problem_.n_outputs;
    std::vector<double> z(problem_.n_rows() * K);
    std::vector<double> best(b, b + K);
    this->multiply(W, z.data());
    const double at_b = objective(W, z.data(), b);
    if (problem_.has_finite_gap()) best_objective(W, z.data(), best.data());
    this->differentiate(z.data(), best.data(), gradient);
    return this->certify(W, {at_b}, z.data(), gradient);
  }

 private:
  using MultiEvaluation<View>::problem_;
  using MultiEvaluation<View>::rows_at_once_;

  double penalty(const double* W) const { return penalty_value(problem_.penalty, W, problem_.n_coefficients()); }

  static double largest_entry(const double* v, std::size_t n) {
    double largest = 0;
    for (std::size_t j = 0; j < n; ++j) largest = std::max(largest, std::fabs(v[j]));
    return largest;
  }

  // Makes sum_i s_i u_i = 0 by moving mass between the classes of each row: the classes that have too much, together R,
  // give the same share of what they have in every row, and the row's other classes receive it in proportion to what
  // they lack. Each q_i stays in the simplex, and the sums come out right at once. With the best intercepts there is
  // nothing to move beyond rounding, which changes D no more than rounding does.
  void balance(double* u, double* gradient) override {
    if (!problem_.fit_intercept) return;
    constexpr double rounding = 1e-14;
    const std::size_t K = problem_.n_outputs;
    std::vector<double> excess = this->mean_derivatives(u);
    for (double& of_class : excess) of_class *= problem_.total_weight;
    double too_much = 0;
    for (const double value : excess) too_much += std::max(value, 0.0);
    if (!(too_much > rounding * problem_.total_weight)) return;
    std::vector<double> share(K);  // given away
    for (std::size_t k = 0; k < K; ++k)
      share[k] = std::min(std::max(excess[k], 0.0) / (intercepts_.class_weights()[k] + excess[k]), 1.0);
    std::vector<double> change(K);
    RowSums<View> sums(problem_, gradient);
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
      sums.add(i, change.data());
    }
    sums.finish();
  }

  std::vector<double> dual_objectives(const double* u, const double* gradient) override {
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
    return {-conjugate_sum(u, scale) / problem_.total_weight - penalty_conjugate};
  }

  // sum_i s_i sum_k q_ik log q_ik with q_i = e_{y_i} + scale u_i
  double conjugate_sum(const double* u, double scale) {
    const std::size_t K = problem_.n_outputs;
    std::vector<double> q(rows_at_once_ * K);
    double sum = 0;
    for (std::size_t first = 0; first < problem_.n_rows(); first += rows_at_once_) {
      const std::size_t count = std::min(rows_at_once_, problem_.n_rows() - first);
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

  InterceptsProblem intercepts_;
};

}  // namespace finitesum
