// SAG and SAGA of table_solver.hpp for K outputs: the table holds n x K derivatives.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "solvers/multi/any.hpp"
#include "solvers/multi/columns.hpp"
#include "solvers/multi/evaluation.hpp"
#include "solvers/multi/row_loop.hpp"
#include "solvers/table_solver.hpp"

namespace finitesum {

template <class View, class Columns, TableRule rule>
class MultiTableSolver final : public Solver {
 public:
  MultiTableSolver(const MultiProblem<View>& problem, const MultiSetup& setup, ColumnScaling scaling)
      : problem_(problem),
        K_(problem.n_outputs),
        coef_(setup.coef),
        intercepts_out_(setup.intercepts),
        start_(copy_unless_zero(setup.coef, problem.n_coefficients())),
        start_intercepts_(setup.intercepts, setup.intercepts + problem.n_outputs),
        scaling_(std::move(scaling)),
        steps_(problem, setup, true, scaling_),
        iterate_(problem, scaling_),
        evaluation_(make_evaluation(problem)),
        row_loss_(problem),
        table_(problem.n_rows() * K_),
        fresh_(K_),
        change_(K_) {
    begin();
  }

  void run_epoch(std::size_t number, Control& control) override {
    if (rows_seen_ == 0) steps_.visit_all_in(number);
    steps_.begin_epoch(number);
    iterate_.settle();
    iterate_.set_step(step_size());
    const auto prefetch_row = [&](std::size_t i) {
      prefetch_bytes(&table_[i * K_], K_ * sizeof(double));
      problem_.prefetch_target(i);
    };
    draws_ += for_each_draw(
        problem_.X, iterate_, steps_, number, control, prefetch_row, [&](const Draw& draw) { visit(draw); }, K_);
  }

  Certificate check(Control& control) override { return check_outputs(control).front(); }
  std::vector<Certificate> check_outputs(Control& control) override {
    iterate_.settle();
    copy_coefficients(iterate_, problem_.n_columns(), K_, coef_);
    if (control.stopped()) return evaluation_->unfinished(coef_);
    std::vector<double> gradient(problem_.n_coefficients());
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) {
      for (std::size_t k = 0; k < K_; ++k) {
        const double sum = iterate_.gradient_sum(j, k) + iterate_.center(j) * intercept_sums_[k];
        gradient[j * K_ + k] = sum / problem_.total_weight;
      }
    }
    return evaluation_->certify_iterate(coef_, uncentered_intercepts().data(), table_.data(), gradient.data());
  }

  std::size_t check_work() const override { return K_ * (problem_.X.n_stored() + problem_.n_rows()); }
  bool checks_are_free() const override { return false; }
  double passes() const override { return static_cast<double>(draws_) / static_cast<double>(problem_.n_rows()); }
  const char* sampling() const override { return steps_.sampling(); }
  std::vector<double> draw_shares() const override { return steps_.draw_shares(); }

  // As TableSolver's.
  double step_size() const override {
    const double n = static_cast<double>(problem_.n_rows());
    if (rule == TableRule::sag) {
      const double inverse = steps_.inverse_plain(static_cast<double>(rows_seen_) / n);
      return steps_.step(inverse, steps_.draws_independently() ? inverse : 1 / (n * steps_.mean()));
    }
    const double inverse = steps_.inverse_unbiased();
    return steps_.step(inverse, std::max(inverse / 3, 1 / (2 * (1 / inverse + n * steps_.strong_convexity()))));
  }

  void restart_with_half_step() override {
    steps_.halve();
    begin();
  }

  void transfer(Archive& archive) override {
    transfer_columns(archive, iterate_, problem_.n_columns(), K_);
    archive(table_);
    archive(intercepts_);
    archive(intercept_sums_);
    archive(mass_seen_);
    archive.integer(rows_seen_);
    archive.integer(draws_);
    steps_.transfer(archive);
    mass_ = mass_seen_;
    if (archive.is_loading() && mass_ > 0) iterate_.set_mass(mass_);
  }

  double finish() override {
    iterate_.settle();
    copy_coefficients(iterate_, problem_.n_columns(), K_, coef_);
    const std::vector<double> b = uncentered_intercepts();
    std::copy(b.begin(), b.end(), intercepts_out_);
    return 0;
  }

 private:
  static constexpr double unseen = std::numeric_limits<double>::quiet_NaN();

