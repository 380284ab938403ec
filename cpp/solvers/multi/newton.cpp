// Proximal Newton of newton.cpp for K outputs: the explicit Hessian of all (p + 1) K coefficients and intercepts, entry
// (jk, lm) = (1/S) sum_i s_i x_ij x_il q_ik (delta_km - q_im). Deterministic, for narrow data with few classes.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "solvers/multi/any.hpp"
#include "solvers/multi/multinomial.hpp"
#include "solvers/multi/row_loop.hpp"

namespace finitesum {
namespace {

// row += a x^T over the columns up to `last` (included): K numbers per column.
template <class T>
void add_until(const DenseColumnKernels<T>& kernels, const double* a, DenseRow<T> x, std::size_t last, double* row,
               std::size_t K) {
  kernels.axpy(a, x.values, last + 1, row, K);
}
template <class T, class I>
void add_until(const SparseColumnKernels<T, I>& kernels, const double* a, SparseRow<T, I> x, std::size_t last,
               double* row, std::size_t K) {
  for (std::size_t e = 0; e < x.size; ++e) {
    if (static_cast<std::size_t>(x.indices[e]) <= last) kernels.axpy(a, x.values + e, x.indices + e, 1, row, K);
  }
}
template <class T>
std::size_t column_of(DenseRow<T>, std::size_t e) {
  return e;
}
template <class T, class I>
std::size_t column_of(SparseRow<T, I> x, std::size_t e) {
  return static_cast<std::size_t>(x.indices[e]);
}

template <class View>
class MultiNewton final : public Solver {
 public:
  MultiNewton(const MultiProblem<View>& problem, const MultiSetup& setup)
      : problem_(problem),
        K_(problem.n_outputs),
        n_coefficients_(problem.n_coefficients()),
        w_(setup.coef),
        intercepts_out_(setup.intercepts),
        evaluation_(problem, problem.control),
        intercepts_(setup.intercepts, setup.intercepts + problem.n_outputs),
        scores_(problem.n_rows() * K_),
        derivatives_(scores_.size()),
        direction_(scores_.size()),
        gradient_(n_coefficients_),
        trial_(n_coefficients_),
        model_(n_coefficients_, problem.fit_intercept ? K_ : 0, problem.l1(), problem.l2()),
        curvature_bound_(MultinomialLoss::smoothness() * unit_smoothness(problem).mean) {
    evaluation_.multiply(w_, scores_.data());
    objective_ = evaluation_.best_objective(w_, stored_numbers(scores_.data(), K_), intercepts_.data());
    derivatives_ = scores_;
    evaluation_.differentiate(derivatives_.data(), intercepts_.data(), gradient_.data());
    passes_ = 1;
  }

