// SVRG: R. Johnson, T. Zhang, "Accelerating stochastic gradient descent using predictive variance reduction", NIPS
// 2013; proximal form: L. Xiao, T. Zhang, SIAM J. Optim. 2014. Around an anchor with derivatives u_i and gradient d =
// sum_i s_i u_i x_i,
//     w <- prox(w - step (d / S + s_i (g - u_i) x_i / (p_i S))),
// for 2 n draws, then the last iterate (option I) becomes the anchor. Storing the u_i makes a step cost one gradient
// instead of two.
#include <cmath>
#include <cstddef>
#include <limits>
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
  Svrg(const Problem<View>& problem, const SolverSetup& setup)
      : problem_(problem),
        coef_(setup.coef),
        start_(copy_unless_zero(setup.coef, problem.n_columns())),
        start_intercept_(setup.intercept),
        steps_(problem, setup, false),
        inner_draws_(inner_draws(setup.options, problem.n_rows())),
        iterate_(problem, setup.coef),
        anchor_(problem.n_rows()) {
    begin();
  }

  void run_epoch(std::size_t number, Control& control) override {
    if (!anchored_) take_anchor();
    steps_.begin_epoch(number);
    iterate_.settle();
    iterate_.wake();
    iterate_.set_step(step_size());
    anchored_ = false;
    const auto prefetch_row = [&](std::size_t i) {
      __builtin_prefetch(&anchor_.derivatives()[i]);
      problem_.y.prefetch(i);
    };
    draws_ += for_draws_from(problem_.X, iterate_, steps_, number * inner_draws_, inner_draws_, control, prefetch_row,
                             [&](const Draw& draw) { visit(draw); });
  }

  // The anchor of the next epoch.
  Certificate check() override { return anchored_ ? certificate_ : take_anchor(); }

  bool checks_are_free() const override { return true; }
  double passes() const override {
    return static_cast<double>(draws_) / static_cast<double>(problem_.n_rows()) + static_cast<double>(anchors_);
  }
  const char* sampling() const override { return steps_.sampling(); }
  std::vector<double> draw_shares() const override { return steps_.draw_shares(); }
  // Half of 1/L: the analysis asks for less than 1/(4L), practice allows up to 1/L.
  double step_size() const override {
    const double inverse = steps_.inverse_unbiased();
    return steps_.step(inverse, inverse / 2);
  }

  void restart_with_half_step() override {
    steps_.halve();
    begin();
  }

  void transfer(Archive& archive) override {
    if (!archive.is_loading()) check();
    transfer_iterate(archive, iterate_, problem_.n_columns());
    archive(anchor_.margins);
    archive(intercept_);
    archive(anchor_.intercept_slope);
    archive(certificate_.objective);
    archive(certificate_.lower_bound);
    archive(certificate_.gradient_norm);
    archive(certificate_.nonzeros);
    archive.integer(draws_);
    archive.integer(anchors_);
    archive(first_objective_);
    steps_.transfer(archive);
    last_objective_ = certificate_.objective;
    last_intercept_ = intercept_;
    last_anchor_.resize(problem_.n_columns());
    copy_coefficients(iterate_, problem_.n_columns(), last_anchor_.data());
    anchored_ = true;
  }

  double finish() override {
    iterate_.settle();
    copy_coefficients(iterate_, problem_.n_columns(), coef_);
    return intercept_;
  }

 private:
  // How far the objective may rise from anchor to anchor, unless it is as good as zero anyway.
  bool is_much_worse(double objective) const {
    return !(objective <= 2 * last_objective_) && !(objective <= 1e-9 * first_objective_);
  }

  void begin() {
    last_objective_ = std::numeric_limits<double>::infinity();
    load_iterate(iterate_, problem_.n_columns(), start_);
    iterate_.set_mass(problem_.total_weight);
    intercept_ = start_intercept_;
    anchored_ = false;
  }

  Certificate take_anchor(bool may_go_back = true) {
    const std::size_t p = problem_.n_columns();
    iterate_.settle();
    copy_coefficients(iterate_, p, coef_);
    anchor_.intercept = intercept_;
    evaluate_margins(problem_, coef_, anchor_);
    evaluate_objective(problem_, coef_, anchor_);
    ++anchors_;
    if (may_go_back && is_much_worse(anchor_.objective)) return go_back();
    if (anchors_ == 1) first_objective_ = anchor_.objective;
    last_objective_ = anchor_.objective;
    last_intercept_ = anchor_.intercept;
    last_anchor_.assign(coef_, coef_ + p);
    const double nonzeros = count_nonzeros(coef_, p);
    evaluate_gradient(problem_, anchor_, coef_);
    for (std::size_t j = 0; j < p; ++j) iterate_.gradient_sum(j) = problem_.total_weight * coef_[j];
    intercept_ = anchor_.intercept;
    certificate_ = certify(problem_, anchor_, nonzeros, coef_);
    anchored_ = true;
    return certificate_;
  }

  // Steps too long for the rows met since the last anchor: from there again, with half of them.
  Certificate go_back() {
    steps_.halve();
    load_iterate(iterate_, problem_.n_columns(), last_anchor_);
    intercept_ = last_intercept_;
    return take_anchor(false);
  }

  void visit(const Draw& draw) {
    const std::size_t i = draw.row;
    const auto row = problem_.X.row(i);
    const double z = iterate_.predict(row) + intercept_;
    const double g = problem_.loss.derivative(z, problem_.y[i]);
    if (steps_.observe(i, z, g)) follow_step(iterate_, step_size());
    const double fresh =
        iterate_.step_size() * problem_.weight(i) * (g - anchor_.derivatives()[i]) * steps_.unbiased(draw);
    if (problem_.fit_intercept) {
      intercept_ -= fresh + iterate_.step_size() * anchor_.intercept_slope;
      intercept_ = problem_.prox_intercept(intercept_, iterate_.step_size());
    }
    iterate_.step(row, fresh, 0);
  }

  const Problem<View>& problem_;
  double* coef_;
  std::vector<double> start_;  // empty: zero
  double start_intercept_;
  StepRule<View> steps_;
  std::size_t inner_draws_;
  Iterate iterate_;
  Anchor anchor_;
  bool anchored_ = false;  // the anchor is the present iterate, and certificate_ is its certificate
  Certificate certificate_;
  double first_objective_ = 0;
  double last_objective_ = 0;
  double last_intercept_ = 0;
  std::vector<double> last_anchor_;
  double intercept_ = 0;
  std::size_t draws_ = 0;
  std::size_t anchors_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_svrg(const Problem<View>& problem, const SolverSetup& setup) {
  return with_iterate<View>(problem, [&](auto iterate) -> std::unique_ptr<Solver> {
    return std::make_unique<Svrg<View, typename decltype(iterate)::type>>(problem, setup);
  });
}

FINITESUM_FOR_EACH_VIEW(make_svrg)

}  // namespace finitesum
