// Descent of all folds by moves that a model of each gives. The margins are linear along a move, so that a line search
// costs no sweep over X; every step ends with the derivatives and gradients that its certificate needs.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "solvers/anchor.hpp"
#include "solvers/folds/problem.hpp"
#include "solvers/folds/products.hpp"

namespace finitesum {

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
  double loss = 0;                                           // the mean
  double promise = std::numeric_limits<double>::infinity();  // the decrement of Newton's last step
  bool is_settled = false;                                   // no gap to speak of
};

template <class View>
class FoldDescent : public FoldSolver {
 public:
  FoldDescent(const FoldProblem<View>& problem, const FoldSetup& setup)

      : problem_(problem), parts_(cut_folds(problem.n_folds(), problem.n_threads)), targets_(setup.targets) {
    Control endless(std::numeric_limits<double>::infinity(), nullptr);
    const std::size_t n_coordinates = problem.n_columns() + (problem.any().fit_intercept ? 1 : 0);
    for (std::size_t k = 0; k < problem.n_folds(); ++k) {
      folds_.emplace_back(problem.n_rows(), problem.n_columns(), n_coordinates);
      folds_[k].intercept = setup.intercepts[k];
      folds_[k].loss = loss_at(k, 0);
      differentiate(k);
    }
    sum_gradients(endless);
  }

  void run_epoch(std::size_t, Control& control) final {
    if (!find_moves(control) || !multiply_moves(control)) return;
    steps_.assign(folds_.size(), 0);
    parallel_for(folds_.size(), problem_.n_threads, [&](std::size_t k) { steps_[k] = step(k); });
    sum_gradients(control);
    passes_ += 1;
    bool has_failed = false;
    for (std::size_t k = 0; k < folds_.size(); ++k) has_failed = has_failed || (steps_[k] == 0 && !is_done(k));
    judge_steps(has_failed);
  }

  bool stalled() const final { return is_stalled_; }

  std::vector<Certificate> check_outputs(Control&) final {
    std::vector<Certificate> certificates(folds_.size());
    parallel_for(folds_.size(), problem_.n_threads, [&](std::size_t k) {
      FoldIterate& fold = folds_[k];
      std::vector<double> gradient = fold.gradient;
      certificates[k].objective = fold.loss + penalty_at(k, 0);
      certificates[k].nonzeros = count_nonzeros(fold.w.data(), fold.w.size());
      certificates[k].lower_bound =
          dual_objective(problem_.folds[k], StoredDerivatives{fold.u.data()}, gradient.data(), {});
      fold.is_settled = certificates[k].objective - certificates[k].lower_bound <= targets_[k];
    });
    return certificates;
  }

  std::size_t check_work() const final { return 0; }
  bool checks_are_free() const final { return true; }
  double passes() const final { return passes_; }
  const char* sampling() const final { return "none"; }
  double step_size() const final { return steps_.empty() ? 1 : *std::min_element(steps_.begin(), steps_.end()); }
  void restart_with_half_step() final {}  // every step decreases the objective

  void change_penalties(const std::vector<double>&) final {
    for (FoldIterate& fold : folds_) {
      fold.promise = std::numeric_limits<double>::infinity();
      fold.is_settled = false;
    }
    passes_ = 0;
    is_stalled_ = false;
    begin_step_of_path();
  }
  void write(double* coef, double* intercepts) const final {
    for (const FoldIterate& fold : folds_) {
      *intercepts++ = fold.intercept;
      coef = std::copy(fold.w.begin(), fold.w.end(), coef);
    }
  }

  const double* margins(std::size_t k) const final { return folds_[k].z.data(); }

 protected:
  // The move of each fold; false if control stops the work, or no step is left that helps.
  virtual bool find_moves(Control& control) = 0;
  virtual void judge_steps(bool has_failed) = 0;
  virtual void begin_step_of_path() = 0;

  bool is_done(std::size_t k) const { return folds_[k].is_settled || folds_[k].promise == 0; }

  // s_i l'' / S of a block of rows.
  void curvatures(std::size_t k, std::size_t first, std::size_t count, double* h) const {
    const Problem<View>& problem = problem_.folds[k];
    const FoldIterate& fold = folds_[k];
    std::array<double, block_rows> z;
    for (std::size_t i = 0; i < count; ++i) z[i] = fold.z[first + i] + fold.intercept;
    problem.loss.curvatures(z.data(), TargetBlock(problem.y, first, count).data(), h, count);
    for (std::size_t i = 0; i < count; ++i) h[i] *= problem.weight(first + i) / problem.total_weight;
  }

  // Of the objective along the move, where the penalty of L1 is linear up to the move's end.
  double slope_along(std::size_t k) const {
    const FoldIterate& fold = folds_[k];
    const Problem<View>& problem = problem_.folds[k];
    const std::size_t p = fold.w.size();
    double slope = problem.fit_intercept ? fold.intercept_slope * fold.move[p] : 0;
    for (std::size_t j = 0; j < p; ++j) slope += (fold.gradient[j] + problem.l2() * fold.w[j]) * fold.move[j];
    return slope + problem.l1() * (norm1_at(fold, 1) - norm1_at(fold, 0));
  }

