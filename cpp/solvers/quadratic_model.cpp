#include "solvers/quadratic_model.hpp"

#include <algorithm>
#include <cmath>

#include "core/math.hpp"
#include "isa/isa.hpp"

namespace finitesum {

QuadraticModel::QuadraticModel(std::size_t n_coefficients, std::size_t n_intercepts, double l1, double l2)
    : n_coefficients_(n_coefficients),
      size_(n_coefficients + n_intercepts),
      l1_(l1),
      l2_(l2),
      hessian_(size_ * size_) {}

void QuadraticModel::clear() { std::fill(hessian_.begin(), hessian_.end(), 0.0); }

bool QuadraticModel::solve(const double* w, const double* gradient, double shift, Control& control,
                           std::vector<double>& move) {
  if (!std::isfinite(trace())) return false;
  if (l1_ == 0) return solve_by_cholesky(w, gradient, shift, control, move);
  return solve_by_coordinate_descent(w, gradient, shift, control, move);
}

double QuadraticModel::trace() const {
  double sum = 0;
  for (std::size_t j = 0; j < size_; ++j) sum += entry(j, j);
  return sum;
}

bool QuadraticModel::solve_by_cholesky(const double* w, const double* gradient, double shift, Control& control,
                                       std::vector<double>& move) {
  constexpr double smallest_pivot = 1e-14;  // relative to the diagonal entry it came from: what rounding leaves
  const auto& kernel = dense<double>(kernels());
  factor_ = hessian_;
  for (std::size_t i = 0; i < size_; ++i) {
    if (control.stop_after(i * i / 2)) return false;
    double* row_i = factor_.data() + i * size_;
    row_i[i] += shift + (i < n_coefficients_ ? l2_ : intercept_.l2);
    const double diagonal = row_i[i];
    for (std::size_t j = 0; j < i; ++j) {
      const double* row_j = factor_.data() + j * size_;
      row_i[j] = (row_i[j] - kernel.dot(row_i, row_j, j)) / row_j[j];
    }
    const double pivot = diagonal - kernel.dot(row_i, row_i, i);
    if (!(pivot > smallest_pivot * diagonal)) return false;
    row_i[i] = std::sqrt(pivot);
  }
  move.resize(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    const double* row = factor_.data() + i * size_;
    const double right =
        i < n_coefficients_ ? -(gradient[i] + l2_ * w[i]) : -(intercept_.slope + intercept_.l2 * intercept_.value);
    move[i] = (right - kernel.dot(row, move.data(), i)) / row[i];
  }
  for (std::size_t i = size_; i-- > 0;) {
    const double* row = factor_.data() + i * size_;
    move[i] /= row[i];
    kernel.axpy(-move[i], row, move.data(), i);
  }
  return true;
}

bool QuadraticModel::solve_by_coordinate_descent(const double* w, const double* gradient, double shift,
                                                 Control& control, std::vector<double>& move) {
  // Enough sweeps that the model is not what limits the outer iteration, bounded so that a bad one cannot hang.
  constexpr int max_sweeps = 1000;
  constexpr double accuracy = 1e-10;
  move.assign(size_, 0.0);
  std::vector<double> slope(size_, intercept_.slope);  // gradient of the smooth part of the model at the present move
  std::copy_n(gradient, n_coefficients_, slope.begin());
  double first_change = 0;
  for (int sweep = 0; sweep < max_sweeps; ++sweep) {
    double largest_change = 0;
    if (control.stop_after(size_ * size_)) return false;
    for (std::size_t j = 0; j < size_; ++j) {
      const bool is_intercept = j >= n_coefficients_;
      const double curvature = entry(j, j) + shift;
      const double total = curvature + (is_intercept ? intercept_.l2 : l2_);
      const double l1 = is_intercept ? intercept_.l1 : l1_;
      const double at = (is_intercept ? intercept_.value : w[j]) + move[j];
      // Along a flat coordinate the model falls for ever if its slope beats the penalty, else it is least at zero.
      if (!(total > 0) && std::fabs(slope[j]) > l1) return false;
      const double to = total > 0 ? math::soft_threshold(curvature * at - slope[j], l1) / total : 0.0;
      const double change = to - at;
      if (change == 0) continue;
      move[j] += change;
      for (std::size_t i = 0; i < size_; ++i) slope[i] += entry(i, j) * change;
      slope[j] += shift * change;
      largest_change = std::max(largest_change, total > 0 ? change * change * total : l1 * std::fabs(change));
    }
    if (sweep == 0) first_change = largest_change;
    if (largest_change <= accuracy * accuracy * first_change) break;
  }
  return true;
}

}  // namespace finitesum
