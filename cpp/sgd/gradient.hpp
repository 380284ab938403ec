// The gradient of a batch as numbers, for what is not linear in it: sum_i a_i x_i, on the coordinates that the rows
// touch.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "core/math.hpp"
#include "sgd/options.hpp"
#include "solvers/rows.hpp"

namespace finitesum {

template <class T, class Visit>
void for_each_entry(DenseRow<T> x, const Visit& visit) {
  for (std::size_t j = 0; j < x.size; ++j) visit(j, double{x.values[j]});
}
template <class T, class I, class Visit>
void for_each_entry(SparseRow<T, I> x, const Visit& visit) {
  for (std::size_t k = 0; k < x.size; ++k) visit(static_cast<std::size_t>(x.indices[k]), double{x.values[k]});
}

template <class View>
class BatchGradient;

template <class T>
class BatchGradient<DenseView<T>> {
 public:
  BatchGradient(const KernelTable& table, const DenseView<T>& X) : kernels_(dense<T>(table)), g_(X.n_columns) {}

  void clear() { std::fill(g_.begin(), g_.end(), 0.0); }
  void add(DenseRow<T> x, double a) { kernels_.axpy(a, x.values, g_.data(), x.size); }
  void add_squares(DenseRow<T> x, double a) {
    for (std::size_t j = 0; j < x.size; ++j) g_[j] += a * (double{x.values[j]} * double{x.values[j]});
  }
  std::vector<double>& values() { return g_; }
  DenseRow<double> row() const { return {g_.data(), g_.size()}; }

 private:
  const DenseKernels<T>& kernels_;
  std::vector<double> g_;
};

template <class T, class I>
class BatchGradient<CsrView<T, I>> {
 public:
  BatchGradient(const KernelTable&, const CsrView<T, I>& X) : place_(X.n_columns, nowhere) {}

  void clear() {
    for (const I j : columns_) place_[static_cast<std::size_t>(j)] = nowhere;
    columns_.clear();
    values_.clear();
  }
  void add(SparseRow<T, I> x, double a) {
    for (std::size_t k = 0; k < x.size; ++k) at(x.indices[k]) += a * double{x.values[k]};
  }
  void add_squares(SparseRow<T, I> x, double a) {
    for (std::size_t k = 0; k < x.size; ++k) at(x.indices[k]) += a * (double{x.values[k]} * double{x.values[k]});
  }
  std::vector<double>& values() { return values_; }
  SparseRow<double, I> row() const { return {values_.data(), columns_.data(), columns_.size()}; }

 private:
  double& at(I j) {
    std::size_t& place = place_[static_cast<std::size_t>(j)];
    if (place == nowhere) {
      place = columns_.size();
      columns_.push_back(j);
      values_.push_back(0);
    }
    return values_[place];
  }

  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);
  std::vector<std::size_t> place_;  // of a column among the touched ones
  std::vector<I> columns_;          // their memory is that of the largest batch so far
  std::vector<double> values_;
};

// sum_i b_i x_i^2 - g^2, at least zero, on the coordinates of the batch with gradient g; for_each_row(add) calls
// add(x_i, b_i) in the rows' order. Returns that of the intercept.
template <class View, class ForEachRow>
double find_variance(BatchGradient<View>& variance, BatchGradient<View>& gradient, double of_intercept,
                     const ForEachRow& for_each_row) {
  variance.clear();
  double square = 0;
  for_each_row([&](typename View::Row x, double b) {
    variance.add_squares(x, b);
    square += b;
  });
  const auto excess = [](double mean_square, double mean) { return math::max(mean_square - mean * mean, 0.0); };
  std::vector<double>& values = variance.values();
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = excess(values[k], gradient.values()[k]);
  return excess(square, of_intercept);
}

// Of all outputs together; the intercepts' parts count like coordinates.
template <class View>
void clip_gradients(Clip clip, double limit, std::vector<BatchGradient<View>>& gradients,
                    std::vector<double>& of_intercepts) {
  if (clip == Clip::none) return;
  const auto for_each_part = [&](const auto& change) {
    for (BatchGradient<View>& gradient : gradients) change(gradient.values());
    change(of_intercepts);
  };
  if (clip == Clip::value) {
    for_each_part([&](std::vector<double>& part) {
      for (double& g : part) g = math::clamp(g, -limit, limit);
    });
    return;
  }
  double squares = 0;
  for_each_part([&](std::vector<double>& part) {
    squares += chained_sum(part.size(), [&](std::size_t k) { return part[k] * part[k]; });
  });
  const double norm = std::sqrt(squares);
  if (norm <= limit) return;
  for_each_part([&](std::vector<double>& part) {
    for (double& g : part) g *= limit / norm;
  });
}

}  // namespace finitesum
