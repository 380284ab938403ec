// Coordinate descent on working sets, made for L1: M. Massias, A. Gramfort, J. Salmon, "Celer: a fast solver for the
// Lasso with dual extrapolation", ICML 2018, and T. Johnson, C. Guestrin, "Blitz", ICML 2015. An epoch chooses the
// columns that are nonzero or nearest to it, solves the problem in these alone, to a fraction of what it began with, by
// proximal Newton steps (one, for the squared loss), and evaluates the whole gradient: its certificate says which
// columns are zero at the optimum, for good (Gap Safe screening, E. Ndiaye, O. Fercoq, A. Gramfort, J. Salmon, JMLR
// 2017), and which to choose next. No randomness.
//
// Deviations:
// - No dual extrapolation: the dual point is that of the iterate, which with a weak pure L1 penalty lags behind it.
// - The losses' flat parts are bridged by adding a share of sup l'' to all curvatures (`damping_`), which makes the
//   model a majorizer at one.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "solvers/any.hpp"
#include "solvers/backtracking.hpp"
#include "solvers/column_model.hpp"
#include "solvers/transposed.hpp"

namespace finitesum {
namespace {

template <class View>
class CoordinateDescent final : public Solver {
 public:
  CoordinateDescent(const Problem<View>& problem, const SolverSetup& setup)
      : problem_(problem),
        w_(setup.coef),
        transposed_(problem),
        columns_(transposed_.view()),
        norms_(problem.n_columns()),
        alive_(problem.n_columns()),
        gradient_(problem.n_columns()),
        dual_gradient_(problem.n_columns()),
        margins_(problem.n_rows()),
        direction_(problem.n_rows()),
        anchor_(problem.n_rows()),
        trial_(problem.n_rows()),
        model_(problem, columns_) {
    for (std::size_t j = 0; j < alive_.size(); ++j) alive_[j] = j;
    anchor_.intercept = setup.intercept;
    measure_columns();
  }

  void run_epoch(std::size_t, Control& control) override {
    constexpr int most_steps = 10;
    constexpr double enough = 0.1;  // of the gain that the first step began with
    if (!evaluated_ && !evaluate(control)) return;
    choose_working_set();
    if (!load_margins(control)) return;
    double first_change = 0;
    bool moved = false;
    for (int step = 0; step < most_steps && newton_step(control); ++step) {
      moved = true;
      if (step == 0) first_change = model_.first_change();
      if (problem_.loss.is_quadratic() || control.stopped()) break;
      if (model_.first_change() <= enough * first_change) break;
    }
    evaluated_ = !moved;
    stalled_ = !moved && !control.stopped();
  }
  bool stalled() const override { return stalled_; }

  // Cut short, the objective if it is known, with the best dual value so far.
  Certificate check(Control& control) override {
    if (evaluated_ || evaluate(control)) return certificate_;
    Certificate certificate = Certificate::unfinished(count_nonzeros(w_, problem_.n_columns()));
    certificate.objective = anchor_.objective;
    return certificate;
  }
  std::size_t check_work() const override { return evaluated_ ? 0 : columns_.n_stored() + problem_.n_rows(); }
  bool checks_are_free() const override { return true; }
  double passes() const override { return work_ / static_cast<double>(std::max<std::size_t>(columns_.n_stored(), 1)); }
  const char* sampling() const override { return "none"; }
  double step_size() const override { return step_; }
  void restart_with_half_step() override {}  // every step decreases the objective

  void transfer(Archive& archive) override {
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) archive(w_[j]);
    for (auto* numbers : {&gradient_, &dual_gradient_, &anchor_.margins}) archive(*numbers);
    for (double* number :
         {&anchor_.intercept, &anchor_.intercept_slope, &anchor_.objective, &certificate_.objective,
          &certificate_.lower_bound, &certificate_.gradient_norm, &certificate_.nonzeros, &damping_, &work_})
      archive(*number);
    archive.integer(evaluated_);
    std::size_t n_alive = alive_.size();
    archive.integer(n_alive);
    alive_.resize(n_alive);
    for (std::size_t& j : alive_) archive.integer(j);
  }
  double finish() override { return anchor_.intercept; }

 private:
  // Norms of the columns as the dual's metric has them, (1/S) sum_i s_i x_ij^2, centered where sum_i s_i u_i = 0.
  void measure_columns() {
    const std::size_t n = problem_.n_rows();
    std::vector<double> shares(n);
    for (std::size_t i = 0; i < n; ++i) shares[i] = problem_.weight(i) / problem_.total_weight;
    const auto& rows = row_kernels(problem_.kernels, columns_);
    Control* control = control_before_start(problem_);
    for (std::size_t j = 0; j < norms_.size(); ++j) {
      const auto x = columns_.row(j);
      if (control != nullptr) control->stop_after(x.size);
      const double square = chained_sum(
          x.size, [&](std::size_t k) { return shares[entry_row(x, k)] * (double{x.values[k]} * double{x.values[k]}); });
      const double mean = problem_.has_free_intercept() ? dot(rows, x, shares.data()) : 0;
      norms_[j] = std::sqrt(std::max(square - mean * mean, 1e-13 * square));
    }
  }

