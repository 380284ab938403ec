// SDCA of sdca.cpp for all folds of a cross-validation: a row is read once for the dual steps of all of them. The rows
// of an epoch are those where the folds together gain most. Along the path the dual points stay; only their length is
// searched again.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "solvers/folds/gainful_rows.hpp"
#include "solvers/folds/problem.hpp"
#include "solvers/row_loop.hpp"
#include "solvers/table_check.hpp"

namespace finitesum {
namespace {

// The folds of one thread.
template <class View>
class Lanes {
 public:
  Lanes(const FoldProblem<View>& problem, FoldRange range, const std::vector<double>& squared_norms,
        const std::vector<double>& intercepts)
      : problem_(problem),
        range_(range),
        squared_norms_(squared_norms),
        w_(problem.n_columns(), range.size),
        u_(problem.n_rows(), range.size),
        shares_(problem.n_rows(), range.size),
        gains_(problem.n_rows() * range.size),
        of_fold_(range.size),
        gradients_(problem.n_columns() * range.size),
        conjugate_bend_(1 / problem.any().loss.smoothness()),
        z_(w_.stride()),
        factors_(w_.stride()) {
    for (std::size_t k = 0; k < range.size; ++k) {
      const Problem<View>& fold = this->fold(k);
      of_fold_[k].intercept = intercepts[range.first + k];
      of_fold_[k].intercept_l2 = 8 * fold.loss.smoothness() / static_cast<double>(fold.n_rows());
      for (std::size_t i = 0; i < fold.n_rows(); ++i) shares_[i][k] = fold.weight(i) / fold.total_weight;
    }
    set_penalties();
  }

  const Problem<View>& fold(std::size_t k) const { return problem_.folds[range_.first + k]; }
  const FoldRange& range() const { return range_; }
  float gain(std::size_t i, std::size_t k) const { return gains_[i * range_.size + k]; }
  double intercept(std::size_t k) const { return of_fold_[k].intercept; }
  double coefficient(std::size_t j, std::size_t k) const { return w_[j][k]; }

  template <class Order>
  std::size_t run_epoch(const Order& order, std::size_t number, Control& control) {
    if (number > 0) move_centers();
    const auto prefetch_row = [&](std::size_t i) {
      __builtin_prefetch(u_[i], 1);
      __builtin_prefetch(shares_[i]);
      __builtin_prefetch(&squared_norms_[i]);
      __builtin_prefetch(&gains_[i * range_.size], 1);
      problem_.any().y.prefetch(i);
    };
    return for_each_draw_within(
        problem_.any().X, *this, order, number, 0, order.size(), control, prefetch_row,
        [&](const Draw& draw) { visit(draw.row); }, 1);
  }
  template <class Row>
  void prefetch(const Row& row) const {
    constexpr std::size_t cached = std::size_t{1} << 19;  // numbers: nearer than memory, waiting costs less than asking
    if (w_.size() * w_.stride() > cached) prefetch_columns(row, w_.data(), w_.stride());
  }

  // The dual points at the factor with the largest D, of five: 1 to the one that leaves w where it is.
  void change_penalties(const std::vector<double>& l2_before) {
    std::vector<double> squares(range_.size);
    for (std::size_t j = 0; j < w_.size(); ++j) {
      for (std::size_t k = 0; k < range_.size; ++k) squares[k] += w_[j][k] * w_[j][k];
    }
    std::vector<double> of_u(range_.size);
    std::vector<double> u(u_.size());
    for (std::size_t k = 0; k < range_.size; ++k) {
      const double growth = l2_before[range_.first + k] / fold(k).l2();
      copy_u(k, u);
      of_u[k] = best_factor(fold(k), u.data(), squares[k], growth);
      of_fold_[k].intercept_sum *= of_u[k];
      factors_[k] = of_u[k] * growth;
    }
    for (std::size_t i = 0; i < u_.size(); ++i) {
      for (std::size_t k = 0; k < range_.size; ++k) u_[i][k] *= of_u[k];
    }
    for (std::size_t j = 0; j < w_.size(); ++j) {
      for (std::size_t k = 0; k < range_.size; ++k) w_[j][k] *= factors_[k];
    }
    set_penalties();
  }

