// Proximal Newton with the explicit (p + 1) x (p + 1) Hessian: for narrow data, and where rows or columns are so badly
// scaled that stochastic steps are too short. J. Lee, Y. Sun, M. Saunders, "Proximal Newton-type methods for minimizing
// composite functions", SIAM J. Optim. 2014. Losses without a second derivative everywhere take a generalized one. No
// randomness: integer weights and repeated rows give the same iterates up to rounding.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "solvers/anchor.hpp"
#include "solvers/any.hpp"
#include "solvers/backtracking.hpp"
#include "solvers/quadratic_model.hpp"
#include "solvers/step_size.hpp"

namespace finitesum {
namespace {

// Adds rows [begin, end) of h x x^T to the model's lower triangle.
template <class T>
void add_outer_product(const DenseKernels<T>& k, double h, DenseRow<T> x, std::size_t begin, std::size_t end,
                       QuadraticModel& model) {
  for (std::size_t j = begin; j < std::min(end, x.size); ++j) {
    const double factor = h * double{x.values[j]};
    if (factor != 0) k.axpy(factor, x.values, model.row(j), j + 1);
  }
}
template <class T, class I>
void add_outer_product(const SparseKernels<T, I>&, double h, SparseRow<T, I> x, std::size_t begin, std::size_t end,
                       QuadraticModel& model) {
  for (std::size_t a = 0; a < x.size; ++a) {
    const auto j = static_cast<std::size_t>(x.indices[a]);
    if (j < begin || j >= end) continue;
    double* row = model.row(j);
    const double factor = h * double{x.values[a]};
    for (std::size_t b = 0; b < x.size; ++b) {
      if (x.indices[b] <= x.indices[a]) row[static_cast<std::size_t>(x.indices[b])] += factor * double{x.values[b]};
    }
  }
}

template <class View>
class Newton final : public Solver {
 public:
  Newton(const Problem<View>& problem, const SolverSetup& setup)
      : problem_(problem),
        w_(setup.coef),
        scratch_(problem.n_columns()),
        gradient_(problem.n_columns()),
        anchor_(problem.n_rows()),
        trial_(problem.n_rows()),
        direction_(problem.n_rows()),
        model_(problem.n_columns(), problem.fit_intercept, problem.l1(), problem.l2()),
        mean_squared_norm_(unit_smoothness(problem).mean),
        row_products_(mean_row_size(problem) * mean_row_size(problem) / 2 + 1) {
    trial_.intercept = setup.intercept;
    evaluate_margins(problem_, w_, trial_);
    evaluate_objective(problem_, w_, trial_);
    accept_trial();
  }

  // A generalized Hessian may be singular or too flat: damp (Levenberg and Marquardt) until the step is defined and
  // decreases the objective. At damping one the model majorizes F, so that only rounding can make every step fail.
  void run_epoch(std::size_t, Control& control) override {
    constexpr double smallest_damping = 1e-10;
    constexpr double largest_damping = 1e2;
    build_hessian(control);
    const ElasticNet& penalty = problem_.intercept_penalty;
    model_.set_intercept({anchor_.intercept, anchor_.intercept_slope, penalty.l1(), penalty.l2()});
    while (!control.look()) {
      const bool solved = model_.solve(w_, gradient_.data(), damping_ * curvature_bound(), control, move_);
      if (solved && std::all_of(move_.begin(), move_.end(), [](double v) { return v == 0; })) {
        stalled_ = true;
        return;
      }
      if (solved && line_search(control)) {
        damping_ = damping_ > smallest_damping ? damping_ / 100 : 0;
        return;
      }
      if (control.stopped()) return;
      if (damping_ >= largest_damping) {
        stalled_ = true;
        return;
      }
      damping_ = std::max(100 * damping_, smallest_damping);
    }
  }
  bool stalled() const override { return stalled_; }

  Certificate check() override {
    scratch_ = gradient_;
    return certify(problem_, anchor_, count_nonzeros(w_, problem_.n_columns()), scratch_.data());
  }

  bool checks_are_free() const override { return true; }
  double passes() const override { return passes_; }
  const char* sampling() const override { return "none"; }
  double step_size() const override { return step_; }
  void restart_with_half_step() override {}  // every step decreases the objective
  void transfer(Archive& archive) override {
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) archive(w_[j]);
    archive(gradient_);
    archive(anchor_.margins);
    archive(anchor_.intercept);
    archive(anchor_.intercept_slope);
    archive(anchor_.objective);
    archive(margins_);
    archive(damping_);
    archive(passes_);
  }
  double finish() override { return anchor_.intercept; }

 private:
  static std::size_t mean_row_size(const Problem<View>& problem) { return problem.X.n_stored() / problem.n_rows() + 1; }

