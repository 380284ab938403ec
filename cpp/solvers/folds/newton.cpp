// Newton for all folds of a cross-validation. The folds have most of their rows in common, so that one Hessian, the
// mean of theirs, serves them all: their errors then fall by a constant factor per step, (K - 1)^-1 or so, and as long
// as they do the Hessian of an earlier step, or of an earlier penalty, is kept. Where they do not, folds get Hessians
// of their own. A line search makes each step a descent, and every step ends with a certificate.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "solvers/anchor.hpp"
#include "solvers/folds/problem.hpp"
#include "solvers/hessian_sum.hpp"
#include "solvers/newton_steps.hpp"
#include "solvers/quadratic_model.hpp"
#include "solvers/step_size.hpp"

namespace finitesum {
namespace {

// The iterate of a fold, all that is known there, and its next step.
struct FoldIterate {
  FoldIterate(std::size_t n_rows, std::size_t n_columns, std::size_t n_coordinates)
      : w(n_columns), gradient(n_columns), move(n_coordinates), z(n_rows), u(n_rows), z_move(n_rows) {}

  std::vector<double> w;
  std::vector<double> gradient;  // of the smooth part
  std::vector<double> move;      // the intercept's last
  std::vector<double> z;         // margins without the intercept
  std::vector<double> u;         // derivatives
  std::vector<double> z_move;
  double intercept = 0;
  double intercept_slope = 0;
  double objective = 0;
  double promise = std::numeric_limits<double>::infinity();  // the decrement of Newton's last step
  bool is_settled = false;                                   // no gap to speak of
};

template <class View>
class FoldNewton final : public FoldSolver {
 public:
  FoldNewton(const FoldProblem<View>& problem, const std::vector<double>& intercepts, std::vector<double> targets)
      : problem_(problem),
        parts_(cut_folds(problem.n_folds(), problem.n_threads)),
        targets_(std::move(targets)),
        model_(problem.n_columns(), problem.any().fit_intercept ? 1 : 0, 0, 0),
        hessian_(problem.any(), model_),
        mean_squared_norm_(unit_smoothness(problem.any()).mean) {
    Control endless(std::numeric_limits<double>::infinity(), nullptr);
    for (std::size_t k = 0; k < problem.n_folds(); ++k) {
      folds_.emplace_back(problem.n_rows(), problem.n_columns(), model_.size());
      folds_[k].intercept = intercepts[k];
      folds_[k].objective = objective_at(k, 0);
      differentiate(k);
    }
    sum_gradients(endless);
  }

  void run_epoch(std::size_t, Control& control) override {
    if (!find_moves(control)) return;
    if (!multiply_moves(control)) return;
    steps_.assign(folds_.size(), 0);
    parallel_for(folds_.size(), problem_.n_threads, [&](std::size_t k) { steps_[k] = step(k); });
    sum_gradients(control);
    passes_ += 1;
    has_failed_ = false;
    for (std::size_t k = 0; k < folds_.size(); ++k) has_failed_ = has_failed_ || (steps_[k] == 0 && !is_done(k));
    if (!has_failed_) damping_ = damping_ > smallest_damping ? damping_ / 100 : 0;
    n_steps_ += 1;
  }

  bool stalled() const override { return is_stalled_; }

  std::vector<Certificate> check_outputs(Control&) override {
    std::vector<Certificate> certificates(folds_.size());
    parallel_for(folds_.size(), problem_.n_threads, [&](std::size_t k) {
      FoldIterate& fold = folds_[k];
      std::vector<double> gradient = fold.gradient;
      certificates[k].objective = fold.objective;
      certificates[k].nonzeros = count_nonzeros(fold.w.data(), fold.w.size());
      certificates[k].lower_bound =
          dual_objective(problem_.folds[k], StoredDerivatives{fold.u.data()}, gradient.data(), {});
      fold.is_settled = certificates[k].objective - certificates[k].lower_bound <= targets_[k];
    });
    return certificates;
  }

  std::size_t check_work() const override { return 0; }
  bool checks_are_free() const override { return true; }
  double passes() const override { return passes_; }
  const char* sampling() const override { return "none"; }
  double step_size() const override { return steps_.empty() ? 1 : *std::min_element(steps_.begin(), steps_.end()); }
  void restart_with_half_step() override {}  // every step decreases the objective

