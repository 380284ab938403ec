// SAG and SAGA: one stored derivative per row and the sum d = sum_i s_i g_i x_i. Drawing row i with fresh derivative g:
//     SAG   w <- prox(w - step (d + s_i (g - g_i) x_i) / m)            N. Le Roux, M. Schmidt, F. Bach, NIPS 2012
//     SAGA  w <- prox(w - step (d / m + s_i (g - g_i) x_i / (p_i S)))  A. Defazio, F. Bach, S. Lacoste-Julien, NIPS
//     2014
// with m the total weight of the rows seen so far and p_i the probability of the row; then g_i <- g and d follows.
// The table is at the same time the dual point of the certificate, and d its image under X^T.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "solvers/lazy_updates.hpp"
#include "solvers/row_loop.hpp"
#include "solvers/solver.hpp"
#include "solvers/table_check.hpp"

namespace finitesum {

enum class TableRule { sag, saga };

template <class View, class Iterate, TableRule rule>
class TableSolver final : public Solver {
 public:
  TableSolver(const Problem<View>& problem, const SolverSetup& setup, ColumnScaling scaling)
      : problem_(problem),
        coef_(setup.coef),
        start_(copy_unless_zero(setup.coef, problem.n_columns())),
        start_intercept_(setup.intercept),
        scaling_(std::move(scaling)),
        steps_(problem, setup, true, scaling_),
        iterate_(problem, setup.coef, scaling_),
        outer_(setup.options.acceleration, inner_rule(setup.options.acceleration), steps_.strong_convexity(),
               problem.n_columns()),
        table_(problem.n_rows()) {
    begin();
  }

  void run_epoch(std::size_t number, Control& control) override {
    if (rows_seen_ == 0) steps_.visit_all_in(number);
    steps_.begin_epoch(number);
    iterate_.settle();
    if (all_seen() && outer_.is_due()) {
      add_pull(problem_, scaling_, iterate_, outer_, 1);
      recenter(problem_, scaling_, iterate_, outer_, static_cast<double>(problem_.n_rows()) * step_size(), coef_);
    }
    iterate_.wake();
    iterate_.set_step(step_size());
    const auto prefetch_row = [&](std::size_t i) {
      __builtin_prefetch(&table_[i]);
      problem_.y.prefetch(i);
    };
    draws_ += for_each_draw(problem_.X, iterate_, steps_, number, control, prefetch_row,
                            [&](const Draw& draw) { visit(draw); });
  }

  Certificate check(Control& control) override {
    iterate_.settle();
    const double intercept = intercept_ - center_prediction(iterate_, problem_.n_columns());
    const double to_mean = 1 / problem_.total_weight;
    const bool is_pulled = outer_.kappa() != 0;
    const auto gradient_of = [&](std::size_t j) {
      const double of_loss = (iterate_.gradient_sum(j) + iterate_.center(j) * intercept_sum_) * to_mean;
      return is_pulled ? of_loss + outer_.pull(j) / scaling_.unit(j) : of_loss;
    };
    return check_iterate(problem_, iterate_, intercept, table_.data(), gradient_of, coef_, control);
  }

  std::size_t check_work() const override { return problem_.X.n_stored() + problem_.n_rows(); }
  bool checks_are_free() const override { return false; }
  double passes() const override { return static_cast<double>(draws_) / static_cast<double>(problem_.n_rows()); }

  const char* sampling() const override { return steps_.sampling(); }
  std::vector<double> draw_shares() const override { return steps_.draw_shares(); }

  // SAG: 1/L; in a fixed or reshuffled order, where every derivative in the sum is up to n steps old, 1/(n L_mean),
  // which is what gradient descent over a whole epoch could afford. SAGA: the larger of the two steps with a proof,
  // 1/(3L) and 1/(2 (L + n l2)).
  double step_size() const override {
    const double n = static_cast<double>(problem_.n_rows());
    if (rule == TableRule::sag) {
      const double inverse = steps_.inverse_plain(static_cast<double>(rows_seen_) / n);
      return steps_.step(inverse, steps_.draws_independently() ? inverse : 1 / (n * steps_.mean()));
    }
    const double inverse = steps_.inverse_unbiased();
    const double n_mu = n * steps_.strong_convexity();  // an inner problem has more, which the proof does not need
    return steps_.step(inverse, std::max(inverse / 3, 1 / (2 * (1 / inverse + n_mu))));
  }

  void restart_with_half_step() override {
    steps_.halve();
    begin();
  }

  void transfer(Archive& archive) override {
    transfer_iterate(archive, iterate_, problem_.n_columns());
    archive(table_);
    archive(intercept_);
    archive(intercept_sum_);
    archive(mass_seen_);
    archive.integer(rows_seen_);
    archive.integer(draws_);
    steps_.transfer(archive);
    outer_.transfer(archive);
    iterate_.set_kappa(outer_.kappa());
    mass_ = mass_seen_;
    if (archive.is_loading() && mass_ > 0) iterate_.set_mass(mass_);
  }

