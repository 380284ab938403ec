// Proximal gradient steps from all rows, "gradient_descent", and the same with momentum, "accelerated": A. Beck,
// M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", SIAM J. Imaging Sci. 2,
// 2009, with backtracking, in units of the columns, and the gradient scheme of B. O'Donoghue, E. Candes, "Adaptive
// restart for accelerated gradient schemes", Found. Comput. Math. 15, 2015. Margins are linear in the coefficients, so
// those of the extrapolated point y come from the iterates': an epoch is one sweep for the margins of its iterate and
// one for the gradient at y, whose derivatives are the dual point. A free intercept is at its best at every point.
// L may fall again, a little in each epoch, and the momentum follows it as in S. Becker, E. Candes, M. Grant,
// "Templates for convex cone problems", Math. Prog. Comp. 3, 2011, but by the change of L one epoch ago.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "solvers/anchor.hpp"
#include "solvers/any.hpp"
#include "solvers/column_units.hpp"

namespace finitesum {
namespace {

template <class View>
class ProximalGradient final : public Solver {
 public:
  ProximalGradient(const Problem<View>& problem, const SolverSetup& setup, bool has_momentum)
      : problem_(problem),
        has_momentum_(has_momentum),
        units_(column_units(problem, setup)),
        w_(setup.coef),
        intercept_(setup.intercept),
        y_(setup.coef, setup.coef + problem.n_columns()),
        y_intercept_(setup.intercept),
        next_(problem.n_columns()),
        gradient_(problem.n_columns()),
        margins_(problem.n_rows()),
        y_margins_(problem.n_rows()),
        at_y_(problem.n_rows()),
        at_next_(problem.n_rows()) {
    all_margins(problem_, w_, margins_.data());
    y_margins_ = margins_;
    evaluate_at_y(nullptr);
    objective_ = at_y_.objective;
    intercept_ = at_y_.intercept;
  }

  void run_epoch(std::size_t, Control& control) override {
    if (is_moved_ && !evaluate_at_y(&control)) return;
    const double loss_at_y = at_y_.objective - penalty_value(problem_, y_.data(), at_y_.intercept);
    const double last_L = L_;
    L_ *= 0.9;
    while (!control.look()) {
      const Bound bound = step();
      if (!all_margins(problem_, next_.data(), at_next_.margins.data(), &control)) return;
      if (!evaluate_objective(problem_, next_.data(), at_next_, &control)) return;
      const double loss = at_next_.objective - penalty_value(problem_, next_.data(), at_next_.intercept);
      if (holds(bound, loss, loss_at_y)) {
        stalled_ = bound.squared_length == 0;
        return accept(L_ / last_L);
      }
      L_ *= 2;
      if (std::isinf(L_)) {
        stalled_ = true;
        return;
      }
    }
  }
  bool stalled() const override { return stalled_; }

  Certificate check(Control& control) override {
    if (is_torn_) return without_dual_point();
    if (has_finite_gap(problem_)) {
      next_ = gradient_;
      Certificate certificate = certify(problem_, at_y_, count_nonzeros(w_, problem_.n_columns()), next_.data());
      certificate.objective = objective_;
      return certificate;
    }
    // A norm has to be that of the gradient here, not at y.
    at_next_.margins = margins_;
    at_next_.intercept = intercept_;
    at_next_.objective = objective_;
    if (!evaluate_gradient(problem_, at_next_, next_.data(), &control)) return without_dual_point();
    passes_ += 1;
    return certify(problem_, at_next_, count_nonzeros(w_, problem_.n_columns()), next_.data());
  }

  std::size_t check_work() const override {
    return has_finite_gap(problem_) ? 0 : problem_.X.n_stored() + problem_.n_rows();
  }
  bool checks_are_free() const override { return has_finite_gap(problem_); }
  double passes() const override { return passes_; }
  const char* sampling() const override { return "none"; }
  double step_size() const override { return 1 / L_; }
  void restart_with_half_step() override {}  // backtracking bounds every step
  void transfer(Archive& archive) override {
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) archive(w_[j]);
    for (auto* values : {&y_, &gradient_, &margins_, &y_margins_, &at_y_.margins}) archive(*values);
    for (auto* value : {&intercept_, &objective_, &y_intercept_, &at_y_.intercept, &at_y_.intercept_slope,
                        &at_y_.objective, &L_, &t_, &passes_})
      archive(*value);
    archive.integer(is_moved_);
    archive.integer(is_torn_);
  }
  double finish() override { return intercept_; }

 private:
  // The objective, with the best dual value so far.
  Certificate without_dual_point() const {
    Certificate certificate = Certificate::unfinished(count_nonzeros(w_, problem_.n_columns()));
    certificate.objective = objective_;
    return certificate;
  }

  // What a step from y promises: the gradient along it, and its squared length in units of the columns.
  struct Bound {
    double linear = 0;
    double squared_length = 0;
  };

  // Whether L bounds the curvature along the step: by the losses, or, where these differ too little to tell, by the
  // change of the gradient (Becker, Candes and Grant, section 5.3), which the margins give without a sweep.
  bool holds(const Bound& bound, double loss, double loss_at_y) const {
    constexpr double too_little = 1e-6;
    if (std::fabs(loss - loss_at_y) > too_little * loss_at_y || !std::isfinite(loss))
      return loss <= loss_at_y + bound.linear + L_ / 2 * bound.squared_length;
    return change_of_slope() <= L_ * bound.squared_length;
  }

