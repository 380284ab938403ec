// Four dense rows at a time against vectors that need not fit the first-level cache: these are read once for four rows.
// A sum goes through eight lanes, as lanes.inl has sixteen: with eight sums at once more do not fit the registers.
#pragma once

#include "kernels/lanes.inl"
#include "kernels/table.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

// `Sums` sums of n terms each: term(j, k), j < n, is term j of sum k.
template <std::size_t Sums, class Term>
FINITESUM_INLINE void sums_of_eight_lanes(std::size_t n, double* out, const Term& term) {
  constexpr std::size_t lanes = 8;
  double acc[Sums][lanes] = {};
  std::size_t j = 0;
  for (; j + lanes <= n; j += lanes) {
#pragma GCC unroll 8  // else the accumulators stay in memory
    for (std::size_t k = 0; k < Sums; ++k) {
#pragma omp simd
      for (std::size_t l = 0; l < lanes; ++l) acc[k][l] += term(j + l, k);
    }
  }
  if (n < lanes) {
    for (std::size_t l = 0; j < n; ++j, ++l) {
      for (std::size_t k = 0; k < Sums; ++k) acc[k][l] += term(j, k);
    }
  } else if (j < n) {
    // As in lane_sum: the last terms once more as a whole, without those that are counted already.
    const std::size_t first = n - lanes;
    const std::size_t counted = j - first;
#pragma GCC unroll 8
    for (std::size_t k = 0; k < Sums; ++k) {
#pragma omp simd
      for (std::size_t l = 0; l < lanes; ++l) {
        const double last = term(first + l, k);
        acc[k][l] += l < counted ? 0.0 : last;
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t k = 0; k < Sums; ++k) {
    double four[4];
    for (std::size_t l = 0; l < 4; ++l) four[l] = acc[k][l] + acc[k][l + 4];
    out[k] = (four[0] + four[2]) + (four[1] + four[3]);
  }
}

template <class T>
struct Quad {
  const T* row[4];
  FINITESUM_INLINE explicit Quad(const T* const* x) : row{x[0], x[1], x[2], x[3]} {}
  FINITESUM_INLINE Quad(const T* x, std::size_t stride) : row{x, x + stride, x + 2 * stride, x + 3 * stride} {}
  FINITESUM_INLINE double at(std::size_t r, std::size_t j) const { return static_cast<double>(row[r][j]); }
};

template <class T>
void quad_dot(const T* const* rows, std::size_t n, const double* a, const double* b, double* out) {
  const Quad<T> x(rows);
  sums_of_eight_lanes<8>(n, out, [=](std::size_t j, std::size_t k) FINITESUM_INLINE_LAMBDA {
    return x.at(k % 4, j) * (k < 4 ? a : b)[j];
  });
}

template <class T>
void quad_gram(const T* const* rows, std::size_t n, double* out) {
  constexpr std::size_t left[6] = {0, 0, 0, 1, 1, 2};
  constexpr std::size_t right[6] = {1, 2, 3, 2, 3, 3};
  const Quad<T> x(rows);
  sums_of_eight_lanes<6>(n, out, [=](std::size_t j, std::size_t k) FINITESUM_INLINE_LAMBDA {
    return x.at(left[k], j) * x.at(right[k], j);
  });
}

template <class T>
void quad_axpy(const double* factors, const T* const* rows, std::size_t n, double* __restrict a, double* __restrict b) {
  const Quad<T> x(rows);
  double of_a[4];
  double of_b[4];
  for (std::size_t r = 0; r < 4; ++r) {
    of_a[r] = factors[r];
    of_b[r] = factors[4 + r];
  }
#pragma omp simd
  for (std::size_t j = 0; j < n; ++j) {
    a[j] += (of_a[0] * x.at(0, j) + of_a[1] * x.at(1, j)) + (of_a[2] * x.at(2, j) + of_a[3] * x.at(3, j));
    b[j] += (of_b[0] * x.at(0, j) + of_b[1] * x.at(1, j)) + (of_b[2] * x.at(2, j) + of_b[3] * x.at(3, j));
  }
}

// Two rows of w at a time, and the last one alone where K is odd.
template <class T>
void quad_multiply(const T* const* rows, std::size_t n, const double* w, std::size_t K, double* out) {
  double sums[8];
  std::size_t k = 0;
  for (; k + 2 <= K; k += 2) {
    quad_dot(rows, n, w + k * n, w + (k + 1) * n, sums);
    for (std::size_t at = 0; at < 8; ++at) out[at % 4 * K + k + at / 4] = sums[at];
  }
  if (k == K) return;
  const Quad<T> x(rows);
  const double* a = w + k * n;
  sums_of_eight_lanes<4>(n, sums,
                         [=](std::size_t j, std::size_t r) FINITESUM_INLINE_LAMBDA { return x.at(r, j) * a[j]; });
  for (std::size_t r = 0; r < 4; ++r) out[r * K + k] = sums[r];
}

// Sums as above, with a single row's entries against four rows of w at a time.
template <class T>
void quad_multiply_row(const T* x, std::size_t n, const double* w, std::size_t K, double* out) {
  std::size_t k = 0;
  for (; k + 4 <= K; k += 4) {
    const Quad<double> of_w(w + k * n, n);
    sums_of_eight_lanes<4>(n, out + k, [=](std::size_t j, std::size_t at) FINITESUM_INLINE_LAMBDA {
      return static_cast<double>(x[j]) * of_w.at(at, j);
    });
  }
  for (; k < K; ++k) {
    const double* a = w + k * n;
    sums_of_eight_lanes<1>(n, out + k, [=](std::size_t j, std::size_t) FINITESUM_INLINE_LAMBDA {
      return static_cast<double>(x[j]) * a[j];
    });
  }
}

template <class T>
void quad_add_products(const double* factors, const T* const* rows, std::size_t n, double* w, std::size_t K) {
  double f[8];
  std::size_t k = 0;
  for (; k + 2 <= K; k += 2) {
    for (std::size_t at = 0; at < 8; ++at) f[at] = factors[at % 4 * K + k + at / 4];
    quad_axpy(f, rows, n, w + k * n, w + (k + 1) * n);
  }
  if (k == K) return;
  const Quad<T> x(rows);
  double* __restrict a = w + k * n;
  for (std::size_t r = 0; r < 4; ++r) f[r] = factors[r * K + k];
#pragma omp simd
  for (std::size_t j = 0; j < n; ++j)
    a[j] += (f[0] * x.at(0, j) + f[1] * x.at(1, j)) + (f[2] * x.at(2, j) + f[3] * x.at(3, j));
}

template <class T>
constexpr DenseQuadKernels<T> dense_quad_kernels = {quad_dot<T>,      quad_gram<T>,         quad_axpy<T>,
                                                    quad_multiply<T>, quad_multiply_row<T>, quad_add_products<T>};

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