  void change_penalties(const std::vector<double>& l2_before) override {
    for (std::size_t k = 0; k < folds_.size(); ++k) {
      FoldIterate& fold = folds_[k];
      fold.objective += penalty_value(problem_.folds[k].penalty, fold.w.data(), fold.w.size()) *
                        (1 - l2_before[k] / problem_.folds[k].l2());
      fold.promise = std::numeric_limits<double>::infinity();
      fold.is_settled = false;
    }
    is_old_ = n_steps_ > 1;
    n_steps_ = 0;
    passes_ = 0;
    slow_steps_ = std::min(slow_steps_, patience - 1);
    has_failed_ = is_stalled_ = false;
    damping_ = 0;
  }
  void write(double* coef, double* intercepts) const override {
    for (const FoldIterate& fold : folds_) {
      *intercepts++ = fold.intercept;
      coef = std::copy(fold.w.begin(), fold.w.end(), coef);
    }
  }

 private:
  static constexpr double smallest_damping = 1e-10;
  static constexpr double largest_damping = 1e2;
  static constexpr int patience = 2;  // slow steps with the Hessian that they share before folds get their own

  bool is_quadratic() const { return problem_.any().loss.is_quadratic(); }
  bool have_own_hessians() const { return slow_steps_ >= patience; }
  bool is_done(std::size_t k) const { return folds_[k].is_settled || folds_[k].promise == 0; }

  // Steps of all folds; false if control stops the work, or no step is left that helps.
  bool find_moves(Control& control) {
    constexpr double slow = 0.25;
    constexpr double stale = 0.1;
    if (has_failed_) raise_damping();
    if (is_stalled_) return false;
    if (have_own_hessians()) return find_own_moves(control);
    const bool was_fresh = is_fresh_ || is_quadratic();
    is_fresh_ = !is_built_ || (is_old_ && !is_quadratic());
    if (is_fresh_ && !build_mean_hessian(control)) return false;
    double ratio = solve_all(control);
    if (!is_fresh_ && ratio > stale && !is_quadratic()) {
      is_fresh_ = true;
      if (!build_mean_hessian(control)) return false;
      ratio = solve_all(control);
    }
    if (ratio > slow && was_fresh) slow_steps_ += 1;
    if (have_own_hessians()) return find_own_moves(control);
    return !control.stopped();
  }

  void raise_damping() {
    if (!have_own_hessians()) {
      slow_steps_ = is_fresh_ || is_quadratic() ? patience : slow_steps_;
      is_old_ = true;
      return;
    }
    is_stalled_ = damping_ >= largest_damping;
    damping_ = std::max(100 * damping_, smallest_damping);
  }

  bool build_mean_hessian(Control& control) {
    const auto add = [&](std::size_t first, std::size_t count, double* h) {
      std::array<double, block_rows> of_fold;
      std::fill_n(h, count, 0.0);
      for (std::size_t k = 0; k < folds_.size(); ++k) {
        curvatures(k, first, count, of_fold.data());
        for (std::size_t i = 0; i < count; ++i) h[i] += of_fold[i] / static_cast<double>(folds_.size());
      }
    };
    passes_ += 1;
    is_old_ = false;
    is_built_ = hessian_.build(add, control);
    return is_built_;
  }

  // s_i l'' / S
  void curvatures(std::size_t k, std::size_t first, std::size_t count, double* h) const {
    const Problem<View>& problem = problem_.folds[k];
    const FoldIterate& fold = folds_[k];
    std::array<double, block_rows> z;
    for (std::size_t i = 0; i < count; ++i) z[i] = fold.z[first + i] + fold.intercept;
    problem.loss.curvatures(z.data(), TargetBlock(problem.y, first, count).data(), h, count);
    for (std::size_t i = 0; i < count; ++i) h[i] *= problem.weight(first + i) / problem.total_weight;
  }

  // The largest ratio of a decrement to the one before, among folds that still have to move.
  double solve_all(Control& control) {
    double l2 = 0;
    for (const Problem<View>& problem : problem_.folds) l2 += problem.l2() / static_cast<double>(folds_.size());
    double shift = 0;
    while (!model_.factorize_all(l2, shift, control)) {
      if (control.stopped() || !(shift <= model_.trace())) return std::numeric_limits<double>::infinity();
      shift = std::max(100 * shift, smallest_damping * model_.trace());
    }
    double ratio = 0;
    for (std::size_t k = 0; k < folds_.size(); ++k) ratio = std::max(ratio, solve(k));
    return ratio;
  }

