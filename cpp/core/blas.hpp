// Matrix products by a BLAS of the host's (SciPy's): pointers to its xGEMM, handed in; none is linked.
#pragma once

#include <cstddef>
#include <type_traits>

namespace finitesum {

template <class T>
using GemmFunction = void (*)(char* transpose_a, char* transpose_b, int* m, int* n, int* k, T* alpha, T* a, int* lda,
                              T* b, int* ldb, T* beta, T* c, int* ldc);

struct Blas {
  GemmFunction<float> sgemm;
  GemmFunction<double> dgemm;
};

// A matrix in row-major order, as stored, the distance from row to row, and whether the product takes its transpose.
template <class T>
struct Factor {
  const T* values;
  std::size_t stride;
  bool is_transposed = false;
};

// c (m x n) = a (m x k) b (k x n) + beta c. BLAS has columns first: it sees transposes, c^T = b^T a^T. No size exceeds
// an int: whoever makes the matrices checks that. Rows of c are `stride` apart, by default n.
template <class T>
void multiply(const Blas& blas, std::size_t m, std::size_t n, std::size_t k, const Factor<T>& a, const Factor<T>& b,
              T beta, T* c, std::size_t stride = 0) {
  char transpose_a = a.is_transposed ? 'T' : 'N';
  char transpose_b = b.is_transposed ? 'T' : 'N';
  int sizes[] = {static_cast<int>(m), static_cast<int>(n), static_cast<int>(k)};
  int strides[] = {static_cast<int>(a.stride), static_cast<int>(b.stride), static_cast<int>(stride > 0 ? stride : n)};
  T one = 1;
  GemmFunction<T> gemm;
  if constexpr (std::is_same_v<T, float>) {
    gemm = blas.sgemm;
  } else {
    gemm = blas.dgemm;
  }
  gemm(&transpose_b, &transpose_a, &sizes[1], &sizes[0], &sizes[2], &one, const_cast<T*>(b.values), &strides[1],
       const_cast<T*>(a.values), &strides[0], &beta, c, &strides[2]);
}

}  // namespace finitesum
