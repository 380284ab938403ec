// SVRG of svrg.cpp for K outputs: around an anchor with derivatives u_i (n x K) and gradient d = sum_i s_i x_i u_i^T,
// steps as inner_loop.hpp has them.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "solvers/inner_loop.hpp"
#include "solvers/multi/any.hpp"
#include "solvers/multi/columns.hpp"
#include "solvers/multi/evaluation.hpp"
#include "solvers/multi/row_loop.hpp"

namespace finitesum {
namespace {

template <class View, class Columns>
class MultiSvrg final : public Solver {
 public:
  MultiSvrg(const MultiProblem<View>& problem, const MultiSetup& setup, ColumnScaling scaling)
      : problem_(problem),
        K_(problem.n_outputs),
        coef_(setup.coef),
        intercepts_out_(setup.intercepts),
        start_(copy_unless_zero(setup.coef, problem.n_coefficients())),
        start_intercepts_(setup.intercepts, setup.intercepts + problem.n_outputs),
        scaling_(std::move(scaling)),
        steps_(problem, setup, false, scaling_),
        inner_loop_(setup.options, problem.n_rows(), setup.seed),
        batch_(inner_loop_.batch_size()),
        strengths_(batch_.size() * K_),
        iterate_(problem, scaling_),
        evaluation_(make_evaluation(problem)),
        row_loss_(problem),
        stores_(setup.options.store_derivatives.value_or(true)),
        anchor_loss_(problem),
        derivatives_(stores_ ? problem.n_rows() * K_ : 0),
        gradient_(problem.n_coefficients()),
        fresh_(K_),
        fresh_sums_(K_),
        no_change_(K_),
        intercept_sums_(K_),
        slopes_(K_),
        certificates_(problem.n_problems()),
        first_objectives_(problem.n_problems()),
        last_objectives_(problem.n_problems()),
        anchor_intercepts_(K_) {
    begin();
  }

  void run_epoch(std::size_t number, Control& control) override {
    if (!anchored_) take_anchor();
    if (!anchored_) return;
    steps_.begin_epoch(number);
    iterate_.settle();
    iterate_.set_step(step_size());
    anchored_ = false;
    const auto prefetch_row = [&](std::size_t i) {
      if (stores_) prefetch_bytes(&derivatives_[i * K_], K_ * sizeof(double));
      problem_.prefetch_target(i);
    };
    steps_taken_ = 0;
    in_batch_ = 0;
    if (averages()) begin_average();
    draws_ += for_draws_from(
        problem_.X, iterate_, steps_, inner_loop_.first_draw(number), inner_loop_.n_draws(number), control,
        prefetch_row, [&](const Draw& draw) { visit(draw); }, K_);
    if (averages() && steps_taken_ > 0) end_average();
  }

  Certificate check(Control& control) override { return check_outputs(control).front(); }
  std::vector<Certificate> check_outputs(Control& control) override {
    if (!anchored_ && control.stopped()) return_to_anchor();
    return anchored_ || control.stopped() ? certificates_ : take_anchor();
  }
  // As one output's.
  std::size_t check_work() const override {
    const std::size_t sweeps = anchored_ ? 0 : (stores_ ? 2 : 16);
    return sweeps * K_ * (problem_.X.n_stored() + problem_.n_rows());
  }
  bool checks_are_free() const override { return true; }
  // Without storage a draw costs two gradients, and an anchor every sweep made for it.
  double passes() const override {
    const auto n = static_cast<double>(problem_.n_rows());
    if (stores_) return static_cast<double>(draws_) / n + static_cast<double>(anchors_);
    return (static_cast<double>(2 * draws_) + static_cast<double>(scores_computed_again_) / static_cast<double>(K_)) /
           n;
  }
  const char* sampling() const override { return steps_.sampling(); }
  std::vector<double> draw_shares() const override { return steps_.draw_shares(); }
  double step_size() const override {
    const double inverse = steps_.inverse_unbiased(static_cast<double>(batch_.size()));
    return steps_.step(inverse, inverse / 2);
  }

  void restart_with_half_step() override {
    steps_.halve();
    begin();
  }

  void transfer(Archive& archive) override {
    transfer_columns(archive, iterate_, problem_.n_columns(), K_);
    archive(derivatives_);
    archive(intercepts_);
    archive(anchor_intercepts_);
    archive(slopes_);
    for (Certificate& certificate : certificates_) {
      archive(certificate.objective);
      archive(certificate.lower_bound);
      archive(certificate.gradient_norm);
      archive(certificate.nonzeros);
    }
    archive(first_objectives_);
    archive.integer(draws_);
    archive.integer(anchors_);
    archive.integer(anchored_);
    archive.integer(scores_computed_again_);
    steps_.transfer(archive);
    for (std::size_t k = 0; k < certificates_.size(); ++k) last_objectives_[k] = certificates_[k].objective;
    last_intercepts_ = intercepts_;
    last_anchor_.resize(problem_.n_coefficients());
    copy_coefficients(iterate_, problem_.n_columns(), K_, last_anchor_.data());
    if (!stores_) products_.emplace(problem_, last_anchor_.data());
  }

