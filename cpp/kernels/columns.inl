// Rows of X against p x K matrices stored by rows: the K outputs of a column stand side by side and are worked on
// together, in tiles that stay in registers while the row goes by. Output k of a sum takes its terms in the order of
// the row, so the tiles, and with them the width of the registers, leave the bits alone.
#pragma once

#include "core/math.hpp"
#include "kernels/lanes.inl"
#include "kernels/table.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

template <std::size_t n>
struct Tile {
  static constexpr std::size_t size = n;
};

// Calls body(k, Tile<m>) for tiles [k, k + m) that cover [0, n).
template <class Body>
FINITESUM_INLINE void for_each_tile(std::size_t n, const Body& body) {
  std::size_t k = 0;
  for (; k + 8 <= n; k += 8) body(k, Tile<8>{});
  if (k + 4 <= n) {
    body(k, Tile<4>{});
    k += 4;
  }
  switch (n - k) {
    case 3:
      return body(k, Tile<3>{});
    case 2:
      return body(k, Tile<2>{});
    case 1:
      return body(k, Tile<1>{});
    default:
      return;
  }
}

template <class T>
struct DenseEntries {
  const T* values;
  FINITESUM_INLINE double value(std::size_t i) const { return static_cast<double>(values[i]); }
  FINITESUM_INLINE std::size_t column(std::size_t i) const { return i; }
};

template <class T, class I>
struct SparseEntries {
  const T* values;
  const I* indices;
  FINITESUM_INLINE double value(std::size_t i) const { return static_cast<double>(values[i]); }
  FINITESUM_INLINE std::size_t column(std::size_t i) const { return static_cast<std::size_t>(indices[i]); }
};

template <class Entries>
FINITESUM_INLINE void dot_columns(const Entries x, std::size_t n, const double* w, std::size_t stride, std::size_t K,
                                  double* out) {
  for_each_tile(K, [=](std::size_t first, auto tile) FINITESUM_INLINE_LAMBDA {
    constexpr std::size_t size = decltype(tile)::size;
    double sum[size] = {};
    for (std::size_t i = 0; i < n; ++i) {
      const double value = x.value(i);
      const double* w_j = w + x.column(i) * stride + first;
      for (std::size_t k = 0; k < size; ++k) sum[k] += value * w_j[k];
    }
    for (std::size_t k = 0; k < size; ++k) out[first + k] = sum[k];
  });
}

template <class Entries>
FINITESUM_INLINE void axpy_columns(const double* a, const Entries x, std::size_t n, double* w, std::size_t stride,
                                   std::size_t K) {
  for_each_tile(K, [=](std::size_t first, auto tile) FINITESUM_INLINE_LAMBDA {
    constexpr std::size_t size = decltype(tile)::size;
    double factor[size];
    for (std::size_t k = 0; k < size; ++k) factor[k] = a[first + k];
    for (std::size_t i = 0; i < n; ++i) {
      const double value = x.value(i);
      double* w_j = w + x.column(i) * stride + first;
      for (std::size_t k = 0; k < size; ++k) w_j[k] += factor[k] * value;
    }
  });
}

template <class T, class I>
void sparse_step_columns_l1(const T* values, const I* indices, std::size_t n, double* pairs, std::size_t K,
                            const ColumnStep* coefficients) {
  const SparseEntries<T, I> x{values, indices};
  const ColumnStep c = *coefficients;
  for_each_tile(K, [=](std::size_t first, auto tile) FINITESUM_INLINE_LAMBDA {
    constexpr std::size_t size = decltype(tile)::size;
    double fresh[size];
    double change[size];
    for (std::size_t k = 0; k < size; ++k) {
      fresh[k] = c.fresh[first + k];
      change[k] = c.change[first + k];
    }
    for (std::size_t i = 0; i < n; ++i) {
      const double value = x.value(i);
      const std::size_t j = x.column(i);
      const std::size_t of_column = c.classes == nullptr ? 0 : c.classes[j];
      const double factor = c.factors[of_column];
      const double threshold = c.thresholds[of_column];
      const double shrink = c.shrinks[of_column];
      double* w_j = pairs + j * 2 * K + first;
      double* d_j = w_j + K;
      double moved[size];
      double sum[size];
      for (std::size_t k = 0; k < size; ++k) {
        const double to = w_j[k] - factor * (c.direction * d_j[k] + fresh[k] * value);
        moved[k] = shrink * math::soft_threshold(to, threshold);
        sum[k] = d_j[k] + change[k] * value;
      }
      for (std::size_t k = 0; k < size; ++k) w_j[k] = moved[k];
      for (std::size_t k = 0; k < size; ++k) d_j[k] = sum[k];
    }
  });
}

template <class T>
void dense_dot_columns(const T* x, std::size_t n, const double* w, std::size_t K, double* out) {
  dot_columns(DenseEntries<T>{x}, n, w, K, K, out);
}
template <class T>
void dense_axpy_columns(const double* a, const T* x, std::size_t n, double* w, std::size_t K) {
  axpy_columns(a, DenseEntries<T>{x}, n, w, K, K);
}
template <class T, class I>
void sparse_dot_columns(const T* values, const I* indices, std::size_t n, const double* w, std::size_t stride,
                        std::size_t K, double* out) {
  dot_columns(SparseEntries<T, I>{values, indices}, n, w, stride, K, out);
}
template <class T, class I>
void sparse_axpy_columns(const double* a, const T* values, const I* indices, std::size_t n, double* w, std::size_t K) {
  axpy_columns(a, SparseEntries<T, I>{values, indices}, n, w, K, K);
}
template <class T, class I>
void dot_column_pairs(const T* values, const I* indices, std::size_t n, const double* pairs, std::size_t K,
                      double scale, double slope, double* out) {
  const SparseEntries<T, I> x{values, indices};
  for_each_tile(K, [=](std::size_t first, auto tile) FINITESUM_INLINE_LAMBDA {
    constexpr std::size_t size = decltype(tile)::size;
    double v[size] = {};
    double d[size] = {};
    for (std::size_t i = 0; i < n; ++i) {
      const double value = x.value(i);
      const double* pair = pairs + x.column(i) * 2 * K + first;
      for (std::size_t k = 0; k < size; ++k) v[k] += value * pair[k];
      for (std::size_t k = 0; k < size; ++k) d[k] += value * pair[K + k];
    }
    for (std::size_t k = 0; k < size; ++k) out[first + k] = scale * (v[k] + slope * d[k]);
  });
}

