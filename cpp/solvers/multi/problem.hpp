// K outputs at once,
//     F(W, b) = (1/S) sum_i s_i loss(z_i, y_i) + R(W),   z_i = W^T x_i + b,
// with W a p x K matrix stored by rows. Intercepts are free or penalized as in problem.hpp. The loss of the K scores of
// a row is one of two kinds:
// * multinomial (free intercepts only), log sum_k exp(z_ik) - z_{i, y_i}, which couples the outputs: one problem. Its
// Hessian in z is diag(q)
// -
//   q q^T, q = softmax(z), whose largest eigenvalue is at most 1/2 (D. Boehning, "Multinomial logistic regression
//   algorithm", Ann. Inst. Stat. Math. 1992): twice the bound of the binary loss.
// * separable, sum_k l(z_ik, y_ik): K problems, each with its own objective and certificate. A row's smoothness is the
//   same in all of them, so they share draws, steps and the reading of X.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "penalties/visit.hpp"
#include "solvers/loss_function.hpp"
#include "solvers/rows.hpp"
#include "solvers/solver.hpp"

namespace finitesum {

struct MultinomialLoss {
  static constexpr double smoothness() { return 0.5; }
};

class MultiLoss {
 public:
  MultiLoss() = default;  // multinomial
  explicit MultiLoss(LossFunction of_output) : of_output_(std::move(of_output)) {}

  bool is_separable() const { return of_output_.has_value(); }
  const LossFunction& of_output() const { return *of_output_; }
  double smoothness() const { return is_separable() ? of_output_->smoothness() : MultinomialLoss::smoothness(); }

 private:
  std::optional<LossFunction> of_output_;
};

// One class per row, or K numbers per row.
struct MultiTargets {
  const std::int32_t* labels;  // 0 to K - 1. To a scalar loss, +1 for the output of this number, -1 for the others
                               // (for all where no output has it).
  const double* values;        // n x K by rows; null where there are labels
};

template <class View>
struct MultiProblem {
  View X;
  MultiTargets y;
  std::size_t n_outputs;
  const double* s;  // null: every weight is one
  double total_weight;
  MultiLoss loss;
  AnyPenalty penalty;
  bool fit_intercept;
  ElasticNet intercept_penalty;  // of each; alpha = 0 for free intercepts
  const KernelTable& kernels;
  Control* control = nullptr;  // of the fit

  std::size_t n_rows() const { return X.n_rows; }
  std::size_t n_columns() const { return X.n_columns; }
  std::size_t n_coefficients() const { return X.n_columns * n_outputs; }
  // Problems solved side by side.
  std::size_t n_problems() const { return loss.is_separable() ? n_outputs : 1; }
  std::size_t label(std::size_t i) const { return static_cast<std::size_t>(y.labels[i]); }
  double target(std::size_t i, std::size_t k) const {
    return y.values != nullptr ? y.values[i * n_outputs + k] : (label(i) == k ? 1.0 : -1.0);
  }
  void prefetch_target(std::size_t i) const {
    if (y.values != nullptr) {
      prefetch_bytes(&y.values[i * n_outputs], n_outputs * sizeof(double));
    } else {
      __builtin_prefetch(&y.labels[i]);
    }
  }
  double weight(std::size_t i) const { return s != nullptr ? s[i] : 1.0; }
  const double* weights_from(std::size_t first) const { return s != nullptr ? s + first : nullptr; }
  bool has_penalized_intercept() const { return intercept_penalty.alpha > 0; }
  bool has_free_intercept() const { return fit_intercept && !has_penalized_intercept(); }
  double prox_intercept(double b, double step) const {
    return has_penalized_intercept() ? intercept_penalty.prox(b, step) : b;
  }
  double l1() const {
    return std::visit([](const auto& penalty) { return penalty.l1(); }, penalty);
  }
  double l2() const {
    return std::visit([](const auto& penalty) { return penalty.l2(); }, penalty);
  }
  bool has_finite_gap() const { return l1() > 0 || l2() > 0; }
};

// Starting points, p x K and K numbers; finish() of the solver writes the result to the same places.
struct MultiSetup {
  double* coef;
  double* intercepts;
  Sampling sampling;
  StepSize step_rule;
  double step_size;  // if positive, the step itself
  std::uint64_t seed;
  SolverOptions options;
};

// The scores of one row and their softmax. Padding to whole vectors scores minus infinity: probability zero.
class Scores {
 public:
  Scores(const KernelTable& table, std::size_t n_outputs)
      : kernels_(table.columns.softmax),
        z_((n_outputs + 3) / 4 * 4, -std::numeric_limits<double>::infinity()),
        q_(z_.size()) {}