  void begin() {
    rows_seen_ = 0;
    mass_seen_ = 0;
    mass_ = 0;
    intercept_sums_.assign(K_, 0.0);
    load_columns(iterate_, problem_.n_columns(), K_, start_);
    intercepts_ = shifted(start_intercepts_, 1, center_predictions(iterate_, problem_.n_columns(), K_));
    if (start_.empty() || !fill_table()) std::fill(table_.begin(), table_.end(), unseen);
  }

  // False if control stops it: half a table is none.
  bool fill_table() {
    std::vector<double> sums(problem_.n_coefficients());
    if (!evaluation_->multiply(start_.data(), table_.data()) ||
        !evaluation_->differentiate(table_.data(), start_intercepts_.data(), sums.data()))
      return false;
    for (std::size_t i = 0; i < problem_.n_rows() && problem_.fit_intercept; ++i) {
      for (std::size_t k = 0; k < K_; ++k) intercept_sums_[k] += problem_.weight(i) * table_[i * K_ + k];
    }
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) {
      for (std::size_t k = 0; k < K_; ++k)
        iterate_.gradient_sum(j, k) =
            problem_.total_weight * sums[j * K_ + k] - iterate_.center(j) * intercept_sums_[k];
    }
    rows_seen_ = problem_.n_rows();
    mass_seen_ = mass_ = problem_.total_weight;
    iterate_.set_mass(mass_);
    draws_ += problem_.n_rows();
    return true;
  }

  std::vector<double> uncentered_intercepts() {
    return shifted(intercepts_, -1, center_predictions(iterate_, problem_.n_columns(), K_));
  }

  bool all_seen() const { return rows_seen_ == problem_.n_rows(); }

  void see(double weight) {
    ++rows_seen_;
    mass_seen_ += weight;
    if (mass_seen_ > mass_ * (1 + Columns::mass_growth) || all_seen()) {
      mass_ = mass_seen_;
      iterate_.set_mass(mass_);
    }
  }

  void visit(const Draw& draw) {
    const std::size_t i = draw.row;
    const auto row = problem_.X.row(i);
    const double s = problem_.weight(i);
    double* z = row_loss_.z();
    iterate_.predict(row, z);
    for (std::size_t k = 0; k < K_; ++k) z[k] += intercepts_[k];
    const double* g = row_loss_.differentiate(i);
    double* stored = &table_[i * K_];
    if (std::isnan(*stored)) {
      std::fill_n(stored, K_, 0.0);
      see(s);
    }
    if (mass_ == 0) return;  // so far only rows of weight zero
    const bool learned = steps_.observe(i, static_cast<const double*>(z), g);
    if (learned || (!all_seen() && steps_.depends_on_share())) follow_step(iterate_, step_size());
    const double step = iterate_.step_size();
    const double factor = step * (rule == TableRule::sag ? 1 / mass_ : steps_.unbiased(draw));
    for (std::size_t k = 0; k < K_; ++k) {
      change_[k] = s * (g[k] - stored[k]);
      fresh_[k] = factor * change_[k];
      stored[k] = g[k];
    }
    if (problem_.fit_intercept) {
      for (std::size_t k = 0; k < K_; ++k) {
        intercepts_[k] = problem_.prox_intercept(intercepts_[k] - step * intercept_sums_[k] / mass_ - fresh_[k], step);
        intercept_sums_[k] += change_[k];
      }
    }
    iterate_.step(row, fresh_.data(), change_.data());
  }

  const MultiProblem<View>& problem_;
  std::size_t K_;
  double* coef_;
  double* intercepts_out_;
  std::vector<double> start_;  // empty: zero
  std::vector<double> start_intercepts_;
  ColumnScaling scaling_;
  MultiStepRule<View> steps_;
  Columns iterate_;
  std::unique_ptr<MultiEvaluation<View>> evaluation_;
  RowLoss<View> row_loss_;
  std::vector<double> table_;
  std::vector<double> fresh_;
  std::vector<double> change_;
  std::size_t rows_seen_ = 0;
  double mass_seen_ = 0;
  double mass_ = 0;
  std::vector<double> intercepts_;  // of centered rows
  std::vector<double> intercept_sums_;
  std::size_t draws_ = 0;
};

template <TableRule rule, class View>
std::unique_ptr<Solver> make_multi_table_solver(const MultiProblem<View>& problem, const MultiSetup& setup) {
  return with_columns<View>(
      problem, setup, true, false, [&](auto columns, ColumnScaling scaling) -> std::unique_ptr<Solver> {
        using Columns = typename decltype(columns)::type;
        return std::make_unique<MultiTableSolver<View, Columns, rule>>(problem, setup, std::move(scaling));
      });
}

}  // namespace finitesum
