// The certificate of the multinomial loss. With the dual variables u_i = q_i - e_{y_i}, the conjugate of the loss is
// sum_k q_ik log q_ik for q_i in the simplex, and weak duality gives
//     min F >= D(u) = -(1/S) sum_i s_i sum_k q_ik log q_ik - R*(-(1/S) X^T (s o u))
// for every such u with sum_i s_i u_i = 0 in R^K where there are intercepts. It is taken from fresh derivatives at the
// best intercepts: the latter need all scores at hand, n x K numbers during a check.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <variant>
#include <vector>

#include "solvers/multi/evaluation.hpp"
#include "solvers/multi/intercepts.hpp"

namespace finitesum {

template <class View>
class MultinomialEvaluation final : public MultiEvaluation<View> {
 public:
  MultinomialEvaluation(const MultiProblem<View>& problem, Control* control)
      : MultiEvaluation<View>(problem, control),
        intercepts_(problem.kernels, problem.y.labels, problem.s, problem.n_rows(), problem.n_outputs, sweep_) {}

  // Infinite if stopped.
  double objective(const double* W, const RowNumbers& z, const double* b) {
    return intercepts_.objective(z, b) / problem_.total_weight + penalty(W);
  }
  double best_objective(const double* W, const RowNumbers& z, double* b) {
    return problem_.fit_intercept ? intercepts_.solve(z, b) / problem_.total_weight + penalty(W) : objective(W, z, b);
  }
  std::vector<double> best_objectives(const double* W, const RowScores& z, double* b) override {
    return unless_stopped(best_objective(W, z.of_rows, b));
  }

  std::vector<Certificate> certify_iterate(const double* W, const double* b, const double*, double* gradient) override {
    const std::size_t K = problem_.n_outputs;
    std::vector<double> z(problem_.n_rows() * K);
    std::vector<double> best(b, b + K);
    if (!this->multiply(W, z.data())) return this->unfinished(W);
    const RowNumbers scores = stored_numbers(z.data(), K);
    const std::vector<double> at_b = unless_stopped(objective(W, scores, b));
    if (at_b.empty()) return this->unfinished(W);
    if (problem_.has_finite_gap()) best_objective(W, scores, best.data());
    if (!this->differentiate(z.data(), best.data(), gradient)) return this->unfinished(W);
    return this->certify(W, at_b, scores, gradient);
  }

 private:
  using MultiEvaluation<View>::problem_;
  using MultiEvaluation<View>::sweep_;
  using MultiEvaluation<View>::room_;

  // How the classes of each row are changed so that sum_i s_i u_i = 0: those that have too much give a share of it.
  struct Balance {
    std::vector<double> excess;
    std::vector<double> share;
    double too_much = 0;  // 0: nothing to do
  };

  double penalty(const double* W) const { return penalty_value(problem_.penalty, W, problem_.n_coefficients()); }

  std::vector<double> unless_stopped(double objective) const {
    const bool is_stopped = std::isinf(objective) && sweep_.control() != nullptr && sweep_.control()->stopped();
    return is_stopped ? std::vector<double>{} : std::vector<double>{objective};
  }

  static double largest_entry(const double* v, std::size_t n) {
    double largest = 0;
    for (std::size_t j = 0; j < n; ++j) largest = std::max(largest, std::fabs(v[j]));
    return largest;
  }

  // Makes sum_i s_i u_i = 0 by moving mass between the classes of each row: the classes that have too much, together R,
  // give the same share of what they have in every row, and the row's other classes receive it in proportion to what
  // they lack. Each q_i stays in the simplex, and the sums come out right at once. With the best intercepts there is
  // nothing to move beyond rounding, which changes D no more than rounding does. False if stopped.
  bool find_balance(const RowNumbers& u, Balance& balance) {
    if (!problem_.fit_intercept) return true;
    constexpr double rounding = 1e-14;
    balance.excess = this->mean_derivatives(u);
    if (balance.excess.empty()) return false;
    double too_much = 0;
    for (double& of_class : balance.excess) {
      of_class *= problem_.total_weight;
      too_much += std::max(of_class, 0.0);
    }
    if (!(too_much > rounding * problem_.total_weight)) return true;
    balance.too_much = too_much;
    for (std::size_t k = 0; k < balance.excess.size(); ++k) {
      const double given = std::max(balance.excess[k], 0.0);
      balance.share.push_back(std::min(given / (intercepts_.class_weights()[k] + balance.excess[k]), 1.0));
    }
    return true;
  }

