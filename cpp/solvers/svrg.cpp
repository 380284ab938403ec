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
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "solvers/anchor.hpp"
#include "solvers/any.hpp"
#include "solvers/lazy_updates.hpp"
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
        seed_(setup.seed),
        next_anchor_(setup.options.iterate.value_or(NextAnchor::last)),
        batch_(empty_batch(setup.options, problem.n_rows())),
        n_steps_((inner_draws(setup.options, problem.n_rows(), usual_length(setup.options)) + batch_.size() - 1) /
                 batch_.size()),
        iterate_(problem, setup.coef, scaling_),
        outer_(setup.options.acceleration, inner_rule(), steps_.strong_convexity(), problem.n_columns()),
        anchor_(problem.n_rows(), setup.options.store_derivatives.value_or(true)) {
    begin();
  }

  void run_epoch(std::size_t number, Control& control) override {
    if (!anchored_) take_anchor();
    steps_.begin_epoch(number);
    iterate_.settle();
    if (outer_.is_due())
      recenter(problem_, scaling_, iterate_, outer_, static_cast<double>(n_steps_) * step_size(), true, coef_);
    iterate_.wake();
    iterate_.set_step(step_size());
    anchored_ = false;
    const auto prefetch_row = [&](std::size_t i) {
      if (anchor_.stores) __builtin_prefetch(&anchor_.derivatives()[i]);
      problem_.y.prefetch(i);
    };
    steps_taken_ = 0;
    in_batch_ = 0;
    intercept_sum_ = 0;
    if (next_anchor_ == NextAnchor::average) iterate_.begin_average();
    draws_ +=
        for_draws_from(problem_.X, iterate_, steps_, number * n_steps_ * batch_.size(),
                       steps_in(number) * batch_.size(), control, prefetch_row, [&](const Draw& draw) { visit(draw); });
    if (next_anchor_ == NextAnchor::average && steps_taken_ > 0) {
      const auto n_steps = static_cast<double>(steps_taken_);
      iterate_.end_average(n_steps);
      if (problem_.fit_intercept) intercept_ = intercept_sum_ / n_steps;
    }
  }

  // The anchor of the next epoch.
  Certificate check() override { return anchored_ ? certificate_ : take_anchor(); }

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
    if (!archive.is_loading()) check();
    transfer_iterate(archive, iterate_, problem_.n_columns());
    if (anchor_.stores) archive(anchor_.margins);
    archive.integer(anchor_.rows_computed_again);
    archive(intercept_);
    archive(anchor_.intercept);
    archive(anchor_.intercept_slope);
    archive(certificate_.objective);
    archive(certificate_.lower_bound);
    archive(certificate_.gradient_norm);
    archive(certificate_.nonzeros);
    archive.integer(draws_);
    archive.integer(anchors_);
    archive(first_objective_);
    steps_.transfer(archive);
    outer_.transfer(archive);
    iterate_.set_kappa(outer_.kappa());
    last_objective_ = certificate_.objective;
    last_intercept_ = intercept_;
    last_anchor_.resize(problem_.n_columns());
    copy_coefficients(iterate_, problem_.n_columns(), last_anchor_.data());
    anchor_.w = last_anchor_.data();
    anchored_ = true;
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

  static std::vector<Pull> empty_batch(const SolverOptions& options, std::size_t n_rows) {
    const std::size_t size = options.batch_size.value_or(1);
    if (size > n_rows)
      throw std::invalid_argument("solver_options: 'batch_size' must be at most the number of samples, " +
                                  std::to_string(n_rows) + ", got " + std::to_string(size));
    return std::vector<Pull>(size);
  }

  std::size_t steps_in(std::size_t epoch) const {
    if (next_anchor_ != NextAnchor::random) return n_steps_;
    const Philox random(seed_, ~std::uint64_t{epoch});  // the draws' streams count up from zero
    return 1 + below(random.words(0)[0], n_steps_);
  }

  // How far the objective may rise from anchor to anchor, unless it is as good as zero anyway.
  bool is_much_worse(double objective) const {
    return !(objective <= 2 * last_objective_) && !(objective <= 1e-9 * first_objective_);
  }

  // Over the number of rows. Extrapolated anchors are better taken often.
  static double usual_length(const SolverOptions& options) {
    return options.acceleration == Acceleration::catalyst ? 1 : 2;
  }

  static InnerRule inner_rule() { return {1, std::numeric_limits<double>::infinity()}; }

  void begin() {
    reset_outer();
    last_objective_ = std::numeric_limits<double>::infinity();
    load_iterate(iterate_, problem_.n_columns(), start_);
    iterate_.set_mass(problem_.total_weight);
    intercept_ = start_intercept_ + center_prediction(iterate_, problem_.n_columns());
    anchored_ = false;
  }

  Certificate take_anchor(bool may_go_back = true) {
    const std::size_t p = problem_.n_columns();
    iterate_.settle();
    copy_coefficients(iterate_, p, coef_);
    const double shift = center_prediction(iterate_, p);
    anchor_.intercept = intercept_ - shift;
    evaluate_margins(problem_, coef_, anchor_);
    evaluate_objective(problem_, coef_, anchor_);
    ++anchors_;
    if (may_go_back && is_much_worse(anchor_.objective)) return go_back();
    if (anchors_ == 1) first_objective_ = anchor_.objective;
    last_objective_ = anchor_.objective;
    intercept_ = last_intercept_ = anchor_.intercept + shift;
    last_anchor_.assign(coef_, coef_ + p);
    anchor_.w = last_anchor_.data();
    const double nonzeros = count_nonzeros(coef_, p);
    evaluate_gradient(problem_, anchor_, coef_);
    for (std::size_t j = 0; j < p; ++j) iterate_.gradient_sum(j) = problem_.total_weight * coef_[j];
    certificate_ = certify(problem_, anchor_, nonzeros, coef_);
    anchored_ = true;
    return certificate_;
  }

  void reset_outer() {
    outer_.reset();
    iterate_.set_kappa(0);
  }

  // A center too far away, or steps too long for the rows met since the last anchor: from there again, without center
  // or with half the step.
  Certificate go_back() {
    if (outer_.kappa() == 0) steps_.halve();
    reset_outer();
    load_iterate(iterate_, problem_.n_columns(), last_anchor_);
    intercept_ = last_intercept_;
    return take_anchor(false);
  }

  void visit(const Draw& draw) {
    const std::size_t i = draw.row;
    const auto row = problem_.X.row(i);
    const double z = iterate_.predict(row) + intercept_;
    const double g = problem_.derivative(i, z);
    if (steps_.observe(i, z, g)) follow_step(iterate_, step_size());
    const double u = anchor_.stores ? anchor_.derivatives()[i] : anchor_derivative(i);
    const double strength = problem_.weight(i) * (g - u) * steps_.unbiased(draw) / static_cast<double>(batch_.size());
    batch_[in_batch_++] = {i, strength};
    if (in_batch_ == batch_.size()) step();
  }

  double anchor_derivative(std::size_t i) const {
    const auto& rows = row_kernels(problem_.kernels, problem_.X);
    return problem_.derivative(i, dot(rows, problem_.X.row(i), anchor_.w) + anchor_.intercept);
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
  std::uint64_t seed_;
  NextAnchor next_anchor_;
  std::vector<Pull> batch_;  // as long as a batch; the first in_batch_ are filled
  std::size_t in_batch_ = 0;
  std::size_t n_steps_;  // from anchor to anchor
  std::size_t steps_taken_ = 0;
  double intercept_sum_ = 0;  // over the steps taken
  Iterate iterate_;
  OuterLoop outer_;
  Anchor anchor_;
  bool anchored_ = false;  // the anchor is the present iterate, and certificate_ is its certificate
  Certificate certificate_;
  double first_objective_ = 0;
  double last_objective_ = 0;
  double last_intercept_ = 0;  // like intercept_
  std::vector<double> last_anchor_;
  double intercept_ = 0;  // of centered rows
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
