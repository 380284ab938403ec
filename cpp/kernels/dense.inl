// Dense rows: T is the dtype of X; coefficients and sums are double.
#pragma once

#include "core/math.hpp"
#include "kernels/gram.inl"
#include "kernels/lanes.inl"
#include "kernels/table.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

template <class T>
double dense_dot(const T* x, const double* w, std::size_t n) {
  return lane_sum(n, [=](std::size_t i) FINITESUM_INLINE_LAMBDA { return static_cast<double>(x[i]) * w[i]; });
}

template <class T>
double squared_norm(const T* x, std::size_t n) {
  return lane_sum(n, [=](std::size_t i) FINITESUM_INLINE_LAMBDA {
    const double value = static_cast<double>(x[i]);
    return value * value;
  });
}

template <class T>
void dense_axpy(double a, const T* __restrict x, double* __restrict w, std::size_t n) {
#pragma omp simd
  for (std::size_t j = 0; j < n; ++j) w[j] += a * static_cast<double>(x[j]);
}

template <class T>
void dense_axpy_squares(double a, const T* __restrict x, double* __restrict w, std::size_t n) {
#pragma omp simd
  for (std::size_t j = 0; j < n; ++j) {
    const double x_j = static_cast<double>(x[j]);
    w[j] += a * (x_j * x_j);
  }
}

template <bool HasL1, class T>
FINITESUM_INLINE void step_with(const T* __restrict x, double* __restrict w, double* __restrict d, std::size_t n,
                                const StepCoefficients c) {
#pragma omp simd
  for (std::size_t j = 0; j < n; ++j) {
    const double x_j = static_cast<double>(x[j]);
    const double moved = w[j] - c.direction * d[j] - c.fresh * x_j;
    w[j] = c.shrink * (HasL1 ? math::soft_threshold(moved, c.threshold) : moved);
    d[j] += c.change * x_j;
  }
}

template <class T>
void dense_step(const T* x, double* w, double* d, std::size_t n, const StepCoefficients* c) {
  step_with<false>(x, w, d, n, *c);
}

template <class T>
void dense_step_l1(const T* x, double* w, double* d, std::size_t n, const StepCoefficients* c) {
  step_with<true>(x, w, d, n, *c);
}

template <class T>
double centered_dot(const T* x, const double* centers, const double* w, std::size_t n) {
  return lane_sum(
      n, [=](std::size_t i) FINITESUM_INLINE_LAMBDA { return (static_cast<double>(x[i]) - centers[i]) * w[i]; });
}

template <class T>
double scaled_squared_norm(const T* x, const double* centers, const double* factors, std::size_t n) {
  return lane_sum(n, [=](std::size_t i) FINITESUM_INLINE_LAMBDA {
    const double value = static_cast<double>(x[i]) - centers[i];
    return factors[i] * (value * value);
  });
}

template <bool HasL1, class T>
FINITESUM_INLINE void scaled_step_with(const T* __restrict x, double* __restrict w, double* __restrict d,
                                       const double* __restrict centers, const double* __restrict factors,
                                       std::size_t n, const ScaledStep c) {
#pragma omp simd
  for (std::size_t j = 0; j < n; ++j) {
    const double x_j = static_cast<double>(x[j]) - centers[j];
    const double moved = w[j] - factors[j] * (c.direction * d[j] + c.fresh * x_j);
    w[j] = (HasL1 ? math::soft_threshold(moved, factors[j] * c.threshold) : moved) / (c.base + factors[j] * c.decay);
    d[j] += c.change * x_j;
  }
}

template <class T>
void scaled_step(const T* x, double* w, double* d, std::size_t n, const ScaledStep* c) {
  scaled_step_with<false>(x, w, d, c->centers, c->factors, n, *c);
}

template <class T>
void scaled_step_l1(const T* x, double* w, double* d, std::size_t n, const ScaledStep* c) {
  scaled_step_with<true>(x, w, d, c->centers, c->factors, n, *c);
}

template <class T>
void coupled_step(const T* __restrict x, double* __restrict z, double* __restrict y, const double* __restrict w,
                  const double* __restrict d, double* __restrict point, std::size_t n, const CoupledCoefficients* c) {
  const CoupledCoefficients k = *c;
#pragma omp simd
  for (std::size_t j = 0; j < n; ++j) {
    const double moved = z[j] - k.direction * d[j] - k.fresh * static_cast<double>(x[j]);
    const double z_j = k.shrink * math::soft_threshold(moved, k.threshold);
    const double pull = k.theta * z_j + 0.5 * w[j];
    const double y_j = pull + k.kappa * y[j];
    z[j] = z_j;
    y[j] = y_j;
    point[j] = pull + k.kappa * y_j;
  }
}

template <class T>
constexpr DenseKernels<T> dense_kernels = {dense_dot<T>,      squared_norm<T>, dense_axpy<T>,          dense_step<T>,
                                           dense_step_l1<T>,  centered_dot<T>, scaled_squared_norm<T>, scaled_step<T>,
                                           scaled_step_l1<T>, coupled_step<T>, dense_axpy_squares<T>,  pack_row<T>};

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
