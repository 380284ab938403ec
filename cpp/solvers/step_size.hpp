// Smoothness constants of the rows, from which every default step size is derived. Row i contributes f_i = (n s_i / S)
// l(x_i.w + b, y_i) to the mean (1/n) sum_i f_i, so L_i = (n s_i / S) sup l'' (|x_i|^2 + 1 with an intercept), x_i as
// column_scaling.hpp sees it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "solvers/column_scaling.hpp"
#include "solvers/line_search.hpp"
#include "solvers/problem.hpp"
#include "solvers/sampling.hpp"
#include "solvers/solver.hpp"

namespace finitesum {

struct Smoothness {
  double max = 0;
  double mean = 0;
};

// L_i for a loss with sup l'' = 1. Like everything here for problems of one output and of several.
template <class AnyProblem>
double row_smoothness(const AnyProblem& problem, const ColumnScaling& scaling, std::size_t i) {
  const double squared = squared_norm(problem.kernels, scaling, problem.X.row(i)) + (problem.fit_intercept ? 1.0 : 0.0);
  return static_cast<double>(problem.n_rows()) * problem.weight(i) / problem.total_weight * squared;
}

// The largest and the mean L_i / sup l''. Refuses data whose row norms overflow.
template <class AnyProblem>
Smoothness unit_smoothness(const AnyProblem& problem, const ColumnScaling& scaling = no_scaling) {
  Smoothness result;
  visit_rows(problem, [&](std::size_t i) {
    const double smoothness = row_smoothness(problem, scaling, i);
    result.max = std::max(result.max, smoothness);
    result.mean += smoothness;
  });
  result.mean /= static_cast<double>(problem.n_rows());
  if (!std::isfinite(result.mean))
    throw std::invalid_argument("X has rows whose squared norm overflows; scale its columns.");
  if (result.max == 0) result = {1, 1};  // nothing but zeros: any step will do
  return result;
}

// Sampling by smoothness pays once the largest constant stands out: its steps are about 1/(2 mean) long instead of
// 1/max. Estimates of the smoothness where the iterate is do better still where most rows are learned early, as in
// unbalanced classes; SVRG, whose steps have to hold over a whole epoch, stays with the constants.
inline Sampling choose_sampling(const Smoothness& smoothness, bool may_adapt) {
  if (smoothness.max <= 3 * smoothness.mean) return Sampling::uniform;
  return may_adapt ? Sampling::adaptive : Sampling::lipschitz;
}

inline bool raise(LineSearch& search, const LossFunction& loss, double y, double z, double g, double q, double omega) {
  const double value = loss.value(z, y);
  return search.raise(omega * omega * g * g * q, [&](double L) {
    return loss.value(z - omega * g * q / L, y) <= value - omega * g * g * q / (2 * L);
  });
}
template <class View>
bool raise(LineSearch& search, const Problem<View>& problem, std::size_t i, double z, double g, double q,
           double omega) {
  return raise(search, problem.loss, problem.y[i], z, g, q, omega);
}

// How rows are drawn and how long the steps are: the two are chosen together.
template <class AnyProblem>
class BasicStepRule {
 public:
  // `scaling` must outlive the rule.
  template <class Setup>
  BasicStepRule(const AnyProblem& problem, const Setup& setup, bool may_adapt,
                const ColumnScaling& scaling = no_scaling)
      : problem_(problem),
        scaling_(scaling),
        strong_convexity_(problem.l2() * scaling.smallest_factor()),
        unit_(unit_smoothness(problem, scaling)),
        curvature_(problem.loss.smoothness()),
        rule_(setup.step_rule),
        given_(setup.step_size),
        sampling_(setup.sampling == Sampling::automatic ? choose_sampling(unit_, may_adapt) : setup.sampling),
        sampler_(setup.seed, problem.n_rows(), sampling_),
        to_mean_(static_cast<double>(problem.n_rows()) / problem.total_weight),
        search_(unit_.max * (std::isinf(curvature_) ? 1 : curvature_)) {
    if (is_uniform()) return;
    const double factor = adapts() && !std::isinf(curvature_) ? curvature_ : 1;
    Control* control = control_before_start(problem);
    sampler_.use_smoothness(factor * unit_.max, adapts() ? strong_convexity() : 0, [&](std::size_t i) {
      if (control != nullptr) control->stop_after(problem.X.row(i).size);
      return factor * row_smoothness(problem, scaling, i);
    });
  }

  const char* sampling() const { return sampling_names[static_cast<std::size_t>(sampling_)]; }
  // Whether inverse_plain moves with the share of the rows seen.
  bool depends_on_share() const { return !is_uniform() && given_ == 0; }
  bool draws_independently() const { return sampling_ != Sampling::cyclic && sampling_ != Sampling::shuffle; }
  void begin_epoch(std::uint64_t epoch) {
    if (searches() && epoch > 0) search_.relax();
    if (adapts()) estimates().refresh();
  }
  void visit_all_in(std::uint64_t epoch) { sampler_.visit_all_in(epoch); }