  double solve(std::size_t k) {
    FoldIterate& fold = folds_[k];
    const std::size_t p = fold.w.size();
    for (std::size_t j = 0; j < p; ++j) fold.move[j] = -fold.gradient[j] - problem_.folds[k].l2() * fold.w[j];
    if (problem_.any().fit_intercept) fold.move[p] = -fold.intercept_slope;
    model_.solve_factorized(fold.move);
    const double before = std::exchange(fold.promise, std::max(0.0, -slope_along(k)));
    return fold.is_settled || !std::isfinite(before) || before == 0 ? 0 : fold.promise / before;
  }

  // Of the objective along the move.
  double slope_along(std::size_t k) const {
    const FoldIterate& fold = folds_[k];
    const std::size_t p = fold.w.size();
    double slope = problem_.any().fit_intercept ? fold.intercept_slope * fold.move[p] : 0;
    for (std::size_t j = 0; j < p; ++j) slope += (fold.gradient[j] + problem_.folds[k].l2() * fold.w[j]) * fold.move[j];
    return slope;
  }

  bool find_own_moves(Control& control) {
    is_built_ = false;  // the mean
    for (std::size_t k = 0; k < folds_.size(); ++k) {
      if (is_done(k)) {
        std::fill(folds_[k].move.begin(), folds_[k].move.end(), 0.0);
        continue;
      }
      passes_ += 1 / static_cast<double>(folds_.size());
      const auto own = [&](std::size_t first, std::size_t count, double* h) { curvatures(k, first, count, h); };
      if (!hessian_.build(own, control)) return false;
      double damping = damping_;
      const double bound = curvature_bound(problem_.any().loss, mean_squared_norm_, model_.trace());
      while (!model_.factorize_all(problem_.folds[k].l2(), damping * bound, control)) {
        if (control.stopped()) return false;
        damping = std::max(100 * damping, smallest_damping);
        if (damping > largest_damping) {
          is_stalled_ = true;
          return false;
        }
      }
      solve(k);
    }
    return true;
  }

  // z_move of all folds.
  bool multiply_moves(Control& control) {
    std::vector<char> finished(parts_.size());
    on_parts(parts_.size(), control, [&](std::size_t part, Control& of_part) {
      const FoldRange& range = parts_[part];
      const Problem<View>& any = problem_.any();
      FoldColumns moves(problem_.n_columns(), range.size);
      for (std::size_t k = 0; k < range.size; ++k) {
        const FoldIterate& fold = folds_[range.first + k];
        for (std::size_t j = 0; j < moves.size(); ++j) moves[j][k] = fold.move[j];
      }
      std::vector<double> z(moves.stride());
      finished[part] = for_each_row_block_on(1, any, &of_part, [&](std::size_t first, std::size_t count) {
        for (std::size_t i = first; i < first + count; ++i) {
          if (i + 4 < any.n_rows()) prefetch_once(any.X.row(i + 4));
          dot_lanes(any, i, moves, z.data());
          for (std::size_t k = 0; k < range.size; ++k) folds_[range.first + k].z_move[i] = z[k];
        }
      });
    });
    return std::all_of(finished.begin(), finished.end(), [](char done) { return done != 0; });
  }

  // Of all folds, from their derivatives.
  void sum_gradients(Control& control) {
    on_parts(parts_.size(), control, [&](std::size_t part, Control& of_part) {
      const FoldRange& range = parts_[part];
      const Problem<View>& any = problem_.any();
      FoldColumns sums(problem_.n_columns(), range.size);
      std::vector<double> factors(sums.stride());
      const bool is_finished = for_each_row_block_on(1, any, &of_part, [&](std::size_t first, std::size_t count) {
        for (std::size_t i = first; i < first + count; ++i) {
          if (i + 4 < any.n_rows()) prefetch_once(any.X.row(i + 4));
          for (std::size_t k = 0; k < range.size; ++k) {
            const Problem<View>& problem = problem_.folds[range.first + k];
            factors[k] = problem.weight(i) * folds_[range.first + k].u[i] / problem.total_weight;
          }
          axpy_lanes(any, factors.data(), i, sums);
        }
      });
      // what is not finished belongs to a fit that is given up
      for (std::size_t k = 0; is_finished && k < range.size; ++k) {
        FoldIterate& fold = folds_[range.first + k];
        for (std::size_t j = 0; j < sums.size(); ++j) fold.gradient[j] = sums[j][k];
      }
    });
  }