  double finish() override {
    iterate_.settle();
    copy_coefficients(iterate_, problem_.n_columns(), coef_);
    return intercept_ - center_prediction(iterate_, problem_.n_columns());
  }

 private:
  static constexpr double unseen = std::numeric_limits<double>::quiet_NaN();

  // A jump makes SAG's table stale: an inner problem has to settle before its solution tells anything. Catalyst, whose
  // centers move every time, is better off without jumps. SAG follows w' = -T (d + kappa (w - y)), d' = h w - d along a
  // direction of curvature h, time in epochs of length T: where T h is large, w swings, and dies out by exp(-(1 +
  // kappa T)/2) per epoch. Flat directions would rather have kappa T = 1.
  static InnerRule inner_rule(std::optional<Acceleration> kind) {
    constexpr double any = std::numeric_limits<double>::infinity();
    if (rule == TableRule::saga) return {0.5, any, true};
    if (kind == Acceleration::catalyst) return {1.5, any, false};
    return {1, 1, true};
  }

  void begin() {
    outer_.reset();
    iterate_.set_kappa(0);
    rows_seen_ = 0;
    mass_seen_ = 0;
    mass_ = 0;
    load_iterate(iterate_, problem_.n_columns(), start_);
    intercept_ = start_intercept_ + center_prediction(iterate_, problem_.n_columns());
    intercept_sum_ = 0;
    if (start_.empty() || !fill_table()) std::fill(table_.begin(), table_.end(), unseen);
  }

  // From a warm start the table begins with the derivatives there: an empty one would throw the start away. False if
  // control stops it: half a table is none.
  bool fill_table() {
    const auto& rows = row_kernels(problem_.kernels, problem_.X);
    std::vector<double> sum(problem_.n_columns());
    double intercept_sum = 0;
    const std::size_t n = problem_.n_rows();
    const bool is_finished =
        in_parts(n, 1, problem_.X.n_stored() / n + 1, problem_.control, [&](std::size_t begin, std::size_t end) {
          for (std::size_t i = begin; i < end; ++i) {
            const auto row = problem_.X.row(i);
            table_[i] = problem_.derivative(i, dot(rows, row, start_.data()) + start_intercept_);
            const double change = problem_.weight(i) * table_[i];
            axpy(rows, change, row, sum.data());
            if (problem_.fit_intercept) intercept_sum += change;
          }
        });
    if (!is_finished) return false;
    intercept_sum_ = intercept_sum;
    for (std::size_t j = 0; j < sum.size(); ++j)
      iterate_.gradient_sum(j) = sum[j] - iterate_.center(j) * intercept_sum_;
    rows_seen_ = n;
    mass_seen_ = mass_ = problem_.total_weight;
    iterate_.set_mass(mass_);
    draws_ += n;
    return true;
  }

  bool all_seen() const { return rows_seen_ == problem_.n_rows(); }

  // The mass that divides d. With L1 and sparse rows it follows the weight seen in jumps, see LaggedIterate.
  void see(double weight) {
    ++rows_seen_;
    mass_seen_ += weight;
    if (mass_seen_ > mass_ * (1 + Iterate::mass_growth) || all_seen()) {
      mass_ = mass_seen_;
      iterate_.set_mass(mass_);
    }
  }

  void visit(const Draw& draw) {
    const std::size_t i = draw.row;
    const auto row = problem_.X.row(i);
    const double s = problem_.weight(i);
    const double z = iterate_.predict(row) + intercept_;
    const double g = problem_.derivative(i, z);
    double& stored = table_[i];
    if (std::isnan(stored)) {
      stored = 0;
      see(s);
    }
    if (mass_ == 0) return;  // so far only rows of weight zero
    if (steps_.observe(i, z, g) || (!all_seen() && steps_.depends_on_share())) follow_step(iterate_, step_size());
    const double change = s * (g - stored);
    stored = g;
    const double fresh = iterate_.step_size() * change * (rule == TableRule::sag ? 1 / mass_ : steps_.unbiased(draw));
    if (problem_.fit_intercept) {
      intercept_ -= iterate_.step_size() * intercept_sum_ / mass_ + fresh;
      intercept_ = problem_.prox_intercept(intercept_, iterate_.step_size());
      intercept_sum_ += change;
    }
    iterate_.step(row, fresh, change);
  }

  const Problem<View>& problem_;
  double* coef_;
  std::vector<double> start_;  // empty: zero
  double start_intercept_;
  ColumnScaling scaling_;
  StepRule<View> steps_;
  Iterate iterate_;
  OuterLoop outer_;
  std::vector<double> table_;
  std::size_t rows_seen_ = 0;
  double mass_seen_ = 0;
  double mass_ = 0;
  double intercept_ = 0;  // of centered rows
  double intercept_sum_ = 0;
  std::size_t draws_ = 0;
};

}  // namespace finitesum