  double* z() { return z_.data(); }
  double* probabilities() { return q_.data(); }
  // Fills the probabilities from z; returns the loss.
  double evaluate(std::size_t label) { return kernels_.softmax(z_.data(), z_.size(), label, q_.data()); }

 private:
  const SoftmaxKernels& kernels_;
  std::vector<double> z_;
  std::vector<double> q_;
};

// The scores of one row and the derivatives of its loss there.
template <class View>
class RowLoss {
 public:
  explicit RowLoss(const MultiProblem<View>& problem)
      : problem_(problem), scores_(problem.kernels, problem.n_outputs), targets_(problem.n_outputs, -1.0) {}

  double* z() { return scores_.z(); }
  // K numbers, valid until the next call; zeros where the row does not count, as in Problem::derivative.
  double* differentiate(std::size_t i) {
    double* g = scores_.probabilities();
    if (problem_.weight(i) == 0) {
      std::fill_n(g, problem_.n_outputs, 0.0);
    } else if (!problem_.loss.is_separable()) {
      scores_.evaluate(problem_.label(i));
      g[problem_.label(i)] -= 1;
    } else if (problem_.y.values != nullptr) {
      const std::size_t K = problem_.n_outputs;
      problem_.loss.of_output().derivatives(scores_.z(), &problem_.y.values[i * K], g, K);
    } else {
      const std::size_t label = problem_.label(i);
      if (label < targets_.size()) targets_[label] = 1;
      problem_.loss.of_output().derivatives(scores_.z(), targets_.data(), g, targets_.size());
      if (label < targets_.size()) targets_[label] = -1;
    }
    return g;
  }

 private:
  const MultiProblem<View>& problem_;
  Scores scores_;
  std::vector<double> targets_;  // -1 but for the label's
};

// out = W^T x and W += x a^T, one overload per row type.
template <class T>
const DenseColumnKernels<T>& column_kernels(const KernelTable& table, const DenseView<T>&) {
  return dense_of<T>(table.columns);
}
template <class T, class I>
const SparseColumnKernels<T, I>& column_kernels(const KernelTable& table, const CsrView<T, I>&) {
  return sparse_of<T, I>(table.columns);
}
template <class T>
void dot(const DenseColumnKernels<T>& k, DenseRow<T> x, const double* w, std::size_t K, double* out) {
  k.dot(x.values, x.size, w, K, out);
}
template <class T, class I>
void dot(const SparseColumnKernels<T, I>& k, SparseRow<T, I> x, const double* w, std::size_t K, double* out) {
  k.dot(x.values, x.indices, x.size, w, K, K, out);
}
template <class T>
void axpy(const DenseColumnKernels<T>& k, const double* a, DenseRow<T> x, double* w, std::size_t K) {
  k.axpy(a, x.values, x.size, w, K);
}
template <class T, class I>
void axpy(const SparseColumnKernels<T, I>& k, const double* a, SparseRow<T, I> x, double* w, std::size_t K) {
  k.axpy(a, x.values, x.indices, x.size, w, K);
}

// Fetches what such a product with the row will read of w. Dense rows come in order by themselves.
template <class T>
void prefetch_columns(DenseRow<T>, const double*, std::size_t) {}
template <class T, class I>
void prefetch_columns(SparseRow<T, I> x, const double* w, std::size_t K) {
  for (std::size_t k = 0; k < x.size; ++k)
    prefetch_bytes(w + static_cast<std::size_t>(x.indices[k]) * K, K * sizeof(double));
}

}  // namespace finitesum
