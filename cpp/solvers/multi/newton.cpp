// Newton with the explicit Hessian of all (p + 1) K coefficients and intercepts, entry
// (jk, lm) = (1/S) sum_i s_i x_ij x_il q_ik (delta_km - q_im). Deterministic, for narrow data with few classes.
#include <cstddef>
#include <vector>

#include "solvers/multi/any.hpp"
#include "solvers/multi/newton_steps.hpp"
#include "solvers/quadratic_model.hpp"
#include "solvers/step_size.hpp"

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
class MultiHessian {
 public:
  MultiHessian(const MultiProblem<View>& problem, const MultiSetup&)
      : problem_(problem),
        K_(problem.n_outputs),
        n_coefficients_(problem.n_coefficients()),
        model_(n_coefficients_, problem.fit_intercept ? K_ : 0, problem.l1(), problem.l2()),
        curvature_bound_(MultinomialLoss::smoothness() * unit_smoothness(problem).mean) {}

  void build(const MultiModelPoint& at, Control& control) {
    passes_ += 1;
    model_.clear();
    std::vector<double> h(K_ * K_);
    std::vector<double> factors(K_);
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      const double factor = problem_.weight(i) / problem_.total_weight;
      if (factor == 0) continue;
      const double* u = &at.derivatives[i * K_];
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

  bool solve(const MultiModelPoint& at, double damping, Control& control, std::vector<double>& move) {
    return model_.solve(at.w, at.gradient.data(), damping * curvature_bound_, control, move);
  }

  double passes() const { return passes_; }
  void transfer(Archive& archive) { archive(passes_); }

 private:
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

  const MultiProblem<View>& problem_;
  std::size_t K_;
  std::size_t n_coefficients_;
  QuadraticModel model_;
  double curvature_bound_;  // of the Hessian's largest eigenvalue: the mean L_i
  double passes_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_multi_newton(const MultiProblem<View>& problem, const MultiSetup& setup) {
  return std::make_unique<MultiNewtonSteps<View, MultiHessian<View>>>(problem, setup);
}

FINITESUM_FOR_EACH_MULTI_VIEW(make_multi_newton)

}  // namespace finitesum
