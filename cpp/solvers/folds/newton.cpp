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

#include "solvers/folds/descent.hpp"
#include "solvers/hessian_sum.hpp"
#include "solvers/newton_steps.hpp"
#include "solvers/quadratic_model.hpp"
#include "solvers/step_size.hpp"

namespace finitesum {
namespace {

template <class View>
class FoldNewton final : public FoldDescent<View> {
 public:
  FoldNewton(const FoldProblem<View>& problem, const FoldSetup& setup)
      : FoldDescent<View>(problem, setup),
        model_(problem.n_columns(), problem.any().fit_intercept ? 1 : 0, 0, 0),
        hessian_(problem.any(), model_),
        mean_squared_norm_(unit_smoothness(problem.any()).mean) {}

 private:
  using Base = FoldDescent<View>;
  using Base::curvatures;
  using Base::folds_;
  using Base::is_done;
  using Base::is_stalled_;
  using Base::passes_;
  using Base::problem_;
  using Base::slope_along;

  static constexpr double smallest_damping = 1e-10;
  static constexpr double largest_damping = 1e2;
  static constexpr int patience = 2;  // slow steps with the Hessian that they share before folds get their own

  bool have_own_hessians() const { return slow_steps_ >= patience; }

  void judge_steps(bool has_failed) override {
    has_failed_ = has_failed;
    if (!has_failed_) damping_ = damping_ > smallest_damping ? damping_ / 100 : 0;
    n_steps_ += 1;
  }

  void begin_step_of_path() override {
    is_old_ = n_steps_ > 1;
    n_steps_ = 0;
    slow_steps_ = std::min(slow_steps_, patience - 1);
    has_failed_ = false;
    damping_ = 0;
  }

  bool find_moves(Control& control) override {
    constexpr double slow = 0.25;
    constexpr double stale = 0.1;
    if (has_failed_) raise_damping();
    if (is_stalled_) return false;
    if (have_own_hessians()) return find_own_moves(control);
    const bool was_fresh = is_fresh_;
    is_fresh_ = !is_built_ || (is_old_);
    if (is_fresh_ && !build_mean_hessian(control)) return false;
    double ratio = solve_all(control);
    if (!is_fresh_ && ratio > stale) {
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
      slow_steps_ = is_fresh_ ? patience : slow_steps_;
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

  QuadraticModel model_;
  HessianSum<View> hessian_;
  double mean_squared_norm_;
  std::size_t n_steps_ = 0;  // with the present penalty
  int slow_steps_ = 0;
  double damping_ = 0;
  bool is_built_ = false;
  bool is_fresh_ = false;  // built for the last step
  bool is_old_ = false;    // to be built again
  bool has_failed_ = false;
};

}  // namespace

template <class View>
std::unique_ptr<FoldSolver> make_fold_newton(const FoldProblem<View>& problem, const FoldSetup& setup) {
  return std::make_unique<FoldNewton<View>>(problem, setup);
}

FINITESUM_FOR_EACH_FOLD_VIEW(make_fold_newton)

}  // namespace finitesum
