// CSR rows. Gathers gain nothing from wide registers; what counts is several additions in flight, hence four partial
// sums, terms i mod 4 in order. No simd pragma on the scatter: it would promise more than a caller can check.
#pragma once

#include "kernels/dense.inl"
#include "kernels/table.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

// Sum of term(i), i < n, free of side effects.
template <class Term>
FINITESUM_INLINE double sum_of_four(std::size_t n, const Term& term) {
  double sum0 = 0.0, sum1 = 0.0, sum2 = 0.0, sum3 = 0.0;
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    sum0 += term(i);
    sum1 += term(i + 1);
    sum2 += term(i + 2);
    sum3 += term(i + 3);
  }
  if (i < n) sum0 += term(i++);
  if (i < n) sum1 += term(i++);
  if (i < n) sum2 += term(i++);
  return (sum0 + sum2) + (sum1 + sum3);
}

template <class T, class I>
double sparse_dot(const T* values, const I* indices, std::size_t nonzeros, const double* w) {
  return sum_of_four(nonzeros, [=](std::size_t i) FINITESUM_INLINE_LAMBDA {
    return static_cast<double>(values[i]) * w[static_cast<std::size_t>(indices[i])];
  });
}

template <class T, class I>
void sparse_axpy(double a, const T* values, const I* indices, std::size_t nonzeros, double* w) {
  for (std::size_t i = 0; i < nonzeros; ++i) {
    w[static_cast<std::size_t>(indices[i])] += a * static_cast<double>(values[i]);
  }
}

template <class T, class I>
constexpr SparseKernels<T, I> sparse_kernels = {sparse_dot<T, I>, squared_norm<T>, sparse_axpy<T, I>};

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
