// SVRG: R. Johnson, T. Zhang, "Accelerating stochastic gradient descent using predictive variance reduction", NIPS
// 2013; proximal form: L. Xiao, T. Zhang, SIAM J. Optim. 2014. Around an anchor with derivatives u_i and gradient d =
// sum_i s_i u_i x_i,
//     w <- prox(w - step (d / S + s_i (g - u_i) x_i / (p_i S))),
// for m draws, 2 n if not told. Storing the u_i makes a step cost one gradient instead of two. The next anchor is
//     "last"     the last iterate: option I of Johnson and Zhang,
//     "random"   that after a number of steps drawn evenly from 1 to m, known ahead: no further step is taken. Theirs
//     is
//                option II, drawn from 0 to m - 1; from 1 on is what the analysis of the proximal form sums,
//     "average"  the mean of the m iterates: the proximal form's own choice.
// A free intercept is always the best one at the anchor. A step along a batch of rows takes the mean of their
// estimates.
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "solvers/anchor.hpp"
#include "solvers/any.hpp"
#include "solvers/inner_loop.hpp"
#include "solvers/lazy_updates.hpp"
#include "solvers/rounded_anchor.hpp"
#include "solvers/row_loop.hpp"

namespace finitesum {
namespace {

template <class View, class Iterate>
class Svrg final : public Solver {
 public:
  Svrg(const Problem<View>& problem, const SolverSetup& setup, ColumnScaling scaling)
      : problem_(problem),
        coef_(setup.coef),
        start_(copy_unless_zero(setup.coef, problem.n_columns())),
        start_intercept_(setup.intercept),
        scaling_(std::move(scaling)),
        steps_(problem, setup, false, scaling_),
        inner_loop_(setup.options, problem.n_rows(), setup.seed),
        batch_(inner_loop_.batch_size()),
        iterate_(problem, setup.coef, scaling_),
        outer_(setup.options.acceleration, inner_rule(), steps_.strong_convexity(), problem.n_columns()),
        anchor_(problem.n_rows(), setup.options.store_derivatives.value_or(problem.l2() > 0 || !draws_by_smoothness()),
                problem.l2() > 0 && draws_by_smoothness()) {
    begin();
  }

  void run_epoch(std::size_t number, Control& control) override {
    if (!anchored_) take_anchor(control);
    if (!anchored_) return;
    steps_.begin_epoch(number);
    iterate_.settle();
    if (outer_.is_due())
      recenter(problem_, scaling_, iterate_, outer_, static_cast<double>(inner_loop_.n_steps()) * step_size(), coef_);
    iterate_.wake();
    iterate_.set_step(step_size());
    anchored_ = false;
    const auto prefetch_row = [&](std::size_t i) {
      anchor_.prefetch(i);
      problem_.y.prefetch(i);
    };
    steps_taken_ = 0;
    in_batch_ = 0;
    intercept_sum_ = 0;
    if (inner_loop_.averages()) iterate_.begin_average();
    draws_ += for_draws_from(problem_.X, iterate_, steps_, inner_loop_.first_draw(number), inner_loop_.n_draws(number),
                             control, prefetch_row, [&](const Draw& draw) { visit(draw); });
    if (inner_loop_.averages() && steps_taken_ > 0) {
      const auto n_steps = static_cast<double>(steps_taken_);
      iterate_.end_average(n_steps);
      if (problem_.fit_intercept) intercept_ = intercept_sum_ / n_steps;
    }
  }

  // The anchor of the next epoch.
  Certificate check(Control& control) override {
    if (!anchored_ && control.stopped()) return_to_anchor();
    return anchored_ || control.stopped() ? certificate_ : take_anchor(control);
  }
  // Margins and gradient; without stored margins also for each value that the search for the intercept asks for.
  std::size_t check_work() const override {
    const std::size_t sweeps = anchored_ ? 0 : (anchor_.stores ? 2 : 16);
    return sweeps * (problem_.X.n_stored() + problem_.n_rows());
  }

