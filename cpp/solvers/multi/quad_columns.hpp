// The iterate of columns.hpp for dense rows without L1, four known draws at a time. With W = scale (V + slope D) a step
// changes two scalars and adds multiples of its row to V and D. So x_r^T V and x_r^T D of the four rows, taken from the
// state as the first row finds it, become those that row r finds by adding the earlier rows' multiples times
// x_q^T x_r, which all outputs share. The state, too large for the first-level cache, is read once for the four
// predictions and once for the four steps.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "solvers/column_scaling.hpp"
#include "solvers/multi/problem.hpp"
#include "solvers/smoothness_sampling.hpp"

namespace finitesum {

template <class T>
class QuadColumns {
 public:
  static constexpr bool has_batches = false;
  static constexpr double mass_growth = 0;
  static constexpr double step_tolerance = 0;

  QuadColumns(const MultiProblem<DenseView<T>>& problem, const ColumnScaling& /*off*/)
      : kernels_(dense_of<T>(problem.kernels.quads)),
        p_(problem.n_columns()),
        K_(problem.n_outputs),
        l2_(problem.l2()),
        v_(problem.n_coefficients()),
        d_(problem.n_coefficients()),
        v_sums_(4 * K_),
        d_sums_(4 * K_),
        factors_(8 * K_) {}

  // The rows that predict() and step() meet next, the first of `count` draws; before each predict().
  void expect(const DenseView<T>& X, const Draw* draws, std::size_t count) {
    if (next_ < n_rows_) return;
    apply();
    n_rows_ = std::min<std::size_t>(count, 4);
    for (std::size_t r = 0; r < 4; ++r) rows_[r] = X.row(draws[r < n_rows_ ? r : 0].row).values;
    for (std::size_t r = 4; r < std::min<std::size_t>(count, 8); ++r) finitesum::prefetch(X.row(draws[r].row));
    std::array<double, 6> products;
    kernels_.gram(rows_.data(), p_, products.data());
    for (std::size_t q = 0, at = 0; q < 4; ++q) {
      for (std::size_t r = q + 1; r < 4; ++r) gram_[q][r] = products[at++];
    }
    for (std::size_t k = 0; k < K_; ++k) {
      std::array<double, 8> sums;
      kernels_.dot(rows_.data(), p_, &v_[k * p_], &d_[k * p_], sums.data());
      for (std::size_t r = 0; r < 4; ++r) v_sums_[r * K_ + k] = sums[r];
      for (std::size_t r = 0; r < 4; ++r) d_sums_[r * K_ + k] = sums[4 + r];
    }
  }

  void predict(DenseRow<T>, double* out) {
    row_ = next_++;
    const double* v = &v_sums_[row_ * K_];
    const double* d = &d_sums_[row_ * K_];
    for (std::size_t k = 0; k < K_; ++k) out[k] = scale_ * (v[k] + slope_ * d[k]);
  }

  double step_size() const { return step_; }
  void set_step(double step) {
    step_ = step;
    rho_ = 1 / (1 + step * l2_);
    set_mass(mass_);
  }
  void set_mass(double mass) {
    mass_ = mass;
    direction_ = step_ / mass;
  }

  void step(DenseRow<T>, const double* fresh, const double* change) {
    slope_ -= direction_ / scale_;
    double* v = &factors_[row_ * K_];
    double* d = v + 4 * K_;
    for (std::size_t k = 0; k < K_; ++k) {
      v[k] = -(fresh[k] / scale_ + slope_ * change[k]);
      d[k] = change[k];
    }
    for (std::size_t r = row_ + 1; r < n_rows_; ++r) {
      const double product = gram_[row_][r];
      for (std::size_t k = 0; k < K_; ++k) v_sums_[r * K_ + k] += product * v[k];
      for (std::size_t k = 0; k < K_; ++k) d_sums_[r * K_ + k] += product * d[k];
    }
    scale_ *= rho_;
  }

  void prefetch(DenseRow<T>) const {}

  void settle() {
    apply();
    normalize();
  }
  double& coefficient(std::size_t j, std::size_t k) { return v_[k * p_ + j]; }
  double& gradient_sum(std::size_t j, std::size_t k) { return d_[k * p_ + j]; }
  double center(std::size_t) const { return 0; }

 private:
  static constexpr double smallest_scale = 1e-9;

  // Adds the steps taken along the present rows to the state.
  void apply() {
    for (std::size_t k = 0; n_rows_ > 0 && k < K_; ++k) {
      std::array<double, 8> factors;
      for (std::size_t r = 0; r < 8; ++r) factors[r] = factors_[r * K_ + k];
      kernels_.axpy(factors.data(), rows_.data(), p_, &v_[k * p_], &d_[k * p_]);
    }
    std::fill(factors_.begin(), factors_.end(), 0.0);
    n_rows_ = 0;
    next_ = 0;
    if (scale_ < smallest_scale) normalize();
  }

  void normalize() {
    if (scale_ == 1 && slope_ == 0) return;
    for (std::size_t j = 0; j < v_.size(); ++j) v_[j] = scale_ * (v_[j] + slope_ * d_[j]);
    scale_ = 1;
    slope_ = 0;
  }

  const DenseQuadKernels<T>& kernels_;
  std::size_t p_;
  std::size_t K_;
  double l2_;
  double step_ = 0;
  double mass_ = 1;
  double rho_ = 1;
  double direction_ = 0;
  double scale_ = 1;
  double slope_ = 0;
  std::vector<double> v_;  // by outputs, as single outputs would have them
  std::vector<double> d_;
  std::array<const T*, 4> rows_{};
  std::array<std::array<double, 4>, 4> gram_{};
  std::size_t n_rows_ = 0;  // the others are stand-ins, which no step moves along
  std::size_t next_ = 0;
  std::size_t row_ = 0;         // the last predicted
  std::vector<double> v_sums_;  // x_r^T V as row r finds it, by rows
  std::vector<double> d_sums_;
  std::vector<double> factors_;  // of the rows in V, and in D
};

template <class T>
void expect(QuadColumns<T>& iterate, const DenseView<T>& X, const Draw* draws, std::size_t count) {
  iterate.expect(X, draws, count);
}

}  // namespace finitesum