template <class T, class I>
void step_column_pairs(const T* values, const I* indices, std::size_t n, double* pairs, std::size_t K,
                       const double* move, const double* change) {
  const SparseEntries<T, I> x{values, indices};
  for_each_tile(K, [=](std::size_t first, auto tile) FINITESUM_INLINE_LAMBDA {
    constexpr std::size_t size = decltype(tile)::size;
    double of_v[size];
    double of_d[size];
    for (std::size_t k = 0; k < size; ++k) {
      of_v[k] = move[first + k];
      of_d[k] = change[first + k];
    }
    for (std::size_t i = 0; i < n; ++i) {
      const double value = x.value(i);
      double* pair = pairs + x.column(i) * 2 * K + first;
      for (std::size_t k = 0; k < size; ++k) pair[k] -= of_v[k] * value;
      for (std::size_t k = 0; k < size; ++k) pair[K + k] += of_d[k] * value;
    }
  });
}

template <class T, class I>
void dot_classed_columns(const T* values, const I* indices, std::size_t n, const double* pairs, std::size_t K,
                         const std::uint8_t* classes, const double* scales, const double* slopes, double* out) {
  const SparseEntries<T, I> x{values, indices};
  for_each_tile(K, [=](std::size_t first, auto tile) FINITESUM_INLINE_LAMBDA {
    constexpr std::size_t size = decltype(tile)::size;
    double v[size] = {};
    double d[size] = {};
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t j = x.column(i);
      const double of_v = x.value(i) * scales[classes[j]];
      const double of_d = x.value(i) * slopes[classes[j]];
      const double* pair = pairs + j * 2 * K + first;
      for (std::size_t k = 0; k < size; ++k) v[k] += of_v * pair[k];
      for (std::size_t k = 0; k < size; ++k) d[k] += of_d * pair[K + k];
    }
    for (std::size_t k = 0; k < size; ++k) out[first + k] = v[k] + d[k];
  });
}

template <class T, class I>
void step_classed_columns(const T* values, const I* indices, std::size_t n, double* pairs, std::size_t K,
                          const std::uint8_t* classes, const double* fresh_moves, const double* change_moves,
                          const double* fresh, const double* change) {
  const SparseEntries<T, I> x{values, indices};
  for_each_tile(K, [=](std::size_t first, auto tile) FINITESUM_INLINE_LAMBDA {
    constexpr std::size_t size = decltype(tile)::size;
    double of_fresh[size];
    double of_change[size];
    for (std::size_t k = 0; k < size; ++k) {
      of_fresh[k] = fresh[first + k];
      of_change[k] = change[first + k];
    }
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t j = x.column(i);
      const double value = x.value(i);
      const double along_fresh = value * fresh_moves[classes[j]];
      const double along_change = value * change_moves[classes[j]];
      double* pair = pairs + j * 2 * K + first;
      for (std::size_t k = 0; k < size; ++k) pair[k] -= along_fresh * of_fresh[k] + along_change * of_change[k];
      for (std::size_t k = 0; k < size; ++k) pair[K + k] += of_change[k] * value;
    }
  });
}

// n is a multiple of four.
double softmax(const double* __restrict z, std::size_t n, std::size_t label, double* __restrict p) {
  constexpr std::size_t lanes = 4;
  double top[lanes];
  for (std::size_t l = 0; l < lanes; ++l) top[l] = z[l];
  for (std::size_t k = lanes; k < n; k += lanes) {
    for (std::size_t l = 0; l < lanes; ++l) top[l] = math::max(z[k + l], top[l]);
  }
  const double largest = math::max(math::max(top[0], top[2]), math::max(top[1], top[3]));
  double sum[lanes] = {};
  for (std::size_t k = 0; k < n; k += lanes) {
    for (std::size_t l = 0; l < lanes; ++l) {
      const double e = math::exp(z[k + l] - largest);
      sum[l] += e;
      p[k + l] = e;
    }
  }
  const double total = (sum[0] + sum[2]) + (sum[1] + sum[3]);
  const double inverse = 1.0 / total;
  for (std::size_t k = 0; k < n; ++k) p[k] *= inverse;
  return (largest - z[label]) + math::log(total);
}

void x_log_x(double* q, std::size_t n) {
#pragma omp simd
  for (std::size_t k = 0; k < n; ++k) q[k] = math::x_log_x(q[k]);
}

template <class T>
constexpr DenseColumnKernels<T> dense_column_kernels = {dense_dot_columns<T>, dense_axpy_columns<T>};

template <class T, class I>
constexpr SparseColumnKernels<T, I> sparse_column_kernels = {
    sparse_dot_columns<T, I>, sparse_axpy_columns<T, I>, sparse_step_columns_l1<T, I>, dot_column_pairs<T, I>,
    step_column_pairs<T, I>,  dot_classed_columns<T, I>, step_classed_columns<T, I>};

constexpr SoftmaxKernels softmax_kernels = {softmax, x_log_x};

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