  // work(range, control) for every range of folds, on a thread each; whether all of them say true.
  template <class Work>
  bool on_ranges(Control& control, const Work& work) {
    std::vector<char> finished(parts_.size());
    on_parts(parts_.size(), control,
             [&](std::size_t part, Control& of_part) { finished[part] = work(parts_[part], of_part); });
    return std::all_of(finished.begin(), finished.end(), [](char done) { return done != 0; });
  }

  const FoldProblem<View>& problem_;
  std::vector<FoldIterate> folds_;
  std::vector<double> steps_;
  double passes_ = 1;
  bool is_stalled_ = false;

 private:
  // z_move of all folds.
  bool multiply_moves(Control& control) {
    return on_ranges(control, [&](const FoldRange& range, Control& of_part) {
      const Problem<View>& any = problem_.any();
      FoldProducts<View> products(any, range.size);
      for (std::size_t k = 0; k < range.size; ++k) products.set(k, folds_[range.first + k].move.data());
      return for_each_row_block_on(1, any, &of_part, [&](std::size_t first, std::size_t count) {
        products(first, count, [&](std::size_t k, std::size_t i, double z) { folds_[range.first + k].z_move[i] = z; });
      });
    });
  }

  // Of all folds, from their derivatives.
  void sum_gradients(Control& control) {
    on_ranges(control, [&](const FoldRange& range, Control& of_part) {
      const Problem<View>& any = problem_.any();
      FoldSums<View> sums(any, range.size);
      const bool is_finished = for_each_row_block_on(1, any, &of_part, [&](std::size_t first, std::size_t count) {
        sums.add(first, count, [&](std::size_t k, std::size_t i) {
          const Problem<View>& problem = problem_.folds[range.first + k];
          return problem.weight(i) * folds_[range.first + k].u[i] / problem.total_weight;
        });
      });
      // what is not finished belongs to a fit that is given up
      for (std::size_t k = 0; is_finished && k < range.size; ++k)
        sums.write(k, folds_[range.first + k].gradient.data());
      return is_finished;
    });
  }

  // Coefficient j with t times the move; a move that is not taken may be anything.
  static double coefficient_at(const FoldIterate& fold, std::size_t j, double t) {
    return t == 0 ? fold.w[j] : fold.w[j] + t * fold.move[j];
  }
  static double norm1_at(const FoldIterate& fold, double t) {
    return chained_sum(fold.w.size(), [&](std::size_t j) { return std::fabs(coefficient_at(fold, j, t)); });
  }

  double penalty_at(std::size_t k, double t) const {
    const FoldIterate& fold = folds_[k];
    const double square = chained_sum(fold.w.size(), [&](std::size_t j) {
      const double w = coefficient_at(fold, j, t);
      return w * w;
    });
    const double l1 = problem_.folds[k].l1();
    return problem_.folds[k].l2() / 2 * square + (l1 > 0 ? l1 * norm1_at(fold, t) : 0);
  }

  double loss_at(std::size_t k, double t) const {
    const Problem<View>& problem = problem_.folds[k];
    const FoldIterate& fold = folds_[k];
    const double b = fold.intercept + (problem.fit_intercept ? t * fold.move[fold.w.size()] : 0);
    double loss = 0;
    std::array<double, block_rows> z;
    for_each_block(problem.n_rows(), [&](std::size_t first, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) z[i] = fold.z[first + i] + t * fold.z_move[first + i] + b;
      loss += problem.loss.value_sum(z.data(), TargetBlock(problem.y, first, count).data(), problem.weights_from(first),
                                     count);
    });
    return loss / problem.total_weight;
  }

  // The length of the step that was taken, zero if none lowers the objective as promised.
  double step(std::size_t k) {
    constexpr double smallest_step = 1e-3;
    constexpr double sufficient = 1e-4;  // of the decrease promised (Armijo)
    FoldIterate& fold = folds_[k];
    const double objective = fold.loss + penalty_at(k, 0);
    const double rounding = 4 * std::numeric_limits<double>::epsilon() * objective;
    const double slope = slope_along(k);
    if (fold.promise == 0 || !(slope <= rounding)) return 0;
    for (double t = 1; t > smallest_step; t /= 2) {
      const double loss = loss_at(k, t);
      if (!(loss + penalty_at(k, t) <= objective + sufficient * t * slope + rounding)) continue;
      take(k, t, loss);
      return t;
    }
    return 0;
  }

  void take(std::size_t k, double t, double loss) {
    FoldIterate& fold = folds_[k];
    fold.loss = loss;
    for (std::size_t j = 0; j < fold.w.size(); ++j) fold.w[j] += t * fold.move[j];
    for (std::size_t i = 0; i < fold.z.size(); ++i) fold.z[i] += t * fold.z_move[i];
    if (problem_.any().fit_intercept) fold.intercept += t * fold.move[fold.w.size()];
    differentiate(k);
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

  std::vector<FoldRange> parts_;
  std::vector<double> targets_;
};

}  // namespace finitesum
