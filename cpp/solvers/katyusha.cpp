// Katyusha, accelerated SVRG: Z. Allen-Zhu, "Katyusha: the first direct acceleration of stochastic gradient methods",
// STOC 2017; with rows drawn by smoothness as in X. Qian, Z. Qu, P. Richtarik, "L-SVRG and L-Katyusha with arbitrary
// sampling", JMLR 2021. Around an anchor w with derivatives u_i and gradient d the sequences z and y of
// coupled_iterates.hpp move by
//     d + s_i (g - u_i) x_i / (p_i S),   z with steps of 1 / (3 theta L),
// and after m draws, by default n, the last y becomes the anchor. theta is 2 / (s + 4) in epoch s, the rule for mu = 0,
// until it meets sqrt(m mu / (3 L)), the rule for mu > 0, and at most 1/2.
//
// Deviations:
// - The anchor is the last y, where the paper takes a weighted mean of the epoch's: on a9a, covtype and protein neither
//   was better throughout. A free intercept of an anchor is the best one.
// - It moves at the end of an epoch, so that epochs and certificates are one; D. Kovalev, S. Horvath, P. Richtarik (ALT
//   2020) toss a coin per draw.
// - The paper has one rule for theta or the other: alone the second starts slowly.
// - The steps of z grow to their length over four epochs: far from the optimum long ones throw the coefficients of rare
//   columns to where the loss is flat, and they take long to return (seen on covtype).
// - The stream's first n draws, each row once, are left to the solvers with tables: with weights they are biased, and
//   momentum adds that up.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "solvers/anchor.hpp"
#include "solvers/any.hpp"
#include "solvers/coupled_iterates.hpp"
#include "solvers/row_loop.hpp"

namespace finitesum {
namespace {

template <class View>
class Katyusha final : public Solver {
 public:
  Katyusha(const Problem<View>& problem, const SolverSetup& setup)
      : problem_(problem),
        coef_(setup.coef),
        start_(copy_unless_zero(setup.coef, problem.n_columns())),
        start_intercept_(setup.intercept),
        steps_(problem, setup, false),
        inner_draws_(inner_draws(setup.options, problem.n_rows(), 1)),
        iterate_(problem, setup.coef),
        anchor_(problem.n_rows()) {
    begin();
  }

  void run_epoch(std::size_t number, Control& control) override {
    if (!anchored_) take_anchor(control);
    if (!anchored_) return;
    steps_.begin_epoch(number);
    const double epochs = static_cast<double>(epochs_++);
    coupling_.theta = theta(epochs);
    stretch_ = std::min(1.0, (epochs + 1) / 4) / coupling_.theta;
    iterate_.settle();
    iterate_.set_coupling(coupling_);
    iterate_.wake();
    iterate_.set_step(long_step());
    anchored_ = false;
    const auto prefetch_row = [&](std::size_t i) {
      __builtin_prefetch(&anchor_.derivatives()[i]);
      problem_.y.prefetch(i);
    };
    const std::size_t first = problem_.n_rows() + number * inner_draws_;
    draws_ += for_draws_from(problem_.X, iterate_, steps_, first, inner_draws_, control, prefetch_row,
                             [&](const Draw& draw) { visit(draw); });
  }

  // The anchor of the next epoch.
  Certificate check(Control& control) override {
    if (!anchored_ && control.stopped()) return_to_anchor();
    return anchored_ || control.stopped() ? certificate_ : take_anchor(control);
  }
  std::size_t check_work() const override { return anchored_ ? 0 : 2 * (problem_.X.n_stored() + problem_.n_rows()); }

  bool checks_are_free() const override { return true; }
  double passes() const override {
    return static_cast<double>(draws_) / static_cast<double>(problem_.n_rows()) + static_cast<double>(anchors_);
  }
  const char* sampling() const override { return steps_.sampling(); }
  std::vector<double> draw_shares() const override { return steps_.draw_shares(); }
  // That of y; z goes 1 / theta times as far.
  double step_size() const override {
    const double inverse = steps_.inverse_unbiased();
    return steps_.step(inverse, inverse / 3);
  }

  void restart_with_half_step() override {
    steps_.halve();
    begin();
  }

  void transfer(Archive& archive) override {
    const std::size_t p = problem_.n_columns();
    iterate_.settle();
    for (std::size_t j = 0; j < p; ++j) {
      archive(iterate_.z(j));
      archive(iterate_.y(j));
      archive(iterate_.gradient(j));
    }
    archive(anchor_.margins);
    for (double* number :
         {&intercept_.z, &intercept_.y, &intercept_.w, &anchor_.intercept_slope, &certificate_.objective,
          &certificate_.lower_bound, &certificate_.gradient_norm, &certificate_.nonzeros, &first_objective_})
      archive(*number);
    archive.integer(draws_);
    archive.integer(anchors_);
    archive.integer(epochs_);
    archive.integer(anchored_);
    steps_.transfer(archive);
    last_objective_ = certificate_.objective;
    for (std::size_t j = 0; j < p; ++j) iterate_.anchor(j) = iterate_.y(j);
  }

