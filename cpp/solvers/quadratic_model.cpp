#include "solvers/quadratic_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "core/math.hpp"
#include "isa/isa.hpp"

namespace finitesum {

QuadraticModel::QuadraticModel(std::size_t n_coefficients, std::size_t n_intercepts, double l1, double l2,
                               int max_sweeps)
    : n_coefficients_(n_coefficients),
      size_(n_coefficients + n_intercepts),
      l1_(l1),
      l2_(l2),
      max_sweeps_(max_sweeps),
      hessian_(size_ * size_) {}

void QuadraticModel::clear() { std::fill(hessian_.begin(), hessian_.end(), 0.0); }

void QuadraticModel::add(double factor, const QuadraticModel& other) {
  for (std::size_t i = 0; i < hessian_.size(); ++i) hessian_[i] += factor * other.hessian_[i];
}

void QuadraticModel::set_penalty(double l1, double l2) {
  l1_ = l1;
  l2_ = l2;
}

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

// Of the rows and columns in support_ of H + shift I, with the penalty's own curvature.
bool QuadraticModel::factorize(double shift, Control& control) {
  constexpr double smallest_pivot = 1e-14;  // relative to the diagonal entry it came from: what rounding leaves
  const auto& kernel = dense<double>(kernels());
  const std::size_t n = support_.size();
  factor_.resize(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    if (control.stop_after(i * i / 2)) return false;
    const std::size_t k = support_[i];
    double* row_i = factor_.data() + i * n;
    for (std::size_t j = 0; j <= i; ++j) row_i[j] = entry(k, support_[j]);
    row_i[i] += shift + l2(k);
    const double diagonal = row_i[i];
    for (std::size_t j = 0; j < i; ++j) {
      const double* row_j = factor_.data() + j * n;
      row_i[j] = (row_i[j] - kernel.dot(row_i, row_j, j)) / row_j[j];
    }
    const double pivot = diagonal - kernel.dot(row_i, row_i, i);
    if (!(pivot > smallest_pivot * diagonal)) return false;
    row_i[i] = std::sqrt(pivot);
  }
  return true;
}

void QuadraticModel::solve_factorized(std::vector<double>& right) const {
  const auto& kernel = dense<double>(kernels());
  const std::size_t n = support_.size();
  for (std::size_t i = 0; i < n; ++i) {
    const double* row = factor_.data() + i * n;
    right[i] = (right[i] - kernel.dot(row, right.data(), i)) / row[i];
  }
  for (std::size_t i = n; i-- > 0;) {
    const double* row = factor_.data() + i * n;
    right[i] /= row[i];
    kernel.axpy(-right[i], row, right.data(), i);
  }
}

bool QuadraticModel::factorize_all(double l2, double shift, Control& control) {
  l2_ = l2;
  support_.resize(size_);
  std::iota(support_.begin(), support_.end(), std::size_t{0});
  return std::isfinite(trace()) && factorize(shift, control);
}

bool QuadraticModel::solve_by_cholesky(const double* w, const double* gradient, double shift, Control& control,
                                       std::vector<double>& move) {
  if (!factorize_all(l2_, shift, control)) return false;
  move.resize(size_);
  for (std::size_t j = 0; j < size_; ++j)
    move[j] = -(is_intercept(j) ? intercept_.slope : gradient[j]) - l2(j) * start(w, j);
  solve_factorized(move);
  return true;
}

bool QuadraticModel::solve_by_coordinate_descent(const double* w, const double* gradient, double shift,
                                                 Control& control, std::vector<double>& move) {
  constexpr double accuracy = 1e-10;
  constexpr double rounding = 4 * std::numeric_limits<double>::epsilon();
  for (std::size_t i = 0; i < size_; ++i) {
    for (std::size_t j = i + 1; j < size_; ++j) row(i)[j] = entry(j, i);
  }
  move.assign(size_, 0.0);
  slope_.assign(size_, intercept_.slope);
  std::copy_n(gradient, n_coefficients_, slope_.begin());
  double first_change = 0;
  double work = 0;  // of the sweeps since the last factor
  for (int count = 0; count < max_sweeps_; ++count) {
    if (control.stop_after(size_ * size_)) return false;
    const double change = sweep(w, shift, move);
    if (change < 0) return false;
    if (count == 0) first_change = change;
    if (change <= std::max(accuracy * accuracy * first_change, rounding * rounding * largest_term_)) break;
    support_.clear();
    for (std::size_t j = 0; j < size_; ++j) {
      if (start(w, j) + move[j] != 0 || l1(j) == 0) support_.push_back(j);
    }
    const auto n = static_cast<double>(support_.size());
    work += n * static_cast<double>(size_);
    if (work < n * n * n / 6) continue;
    work = 0;
    jump_to_minimum_of_orthant(w, shift, control, move);
  }
  return true;
}

// Needs all of row j, not its lower triangle alone.
void QuadraticModel::add_to_slope(std::size_t j, double change, double shift) {
  dense<double>(kernels()).axpy(change, row(j), slope_.data(), size_);
  slope_[j] += shift * change;
}

double QuadraticModel::sweep(const double* w, double shift, std::vector<double>& move) {
  double largest_change = 0;
  largest_term_ = 0;
  for (std::size_t j = 0; j < size_; ++j) {
    const double curvature = entry(j, j) + shift;
    const double total = curvature + l2(j);
    const double at = start(w, j) + move[j];
    // Along a flat coordinate the model falls for ever if its slope beats the penalty, else it is least at zero.
    if (!(total > 0) && std::fabs(slope_[j]) > l1(j)) return -1;
    const double to = total > 0 ? math::soft_threshold(curvature * at - slope_[j], l1(j)) / total : 0.0;
    const double change = to - at;
    largest_term_ = std::max(largest_term_, total * to * to);
    if (change == 0) continue;
    move[j] += change;
    add_to_slope(j, change, shift);
    largest_change = std::max(largest_change, total > 0 ? change * change * total : l1(j) * std::fabs(change));
  }
  return largest_change;
}

// Takes row and column i out of factor_ and support_: rotations of neighboring columns make the rows below triangular
// again (Golub and Van Loan, Matrix Computations, 4th ed., 6.5.4).
void QuadraticModel::leave_out(std::size_t i) {
  const std::size_t n = support_.size();
  double* const factor = factor_.data();
  rotations_.resize(n);
  for (std::size_t r = 0; r < i; ++r) std::copy_n(factor + r * n, r + 1, factor + r * (n - 1));
  for (std::size_t r = i + 1; r < n; ++r) {
    double* row = factor + r * n;
    for (std::size_t j = i; j + 1 < r; ++j) {
      const auto [cosine, sine] = rotations_[j];
      const double left = row[j];
      row[j] = cosine * left + sine * row[j + 1];
      row[j + 1] = cosine * row[j + 1] - sine * left;
    }
    const double length = std::sqrt(row[r - 1] * row[r - 1] + row[r] * row[r]);
    rotations_[r - 1] = {row[r - 1] / length, row[r] / length};
    row[r - 1] = length;
    std::copy_n(row, r, factor + (r - 1) * (n - 1));
  }
  support_.erase(support_.begin() + static_cast<std::ptrdiff_t>(i));
}

// While the signs stand, the model is a quadratic in the coordinates that are not zero: to its minimum, or as far in
// that direction as the first of them to change its sign. That one is left at zero, and the others go on: with
// dependent columns tiny coordinates, which the sweeps bring back, would else cut every jump short.
void QuadraticModel::jump_to_minimum_of_orthant(const double* w, double shift, Control& control,
                                                std::vector<double>& move) {
  // Singular: a proximal point step is a descent, too.
  if (!factorize(shift, control) && !factorize(shift + 1e-10 * trace(), control)) return;
  bool is_cut_short = true;
  while (is_cut_short && !control.stop_after(support_.size() * size_)) {
    const std::size_t n = support_.size();
    jump_.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t j = support_[i];
      const double at = start(w, j) + move[j];
      jump_[i] = -(slope_[j] + l2(j) * at + (at > 0 ? l1(j) : -l1(j)));
    }
    solve_factorized(jump_);
    double length = 1;
    std::size_t first = n;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t j = support_[i];
      const double at = start(w, j) + move[j];
      if (l1(j) > 0 && at * (at + length * jump_[i]) < 0) {
        length = -at / jump_[i];
        first = i;
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t j = support_[i];
      const double change = i == first ? -(start(w, j) + move[j]) : length * jump_[i];
      move[j] += change;
      if (i == first) move[j] = -start(w, j);
      add_to_slope(j, change, shift);
    }
    is_cut_short = first < n;
    if (is_cut_short) leave_out(first);
  }
}

}  // namespace finitesum