  double finish() override {
    iterate_.settle();
    copy_coefficients(iterate_, problem_.n_columns(), K_, coef_);
    const std::vector<double> b = shifted(intercepts_, -1, center_predictions(iterate_, problem_.n_columns(), K_));
    std::copy(b.begin(), b.end(), intercepts_out_);
    return 0;
  }

 private:
  // Of any output.
  bool is_much_worse(const std::vector<double>& objectives) const {
    for (std::size_t k = 0; k < objectives.size(); ++k) {
      if (!(objectives[k] <= 2 * last_objectives_[k]) && !(objectives[k] <= 1e-9 * first_objectives_[k])) return true;
    }
    return false;
  }

  void begin() {
    std::fill(last_objectives_.begin(), last_objectives_.end(), std::numeric_limits<double>::infinity());
    load_columns(iterate_, problem_.n_columns(), K_, start_);
    iterate_.set_mass(problem_.total_weight);
    intercepts_ = last_intercepts_ =
        shifted(start_intercepts_, 1, center_predictions(iterate_, problem_.n_columns(), K_));
    last_anchor_.assign(problem_.n_coefficients(), 0);
    copy_coefficients(iterate_, problem_.n_columns(), K_, last_anchor_.data());
    certificates_ = evaluation_->unfinished(last_anchor_.data());
    anchored_ = false;
  }

  // Its derivatives may be gone.
  void return_to_anchor() {
    load_columns(iterate_, problem_.n_columns(), K_, last_anchor_);
    intercepts_ = last_intercepts_;
  }

  // The scores of an anchor that does not store them.
  RowScores computed_scores() {
    return {[this](std::size_t first, std::size_t count, double* room) {
              scores_computed_again_ += count * K_;
              (*products_)(first, count, room);
              return static_cast<const double*>(room);
            },
            [this](std::size_t k, std::size_t first, std::size_t count, double* z) {
              scores_computed_again_ += count;
              products_->of_output(k, first, count, z);
            },
            false};
  }

  // Free intercepts of the anchor are the best ones: its derivatives sum to zero. Unfinished if control stops it: the
  // last one still counts.
  std::vector<Certificate> take_anchor(bool may_go_back = true) {
    iterate_.settle();
    copy_coefficients(iterate_, problem_.n_columns(), K_, coef_);
    if (!stores_) {
      products_.emplace(problem_, coef_);
    } else if (!evaluation_->multiply(coef_, derivatives_.data())) {
      return evaluation_->unfinished(coef_);
    }
    const RowScores z = stores_ ? stored_scores(derivatives_.data(), K_) : computed_scores();
    const std::vector<double> shift = center_predictions(iterate_, problem_.n_columns(), K_);
    std::vector<double> b = shifted(intercepts_, -1, shift);
    const std::vector<double> objectives = evaluation_->best_objectives(coef_, z, b.data());
    if (objectives.empty()) return evaluation_->unfinished(coef_);
    ++anchors_;
    if (may_go_back && is_much_worse(objectives)) return go_back();
    const RowNumbers u =
        stores_ ? stored_numbers(derivatives_.data(), K_) : evaluation_->derivatives(z.of_rows, b.data());
    const bool is_finished = stores_ ? evaluation_->differentiate(derivatives_.data(), b.data(), gradient_.data())
                                     : evaluation_->sum_gradient(u, gradient_.data());
    if (!is_finished) return evaluation_->unfinished(coef_);
    if (problem_.has_penalized_intercept()) {
      const std::vector<double> slopes = evaluation_->mean_derivatives(u);
      if (slopes.empty()) return evaluation_->unfinished(coef_);
      slopes_ = slopes;
    }
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) {
      for (std::size_t k = 0; k < K_; ++k) iterate_.gradient_sum(j, k) = problem_.total_weight * gradient_[j * K_ + k];
    }
    std::vector<Certificate> certificates = evaluation_->certify(coef_, objectives, u, gradient_.data());
    if (problem_.control->stopped() && std::isinf(certificates.front().objective)) return certificates;
    if (anchors_ == 1) first_objectives_ = objectives;
    last_objectives_ = objectives;
    intercepts_ = last_intercepts_ = shifted(b, 1, shift);
    anchor_intercepts_ = b;
    last_anchor_.assign(coef_, coef_ + problem_.n_coefficients());
    if (!stores_) products_.emplace(problem_, last_anchor_.data());
    anchored_ = true;
    return certificates_ = std::move(certificates);
  }

  // Steps too long for the rows met since the last anchor: from there again, with half of them.
  std::vector<Certificate> go_back() {
    steps_.halve();
    return_to_anchor();
    return take_anchor(false);
  }

  const double* anchor_derivatives(std::size_t i) {
    if (stores_) return &derivatives_[i * K_];
    double* z = anchor_loss_.z();
    products_->of_row(i, z);
    for (std::size_t k = 0; k < K_; ++k) z[k] += anchor_intercepts_[k];
    return anchor_loss_.differentiate(i);
  }