  void build_hessian(Control& control) {
    if (hessian_is_built_ && problem_.loss.is_quadratic()) return;
    passes_ += 1;
    model_.clear();
    std::vector<double> factors(std::min(problem_.n_rows(), rows_at_once));
    for (std::size_t begin = 0; begin < problem_.n_rows() && !control.stopped(); begin += rows_at_once) {
      const std::size_t count = std::min(rows_at_once, problem_.n_rows() - begin);
      for_each_block(count, problem_.n_threads, [&](std::size_t first, std::size_t size) {
        curvatures(begin + first, size, factors.data() + first);
      });
      // Each thread has rows of the Hessian of its own, equal areas of its triangle.
      const auto n_parts = static_cast<std::size_t>(problem_.n_threads);
      parallel_for(n_parts, problem_.n_threads, [&](std::size_t part) {
        const auto bound = [&](std::size_t k) {
          const double share = std::sqrt(static_cast<double>(k) / static_cast<double>(n_parts));
          return static_cast<std::size_t>(share * static_cast<double>(model_.size()));
        };
        add_rows(begin, count, factors.data(), bound(part), part + 1 == n_parts ? model_.size() : bound(part + 1));
      });
      control.stop_after(count * row_products_);
    }
    hessian_is_built_ = !control.stopped();
  }

  // (1/S) s_i l''(z_i, y_i)
  void curvatures(std::size_t first, std::size_t count, double* h) const {
    std::array<double, block_rows> z;
    for (std::size_t k = 0; k < count; ++k) z[k] = margins_[first + k] + anchor_.intercept;
    problem_.loss.curvatures(z.data(), TargetBlock(problem_.y, first, count).data(), h, count);
    for (std::size_t k = 0; k < count; ++k) h[k] *= problem_.weight(first + k) / problem_.total_weight;
  }

  // Adds what the rows of X from `first` on contribute to the rows [begin, end) of the Hessian.
  void add_rows(std::size_t first, std::size_t count, const double* factors, std::size_t begin, std::size_t end) {
    const auto& rows = row_kernels(problem_.kernels, problem_.X);
    const std::size_t p = problem_.n_columns();
    const bool has_intercept = problem_.fit_intercept && begin <= p && p < end;
    for (std::size_t k = 0; k < count; ++k) {
      if (factors[k] == 0) continue;
      const auto row = problem_.X.row(first + k);
      add_outer_product(rows, factors[k], row, begin, end, model_);
      if (has_intercept) {
        axpy(rows, factors[k], row, model_.row(p));
        model_.row(p)[p] += factors[k];
      }
    }
  }

  // An upper bound of the Hessian's largest eigenvalue: sup l'' times the mean squared row norm, or the trace.
  double curvature_bound() {
    const double smoothness = problem_.loss.smoothness();
    return std::isfinite(smoothness) ? smoothness * mean_squared_norm_ : model_.trace();
  }

  // False if the move does not decrease F as promised, or control stops the work.
  bool line_search(Control& control) {
    const std::size_t p = problem_.n_columns();
    if (!all_margins(problem_, move_.data(), direction_.data(), &control)) return false;
    const double intercept_move = problem_.fit_intercept ? move_[p] : 0;
    double slope = anchor_.intercept_slope * intercept_move;
    for (std::size_t j = 0; j < p; ++j) slope += gradient_[j] * move_[j];
    const Direction along{w_, move_.data(), p, intercept_move, margins_.data(), direction_.data(), slope};
    const double step = backtrack(problem_, along, anchor_, scratch_.data(), trial_);
    if (step == 0) return false;
    step_ = step;
    std::copy_n(scratch_.data(), p, w_);
    accept_trial();
    return true;
  }

  void accept_trial() {
    margins_ = trial_.margins;
    std::swap(anchor_, trial_);
    evaluate_gradient(problem_, anchor_, gradient_.data());
    passes_ += 1;
  }

  static constexpr std::size_t rows_at_once = 4 * block_rows;

  const Problem<View>& problem_;
  double* w_;
  std::vector<double> scratch_;
  std::vector<double> gradient_;
  Anchor anchor_;  // the iterate, its derivatives and objective
  Anchor trial_;
  std::vector<double> margins_;  // of the iterate, without the intercept
  std::vector<double> direction_;
  std::vector<double> move_;
  QuadraticModel model_;
  double mean_squared_norm_;
  std::size_t row_products_;  // per row of X, on average
  bool hessian_is_built_ = false;
  double damping_ = 0;
  bool stalled_ = false;
  double step_ = 1;
  double passes_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_newton(const Problem<View>& problem, const SolverSetup& setup) {
  return std::make_unique<Newton<View>>(problem, setup);
}

FINITESUM_FOR_EACH_VIEW(make_newton)

}  // namespace finitesum
