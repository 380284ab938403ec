// Smoothness constants of the rows, from which every default step size is derived. Row i contributes f_i = (n s_i / S)
// l(x_i.w + b, y_i) to the mean (1/n) sum_i f_i, so L_i = (n s_i / S) sup l'' (|x_i|^2 + 1 with an intercept).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include "solvers/line_search.hpp"
#include "solvers/problem.hpp"
#include "solvers/sampling.hpp"
#include "solvers/solver.hpp"

namespace finitesum {

struct Smoothness {
  double max = 0;
  double mean = 0;
};

// L_i for a loss with sup l'' = 1.
template <class View>
double row_smoothness(const Problem<View>& problem, std::size_t i) {
  const auto row = problem.X.row(i);
  const double squared = squared_norm(problem.kernels, row.values, row.size) + (problem.fit_intercept ? 1.0 : 0.0);
  return static_cast<double>(problem.n_rows()) * problem.weight(i) / problem.total_weight * squared;
}

// The largest and the mean L_i / sup l''. Refuses data whose row norms overflow.
template <class View>
Smoothness unit_smoothness(const Problem<View>& problem) {
  Smoothness result;
  for (std::size_t i = 0; i < problem.n_rows(); ++i) {
    const double smoothness = row_smoothness(problem, i);
    result.max = std::max(result.max, smoothness);
    result.mean += smoothness;
  }
  result.mean /= static_cast<double>(problem.n_rows());
  if (!std::isfinite(result.mean))
    throw std::invalid_argument("X has rows whose squared norm overflows; scale its columns.");
  if (result.max == 0) result = {1, 1};  // nothing but zeros: any step will do
  return result;
}

template <class View>
std::vector<double> unit_smoothness_of_rows(const Problem<View>& problem) {
  std::vector<double> smoothness(problem.n_rows());
  for (std::size_t i = 0; i < smoothness.size(); ++i) smoothness[i] = row_smoothness(problem, i);
  return smoothness;
}

// Sampling by smoothness pays once the largest constant stands out: its steps are about 1/(2 mean) long instead of
// 1/max.
inline bool rows_differ(const Smoothness& smoothness) { return smoothness.max > 3 * smoothness.mean; }

// How rows are drawn and how long the steps are: the two are chosen together.
template <class View>
class StepRule {
 public:
  StepRule(const Problem<View>& problem, const SolverSetup& setup)
      : unit_(unit_smoothness(problem)),
        curvature_(problem.loss.smoothness()),
        given_step_(setup.step_size),
        sampler_(setup.seed, problem.n_rows()),
        to_mean_(static_cast<double>(problem.n_rows()) / problem.total_weight),
        search_(unit_.max) {
    if (setup.sampling == Sampling::lipschitz || (setup.sampling == Sampling::automatic && rows_differ(unit_))) {
      sampler_.use_smoothness(unit_smoothness_of_rows(problem));
    }
  }

  const RowSampler& sampler() const { return sampler_; }
  void visit_all_in(std::uint64_t epoch) { sampler_.visit_all_in(epoch); }
  double max() const { return curvature() * unit_.max; }
  double mean() const { return curvature() * unit_.mean; }
  // (1/max + 1/mean) / 2
  double mean_inverse() const { return 0.5 / max() + 0.5 / mean(); }
  // max_i L_i / (n p_i): what importance weights make of the largest constant.
  double importance_weighted() const { return sampler_.is_uniform() ? max() : 2 * max() * mean() / (max() + mean()); }
  // 1 / (p_i S): turns s_i (g - g_i) x_i into an unbiased estimate.
  double unbiased(std::size_t i) const { return sampler_.importance(i) * to_mean_; }

  // The step a user gave, else the rule's; less what divergence has taken off.
  double scaled(double step) const { return shrink_ * (given_step_ > 0 ? given_step_ : step); }
  void halve() { shrink_ /= 2; }

  // Losses without a global smoothness constant have theirs searched.
  bool searches() const { return std::isinf(curvature_) && given_step_ == 0; }
  bool search(const Problem<View>& problem, std::size_t i, double z, double g) {
    const double n = static_cast<double>(problem.n_rows());
    const double omega = n * problem.weight(i) / problem.total_weight;
    if (omega == 0) return false;
    return search_.raise(problem.loss, z, problem.y[i], g, row_smoothness(problem, i) / omega, omega);
  }
  void relax(std::size_t epoch) {
    if (searches() && epoch > 0) search_.relax();
  }

 private:
  double curvature() const { return std::isinf(curvature_) ? search_.smoothness() / unit_.max : curvature_; }

  Smoothness unit_;
  double curvature_;
  double given_step_;
  double shrink_ = 1;
  RowSampler sampler_;
  double to_mean_;
  LineSearch search_;
};

}  // namespace finitesum
