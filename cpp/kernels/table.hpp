// The inner loops as function pointers: what each instruction set's object file exports, and all that it exports.
// Pointers and plain data only. Every kernel gives the same bits on every instruction set: elementwise loops round
// each element alone, and sums run through a fixed number of lanes combined by a fixed tree.
#pragma once

#include "core/types.hpp"
#include "layers/activations.hpp"
#include "losses/any.hpp"

namespace finitesum {

template <class T>
struct DecayStep;  // optimizers/decay.hpp

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

// The same step for rows seen as x_j - m_j, with a length of its own for each column:
//   w_j <- soft(w_j - c_j (direction * d_j + fresh * (x_j - m_j)), c_j threshold) / (base + c_j decay)
//   d_j <- d_j + change * (x_j - m_j)
struct ScaledStep {
  double direction;
  double fresh;
  double change;
  double threshold;
  double decay;
  double base;            // 1, or more by the pull of a center, which is the same in all columns
  const double* centers;  // m
  const double* factors;  // c
};

// One dense step of the coupled sequences (solvers/coupled_iterates.hpp) z and y, with anchor w and gradient d:
//   z_j     <- shrink * soft(z_j - direction * d_j - fresh * x_j, threshold)
//   y_j     <- theta * z_j + w_j / 2 + kappa * y_j
//   point_j <- theta * z_j + w_j / 2 + kappa * y_j
struct CoupledCoefficients {
  double direction;
  double fresh;
  double threshold;
  double shrink;
  double theta;
  double kappa;
};

// Columns of a strip (kernels/gram.inl).
inline constexpr std::size_t strip_width = 8;

template <class T>
struct DenseKernels {
  double (*dot)(const T* x, const double* w, std::size_t n);
  double (*squared_norm)(const T* x, std::size_t n);
  void (*axpy)(double a, const T* x, double* w, std::size_t n);                              // w += a x
  void (*step)(const T* x, double* w, double* d, std::size_t n, const StepCoefficients* c);  // takes threshold as 0
  void (*step_l1)(const T* x, double* w, double* d, std::size_t n, const StepCoefficients* c);
  double (*centered_dot)(const T* x, const double* centers, const double* w, std::size_t n);  // (x - m).w
  double (*scaled_squared_norm)(const T* x, const double* centers, const double* factors,
                                std::size_t n);                                               // sum_j c_j (x_j - m_j)^2
  void (*scaled_step)(const T* x, double* w, double* d, std::size_t n, const ScaledStep* c);  // takes threshold as 0
  void (*scaled_step_l1)(const T* x, double* w, double* d, std::size_t n, const ScaledStep* c);
  void (*coupled_step)(const T* x, double* z, double* y, const double* w, const double* d, double* point, std::size_t n,
                       const CoupledCoefficients* c);
  void (*axpy_squares)(double a, const T* x, double* w, std::size_t n);  // w_j += a x_j^2
  // A row a x_j of strips that begin `stride` numbers apart; what is left of the last one stays as it is.
  void (*pack_row)(double a, const T* x, std::size_t n, double* strips, std::size_t stride);
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

// The same for p x K matrices, whose row j holds the K outputs of column j, with columns in classes c = classes_j of
// equal step lengths; fresh and change are K numbers each:
//   w_jk <- shrink_c * soft(w_jk - factor_c (direction * d_jk + fresh_k * x_j), threshold_c)
//   d_jk <- d_jk + change_k * x_j
struct ColumnStep {
  double direction;
  const std::uint8_t* classes;  // null: all are of class 0
  const double* factors;
  const double* thresholds;
  const double* shrinks;
  const double* fresh;
  const double* change;
};

template <class T>
struct DenseColumnKernels {
  void (*dot)(const T* x, std::size_t n, const double* w, std::size_t K, double* out);  // out = x w
  void (*axpy)(const double* a, const T* x, std::size_t n, double* w, std::size_t K);   // w_jk += a_k x_j
};

// Four rows x_0, ..., x_3 of n numbers, and as many in the vectors a and b and in each of the K rows of w.
template <class T>
struct DenseQuadKernels {
  void (*dot)(const T* const* x, std::size_t n, const double* a, const double* b, double* out);  // x_r.a, then x_r.b
  void (*gram)(const T* const* x, std::size_t n, double* out);  // x_r.x_q for rq = 01, 02, 03, 12, 13, 23
  // a += sum_r f_r x_r, b += sum_r f_{4+r} x_r
  void (*axpy)(const double* f, const T* const* x, std::size_t n, double* a, double* b);
  void (*multiply)(const T* const* x, std::size_t n, const double* w, std::size_t K, double* out);  // out_rk = x_r.w_k
  void (*multiply_row)(const T* x, std::size_t n, const double* w, std::size_t K, double* out);  // one row, same bits
  // w_k += sum_r f_rk x_r
  void (*add_products)(const double* f, const T* const* x, std::size_t n, double* w, std::size_t K);
};

// A pair row holds the K entries of v (or w) and then the K entries of d: 2 K numbers.
template <class T, class I>
struct SparseColumnKernels {
  // Row j of w begins at j * stride.
  void (*dot)(const T* values, const I* indices, std::size_t n, const double* w, std::size_t stride, std::size_t K,
              double* out);
  void (*axpy)(const double* a, const T* values, const I* indices, std::size_t n, double* w, std::size_t K);
  void (*step_l1)(const T* values, const I* indices, std::size_t n, double* pairs, std::size_t K, const ColumnStep* c);
  // out = scale (x v + slope x d)
  void (*dot_pairs)(const T* values, const I* indices, std::size_t n, const double* pairs, std::size_t K, double scale,
                    double slope, double* out);
  // v_jk -= move_k x_j, d_jk += change_k x_j
  void (*step_pairs)(const T* values, const I* indices, std::size_t n, double* pairs, std::size_t K, const double* move,
                     const double* change);
  // The same with columns in classes c = classes_j: out_k = sum_j x_j (scale_c v_jk + slope_c d_jk), and
  // v_jk -= x_j (fresh_move_c fresh_k + change_move_c change_k), d_jk += change_k x_j.
  void (*dot_classed)(const T* values, const I* indices, std::size_t n, const double* pairs, std::size_t K,
                      const std::uint8_t* classes, const double* scales, const double* slopes, double* out);
  void (*step_classed)(const T* values, const I* indices, std::size_t n, double* pairs, std::size_t K,
                       const std::uint8_t* classes, const double* fresh_moves, const double* change_moves,
                       const double* fresh, const double* change);
};

struct SoftmaxKernels {
  // p = softmax(z); returns log(sum_k exp(z_k)) - z_label. n is a multiple of four: pad with minus infinity, which has
  // probability zero.
  double (*softmax)(const double* z, std::size_t n, std::size_t label, double* p);
  void (*x_log_x)(double* q, std::size_t n);  // in place
};

// One member per combination of dtypes.
struct ColumnKernels {
  DenseColumnKernels<float> dense_f32;
  DenseColumnKernels<double> dense_f64;
  SparseColumnKernels<float, std::int32_t> sparse_f32_i32;
  SparseColumnKernels<float, std::int64_t> sparse_f32_i64;
  SparseColumnKernels<double, std::int32_t> sparse_f64_i32;
  SparseColumnKernels<double, std::int64_t> sparse_f64_i64;
  SoftmaxKernels softmax;
};

// `step` points at the Step<T> of the table row's rule; slots are as many arrays of n numbers as the rule has.
template <class T>
struct OptimizerKernels {
  using Update = void (*)(const void* step, const DecayStep<T>* decay, const T* g, T* w, T* const* slots,
                          std::size_t n);
  Update update;  // takes decay->l1 as 0
  Update update_l1;
};

// Arrays in the order of optimizers/any.hpp, which only their users include.
struct AllOptimizerKernels {
  const OptimizerKernels<float>* dense_f32;
  const OptimizerKernels<double>* dense_f64;
};

// `n` lines of `width` numbers, from number `first` of the array on: rows, with a channel per column, or planes, line i
// of the array being of channel i mod `channels`.
struct BatchBlock {
  std::size_t first;
  std::size_t n;
  std::size_t width;
  std::size_t channels;
  bool streams;  // what is written passes the caches by
};

// y = (x - center) scale + offset, a number per channel: center is the mean rounded to T, and offset makes up for that.
template <class T>
struct Normalization {
  const T* center;
  const T* scale;
  const T* offset;
};

// dx = (dy - mean) scale + ((x - center) slope + rest)
template <class T>
struct InputGradient {
  const T* mean;
  const T* slope;
  const T* rest;
};

// Arrays are whole, the block says which part to go through. Of two functions the second has a ReLU behind it.
template <class T>
struct BatchNormLayoutKernels {
  // Sums of x - shift and (x - shift)^2; rows add to them, planes set them (kernels/batch_norm.inl says where).
  void (*moment_sums)(const T* x, const BatchBlock* block, const double* shift, double* sums);
  void (*normalize[2])(const T* x, const BatchBlock* block, const Normalization<T>* a, T* y);
  // Likewise the sums of dy and dy (x - center).
  void (*gradient_sums[2])(const T* x, const T* dy, const BatchBlock* block, const Normalization<T>* a, double* sums);
  void (*input_gradient[2])(const T* x, const T* dy, const BatchBlock* block, const Normalization<T>* a,
                            const InputGradient<T>* b, T* dx);
};

template <class T>
struct BatchNormKernels {
  BatchNormLayoutKernels<T> rows;
  BatchNormLayoutKernels<T> planes;
};

struct AllBatchNormKernels {
  BatchNormKernels<float> dense_f32;
  BatchNormKernels<double> dense_f64;
};

template <class T>
struct ActivationKernels {
  void (*forward)(const T* x, T* y, std::size_t n);
  void (*backward)(const T* y, const T* dy, T* dx, std::size_t n);  // dx = dy f'(x), from y = f(x)
};

// Entry i is 0 where a number of 16 bits that is its own, of the Philox stream, is below `dropped`, and else `scale`.
struct MaskDraw {
  std::uint64_t seed;
  std::uint64_t stream;
  std::uint32_t dropped;
  double scale;
};

template <class T>
struct NetworkKernels {
  ActivationKernels<T> activations[Activations::size];       // in the order of layers/activations.hpp
  void (*add_scaled)(T a, const T* x, T* y, std::size_t n);  // y += a x
  void (*bernoulli_mask)(const MaskDraw* draw, T* mask, std::size_t n);
};

struct AllNetworkKernels {
  NetworkKernels<float> dense_f32;
  NetworkKernels<double> dense_f64;
};

// AdaGrad on sparse rows (sgd/adagrad_weights.hpp): a coordinate is (w, v), or with L1 (u, s), s = sqrt(v + inside) and
// w = sign(u) max(|u| - level, 0) / (s + outside).
struct AdagradCoordinate {
  double first = 0;
  double second = 0;
};

// The caller raises the level.
struct AdagradStep {
  double rate;
  double inside;
  double outside;
  double level;
};

// Of the step `dot` takes `outside` and `level` alone. A step goes along factor x; the factor, which is known last,
// goes not by memory. Of two functions the second is with L1.
template <class T, class I>
struct AdagradKernels {
  double (*dot[2])(const T* values, const I* indices, std::size_t nonzeros, const AdagradCoordinate* coordinates,
                   const AdagradStep* step);
  void (*step[2])(const T* values, const I* indices, std::size_t nonzeros, AdagradCoordinate* coordinates,
                  const AdagradStep* step, double factor);
};

struct AllAdagradKernels {
  AdagradKernels<float, std::int32_t> sparse_f32_i32;
  AdagradKernels<float, std::int64_t> sparse_f32_i64;
  AdagradKernels<double, std::int32_t> sparse_f64_i32;
  AdagradKernels<double, std::int64_t> sparse_f64_i64;
};

struct QuadKernels {
  DenseQuadKernels<float> dense_f32;
  DenseQuadKernels<double> dense_f64;
};

struct KernelTable {
  const char* isa;
  // out = a^T b for strips of n rows: strip_width x strip_width numbers.
  void (*multiply_strips)(const double* a, const double* b, std::size_t n, double* out);
  DenseKernels<float> dense_f32;
  DenseKernels<double> dense_f64;
  SparseKernels<float, std::int32_t> sparse_f32_i32;
  SparseKernels<float, std::int64_t> sparse_f32_i64;
  SparseKernels<double, std::int32_t> sparse_f64_i32;
  SparseKernels<double, std::int64_t> sparse_f64_i64;
  LossKernels losses[Losses::size];  // in the order of losses/any.hpp
  ColumnKernels columns;
  QuadKernels quads;
  AllOptimizerKernels optimizers;
  AllBatchNormKernels batch_norm;
  AllNetworkKernels network;
  AllAdagradKernels adagrad;
};

// All tables name their members alike.
template <class T, class Table>
FINITESUM_INLINE const auto& dense_of(const Table& table) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return table.dense_f32;
  } else {
    return table.dense_f64;
  }
}

template <class T, class I, class Table>
FINITESUM_INLINE const auto& sparse_of(const Table& table) {
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

template <class T>
FINITESUM_INLINE const DenseKernels<T>& dense(const KernelTable& table) {
  return dense_of<T>(table);
}
template <class T, class I>
FINITESUM_INLINE const SparseKernels<T, I>& sparse(const KernelTable& table) {
  return sparse_of<T, I>(table);
}

}  // namespace finitesum