  // Estimates that learn are drawn from this many rows at a time, so that these can be fetched ahead; the authors draw
  // one by one.
  std::size_t max_draws() const { return adapts() ? 32 : RowSampler::max_draws; }
  void draw(std::uint64_t epoch, std::size_t first, std::size_t count, Draw* out) {
    sampler_.draw(epoch, first, count, out);
  }
  // 1 / (p_i S): turns s_i (g - g_i) x_i into an unbiased estimate. Once observe() has seen the row: steps stand on L_i
  // / (n p_i) <= L for all rows, but an estimate that was learned where the row's loss is flat may have been far too
  // low when it was drawn. What such a draw asks for beyond 2 L, more than an estimate that has doubled, is left to the
  // sum of the derivatives, as SAG leaves it all; seen on protein, single draws of that kind send SAGA astray.
  double unbiased(const Draw& draw) const {
    if (!adapts()) return draw.importance * to_mean_;
    return std::min(draw.importance, 2 / (inverse_unbiased() * estimates().estimate(draw.row))) * to_mean_;
  }

  // Learns from row i with prediction z and derivative g (K numbers each for K outputs); true if steps may have to
  // change.
  template <class Numbers>
  bool observe(std::size_t i, Numbers z, Numbers g) {
    if (!searches() && !adapts()) return false;
    const double omega = to_mean_ * problem_.weight(i);
    if (omega == 0) return false;
    const double squared_norm = row_smoothness(problem_, scaling_, i) / omega;
    if (!adapts()) return raise(search_, problem_, i, z, g, squared_norm, omega);
    LineSearch own(estimates().estimate(i) / 2);
    raise(own, problem_, i, z, g, squared_norm, omega);
    estimates().set_estimate(i, own.smoothness());
    return given_ == 0;
  }

  // 1/L for steps whose rows need no importance weights (SAG): with sampling by smoothness, and the share of the rows
  // seen so far, (1 - share)/L_max + share (1/L_max + 1/L_mean)/2 as in Schmidt et al. (2017), section 5.5.
  double inverse_plain(double share_seen) const {
    return is_uniform() ? 1 / max() : 1 / max() + 0.5 * share_seen * (1 / mean() - 1 / max());
  }
  // 1/L for unbiased steps, L = max_i L_i / (n p_i): what importance weights make of the largest constant.
  double inverse_unbiased() const { return is_uniform() ? 1 / max() : 0.5 / max() + 0.5 / mean(); }
  // The same for the mean of b independent estimates: their expected smoothness (R. Gower et al., "SGD: general
  // analysis and improved rates", ICML 2019; O. Sebbouh et al., "Towards closing the gap between the theory and
  // practice of SVRG", NeurIPS 2019) is L_b = L/b + (1 - 1/b) L_F, as E|mean|^2 = E|one|^2 / b + (1 - 1/b) |E one|^2.
  // For the smoothness L_F of the mean loss stands its bound, the mean of the L_i; draws without replacement ask for no
  // more.
  double inverse_unbiased(double b) const {
    const double inverse = inverse_unbiased();
    return b == 1 ? inverse : 1 / (1 / (b * inverse) + (1 - 1 / b) * mean());
  }

  // What the penalty gives, in the columns' units.
  double strong_convexity() const { return strong_convexity_; }
  // Where rows are drawn by rounded L_i, L = max_i L_i / (n p_i) needs the mean of these.
  double mean() const {
    return adapts() ? estimates().mean() : curvature() * (is_uniform() ? unit_.mean : estimates().mean());
  }

  // Shares of the draws per decile of the rows' smoothness (Schmidt et al. 2017 call it learning to ignore rows).
  std::vector<double> draw_shares() const {
    return is_uniform() ? std::vector<double>(10, 0.1) : estimates().draw_shares();
  }

  // The step asked for, less what divergence has taken off; `automatic` is the solver's own rule.
  double step(double inverse, double automatic) const {
    const double n_mu = static_cast<double>(problem_.n_rows()) * strong_convexity();
    const auto choose = [&] {
      if (given_ > 0) return given_;
      switch (rule_) {
        case StepSize::one_over_L:
          return inverse;
        case StepSize::one_over_16_L:
          return inverse / 16;
        case StepSize::two_over_L_plus_n_mu:
          return 2 / (1 / inverse + n_mu);
        case StepSize::one_over_3_L:
          return inverse / 3;
        case StepSize::one_over_2_L_plus_n_mu:
          return 1 / (2 * (1 / inverse + n_mu));
        case StepSize::automatic:
        case StepSize::line_search:
          break;
      }
      return automatic;
    };
    return shrink_ * choose();
  }
  void halve() { shrink_ /= 2; }

  void transfer(Archive& archive) {
    archive(shrink_);
    search_.transfer(archive);
    sampler_.transfer(archive);
  }

 private:
  // Losses without a global smoothness constant always have theirs searched.
  bool searches() const {
    return !adapts() && given_ == 0 && (std::isinf(curvature_) || rule_ == StepSize::line_search);
  }
  bool adapts() const { return sampling_ == Sampling::adaptive; }
  SmoothnessSampler& estimates() { return *sampler_.by_smoothness(); }
  const SmoothnessSampler& estimates() const { return *sampler_.by_smoothness(); }
  bool is_uniform() const { return sampling_ != Sampling::lipschitz && sampling_ != Sampling::adaptive; }
  double curvature() const { return searches() ? search_.smoothness() / unit_.max : curvature_; }
  double max() const { return adapts() ? estimates().max() : curvature() * unit_.max; }

  const AnyProblem& problem_;
  const ColumnScaling& scaling_;
  double strong_convexity_;
  Smoothness unit_;
  double curvature_;
  StepSize rule_;
  double given_;
  double shrink_ = 1;
  Sampling sampling_;
  RowSampler sampler_;
  double to_mean_;
  LineSearch search_;
};

template <class View>
using StepRule = BasicStepRule<Problem<View>>;

}  // namespace finitesum