  void visit(const Draw& draw) {
    const std::size_t i = draw.row;
    const auto row = problem_.X.row(i);
    double* z = row_loss_.z();
    iterate_.predict(row, z);
    for (std::size_t k = 0; k < K_; ++k) z[k] += intercepts_[k];
    const double* g = row_loss_.differentiate(i);
    if (steps_.observe(i, static_cast<const double*>(z), g)) follow_step(iterate_, step_size());
    const double factor = problem_.weight(i) * steps_.unbiased(draw) / static_cast<double>(batch_.size());
    const double* u = anchor_derivatives(i);
    double* strength = &strengths_[in_batch_ * K_];
    for (std::size_t k = 0; k < K_; ++k) strength[k] = factor * (g[k] - u[k]);
    batch_[in_batch_++] = i;
    if (in_batch_ == batch_.size()) step();
  }

  // All predictions of the batch are made: W moves.
  void step() {
    const double step = iterate_.step_size();
    std::fill(fresh_sums_.begin(), fresh_sums_.end(), 0.0);
    for (std::size_t r = 0; r < in_batch_; ++r) {
      for (std::size_t k = 0; k < K_; ++k) {
        fresh_[k] = step * strengths_[r * K_ + k];
        fresh_sums_[k] += fresh_[k];
      }
      move(problem_.X.row(batch_[r]), r + 1 == in_batch_);
    }
    if (problem_.fit_intercept) {
      for (std::size_t k = 0; k < K_; ++k) {
        const double moved = intercepts_[k] - (fresh_sums_[k] + step * slopes_[k]);
        intercepts_[k] = problem_.prox_intercept(moved, step);
        intercept_sums_[k] += intercepts_[k];
      }
    }
    in_batch_ = 0;
    ++steps_taken_;
  }

  void move(typename View::Row row, bool is_last) {
    if constexpr (Columns::has_batches) {
      if (!is_last) return iterate_.shift(row, fresh_.data());
    }
    iterate_.step(row, fresh_.data(), no_change_.data());
  }

  bool averages() const { return inner_loop_.averages(); }
  void begin_average() {
    if constexpr (Columns::has_batches) iterate_.begin_average();
    std::fill(intercept_sums_.begin(), intercept_sums_.end(), 0.0);
  }
  void end_average() {
    const auto n_steps = static_cast<double>(steps_taken_);
    if constexpr (Columns::has_batches) iterate_.end_average(n_steps);
    for (std::size_t k = 0; problem_.fit_intercept && k < K_; ++k) intercepts_[k] = intercept_sums_[k] / n_steps;
  }

  const MultiProblem<View>& problem_;
  std::size_t K_;
  double* coef_;
  double* intercepts_out_;
  std::vector<double> start_;  // empty: zero
  std::vector<double> start_intercepts_;
  ColumnScaling scaling_;
  MultiStepRule<View> steps_;
  InnerLoop inner_loop_;
  std::vector<std::size_t> batch_;  // of rows; the first in_batch_ are filled
  std::vector<double> strengths_;   // of their fresh gradients, over the step
  std::size_t in_batch_ = 0;
  std::size_t steps_taken_ = 0;
  Columns iterate_;
  std::unique_ptr<MultiEvaluation<View>> evaluation_;
  RowLoss<View> row_loss_;
  bool stores_;
  RowLoss<View> anchor_loss_;
  std::vector<double> derivatives_;            // of the anchor, if stored
  std::optional<RowProducts<View>> products_;  // with the anchor's coefficients, if not
  std::size_t scores_computed_again_ = 0;
  std::vector<double> gradient_;
  std::vector<double> fresh_;
  std::vector<double> fresh_sums_;
  std::vector<double> no_change_;
  std::vector<double> intercept_sums_;  // over the steps taken
  std::vector<double> slopes_;          // (1/S) sum_i s_i u_i: zero at the best intercepts
  bool anchored_ = false;               // the anchor is the present iterate, and certificates_ are its certificates
  std::vector<Certificate> certificates_;
  std::vector<double> first_objectives_;
  std::vector<double> last_objectives_;
  std::vector<double> last_intercepts_;
  std::vector<double> last_anchor_;
  std::vector<double> anchor_intercepts_;  // of rows as they are
  std::vector<double> intercepts_;         // of centered rows, and so the last ones
  std::size_t draws_ = 0;
  std::size_t anchors_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_multi_svrg(const MultiProblem<View>& problem, const MultiSetup& setup) {
  const InnerLoop inner_loop(setup.options, problem.n_rows(), setup.seed);
  const bool row_by_row = inner_loop.batch_size() > 1 || inner_loop.averages();
  return with_columns<View>(
      problem, setup, false, row_by_row, [&](auto columns, ColumnScaling scaling) -> std::unique_ptr<Solver> {
        return std::make_unique<MultiSvrg<View, typename decltype(columns)::type>>(problem, setup, std::move(scaling));
      });
}

FINITESUM_FOR_EACH_MULTI_VIEW(make_multi_svrg)

}  // namespace finitesum