  // False, here and below, if control stops the work.
  bool load_margins(Control& control) {
    const auto& rows = row_kernels(problem_.kernels, columns_);
    std::fill(margins_.begin(), margins_.end(), 0.0);
    for (const std::size_t j : alive_) {
      if (w_[j] == 0) continue;
      axpy(rows, w_[j], columns_.row(j), margins_.data());
      if (control.stop_after(columns_.row(j).size)) return false;
    }
    return true;
  }

  // Completes w with the best intercept, objective, gradient and certificate, and drops columns.
  bool evaluate(Control& control) {
    anchor_.objective = std::numeric_limits<double>::infinity();
    if (!load_margins(control)) return false;
    anchor_.margins = margins_;
    if (!evaluate_objective(problem_, w_, anchor_, &control)) {
      anchor_.objective = std::numeric_limits<double>::infinity();
      return false;
    }
    const std::size_t n = problem_.n_rows();
    for_each_block(n, problem_.n_threads, [&](std::size_t first, std::size_t count) {
      differentiate(problem_, anchor_.intercept, first, count, anchor_.derivatives() + first);
      load_slopes(anchor_.derivatives(), first, count);
    });
    const double* mass = model_.slope();
    anchor_.intercept_slope =
        problem_.has_penalized_intercept() ? chained_sum(n, [&](std::size_t i) { return mass[i]; }) : 0;
    const auto& rows = row_kernels(problem_.kernels, columns_);
    const std::size_t column_work = columns_.n_stored() / problem_.n_columns() + 1;
    const auto differentiate_columns = [&](std::size_t begin, std::size_t end) {
      for_each_block(end - begin, problem_.n_threads, [&](std::size_t first, std::size_t count) {
        for (std::size_t k = begin + first; k < begin + first + count; ++k)
          gradient_[alive_[k]] = dot(rows, columns_.row(alive_[k]), mass);
      });
    };
    if (!in_parts(alive_.size(), 1, column_work, &control, differentiate_columns)) return false;
    for (const std::size_t j : alive_) work_ += static_cast<double>(columns_.row(j).size);
    dual_gradient_ = gradient_;
    certificate_ = certify(problem_, anchor_, count_nonzeros(w_, problem_.n_columns()), dual_gradient_.data());
    evaluated_ = true;
    screen();
    return true;
  }

  // (1/S) s_i u_i
  void load_slopes(const double* u, std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i)
      model_.slope()[i] = problem_.weight(i) * u[i] / problem_.total_weight;
  }

  // l is L-smooth, so D is 1/L-strongly concave in the norm sum_i s_i u_i^2 / S: no dual optimum is farther than
  // sqrt(2 L gap) from a feasible u, and no entry of X^T (s o u) / S farther from its own than that times the column's
  // norm. Where it cannot reach l1 the coefficient is zero at the optimum. From there on the problem is the one without
  // these columns, which has the same minimum: its certificates are certificates.
  void screen() {
    const double l1 = problem_.l1();
    const double smoothness = problem_.loss.smoothness();
    if (l1 == 0 || !std::isfinite(smoothness) || !std::isfinite(certificate_.lower_bound)) return;
    const double rounding = 32 * std::numeric_limits<double>::epsilon() * certificate_.objective;
    const double gap = std::max(certificate_.objective - certificate_.lower_bound, 0.0) + rounding;
    const double radius = std::sqrt(2 * smoothness * gap);
    const auto is_zero = [&](std::size_t j) {
      const bool drop = w_[j] == 0 && std::fabs(dual_gradient_[j]) + radius * norms_[j] < l1;
      if (drop) gradient_[j] = 0;
      return drop;
    };
    alive_.erase(std::remove_if(alive_.begin(), alive_.end(), is_zero), alive_.end());
  }

  // The nonzeros, and as many of the others, whose constraints in the dual are nearest.
  void choose_working_set() {
    constexpr std::size_t smallest = 100;
    if (problem_.l1() == 0) {
      set_ = alive_;
      return;
    }
    set_.clear();
    candidates_.clear();
    for (const std::size_t j : alive_) {
      if (w_[j] != 0) {
        set_.push_back(j);
      } else {
        candidates_.emplace_back((problem_.l1() - std::fabs(dual_gradient_[j])) / norms_[j], j);
      }
    }
    const std::size_t wanted = std::min(std::max(smallest, 2 * set_.size()) - set_.size(), candidates_.size());
    const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(wanted);
    std::nth_element(candidates_.begin(), end, candidates_.end());
    for (auto each = candidates_.begin(); each != end; ++each) set_.push_back(each->second);
    std::sort(set_.begin(), set_.end());
  }