  // (1/S) sum_i s_i (u'_i - u_i) (z'_i - z_i)
  double change_of_slope() const {
    const double sum =
        sum_over_blocks(problem_.n_rows(), problem_.n_threads, [&](std::size_t first, std::size_t count) {
          std::array<double, block_rows> z;
          std::array<double, block_rows> u;
          for (std::size_t k = 0; k < count; ++k) z[k] = at_next_.margins[first + k] + at_next_.intercept;
          problem_.loss.derivatives(z.data(), TargetBlock(problem_.y, first, count).data(), u.data(), count);
          return chained_sum(count, [&](std::size_t k) {
            const std::size_t i = first + k;
            const double weight = problem_.weight(i);
            return weight == 0 ? 0 : weight * (u[k] - at_y_.margins[i]) * (z[k] - y_margins_[i] - at_y_.intercept);
          });
        });
    return sum / problem_.total_weight;
  }

  // False if control stops the work, which leaves no dual point.
  bool evaluate_at_y(Control* control) {
    at_y_.margins = y_margins_;
    at_y_.intercept = y_intercept_;
    const bool is_finished = evaluate_objective(problem_, y_.data(), at_y_, control) &&
                             evaluate_gradient(problem_, at_y_, gradient_.data(), control);
    is_torn_ = is_finished ? 0 : 1;
    if (!is_finished) return false;
    is_moved_ = 0;
    passes_ += 1;
    return true;
  }

  // next = prox(y - gradient / (L units))
  Bound step() {
    const std::size_t p = problem_.n_columns();
    std::visit(
        [&](auto penalty) {
          for (std::size_t j = 0; j < p; ++j) {
            const double length = 1 / (L_ * units_[j]);
            next_[j] = penalty.prox(y_[j] - length * gradient_[j], length);
          }
        },
        problem_.penalty);
    Bound bound{chained_sum(p, [&](std::size_t j) { return gradient_[j] * (next_[j] - y_[j]); }),
                chained_sum(p, [&](std::size_t j) { return units_[j] * (next_[j] - y_[j]) * (next_[j] - y_[j]); })};
    at_next_.intercept = at_y_.intercept;
    if (problem_.has_penalized_intercept()) {
      const double length = 1 / (L_ * units_[p]);
      at_next_.intercept = problem_.prox_intercept(at_y_.intercept - length * at_y_.intercept_slope, length);
      const double move = at_next_.intercept - at_y_.intercept;
      bound.linear += at_y_.intercept_slope * move;
      bound.squared_length += units_[p] * move * move;
    }
    return bound;
  }

  // Moves to `next`, and y beyond it, unless the step went against the momentum.
  void accept(double change_of_L) {
    const std::size_t p = problem_.n_columns();
    double against = chained_sum(p, [&](std::size_t j) { return units_[j] * (y_[j] - next_[j]) * (next_[j] - w_[j]); });
    if (problem_.has_penalized_intercept())
      against += units_[p] * (at_y_.intercept - at_next_.intercept) * (at_next_.intercept - intercept_);
    const double t = against > 0 ? 1 : (1 + std::sqrt(1 + 4 * change_of_L * t_ * t_)) / 2;
    const double momentum = has_momentum_ && against <= 0 ? (t_ - 1) / t : 0;
    t_ = t;
    for (std::size_t j = 0; j < p; ++j) {
      y_[j] = next_[j] + momentum * (next_[j] - w_[j]);
      w_[j] = next_[j];
    }
    for (std::size_t i = 0; i < margins_.size(); ++i) {
      y_margins_[i] = at_next_.margins[i] + momentum * (at_next_.margins[i] - margins_[i]);
      margins_[i] = at_next_.margins[i];
    }
    y_intercept_ = at_next_.intercept + momentum * (at_next_.intercept - intercept_);
    intercept_ = at_next_.intercept;
    objective_ = at_next_.objective;
    is_moved_ = 1;
  }

  const Problem<View>& problem_;
  bool has_momentum_;
  std::vector<double> units_;
  double* w_;
  double intercept_;
  double objective_ = 0;
  std::vector<double> y_;
  double y_intercept_;
  std::vector<double> next_;
  std::vector<double> gradient_;  // at y, of the smooth part
  std::vector<double> margins_;   // of w, without the intercept
  std::vector<double> y_margins_;
  Anchor at_y_;
  Anchor at_next_;
  double L_ = 1e-3;  // in units of the columns: backtracking finds it from below
  double t_ = 1;
  int is_moved_ = 0;  // since y was evaluated
  int is_torn_ = 0;   // the evaluation of y
  bool stalled_ = false;
  double passes_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_accelerated(const Problem<View>& problem, const SolverSetup& setup) {
  return std::make_unique<ProximalGradient<View>>(problem, setup, true);
}

template <class View>
std::unique_ptr<Solver> make_gradient_descent(const Problem<View>& problem, const SolverSetup& setup) {
  return std::make_unique<ProximalGradient<View>>(problem, setup, false);
}

FINITESUM_FOR_EACH_VIEW(make_accelerated)
FINITESUM_FOR_EACH_VIEW(make_gradient_descent)

}  // namespace finitesum
