// Full passes at one point (W, b): scores, objectives, derivatives, gradient, and the certificates, one per problem.
// multinomial.hpp and separable.hpp have what depends on the loss.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "solvers/dual_gap.hpp"
#include "solvers/multi/row_products.hpp"

namespace finitesum {

template <class View>
class MultiEvaluation {
 public:
  explicit MultiEvaluation(const MultiProblem<View>& problem)
      : problem_(problem), rows_at_once_(rows_in_block(problem.n_outputs)), row_loss_(problem) {}
  MultiEvaluation(const MultiEvaluation&) = delete;
  MultiEvaluation& operator=(const MultiEvaluation&) = delete;
  virtual ~MultiEvaluation() = default;

  // z = X W, n x K, without the intercepts; zeros where the row does not count.
  void multiply(const double* W, double* z) const { RowProducts<View>(problem_, W)(0, problem_.n_rows(), z); }

  // Turns scores into derivatives u, and writes (1/S) X^T (s o u) to the gradient.
  void differentiate(double* z, const double* b, double* gradient) {
    const std::size_t K = problem_.n_outputs;
    std::fill_n(gradient, problem_.n_coefficients(), 0.0);
    RowSums<View> sums(problem_, gradient);
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      double* u = z + i * K;
      std::copy_n(derivatives_at(i, u, b), K, u);
      sums.add(i, u);
    }
    sums.finish();
  }

  // Objectives at the best intercepts, if they are free, which are found from b on and written there; z = X W.
  virtual std::vector<double> best_objectives(const double* W, const double* z, double* b) = 0;

  // What derivatives u and their gradient certify. Both may be moved, together, to make u a feasible dual point.
  std::vector<Certificate> certify(const double* W, const std::vector<double>& objectives, double* u,
                                   double* gradient) {
    std::vector<Certificate> certificates = primal_half(W, objectives);
    if (problem_.has_finite_gap()) {
      balance(u, gradient);
      set_bounds(dual_objectives(u, gradient), certificates);
    } else {
      set_norms(largest_entries(gradient, mean_derivatives(u)), certificates);
    }
    return certificates;
  }

  // What (W, b) certifies with the help of SAG's table and gradient, (1/S) X^T (s o table), which is scratch.
  virtual std::vector<Certificate> certify_iterate(const double* W, const double* b, const double* table,
                                                   double* gradient) = 0;

  // What is known of W without a sweep.
  std::vector<Certificate> unfinished(const double* W) const {
    return primal_half(W, std::vector<double>(problem_.n_problems(), std::numeric_limits<double>::infinity()));
  }

  // The largest entries of the gradient at (W, b), per problem; `gradient` is scratch.
  std::vector<double> gradient_norms(const double* W, const double* b, double* gradient) {
    const std::size_t K = problem_.n_outputs;
    std::fill_n(gradient, problem_.n_coefficients(), 0.0);
    std::vector<double> slopes(K);
    std::vector<double> z(rows_at_once_ * K);
    const RowProducts<View> multiply_rows(problem_, W);
    RowSums<View> sums(problem_, gradient);
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      const std::size_t in_block = i % rows_at_once_;
      if (in_block == 0) multiply_rows(i, std::min(rows_at_once_, problem_.n_rows() - i), z.data());
      const double* u = derivatives_at(i, &z[in_block * K], b);
      for (std::size_t k = 0; k < K; ++k) slopes[k] += problem_.weight(i) * u[k] / problem_.total_weight;
      sums.add(i, u);
    }
    sums.finish();
    return largest_entries(gradient, slopes);
  }

  // (1/S) sum_i s_i u_i: the gradient in the intercepts. Unknown entries, NaN, count as zero.
  std::vector<double> mean_derivatives(const double* u) const {
    std::vector<double> sums(problem_.n_outputs);
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += problem_.weight(i) * derivative_or_zero(*u++);
    }
    for (double& sum : sums) sum /= problem_.total_weight;
    return sums;
  }

 protected:
  // Whole groups of the four rows that dense kernels take.
  static std::size_t rows_in_block(std::size_t K) {
    constexpr std::size_t numbers_at_once = 4096;
    return std::clamp<std::size_t>(numbers_at_once / K / 4 * 4, 16, block_rows);
  }

  // Moves u and its gradient so that sum_i s_i u_i = 0, where there are free intercepts.
  virtual void balance(double* u, double* gradient) = 0;
  // D(u) of a balanced u.
  virtual std::vector<double> dual_objectives(const double* u, const double* gradient) = 0;

  std::size_t problem_of(std::size_t output) const { return problem_.loss.is_separable() ? output : 0; }

  std::vector<Certificate> primal_half(const double* W, const std::vector<double>& objectives) const {
    std::vector<Certificate> certificates(objectives.size());
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) {
      for (std::size_t k = 0; k < problem_.n_outputs; ++k) certificates[problem_of(k)].nonzeros += *W++ != 0 ? 1 : 0;
    }
    for (std::size_t k = 0; k < certificates.size(); ++k) certificates[k].objective = objectives[k];
    return certificates;
  }
  static void set_bounds(const std::vector<double>& bounds, std::vector<Certificate>& certificates) {
    for (std::size_t k = 0; k < bounds.size(); ++k) certificates[k].lower_bound = bounds[k];
  }
  static void set_norms(const std::vector<double>& norms, std::vector<Certificate>& certificates) {
    for (std::size_t k = 0; k < norms.size(); ++k) certificates[k].gradient_norm = norms[k];
  }

  // K numbers, valid until the next call.
  const double* derivatives_at(std::size_t i, const double* z, const double* b) {
    for (std::size_t k = 0; k < problem_.n_outputs; ++k) row_loss_.z()[k] = z[k] + b[k];
    return row_loss_.differentiate(i);
  }

  // Of the gradient, and of the intercepts' part of it, the slopes; per problem.
  std::vector<double> largest_entries(const double* gradient, const std::vector<double>& slopes) const {
    const std::size_t K = problem_.n_outputs;
    std::vector<double> largest(problem_.n_problems());
    const auto meet = [&](std::size_t k, double value) {
      double& of_problem = largest[problem_of(k)];
      of_problem = std::max(of_problem, std::fabs(value));
    };
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) {
      for (std::size_t k = 0; k < K; ++k) meet(k, gradient[j * K + k]);
    }
    for (std::size_t k = 0; problem_.fit_intercept && k < K; ++k) meet(k, slopes[k]);
    return largest;
  }

  const MultiProblem<View>& problem_;
  std::size_t rows_at_once_;
  RowLoss<View> row_loss_;
};

template <class View>
std::unique_ptr<MultiEvaluation<View>> make_evaluation(const MultiProblem<View>& problem);

}  // namespace finitesum
