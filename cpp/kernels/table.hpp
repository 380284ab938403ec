// The inner loops as function pointers: what each instruction set's object file exports, and all that it exports.
// Pointers and plain data only. Every kernel gives the same bits on every instruction set: elementwise loops round
// each element alone, and sums run through a fixed number of lanes combined by a fixed tree.
#pragma once

#include "core/types.hpp"
#include "losses/any.hpp"

namespace finitesum {

// One dense stochastic step; d is the running gradient sum (SAG, SAGA) or the anchor's gradient (SVRG):
//   w_j <- shrink * soft(w_j - direction * d_j - fresh * x_j, threshold)
//   d_j <- d_j + change * x_j
struct StepCoefficients {
  double direction;
  double fresh;
  double change;
  double threshold;
  double shrink;
};

template <class T>
struct DenseKernels {
  double (*dot)(const T* x, const double* w, std::size_t n);
  double (*squared_norm)(const T* x, std::size_t n);
  void (*axpy)(double a, const T* x, double* w, std::size_t n);                              // w += a x
  void (*step)(const T* x, double* w, double* d, std::size_t n, const StepCoefficients* c);  // takes threshold as 0
  void (*step_l1)(const T* x, double* w, double* d, std::size_t n, const StepCoefficients* c);
};

// Column indices must be unique within a row and lie inside w.
template <class T, class I>
struct SparseKernels {
  double (*dot)(const T* values, const I* indices, std::size_t nonzeros, const double* w);
  double (*squared_norm)(const T* values, std::size_t nonzeros);
  void (*axpy)(double a, const T* values, const I* indices, std::size_t nonzeros, double* w);
};

// `loss` points at the struct of the table row's type; s, the sample weights, may be null for all ones.
struct LossKernels {
  double (*value_sum)(const void* loss, const double* z, const double* y, const double* s, std::size_t n);
  void (*derivatives)(const void* loss, const double* z, const double* y, double* out, std::size_t n);
  void (*curvatures)(const void* loss, const double* z, const double* y, double* out, std::size_t n);
  // sum_i s_i l*(scale u_i, y_i)
  double (*conjugate_sum)(const void* loss, double scale, const double* u, const double* y, const double* s,
                          std::size_t n);
};

struct KernelTable {
  const char* isa;
  DenseKernels<float> dense_f32;
  DenseKernels<double> dense_f64;
  SparseKernels<float, std::int32_t> sparse_f32_i32;
  SparseKernels<float, std::int64_t> sparse_f32_i64;
  SparseKernels<double, std::int32_t> sparse_f64_i32;
  SparseKernels<double, std::int64_t> sparse_f64_i64;
  LossKernels losses[Losses::size];  // in the order of losses/any.hpp
};

template <class T>
FINITESUM_INLINE const DenseKernels<T>& dense(const KernelTable& table) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return table.dense_f32;
  } else {
    return table.dense_f64;
  }
}

template <class T, class I>
FINITESUM_INLINE const SparseKernels<T, I>& sparse(const KernelTable& table) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if constexpr (sizeof(I) == 4) {
      return table.sparse_f32_i32;
    } else {
      return table.sparse_f32_i64;
    }
  } else {
    if constexpr (sizeof(I) == 4) {
      return table.sparse_f64_i32;
    } else {
      return table.sparse_f64_i64;
    }
  }
}

}  // namespace finitesum