  bool checks_are_free() const override { return true; }
  // Without storage a draw costs two gradients, and an anchor every sweep made for it.
  double passes() const override {
    const auto n = static_cast<double>(problem_.n_rows());
    if (anchor_.stores) return static_cast<double>(draws_) / n + static_cast<double>(anchors_);
    return static_cast<double>(2 * draws_ + anchor_.rows_computed_again) / n;
  }
  const char* sampling() const override { return steps_.sampling(); }
  std::vector<double> draw_shares() const override { return steps_.draw_shares(); }
  // Half of 1/L: the analysis asks for less than 1/(4L), practice allows up to 1/L.
  double step_size() const override {
    const double inverse = steps_.inverse_unbiased(static_cast<double>(batch_.size()));
    return steps_.step(inverse, inverse / 2);
  }

  void restart_with_half_step() override {
    steps_.halve();
    begin();
  }

  void transfer(Archive& archive) override {
    transfer_iterate(archive, iterate_, problem_.n_columns());
    anchor_.transfer(archive);
    archive(intercept_);
    archive(anchor_.intercept);
    archive(anchor_.intercept_slope);
    archive(certificate_.objective);
    archive(certificate_.lower_bound);
    archive(certificate_.gradient_norm);
    archive(certificate_.nonzeros);
    archive.integer(draws_);
    archive.integer(anchors_);
    archive.integer(anchored_);
    archive(first_objective_);
    steps_.transfer(archive);
    outer_.transfer(archive);
    iterate_.set_kappa(outer_.kappa());
    last_objective_ = certificate_.objective;
    last_intercept_ = intercept_;
    last_anchor_.resize(problem_.n_columns());
    copy_coefficients(iterate_, problem_.n_columns(), last_anchor_.data());
    anchor_.w = last_anchor_.data();
  }

  double finish() override {
    iterate_.settle();
    copy_coefficients(iterate_, problem_.n_columns(), coef_);
    return intercept_ - center_prediction(iterate_, problem_.n_columns());
  }

 private:
  struct Pull {
    std::size_t row;
    double strength;  // of the fresh gradient along the row, over the step
  };

  bool draws_by_smoothness() const {
    const std::string_view sampling = steps_.sampling();
    return sampling == "lipschitz" || sampling == "adaptive";
  }

  // How far the objective may rise from anchor to anchor, unless it is as good as zero anyway.
  bool is_much_worse(double objective) const {
    return !(objective <= 2 * last_objective_) && !(objective <= 1e-9 * first_objective_);
  }

  // Over the number of rows. Extrapolated anchors are better taken often.
  static InnerRule inner_rule() { return {1, std::numeric_limits<double>::infinity(), true}; }

  void begin() {
    reset_outer();
    last_objective_ = std::numeric_limits<double>::infinity();
    load_iterate(iterate_, problem_.n_columns(), start_);
    iterate_.set_mass(problem_.total_weight);
    intercept_ = last_intercept_ = start_intercept_ + center_prediction(iterate_, problem_.n_columns());
    last_anchor_.assign(problem_.n_columns(), 0);
    copy_coefficients(iterate_, problem_.n_columns(), last_anchor_.data());
    certificate_ = Certificate::unfinished(count_nonzeros(last_anchor_.data(), problem_.n_columns()));
    anchored_ = false;
  }

  // Its derivatives may be gone.
  void return_to_anchor() {
    load_iterate(iterate_, problem_.n_columns(), last_anchor_);
    intercept_ = last_intercept_;
  }