  double finish() override {
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) coef_[j] = iterate_.anchor(j);
    return intercept_.w;
  }

 private:
  struct Intercept {
    double z = 0;
    double y = 0;
    double w = 0;
  };

  double theta(double epochs) const {
    const double m = static_cast<double>(inner_draws_);
    const double floor = std::sqrt(m * problem_.l2() * step_size());
    return std::min(0.5, std::max(floor, 2 / (epochs + 4)));
  }
  double long_step() const { return stretch_ * step_size(); }

  // How far the objective may rise from anchor to anchor, unless it is as good as zero anyway.
  bool is_much_worse(double objective) const {
    return !(objective <= 2 * last_objective_) && !(objective <= 1e-9 * first_objective_);
  }

  void begin() {
    iterate_.settle();
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) iterate_.anchor(j) = start_.empty() ? 0 : start_[j];
    intercept_.w = start_intercept_;
    const double* start = start_.data();
    certificate_ = Certificate::unfinished(count_nonzeros(start, start_.size()));
    last_objective_ = std::numeric_limits<double>::infinity();
    return_to_anchor();
  }

  void return_to_anchor() {
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) iterate_.z(j) = iterate_.y(j) = iterate_.anchor(j);
    intercept_.z = intercept_.y = intercept_.w;
    epochs_ = 0;
    anchored_ = false;
  }

  // Unfinished if control stops it, between margins and gradient with a known objective.
  Certificate take_anchor(Control& control, bool may_go_back = true) {
    const std::size_t p = problem_.n_columns();
    iterate_.settle();
    for (std::size_t j = 0; j < p; ++j) coef_[j] = iterate_.y(j);
    anchor_.intercept = intercept_.y;
    const double nonzeros = count_nonzeros(coef_, p);
    if (!evaluate_margins(problem_, coef_, anchor_, &control)) return Certificate::unfinished(nonzeros);
    if (!evaluate_objective(problem_, coef_, anchor_, &control)) return Certificate::unfinished(nonzeros);
    ++anchors_;
    if (may_go_back && is_much_worse(anchor_.objective)) return go_back(control);
    if (anchors_ == 1) first_objective_ = anchor_.objective;
    last_objective_ = anchor_.objective;
    for (std::size_t j = 0; j < p; ++j) iterate_.anchor(j) = coef_[j];
    intercept_.w = anchor_.intercept;
    if (epochs_ == 0) intercept_.z = intercept_.y = intercept_.w;
    certificate_ = Certificate::unfinished(nonzeros);
    certificate_.objective = anchor_.objective;  // with the best dual value so far already a certificate
    if (!evaluate_gradient(problem_, anchor_, coef_, &control)) return Certificate::unfinished(nonzeros);
    for (std::size_t j = 0; j < p; ++j) iterate_.gradient(j) = coef_[j];
    certificate_ = certify(problem_, anchor_, nonzeros, coef_);
    anchored_ = true;
    return certificate_;
  }

  // Steps too long for the rows met since the last anchor: from there again, with half of them and no momentum.
  Certificate go_back(Control& control) {
    steps_.halve();
    return_to_anchor();
    return take_anchor(control, false);
  }

  void visit(const Draw& draw) {
    const std::size_t i = draw.row;
    const auto row = problem_.X.row(i);
    const double prediction = iterate_.predict(row) + coupling_(intercept_.z, intercept_.y, intercept_.w);
    const double g = problem_.derivative(i, prediction);
    if (steps_.observe(i, prediction, g)) follow_step(iterate_, long_step());
    const double step = iterate_.step_size();
    const double fresh = step * problem_.weight(i) * (g - anchor_.derivatives()[i]) * steps_.unbiased(draw);
    if (problem_.fit_intercept) {
      const double moved = intercept_.z - fresh - step * anchor_.intercept_slope;
      intercept_.z = problem_.prox_intercept(moved, step);
      intercept_.y = coupling_(intercept_.z, intercept_.y, intercept_.w);
    }
    iterate_.step(row, fresh);
  }

  const Problem<View>& problem_;
  double* coef_;
  std::vector<double> start_;  // empty: zero
  double start_intercept_;
  StepRule<View> steps_;
  std::size_t inner_draws_;
  typename CoupledOf<View>::type iterate_;
  Coupling coupling_;
  double stretch_ = 1;
  Intercept intercept_;
  Anchor anchor_;
  bool anchored_ = false;  // the anchor is the present y, and certificate_ is its certificate
  Certificate certificate_;
  double first_objective_ = 0;
  double last_objective_ = 0;
  std::size_t epochs_ = 0;  // since the sequences were last together
  std::size_t draws_ = 0;
  std::size_t anchors_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_katyusha(const Problem<View>& problem, const SolverSetup& setup) {
  return std::make_unique<Katyusha<View>>(problem, setup);
}

FINITESUM_FOR_EACH_VIEW(make_katyusha)

}  // namespace finitesum