  void find_change(const Balance& balance, std::size_t i, const double* u_i, std::vector<double>& change) const {
    double given = 0;
    for (std::size_t k = 0; k < change.size(); ++k) {
      const double q = u_i[k] + (k == problem_.label(i) ? 1.0 : 0.0);
      change[k] = balance.excess[k] > 0 ? -balance.share[k] * q : 0.0;
      given -= change[k];
    }
    for (std::size_t k = 0; k < change.size(); ++k) {
      if (balance.excess[k] < 0) change[k] = given * (-balance.excess[k] / balance.too_much);
    }
  }

  std::vector<double> dual_objectives(const RowNumbers& u, double* gradient) override {
    const std::size_t n_coefficients = problem_.n_coefficients();
    Balance balance;
    if (!find_balance(u, balance) || !move_gradient(balance, u, gradient)) return {};
    double scale = 1;
    double penalty_conjugate = 0;
    if (problem_.l2() > 0) {
      penalty_conjugate = std::visit(
          [&](const auto& penalty) {
            double sum = 0;
            for (std::size_t j = 0; j < n_coefficients; ++j) sum += penalty.conjugate(-gradient[j]);
            return sum;
          },
          problem_.penalty);
    } else {
      // R* is the indicator of |v_jk| <= l1: u is scaled into it, that is, q_i mixed with e_{y_i}.
      const double largest = largest_entry(gradient, n_coefficients);
      if (largest > problem_.l1()) scale = problem_.l1() / largest;
    }
    double sum = 0;
    if (!add_conjugates(balance, u, scale, sum)) return {};
    return {-sum / problem_.total_weight - penalty_conjugate};
  }

  bool move_gradient(const Balance& balance, const RowNumbers& u, double* gradient) {
    if (balance.too_much == 0) return true;
    std::vector<double> change(problem_.n_outputs);
    RowSums<View> sums(problem_, gradient);
    const bool is_finished = sweep_([&](std::size_t first, std::size_t count) {
      const double* u_i = u(first, count, room_.data());
      for (std::size_t i = first; i < first + count; ++i, u_i += change.size()) {
        find_change(balance, i, u_i, change);
        sums.add(i, change.data());
      }
    });
    sums.finish();
    return is_finished;
  }

  // sum += sum_i s_i sum_k q_ik log q_ik with q_i = e_{y_i} + scale u_i, u_i moved
  bool add_conjugates(const Balance& balance, const RowNumbers& u, double scale, double& sum) {
    const std::size_t K = problem_.n_outputs;
    std::vector<double> q(room_.size());
    std::vector<double> change(K);
    return sweep_([&](std::size_t first, std::size_t count) {
      const double* u_i = u(first, count, room_.data());
      for (std::size_t i = 0; i < count; ++i, u_i += K) {
        if (balance.too_much > 0) find_change(balance, first + i, u_i, change);
        for (std::size_t k = 0; k < K; ++k) q[i * K + k] = scale * (u_i[k] + change[k]);
        double& of_label = q[i * K + problem_.label(first + i)];
        of_label = std::max(1 + of_label, 0.0);  // rounding
      }
      problem_.kernels.columns.softmax.x_log_x(q.data(), count * K);
      for (std::size_t i = 0; i < count; ++i) {
        double of_row = 0;
        for (std::size_t k = 0; k < K; ++k) of_row += q[i * K + k];
        sum += problem_.weight(first + i) * of_row;
      }
    });
  }

  InterceptsProblem intercepts_;
};

}  // namespace finitesum