  // Damped as Newton is: see there.
  void run_epoch(std::size_t, Control& control) override {
    constexpr double smallest_damping = 1e-10;
    constexpr double largest_damping = 1e2;
    build_hessian(control);
    while (!control.look()) {
      const bool solved = model_.solve(w_, gradient_.data(), damping_ * curvature_bound_, control, move_);
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

  // Once per iterate: a step cut short leaves it as it was.
  Certificate check(Control&) override {
    if (!is_certified_) {
      trial_ = gradient_;
      certificate_ =
          evaluation_.certify(w_, {objective_}, stored_numbers(derivatives_.data(), K_), trial_.data()).front();
      is_certified_ = std::isfinite(certificate_.objective);
    }
    return certificate_;
  }
  std::size_t check_work() const override { return 0; }
  bool checks_are_free() const override { return true; }
  double passes() const override { return passes_; }
  const char* sampling() const override { return "none"; }
  double step_size() const override { return step_; }
  void restart_with_half_step() override {}  // every step decreases the objective
  void transfer(Archive& archive) override {
    for (std::size_t j = 0; j < n_coefficients_; ++j) archive(w_[j]);
    archive(intercepts_);
    archive(scores_);
    archive(derivatives_);
    archive(gradient_);
    archive(objective_);
    archive(damping_);
    archive(passes_);
    if (archive.is_loading()) is_certified_ = false;
  }
  double finish() override {
    std::copy(intercepts_.begin(), intercepts_.end(), intercepts_out_);
    return 0;
  }

 private:
  void build_hessian(Control& control) {
    passes_ += 1;
    model_.clear();
    std::vector<double> h(K_ * K_);
    std::vector<double> factors(K_);
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      const double factor = problem_.weight(i) / problem_.total_weight;
      if (factor == 0) continue;
      const double* u = &derivatives_[i * K_];
      const auto q = [&](std::size_t k) { return u[k] + (k == problem_.label(i) ? 1.0 : 0.0); };
      for (std::size_t k = 0; k < K_; ++k) {
        for (std::size_t m = 0; m < K_; ++m) h[k * K_ + m] = factor * q(k) * ((k == m ? 1.0 : 0.0) - q(m));
      }
      const auto row = problem_.X.row(i);
      add_products(row, h, factors);
      if (control.stop_after(row.size * row.size * K_ * K_ / 2)) return;
    }
    if (problem_.fit_intercept) add_gauge();
  }

  template <class Row>
  void add_products(Row row, const std::vector<double>& h, std::vector<double>& factors) {
    const auto& kernels = column_kernels(problem_.kernels, problem_.X);
    for (std::size_t k = 0; k < K_; ++k) {
      for (std::size_t e = 0; e < row.size; ++e) {
        const double value = double{row.values[e]};
        if (value == 0) continue;
        for (std::size_t m = 0; m < K_; ++m) factors[m] = value * h[k * K_ + m];
        const std::size_t j = column_of(row, e);
        add_until(kernels, factors.data(), row, j, model_.row(j * K_ + k), K_);
      }
      if (!problem_.fit_intercept) continue;
      double* of_intercept = model_.row(n_coefficients_ + k);
      axpy(kernels, &h[k * K_], row, of_intercept, K_);
      for (std::size_t m = 0; m <= k; ++m) of_intercept[n_coefficients_ + m] += h[k * K_ + m];
    }
  }

  // Adding one number to all intercepts changes nothing: the Hessian is singular there, and a multiple of the outer
  // product of that direction makes it regular without touching the others.
  void add_gauge() {
    for (std::size_t k = 0; k < K_; ++k) {
      for (std::size_t m = 0; m <= k; ++m)
        model_.row(n_coefficients_ + k)[n_coefficients_ + m] += 1 / static_cast<double>(K_);
    }
  }

  // What is left of the singular direction after an inexact solve.
  void center_intercepts_of_move() {
    const auto first = move_.begin() + static_cast<std::ptrdiff_t>(n_coefficients_);
    const double mean = std::accumulate(first, move_.end(), 0.0) / static_cast<double>(K_);
    for (auto b = first; b != move_.end(); ++b) *b -= mean;
  }

  // Backtracks along move_ as Newton does. False, too, if control stops the work.
  bool line_search(Control& control) {
    constexpr double smallest_step = 1e-3;
    constexpr double sufficient = 1e-4;
    center_intercepts_of_move();
    if (!evaluation_.multiply(move_.data(), direction_.data())) return false;
    double promised = -penalty_value(problem_.penalty, w_, n_coefficients_);
    for (std::size_t j = 0; j < n_coefficients_; ++j) {
      promised += gradient_[j] * move_[j];
      trial_[j] = w_[j] + move_[j];
    }
    promised += penalty_value(problem_.penalty, trial_.data(), n_coefficients_);
    const double rounding = 4 * std::numeric_limits<double>::epsilon() * objective_;
    if (!(promised <= rounding)) return false;
    std::vector<double> z(scores_.size());
    std::vector<double> b(K_);
    for (double t = 1; t > smallest_step; t /= 2) {
      for (std::size_t j = 0; j < n_coefficients_; ++j) trial_[j] = w_[j] + t * move_[j];
      for (std::size_t i = 0; i < z.size(); ++i) z[i] = scores_[i] + t * direction_[i];
      for (std::size_t k = 0; k < K_; ++k)
        b[k] = intercepts_[k] + (problem_.fit_intercept ? t * move_[n_coefficients_ + k] : 0.0);
      const double objective = evaluation_.best_objective(trial_.data(), stored_numbers(z.data(), K_), b.data());
      if (control.stopped()) return false;
      if (objective <= objective_ + sufficient * t * promised + rounding) {
        step_ = t;
        return accept_trial(objective, std::move(z), std::move(b));
      }
    }
    return false;
  }

  // The trial becomes the iterate, all of it or, if control stops the work, nothing.
  bool accept_trial(double objective, std::vector<double> scores, std::vector<double> intercepts) {
    direction_ = scores;
    if (!evaluation_.differentiate(direction_.data(), intercepts.data(), move_.data())) return false;
    std::copy(trial_.begin(), trial_.end(), w_);
    std::copy_n(move_.begin(), n_coefficients_, gradient_.begin());
    std::swap(derivatives_, direction_);
    scores_ = std::move(scores);
    intercepts_ = std::move(intercepts);
    objective_ = objective;
    is_certified_ = false;
    passes_ += 1;
    return true;
  }

  const MultiProblem<View>& problem_;
  std::size_t K_;
  std::size_t n_coefficients_;
  double* w_;
  double* intercepts_out_;
  MultinomialEvaluation<View> evaluation_;
  std::vector<double> intercepts_;
  std::vector<double> scores_;  // of the iterate, without the intercepts
  std::vector<double> derivatives_;
  std::vector<double> direction_;
  std::vector<double> gradient_;
  std::vector<double> trial_;
  std::vector<double> move_;
  QuadraticModel model_;
  double curvature_bound_;  // of the Hessian's largest eigenvalue: the mean L_i
  double objective_ = 0;
  Certificate certificate_;  // of the iterate, if it is there
  bool is_certified_ = false;
  double damping_ = 0;
  bool stalled_ = false;
  double step_ = 1;
  double passes_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_multi_newton(const MultiProblem<View>& problem, const MultiSetup& setup) {
  return std::make_unique<MultiNewton<View>>(problem, setup);
}

FINITESUM_FOR_EACH_MULTI_VIEW(make_multi_newton)

}  // namespace finitesum