  // The model at the present point, and a step to its minimum as far as the line search lets it. False if nothing
  // moved.
  bool newton_step(Control& control) {
    constexpr double smallest_damping = 1e-4;
    constexpr double largest_damping = 1e2;
    while (!control.look()) {
      load_model();
      if (!model_.begin(set_, w_, anchor_.intercept, control)) return false;
      const bool solved = model_.solve(accuracy, problem_.loss.is_quadratic() ? 50 : 10, control);
      work_ += static_cast<double>(model_.take_work());
      if (solved && model_.first_change() == 0) return false;
      if (solved && accept(control)) {
        damping_ = damping_ > smallest_damping ? damping_ / 10 : 0;
        return true;
      }
      if (damping_ >= largest_damping) return false;
      damping_ = std::max(100 * damping_, smallest_damping);
    }
    return false;
  }

  void load_model() {
    const double cap = problem_.loss.smoothness();
    for_each_block(problem_.n_rows(), problem_.n_threads, [&](std::size_t first, std::size_t count) {
      std::array<double, block_rows> z;
      const TargetBlock y(problem_.y, first, count);
      for (std::size_t k = 0; k < count; ++k) z[k] = margins_[first + k] + anchor_.intercept;
      double* h = model_.curvature() + first;
      problem_.loss.curvatures(z.data(), y.data(), h, count);
      problem_.loss.derivatives(z.data(), y.data(), z.data(), count);
      for (std::size_t k = 0; k < count; ++k) {
        const double share = problem_.weight(first + k) / problem_.total_weight;
        const double flat = std::isfinite(cap) ? cap : h[k];
        model_.slope()[first + k] = share * z[k];
        h[k] = share * (h[k] + damping_ * flat);
      }
    });
  }

  // Takes the model's step if the objective falls as promised.
  bool accept(Control& control) {
    const std::size_t size = set_.size();
    moves_.resize(size);
    steps_.resize(size);
    for (std::size_t k = 0; k < size; ++k) moves_[k] = model_.coef()[k] - model_.start()[k];
    if (problem_.loss.is_quadratic()) {
      for (std::size_t k = 0; k < size; ++k) w_[set_[k]] = model_.coef()[k];
      anchor_.intercept += model_.intercept_move();
      return true;
    }
    const auto& rows = row_kernels(problem_.kernels, columns_);
    load_model();  // the slopes at the present point again
    std::fill(direction_.begin(), direction_.end(), 0.0);
    double slope = 0;
    for (std::size_t k = 0; k < size; ++k) {
      if (moves_[k] == 0) continue;
      const auto x = columns_.row(set_[k]);
      axpy(rows, moves_[k], x, direction_.data());
      slope += moves_[k] * dot(rows, x, model_.slope());
      if (control.stop_after(2 * x.size)) return false;
    }
    if (problem_.has_penalized_intercept()) {
      const double* q = model_.slope();
      slope += model_.intercept_move() * chained_sum(problem_.n_rows(), [&](std::size_t i) { return q[i]; });
    }
    const Direction along{model_.start().data(), moves_.data(),     size, model_.intercept_move(),
                          margins_.data(),       direction_.data(), slope};
    const double step = backtrack(problem_, along, anchor_, steps_.data(), trial_, control);
    if (step == 0) return false;
    step_ = step;
    for (std::size_t k = 0; k < size; ++k) w_[set_[k]] = steps_[k];
    margins_ = trial_.margins;
    std::swap(anchor_, trial_);
    return true;
  }

  static constexpr double accuracy = 0.1;  // of a model, in the gain of a coordinate

  const Problem<View>& problem_;
  double* w_;
  Transposed<View> transposed_;
  const View& columns_;
  std::vector<double> norms_;
  std::vector<std::size_t> alive_;     // the columns not known to be zero at the optimum
  std::vector<double> gradient_;       // of the smooth part; zero for the others
  std::vector<double> dual_gradient_;  // of the certificate's feasible point
  std::vector<double> margins_;        // of the iterate, without the intercept
  std::vector<double> direction_;
  Anchor anchor_;  // the iterate, its objective and, once evaluated, derivatives
  Anchor trial_;
  ColumnModel<View> model_;
  std::vector<std::size_t> set_;
  std::vector<std::pair<double, std::size_t>> candidates_;
  std::vector<double> moves_;
  std::vector<double> steps_;
  Certificate certificate_;
  bool evaluated_ = false;
  bool stalled_ = false;
  double damping_ = 0;
  double step_ = 1;
  double work_ = 0;  // entries of X read
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_cd(const Problem<View>& problem, const SolverSetup& setup) {
  return std::make_unique<CoordinateDescent<View>>(problem, setup);
}

FINITESUM_FOR_EACH_VIEW(make_cd)

}  // namespace finitesum
