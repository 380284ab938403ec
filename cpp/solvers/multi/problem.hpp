// Multinomial logistic regression, K outputs at once:
//     F(W, b) = (1/S) sum_i s_i [log sum_k exp(z_ik) - z_{i, y_i}] + R(W),   z_i = W^T x_i + b,
// with W a p x K matrix stored by rows. The intercepts are never penalized. The loss's Hessian in z is diag(q) - q q^T,
// q = softmax(z), whose largest eigenvalue is at most 1/2 (D. Boehning, "Multinomial logistic regression algorithm",
// Ann. Inst. Stat. Math. 1992): twice the bound of the binary loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <variant>
#include <vector>

#include "penalties/visit.hpp"
#include "solvers/rows.hpp"
#include "solvers/solver.hpp"

namespace finitesum {

struct MultinomialLoss {
  static constexpr double smoothness() { return 0.5; }
};

template <class View>
struct MultiProblem {
  View X;
  const std::int32_t* y;  // classes, 0 to n_outputs - 1
  std::size_t n_outputs;
  const double* s;  // null: every weight is one
  double total_weight;
  MultinomialLoss loss;
  AnyPenalty penalty;
  bool fit_intercept;
  const KernelTable& kernels;

  std::size_t n_rows() const { return X.n_rows; }
  std::size_t n_columns() const { return X.n_columns; }
  std::size_t n_coefficients() const { return X.n_columns * n_outputs; }
  std::size_t label(std::size_t i) const { return static_cast<std::size_t>(y[i]); }
  double weight(std::size_t i) const { return s != nullptr ? s[i] : 1.0; }
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

}  // namespace finitesum
