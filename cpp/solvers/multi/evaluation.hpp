// Full passes at one point (W, b): scores, objectives, derivatives, gradient, and the certificates, one per problem.
// multinomial.hpp and separable.hpp have what depends on the loss.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

#include "solvers/dual_gap.hpp"
#include "solvers/multi/problem.hpp"

namespace finitesum {

template <class View>
class MultiEvaluation {
 public:
  explicit MultiEvaluation(const MultiProblem<View>& problem)
      : problem_(problem),
        kernels_(column_kernels(problem.kernels, problem.X)),
        row_loss_(problem),
        factors_(problem.n_outputs) {}
  MultiEvaluation(const MultiEvaluation&) = delete;
  MultiEvaluation& operator=(const MultiEvaluation&) = delete;
  virtual ~MultiEvaluation() = default;

  // z = X W, n x K, without the intercepts; zeros where the row does not count.
  void multiply(const double* W, double* z) const {
    const std::size_t K = problem_.n_outputs;
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) multiply_row(i, W, z + i * K);
  }

  // Turns scores into derivatives u, and writes (1/S) X^T (s o u) to the gradient.
  void differentiate(double* z, const double* b, double* gradient) {
    const std::size_t K = problem_.n_outputs;
    std::fill_n(gradient, problem_.n_coefficients(), 0.0);
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      double* u = z + i * K;
      std::copy_n(derivatives_at(i, u, b), K, u);
      add_row(i, u, gradient);
    }
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
    std::vector<double> z(K);
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      multiply_row(i, W, z.data());
      const double* u = derivatives_at(i, z.data(), b);
      for (std::size_t k = 0; k < K; ++k) slopes[k] += problem_.weight(i) * u[k] / problem_.total_weight;
      add_row(i, u, gradient);
    }
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
  void multiply_row(std::size_t i, const double* W, double* z) const {
    if (problem_.weight(i) == 0) {
      std::fill_n(z, problem_.n_outputs, 0.0);
    } else {
      dot(kernels_, row_before_next(i, W), W, problem_.n_outputs, z);
    }
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

  // Row i of a sweep over all of them, whose next row's part of the p x K matrix w is fetched meanwhile.
  typename View::Row row_before_next(std::size_t i, const double* w) const {
    constexpr std::size_t numbers_in_cache = 16384;
    if (i + 1 < problem_.n_rows() && problem_.n_coefficients() > numbers_in_cache) {
      if (i + 4 < problem_.n_rows()) prefetch_once(problem_.X.row(i + 4));
      prefetch_columns(problem_.X.row(i + 1), w, problem_.n_outputs);
    }
    return problem_.X.row(i);
  }

  // gradient += (s_i / S) x_i change^T
  void add_row(std::size_t i, const double* change, double* gradient) {
    const double factor = problem_.weight(i) / problem_.total_weight;
    if (factor == 0) return;
    for (std::size_t k = 0; k < factors_.size(); ++k) factors_[k] = factor * change[k];
    axpy(kernels_, factors_.data(), row_before_next(i, gradient), gradient, factors_.size());
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
  const std::remove_reference_t<decltype(column_kernels(problem_.kernels, problem_.X))>& kernels_;
  RowLoss<View> row_loss_;
  std::vector<double> factors_;
};

template <class View>
std::unique_ptr<MultiEvaluation<View>> make_evaluation(const MultiProblem<View>& problem);

}  // namespace finitesum
