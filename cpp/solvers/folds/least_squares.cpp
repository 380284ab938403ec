// Newton for the squared loss with an elastic net, for all folds of a cross-validation. Their Hessians stay the same
// along the path and come from one reading of X: rows that the same folds train on are summed once. A step solves each
// fold's problem, up to rounding, and ends with its certificate.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "solvers/folds/descent.hpp"
#include "solvers/hessian_sum.hpp"
#include "solvers/quadratic_model.hpp"

namespace finitesum {
namespace {

// Rows by the folds that train on them.
class RowGroups {
 public:
  // Every fold by itself where a row weighs differently in two of them, or where there are too many groups.
  template <class View>
  explicit RowGroups(const FoldProblem<View>& problem) : of_row_(problem.n_rows()) {
    const std::size_t n_folds = problem.n_folds();
    const std::size_t most = std::min<std::size_t>(4 * n_folds, 255);
    for (std::size_t i = 0; i < problem.n_rows() && n_folds <= 64; ++i) {
      double weight = 0;
      std::uint64_t members = 0;
      bool is_same = true;
      for (std::size_t k = 0; k < n_folds; ++k) {
        const double of_fold = problem.folds[k].weight(i);
        if (of_fold == 0) continue;
        is_same = is_same && (weight == 0 || of_fold == weight);
        weight = of_fold;
        members |= std::uint64_t{1} << k;
      }
      const auto found = std::find(members_.begin(), members_.end(), members);
      if (!is_same || (found == members_.end() && members_.size() == most)) {
        members_.clear();
        break;
      }
      of_row_[i] = static_cast<std::uint8_t>(found - members_.begin());
      if (found == members_.end()) members_.push_back(members);
    }
    if (!members_.empty()) return;
    of_row_.clear();
    for (std::size_t k = 0; k < n_folds; ++k) alone_.push_back(k);
  }

  std::size_t size() const { return alone_.empty() ? members_.size() : alone_.size(); }
  bool has_row(std::size_t group, std::size_t i) const { return !alone_.empty() || of_row_[i] == group; }
  bool has_fold(std::size_t group, std::size_t k) const {
    return alone_.empty() ? (members_[group] >> k & 1) != 0 : alone_[group] == k;
  }

 private:
  std::vector<std::uint8_t> of_row_;
  std::vector<std::uint64_t> members_;  // a bit for each fold
  std::vector<std::size_t> alone_;
};

template <class View>
class FoldLeastSquares final : public FoldDescent<View> {
 public:
  FoldLeastSquares(const FoldProblem<View>& problem, const FoldSetup& setup)
      : FoldDescent<View>(problem, setup),
        models_(problem.n_folds(), QuadraticModel(problem.n_columns(), problem.any().fit_intercept ? 1 : 0, 0, 0)) {}

 private:
  using Base = FoldDescent<View>;
  using Base::curvatures;
  using Base::folds_;
  using Base::is_done;
  using Base::is_stalled_;
  using Base::passes_;
  using Base::problem_;
  using Base::slope_along;
  using Base::steps_;

  bool find_moves(Control& control) override {
    is_built_ = is_built_ || build(control);
    if (!is_built_) return false;
    const bool found = this->on_ranges(control, [&](const FoldRange& range, Control& of_part) {
      bool have_moves = true;
      for (std::size_t k = 0; have_moves && k < range.size; ++k) have_moves = find_move(range.first + k, of_part);
      return have_moves;
    });
    is_stalled_ = !found && !control.stopped();
    return found && !control.stopped();
  }

  bool find_move(std::size_t k, Control& control) {
    FoldIterate& fold = folds_[k];
    if (is_done(k)) {
      std::fill(fold.move.begin(), fold.move.end(), 0.0);
      return true;
    }
    QuadraticModel& model = models_[k];
    model.set_penalty(problem_.folds[k].l1(), problem_.folds[k].l2());
    if (problem_.any().fit_intercept) model.set_intercept({fold.intercept, fold.intercept_slope, 0, 0});
    // Singular without L2: a proximal point step is a descent, too.
    for (double shift = 0; !model.solve(fold.w.data(), fold.gradient.data(), shift, control, fold.move);
         shift = std::max(100 * shift, 1e-10 * model.trace())) {
      if (control.stopped() || !(shift <= model.trace())) return false;
    }
    fold.promise = std::max(0.0, -slope_along(k));
    return true;
  }

  void judge_steps(bool has_failed) override {
    is_stalled_ = has_failed && *std::max_element(steps_.begin(), steps_.end()) == 0;
  }
  void begin_step_of_path() override {}

  bool build(Control& control) {
    const RowGroups groups(problem_);
    QuadraticModel of_group(problem_.n_columns(), problem_.any().fit_intercept ? 1 : 0, 0, 0);
    HessianSum<View> sum(problem_.any(), of_group);
    for (std::size_t group = 0; group < groups.size(); ++group) {
      std::size_t one = 0;  // of its folds
      while (one < folds_.size() && !groups.has_fold(group, one)) one += 1;
      if (one == folds_.size()) continue;  // rows that no fold trains on
      const auto factors_of = [&](std::size_t first, std::size_t count, double* h) {
        curvatures(one, first, count, h);
        for (std::size_t i = 0; i < count; ++i) h[i] = groups.has_row(group, first + i) ? h[i] : 0;
      };
      if (!sum.build(factors_of, control)) return false;
      for (std::size_t k = one; k < folds_.size(); ++k) {
        const double scale = problem_.folds[one].total_weight / problem_.folds[k].total_weight;
        if (groups.has_fold(group, k)) models_[k].add(scale, of_group);
      }
    }
    passes_ += 1;
    return true;
  }

  std::vector<QuadraticModel> models_;
  bool is_built_ = false;
};

}  // namespace

template <class View>
std::unique_ptr<FoldSolver> make_fold_least_squares(const FoldProblem<View>& problem, const FoldSetup& setup) {
  return std::make_unique<FoldLeastSquares<View>>(problem, setup);
}

FINITESUM_FOR_EACH_FOLD_VIEW(make_fold_least_squares)

}  // namespace finitesum