  double objective_at(std::size_t k, double t) const {
    const Problem<View>& problem = problem_.folds[k];
    const FoldIterate& fold = folds_[k];
    const std::size_t p = fold.w.size();
    const double b = fold.intercept + (problem.fit_intercept ? t * fold.move[p] : 0);
    double loss = 0;
    std::array<double, block_rows> z;
    for_each_block(problem.n_rows(), [&](std::size_t first, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) z[i] = fold.z[first + i] + t * fold.z_move[first + i] + b;
      loss += problem.loss.value_sum(z.data(), TargetBlock(problem.y, first, count).data(), problem.weights_from(first),
                                     count);
    });
    const double square = chained_sum(p, [&](std::size_t j) {
      const double w = fold.w[j] + t * fold.move[j];
      return w * w;
    });
    return loss / problem.total_weight + problem.l2() / 2 * square;
  }

  // The length of the step that was taken, zero if none lowers the objective as promised.
  double step(std::size_t k) {
    constexpr double smallest_step = 1e-3;
    constexpr double sufficient = 1e-4;  // of the decrease promised (Armijo)
    FoldIterate& fold = folds_[k];
    const double rounding = 4 * std::numeric_limits<double>::epsilon() * fold.objective;
    const double slope = slope_along(k);
    if (fold.promise == 0 || !(slope <= rounding)) return 0;
    for (double t = 1; t > smallest_step; t /= 2) {
      const double objective = objective_at(k, t);
      if (!(objective <= fold.objective + sufficient * t * slope + rounding)) continue;
      fold.objective = objective;
      for (std::size_t j = 0; j < fold.w.size(); ++j) fold.w[j] += t * fold.move[j];
      for (std::size_t i = 0; i < fold.z.size(); ++i) fold.z[i] += t * fold.z_move[i];
      if (problem_.any().fit_intercept) fold.intercept += t * fold.move[fold.w.size()];
      differentiate(k);
      return t;
    }
    return 0;
  }

  void differentiate(std::size_t k) {
    const Problem<View>& problem = problem_.folds[k];
    FoldIterate& fold = folds_[k];
    double slope = 0;
    for_each_block(problem.n_rows(), [&](std::size_t first, std::size_t count) {
      std::array<double, block_rows> z;
      for (std::size_t i = 0; i < count; ++i) z[i] = fold.z[first + i] + fold.intercept;
      problem.loss.derivatives(z.data(), TargetBlock(problem.y, first, count).data(), fold.u.data() + first, count);
      slope += weighted_sum(problem, fold.u.data() + first, first, count);
    });
    fold.intercept_slope = slope / problem.total_weight;
  }

  const FoldProblem<View>& problem_;
  std::vector<FoldRange> parts_;
  std::vector<double> targets_;
  QuadraticModel model_;
  HessianSum<View> hessian_;
  double mean_squared_norm_;
  std::vector<FoldIterate> folds_;
  std::vector<double> steps_;
  std::size_t n_steps_ = 0;  // with the present penalty
  int slow_steps_ = 0;
  double damping_ = 0;
  double passes_ = 1;
  bool is_built_ = false;
  bool is_fresh_ = false;  // built for the last step
  bool is_old_ = false;    // to be built again
  bool has_failed_ = false;
  bool is_stalled_ = false;
};

}  // namespace

template <class View>
std::unique_ptr<FoldSolver> make_fold_newton(const FoldProblem<View>& problem, const std::vector<double>& intercepts,
                                             const std::vector<double>& targets) {
  return std::make_unique<FoldNewton<View>>(problem, intercepts, targets);
}

#define FINITESUM_FOR_FOLD_VIEW(...)                                  \
  template std::unique_ptr<FoldSolver> make_fold_newton<__VA_ARGS__>( \
      const FoldProblem<__VA_ARGS__>&, const std::vector<double>&, const std::vector<double>&);
FINITESUM_FOR_FOLD_VIEW(DenseView<float>)
FINITESUM_FOR_FOLD_VIEW(DenseView<double>)
FINITESUM_FOR_FOLD_VIEW(CsrView<float, std::int32_t>)
FINITESUM_FOR_FOLD_VIEW(CsrView<double, std::int32_t>)
FINITESUM_FOR_FOLD_VIEW(CsrView<float, std::int64_t>)
FINITESUM_FOR_FOLD_VIEW(CsrView<double, std::int64_t>)
#undef FINITESUM_FOR_FOLD_VIEW

}  // namespace finitesum
