// A loss over blocks of predictions. The loss is copied into a local first: its parameter then lives in a register.
#pragma once

#include "kernels/lanes.inl"
#include "kernels/table.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

template <class Loss>
double value_sum(const void* loss, const double* z, const double* y, const double* s, std::size_t n) {
  const Loss l = *static_cast<const Loss*>(loss);
  if (s == nullptr) {
    return lane_sum(n, [=](std::size_t i) FINITESUM_INLINE_LAMBDA { return l.value(z[i], y[i]); });
  }
  return lane_sum(n, [=](std::size_t i) FINITESUM_INLINE_LAMBDA { return s[i] * l.value(z[i], y[i]); });
}

template <class Loss>
double conjugate_sum(const void* loss, double scale, const double* u, const double* y, const double* s, std::size_t n) {
  const Loss l = *static_cast<const Loss*>(loss);
  if (s == nullptr) {
    return lane_sum(n, [=](std::size_t i) FINITESUM_INLINE_LAMBDA { return l.conjugate(scale * u[i], y[i]); });
  }
  return lane_sum(n, [=](std::size_t i) FINITESUM_INLINE_LAMBDA { return s[i] * l.conjugate(scale * u[i], y[i]); });
}

template <class Loss>
void derivatives(const void* loss, const double* __restrict z, const double* __restrict y, double* __restrict out,
                 std::size_t n) {
  const Loss l = *static_cast<const Loss*>(loss);
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) out[i] = l.derivative(z[i], y[i]);
}

template <class Loss>
void curvatures(const void* loss, const double* __restrict z, const double* __restrict y, double* __restrict out,
                std::size_t n) {
  const Loss l = *static_cast<const Loss*>(loss);
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) out[i] = l.curvature(z[i], y[i]);
}

template <class Loss>
constexpr LossKernels loss_kernels = {value_sum<Loss>, derivatives<Loss>, curvatures<Loss>, conjugate_sum<Loss>};

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
