// Full passes at one point (W, b): scores, objectives, derivatives, gradient, and the certificates, one per problem.
// multinomial.hpp and separable.hpp have what depends on the loss.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "solvers/dual_gap.hpp"
#include "solvers/multi/row_products.hpp"
#include "solvers/multi/row_sweep.hpp"

namespace finitesum {

// The scores z = X W without the intercepts, of all outputs or of one.
struct RowScores {
  RowNumbers of_rows;
  std::function<void(std::size_t k, std::size_t first, std::size_t count, double* z)> of_output;
  bool are_stored;
};

inline RowNumbers stored_numbers(const double* numbers, std::size_t K) {
  return [=](std::size_t first, std::size_t, double*) { return numbers + first * K; };
}
inline RowScores stored_scores(const double* z, std::size_t K) {
  return {stored_numbers(z, K),
          [=](std::size_t k, std::size_t first, std::size_t count, double* out) {
            for (std::size_t i = 0; i < count; ++i) out[i] = z[(first + i) * K + k];
          },
          true};
}

// Control may stop every sweep: those that return a bool are false then, and vectors empty.
template <class View>
class MultiEvaluation {
 public:
  MultiEvaluation(const MultiProblem<View>& problem, Control* control)
      : problem_(problem),
        sweep_(problem.n_rows(), problem.n_outputs, row_work(problem) * problem.n_outputs, control),
        row_loss_(problem),
        room_(sweep_.rows_at_once() * problem.n_outputs) {}
  MultiEvaluation(const MultiEvaluation&) = delete;
  MultiEvaluation& operator=(const MultiEvaluation&) = delete;
  virtual ~MultiEvaluation() = default;

  // z = X W, n x K, without the intercepts; zeros where the row does not count.
  bool multiply(const double* W, double* z) const {
    const RowProducts<View> products(problem_, W);
    return sweep_(
        [&](std::size_t first, std::size_t count) { products(first, count, z + first * problem_.n_outputs); });
  }

  // The derivatives at z + b, computed.
  RowNumbers derivatives(const RowNumbers& z, const double* b) {
    return [this, z, b](std::size_t first, std::size_t count, double* room) {
      differentiate_block(z(first, count, room), b, first, count, room);
      return static_cast<const double*>(room);
    };
  }

  // Writes (1/S) X^T (s o u) to the gradient.
  bool sum_gradient(const RowNumbers& u, double* gradient) {
    std::fill_n(gradient, problem_.n_coefficients(), 0.0);
    RowSums<View> sums(problem_, gradient);
    const bool is_finished = sweep_([&](std::size_t first, std::size_t count) {
      const double* u_i = u(first, count, room_.data());
      for (std::size_t i = first; i < first + count; ++i, u_i += problem_.n_outputs) sums.add(i, u_i);
    });
    sums.finish();
    return is_finished;
  }

  // Turns scores into derivatives u, and writes (1/S) X^T (s o u) to the gradient.
  bool differentiate(double* z, const double* b, double* gradient) {
    const auto in_place = [&](std::size_t first, std::size_t count, double*) {
      double* u = z + first * problem_.n_outputs;
      differentiate_block(u, b, first, count, u);
      return static_cast<const double*>(u);
    };
    return sum_gradient(in_place, gradient);
  }

  // Objectives at the best intercepts, if they are free, which are found from b on and written there.
  virtual std::vector<double> best_objectives(const double* W, const RowScores& z, double* b) = 0;

  // What derivatives u (NaN: unknown) and their gradient certify, which is overwritten. Unfinished if stopped.
  std::vector<Certificate> certify(const double* W, const std::vector<double>& objectives, const RowNumbers& u,
                                   double* gradient) {
    if (objectives.empty()) return unfinished(W);
    std::vector<Certificate> certificates = primal_half(W, objectives);
    if (problem_.has_finite_gap()) {
      const std::vector<double> bounds = dual_objectives(u, gradient);
      if (bounds.empty()) return unfinished(W);
      for (std::size_t k = 0; k < bounds.size(); ++k) certificates[k].lower_bound = bounds[k];
    } else {
      const std::vector<double> slopes = mean_derivatives(u);
      if (slopes.empty()) return unfinished(W);
      const std::vector<double> norms = largest_entries(gradient, slopes);
      for (std::size_t k = 0; k < norms.size(); ++k) certificates[k].gradient_norm = norms[k];
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
    const RowProducts<View> products(problem_, W);
    std::vector<double> slopes(K);
    const auto u = [&](std::size_t first, std::size_t count, double* room) {
      products(first, count, room);
      differentiate_block(room, b, first, count, room);
      for (std::size_t i = 0; i < count; ++i) {
        const double share = problem_.weight(first + i) / problem_.total_weight;
        for (std::size_t k = 0; k < K; ++k) slopes[k] += share * room[i * K + k];
      }
      return static_cast<const double*>(room);
    };
    if (!sum_gradient(u, gradient)) return {};
    return largest_entries(gradient, slopes);
  }

  // (1/S) sum_i s_i u_i: the gradient in the intercepts. Unknown entries, NaN, count as zero.
  std::vector<double> mean_derivatives(const RowNumbers& u) {
    std::vector<double> sums(problem_.n_outputs);
    const bool is_finished = sweep_([&](std::size_t first, std::size_t count) {
      const double* u_i = u(first, count, room_.data());
      for (std::size_t i = first; i < first + count; ++i) {
        for (double& sum : sums) sum += problem_.weight(i) * derivative_or_zero(*u_i++);
      }
    });
    if (!is_finished) return {};
    for (double& sum : sums) sum /= problem_.total_weight;
    return sums;
  }

 protected:
  static std::size_t row_work(const MultiProblem<View>& problem) { return problem.X.n_stored() / problem.n_rows() + 1; }

  // D(u) for u (NaN: unknown) and its gradient, once they are moved so that sum_i s_i u_i = 0, where there are free
  // intercepts; the gradient is overwritten by that of the moved u.
  virtual std::vector<double> dual_objectives(const RowNumbers& u, double* gradient) = 0;

  std::size_t problem_of(std::size_t output) const { return problem_.loss.is_separable() ? output : 0; }

  std::vector<Certificate> primal_half(const double* W, const std::vector<double>& objectives) const {
    std::vector<Certificate> certificates(objectives.size());
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) {
      for (std::size_t k = 0; k < problem_.n_outputs; ++k) certificates[problem_of(k)].nonzeros += *W++ != 0 ? 1 : 0;
    }
    for (std::size_t k = 0; k < certificates.size(); ++k) certificates[k].objective = objectives[k];
    return certificates;
  }

  // u may be z.
  void differentiate_block(const double* z, const double* b, std::size_t first, std::size_t count, double* u) {
    const std::size_t K = problem_.n_outputs;
    for (std::size_t i = first; i < first + count; ++i, z += K, u += K) {
      for (std::size_t k = 0; k < K; ++k) row_loss_.z()[k] = z[k] + b[k];
      std::copy_n(row_loss_.differentiate(i), K, u);
    }
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
  RowSweep sweep_;
  RowLoss<View> row_loss_;
  std::vector<double> room_;  // for the numbers of a block
};

// Control of the fit stops it.
template <class View>
std::unique_ptr<MultiEvaluation<View>> make_evaluation(const MultiProblem<View>& problem);

}  // namespace finitesum