  std::vector<Certificate> check(Control& control) {
    const std::size_t p = w_.size();
    std::vector<Certificate> certificates(range_.size);
    std::vector<double> squares(range_.size);
    for (std::size_t j = 0; j < p; ++j) {
      for (std::size_t k = 0; k < range_.size; ++k) {
        const double w = w_[j][k];
        squares[k] += w * w;
        certificates[k].nonzeros += w != 0 ? 1 : 0;
        gradients_[k * p + j] = -fold(k).l2() * w;
      }
    }
    const std::vector<double> losses = mean_losses(control);
    std::vector<double> u(u_.size());
    for (std::size_t k = 0; k < range_.size; ++k) {
      if (losses.empty()) {
        certificates[k].objective = std::numeric_limits<double>::infinity();
        continue;
      }
      double* gradient = gradients_.data() + k * p;
      copy_u(k, u);
      certificates[k].objective = losses[k] + fold(k).l2() / 2 * squares[k];
      certificates[k].lower_bound = dual_objective(fold(k), StoredDerivatives{u.data()}, gradient, {});
    }
    return certificates;
  }

 private:
  struct OfFold {
    double intercept = 0;      // its own v
    double intercept_sum = 0;  // sum_i s_i u_i / S
    double intercept_l2 = 1;
    double intercept_curvature = 0;  // what the intercept adds to q_i, over s_i / S
    double one_over_l2 = 0;
  };

  void set_penalties() {
    for (std::size_t k = 0; k < range_.size; ++k) {
      of_fold_[k].one_over_l2 = 1 / fold(k).l2();
      of_fold_[k].intercept_curvature = fold(k).fit_intercept ? 1 / of_fold_[k].intercept_l2 : 0;
    }
  }

  static double best_factor(const Problem<View>& fold, const double* u, double square, double growth) {
    constexpr int steps = 4;
    double best = 1;
    double largest = -std::numeric_limits<double>::infinity();
    for (int step = 0; step <= steps; ++step) {
      const double factor = std::pow(growth, -static_cast<double>(step) / steps);
      const double penalty = fold.l2() / 2 * factor * factor * growth * growth * square;
      const double value = -conjugate_sum(fold, factor, StoredDerivatives{u}) / fold.total_weight - penalty;
      if (!(value > largest)) continue;
      largest = value;
      best = factor;
    }
    return best;
  }

  void copy_u(std::size_t k, std::vector<double>& out) const {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = u_[i][k];
  }

  // c <- b: what pulled b to the old center goes.
  void move_centers() {
    for (std::size_t k = 0; k < range_.size; ++k) {
      if (fold(k).fit_intercept) of_fold_[k].intercept -= of_fold_[k].intercept_sum / of_fold_[k].intercept_l2;
    }
  }

  void visit(std::size_t i) {
    const Problem<View>& any = problem_.any();
    dot_lanes(any, i, w_, z_.data());
    const double y = any.y[i];
    double* u = u_[i];
    const double* shares = shares_[i];
    bool moves = false;
    for (std::size_t k = 0; k < range_.size; ++k) {
      factors_[k] = 0;
      if (shares[k] == 0) continue;
      OfFold& of_fold = of_fold_[k];
      const double q = shares[k] * (squared_norms_[i] * of_fold.one_over_l2 + of_fold.intercept_curvature);
      const double to = any.loss.dual_step(z_[k] + of_fold.intercept, u[k], q, y);
      const double change = to - u[k];
      constexpr double most = std::numeric_limits<float>::max();  // taken for what is no number, too
      const double gain = shares[k] * change * change * (q + conjugate_bend_);
      gains_[i * range_.size + k] = static_cast<float>(std::min(most, gain));
      if (change == 0) continue;
      moves = true;
      u[k] = to;
      const double mass = shares[k] * change;
      factors_[k] = -mass * of_fold.one_over_l2;
      if (!any.fit_intercept) continue;
      of_fold.intercept_sum += mass;
      of_fold.intercept -= mass * of_fold.intercept_curvature;
    }
    if (moves) axpy_lanes(any, factors_.data(), i, w_);
  }

  // Empty if control stops the sweep.
  std::vector<double> mean_losses(Control& control) {
    const Problem<View>& any = problem_.any();
    std::vector<double> sums(range_.size);
    std::vector<double> z(range_.size * block_rows);
    const bool is_finished = for_each_row_block_on(1, any, &control, [&](std::size_t first, std::size_t count) {
      for (std::size_t r = 0; r < count; ++r) {
        if (first + r + 4 < any.n_rows()) prefetch_once(any.X.row(first + r + 4));
        if (first + r + 1 < any.n_rows()) prefetch(any.X.row(first + r + 1));
        dot_lanes(any, first + r, w_, z_.data());
        for (std::size_t k = 0; k < range_.size; ++k) z[k * block_rows + r] = z_[k] + of_fold_[k].intercept;
      }
      const TargetBlock y(any.y, first, count);
      for (std::size_t k = 0; k < range_.size; ++k)
        sums[k] += any.loss.value_sum(&z[k * block_rows], y.data(), fold(k).weights_from(first), count);
    });
    if (!is_finished) return {};
    for (std::size_t k = 0; k < range_.size; ++k) sums[k] /= fold(k).total_weight;
    return sums;
  }