  // Unfinished if control stops it: the last one still counts.
  Certificate take_anchor(Control& control, bool may_go_back = true) {
    const std::size_t p = problem_.n_columns();
    iterate_.settle();
    copy_coefficients(iterate_, p, coef_);
    const double shift = center_prediction(iterate_, p);
    anchor_.intercept = intercept_ - shift;
    const double nonzeros = count_nonzeros(coef_, p);
    if (!evaluate_intercept(problem_, coef_, anchor_, &control)) return Certificate::unfinished(nonzeros);
    ++anchors_;
    if (may_go_back && is_much_worse(anchor_.objective)) return go_back(control);
    previous_anchor_.swap(last_anchor_);
    last_anchor_.assign(coef_, coef_ + p);
    anchor_.w = last_anchor_.data();
    if (!evaluate_gradient(problem_, anchor_, coef_, &control)) {
      last_anchor_.swap(previous_anchor_);
      return Certificate::unfinished(nonzeros);
    }
    for (std::size_t j = 0; j < p; ++j) iterate_.gradient_sum(j) = problem_.total_weight * coef_[j];
    const Certificate certificate = certify(problem_, anchor_, nonzeros, coef_, watch_for(problem_, anchor_, &control));
    if (control.stopped()) {
      last_anchor_.swap(previous_anchor_);
      return Certificate::unfinished(nonzeros);
    }
    certificate_ = certificate;
    intercept_ = last_intercept_ = anchor_.intercept + shift;
    if (anchors_ == 1) first_objective_ = anchor_.objective;
    last_objective_ = anchor_.objective;
    anchored_ = true;
    return certificate_;
  }

  void reset_outer() {
    outer_.reset();
    iterate_.set_kappa(0);
  }

  // A center too far away, or steps too long for the rows met since the last anchor: from there again, without center
  // or with half the step.
  Certificate go_back(Control& control) {
    if (outer_.kappa() == 0) steps_.halve();
    reset_outer();
    return_to_anchor();
    return take_anchor(control, false);
  }

  void visit(const Draw& draw) {
    const std::size_t i = draw.row;
    const auto row = problem_.X.row(i);
    const double z = iterate_.predict(row) + intercept_;
    const double g = problem_.derivative(i, z);
    if (steps_.observe(i, z, g)) follow_step(iterate_, step_size());
    const double u = derivative_of(problem_, anchor_, i);
    const double strength = problem_.weight(i) * (g - u) * steps_.unbiased(draw) / static_cast<double>(batch_.size());
    batch_[in_batch_++] = {i, strength};
    if (in_batch_ == batch_.size()) step();
  }

  // All predictions of the batch are made: w moves.
  void step() {
    double fresh_sum = 0;
    for (std::size_t k = 0; k < in_batch_; ++k) {
      const double fresh = iterate_.step_size() * batch_[k].strength;
      fresh_sum += fresh;
      const auto row = problem_.X.row(batch_[k].row);
      if (k + 1 < in_batch_) {
        iterate_.shift(row, fresh);
      } else {
        iterate_.step(row, fresh, 0);
      }
    }
    if (problem_.fit_intercept) {
      intercept_ -= fresh_sum + iterate_.step_size() * anchor_.intercept_slope;
      intercept_ = problem_.prox_intercept(intercept_, iterate_.step_size());
      intercept_sum_ += intercept_;
    }
    in_batch_ = 0;
    ++steps_taken_;
  }

  const Problem<View>& problem_;
  double* coef_;
  std::vector<double> start_;  // empty: zero
  double start_intercept_;
  ColumnScaling scaling_;
  StepRule<View> steps_;
  InnerLoop inner_loop_;
  std::vector<Pull> batch_;  // as long as a batch; the first in_batch_ are filled
  std::size_t in_batch_ = 0;
  std::size_t steps_taken_ = 0;
  double intercept_sum_ = 0;  // over the steps taken
  Iterate iterate_;
  OuterLoop outer_;
  RoundedAnchor anchor_;
  bool anchored_ = false;  // the anchor is the present iterate, and certificate_ is its certificate
  Certificate certificate_;
  double first_objective_ = 0;
  double last_objective_ = 0;
  double last_intercept_ = 0;  // like intercept_
  std::vector<double> last_anchor_;
  std::vector<double> previous_anchor_;  // until the last one is complete
  double intercept_ = 0;                 // of centered rows
  std::size_t draws_ = 0;
  std::size_t anchors_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_svrg(const Problem<View>& problem, const SolverSetup& setup) {
  ColumnScaling scaling = scale_columns(problem, setup, false);
  return with_iterate<View>(problem, scaling, [&](auto iterate) -> std::unique_ptr<Solver> {
    return std::make_unique<Svrg<View, typename decltype(iterate)::type>>(problem, setup, std::move(scaling));
  });
}

FINITESUM_FOR_EACH_VIEW(make_svrg)

}  // namespace finitesum
