// What solver="auto" means: the solver whose predicted time is the shortest. A prediction is passes over X, from the
// condition number, times the cost of a pass, from the shape of X. Nothing is timed while a fit runs, and neither tol
// nor the number of threads counts: the same problem always gets the same solver, so that a fit resumes to the bit and
// has the same bits on any number of threads.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "solvers/step_size.hpp"

namespace finitesum {

// What one pass over X tells.
struct ProblemStatistics {
  bool is_sparse = false;
  bool is_quadratic = false;
  bool is_multinomial = false;
  bool has_l1 = false;
  bool has_l2 = false;
  double n_rows = 0;
  double n_columns = 0;
  double n_outputs = 1;  // that share X; separable but for a multinomial loss
  double n_stored = 0;
  double products = 0;         // of entries of the same row, each pair once: what a Hessian adds up
  double mean_smoothness = 0;  // of the L_i for sup l'' = 1: |x_i|^2, and 1 with an intercept
  double max_smoothness = 0;
  double condition = 0;           // sup l'' mean_smoothness / (n l2), what a stochastic method meets per row
  double l1_or_l2_condition = 0;  // the same over n (l1 + l2)
};

struct PredictedCost {
  std::string_view solver;
  double passes;
  double seconds;
};

struct SolverChoice {
  std::string solver;  // empty where it was not left to "auto"
  std::string reason;
  ProblemStatistics statistics;
  std::vector<PredictedCost> costs;  // of the candidates, the cheapest first
};

// Of all solvers that suit the problem, the cheapest first. With several separable outputs SAG takes them together, the
// others one after the other.
std::vector<PredictedCost> predict_costs(const ProblemStatistics& statistics);

// The cheapest among the `allowed` ones; where there are none among the candidates, the first of these.
SolverChoice choose_solver(const ProblemStatistics& statistics, const std::vector<std::string_view>& allowed,
                           std::string_view why_these);

// `n_outputs` problems of this kind; a loss without a bound on l'' counts as one of 1.
template <class AnyProblem>
ProblemStatistics statistics_of(const AnyProblem& problem, std::size_t n_outputs) {
  ProblemStatistics result;
  const auto& X = problem.X;
  result.is_sparse = std::decay_t<decltype(X)>::is_sparse;
  result.has_l1 = problem.l1() > 0;
  result.has_l2 = problem.l2() > 0;
  result.n_rows = static_cast<double>(problem.n_rows());
  result.n_columns = static_cast<double>(problem.n_columns());
  result.n_outputs = static_cast<double>(n_outputs);
  result.n_stored = static_cast<double>(X.n_stored());
  for (std::size_t i = 0; i < problem.n_rows(); ++i) {
    const auto size = static_cast<double>(X.row(i).size);
    result.products += size * size / 2;
  }
  const Smoothness unit = unit_smoothness(problem);
  result.mean_smoothness = unit.mean;
  result.max_smoothness = unit.max;
  constexpr double worst = 1e8;  // no penalty at all: of data in float32 more cannot be told
  const double bound = problem.loss.smoothness();
  const double curvature = (std::isfinite(bound) ? bound : 1) * unit.mean / result.n_rows;
  const auto over = [&](double strength) { return curvature < worst * strength ? curvature / strength : worst; };
  result.condition = over(problem.l2());
  result.l1_or_l2_condition = over(problem.l1() + problem.l2());
  return result;
}

}  // namespace finitesum