  const FoldProblem<View>& problem_;
  FoldRange range_;
  const std::vector<double>& squared_norms_;
  FoldColumns w_;
  FoldColumns u_;
  FoldColumns shares_;        // s_i / S
  std::vector<float> gains_;  // twice what D won by the last steps
  std::vector<OfFold> of_fold_;
  std::vector<double> gradients_;  // of a check
  double conjugate_bend_;          // l*'' is at least this
  std::vector<double> z_;
  std::vector<double> factors_;
};

template <class View>
class FoldSdca final : public FoldSolver {
 public:
  FoldSdca(const FoldProblem<View>& problem, const FoldSetup& setup)
      : problem_(problem), squared_norms_(problem.n_rows()), order_(setup.seed, problem.n_rows()) {
    visit_rows(problem.any(), [&](std::size_t i) {
      const auto row = problem.any().X.row(i);
      squared_norms_[i] = squared_norm(problem.any().kernels, row.values, row.size);
    });
    for (const FoldRange& range : cut_folds(problem.n_folds(), problem.n_threads))
      parts_.push_back(std::make_unique<Lanes<View>>(problem, range, squared_norms_, setup.intercepts));
  }

  void run_epoch(std::size_t number, Control& control) override {
    order_.choose([&](std::size_t i) {
      float gain = 0;
      for (const auto& part : parts_) {
        for (std::size_t k = 0; k < part->range().size; ++k) gain += part->gain(i, k);
      }
      return gain;
    });
    std::vector<std::size_t> draws(parts_.size());
    on_parts(parts_.size(), control, [&](std::size_t part, Control& of_part) {
      draws[part] = parts_[part]->run_epoch(order_, number, of_part);
    });
    draws_ += draws.front();
    if (control.stopped()) order_.begin_with_all();
  }

  std::vector<Certificate> check_outputs(Control& control) override {
    std::vector<std::vector<Certificate>> of_parts(parts_.size());
    on_parts(parts_.size(), control,
             [&](std::size_t part, Control& of_part) { of_parts[part] = parts_[part]->check(of_part); });
    std::vector<Certificate> certificates;
    for (const auto& of_part : of_parts) certificates.insert(certificates.end(), of_part.begin(), of_part.end());
    return certificates;
  }

  std::size_t check_work() const override { return problem_.any().X.n_stored() + problem_.n_rows(); }
  bool checks_are_free() const override { return false; }
  double passes() const override { return static_cast<double>(draws_) / static_cast<double>(problem_.n_rows()); }
  const char* sampling() const override { return "shuffle"; }
  double step_size() const override { return 1; }
  void restart_with_half_step() override {}  // every step raises D

  void change_penalties(const std::vector<double>& l2_before) override {
    parallel_for(parts_.size(), static_cast<int>(parts_.size()),
                 [&](std::size_t part) { parts_[part]->change_penalties(l2_before); });
    order_.begin_with_all();
    draws_ = 0;
  }
  void write(double* coef, double* intercepts) const override {
    for (const auto& part : parts_) {
      for (std::size_t k = 0; k < part->range().size; ++k) {
        *intercepts++ = part->intercept(k);
        for (std::size_t j = 0; j < problem_.n_columns(); ++j) *coef++ = part->coefficient(j, k);
      }
    }
  }

 private:
  const FoldProblem<View>& problem_;
  std::vector<double> squared_norms_;
  GainfulRows order_;
  std::vector<std::unique_ptr<Lanes<View>>> parts_;
  std::size_t draws_ = 0;  // with the present penalties
};

}  // namespace

template <class View>
std::unique_ptr<FoldSolver> make_fold_sdca(const FoldProblem<View>& problem, const FoldSetup& setup) {
  return std::make_unique<FoldSdca<View>>(problem, setup);
}

FINITESUM_FOR_EACH_FOLD_VIEW(make_fold_sdca)

}  // namespace finitesum
