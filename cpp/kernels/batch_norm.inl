// Batch normalization. A formula comes as a function of the channel that gives a function of the place in the array:
// in rows, where neighbors belong to different channels, the vector registers run over channels, and in planes, of one
// channel each, over the plane.
#pragma once

#include "core/math.hpp"
#include "kernels/lanes.inl"
#include "kernels/stream.inl"
#include "kernels/table.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

// Some eight terms are added in their own type V before float64 takes their sum, so that float32 terms are brought to
// float64 once in eight.
template <class V>
struct Pair {
  V first;
  V second;
};

struct ByRow {
  // The sums of some rows stay in registers: else each entry costs two loads and two stores of them. Kept apart from
  // the loop, as structs declared inside one under the pragma are not always taken apart.
  template <std::size_t Rows, class Terms>
  FINITESUM_INLINE static void add_column(std::size_t first, std::size_t width, std::size_t j, const Terms& terms,
                                          double* sum, double* second_sum) {
    const auto term = terms(j);
    auto total = term(first + j);
#pragma GCC unroll 8
    for (std::size_t r = 1; r < Rows; ++r) {
      const auto t = term(first + r * width + j);
      total.first += t.first;
      total.second += t.second;
    }
    *sum += static_cast<double>(total.first);
    *second_sum += static_cast<double>(total.second);
  }

  // sums[j] and sums[width + j] for column j.
  template <std::size_t Rows, class Terms>
  FINITESUM_INLINE static void add_rows(std::size_t first, std::size_t width, const Terms& terms, double* sums) {
#pragma omp simd
    for (std::size_t j = 0; j < width; ++j) {
      add_column<Rows>(first, width, j, terms, sums + j, sums + width + j);
    }
  }

  template <class Terms>
  FINITESUM_INLINE static void add(const BatchBlock& block, const Terms& terms, double* sums) {
    constexpr std::size_t rows = 8;
    std::size_t i = 0;
    for (; i + rows <= block.n; i += rows) add_rows<rows>(block.first + i * block.width, block.width, terms, sums);
    for (; i < block.n; ++i) add_rows<1>(block.first + i * block.width, block.width, terms, sums);
  }

  // `count` numbers of line i of the block, from column j on.
  template <class Values, class T>
  FINITESUM_INLINE static void fill(const BatchBlock& block, std::size_t i, std::size_t j, std::size_t count,
                                    const Values& values, T* out) {
    const std::size_t at = block.first + i * block.width + j;
#pragma omp simd
    for (std::size_t k = 0; k < count; ++k) out[k] = values(j + k)(at + k);
  }
};

struct ByPlane {
  // Terms at + l of some groups of lanes.
  template <std::size_t Groups, class Term>
  FINITESUM_INLINE static void add_groups(std::size_t at, const Term& term, Lanes& first, Lanes& second) {
    using V = decltype(term(at).first);
    V a[Lanes::size] = {};
    V b[Lanes::size] = {};
#pragma GCC unroll 8
    for (std::size_t g = 0; g < Groups; ++g) {
#pragma omp simd
      for (std::size_t l = 0; l < Lanes::size; ++l) {
        const auto t = term(at + g * Lanes::size + l);
        a[l] += t.first;
        b[l] += t.second;
      }
    }
#pragma omp simd
    for (std::size_t l = 0; l < Lanes::size; ++l) {
      first.lane[l] += static_cast<double>(a[l]);
      second.lane[l] += static_cast<double>(b[l]);
    }
  }

  // sums[2 i] and sums[2 i + 1] for plane i of the whole array. As in lane_sum, 16 lanes and a fixed tree.
  template <class Terms>
  FINITESUM_INLINE static void add(const BatchBlock& block, const Terms& terms, double* sums) {
    const std::size_t first_plane = block.first / block.width;
    for (std::size_t i = first_plane; i < first_plane + block.n; ++i) {
      const auto term = terms(i % block.channels);
      const std::size_t end = (i + 1) * block.width;
      Lanes first, second;
      std::size_t at = i * block.width;
      constexpr std::size_t groups = 8;
      for (; at + groups * Lanes::size <= end; at += groups * Lanes::size) add_groups<groups>(at, term, first, second);
      for (; at + Lanes::size <= end; at += Lanes::size) add_groups<1>(at, term, first, second);
      for (std::size_t l = 0; at < end; ++at, ++l) {
        const auto t = term(at);
        first.lane[l] += static_cast<double>(t.first);
        second.lane[l] += static_cast<double>(t.second);
      }
      sums[2 * i] = first.sum();
      sums[2 * i + 1] = second.sum();
    }
  }

  template <class Values, class T>
  FINITESUM_INLINE static void fill(const BatchBlock& block, std::size_t i, std::size_t j, std::size_t count,
                                    const Values& values, T* out) {
    const auto value = values((block.first / block.width + i) % block.channels);
    const std::size_t at = block.first + i * block.width + j;
#pragma omp simd
    for (std::size_t k = 0; k < count; ++k) out[k] = value(at + k);
  }
};

// out[i] = value(i) for all numbers of the block, line by line: several rows at a time would save loads of the
// channels' numbers, but memory is read faster one row after the other. What is to pass the caches by goes through a
// short buffer.
template <class Layout, class Values, class T>
FINITESUM_INLINE void assign(const BatchBlock& block, const Values& values, T* out) {
  constexpr std::size_t size = 64;
  alignas(64) T buffer[size];
  for (std::size_t i = 0; i < block.n; ++i) {
    T* const line = out + block.first + i * block.width;
    if (!block.streams) {
      Layout::fill(block, i, 0, block.width, values, line);
      continue;
    }
    for (std::size_t j = 0; j < block.width; j += size) {
      const std::size_t count = block.width - j < size ? block.width - j : size;
      Layout::fill(block, i, j, count, values, buffer);
      stream(buffer, count, line + j);
    }
  }
  if (block.streams) finish_streams();
}

template <class T>
FINITESUM_INLINE T normalized(T x, T center, T scale, T offset) {
  return (x - center) * scale + offset;
}

template <class Layout, class T>
void moment_sums(const T* x, const BatchBlock* block, const double* shift, double* sums) {
  const auto terms = [=](std::size_t c) FINITESUM_INLINE_LAMBDA {
    const double s = shift[c];
    return [=](std::size_t i) FINITESUM_INLINE_LAMBDA {
      const double d = static_cast<double>(x[i]) - s;
      return Pair<double>{d, d * d};
    };
  };
  Layout::add(*block, terms, sums);
}

template <class Layout, bool Relu, class T>
void normalize(const T* x, const BatchBlock* block, const Normalization<T>* normalization, T* y) {
  const Normalization<T> a = *normalization;
  const auto values = [=](std::size_t c) FINITESUM_INLINE_LAMBDA {
    const T center = a.center[c], scale = a.scale[c], offset = a.offset[c];
    return [=](std::size_t i) FINITESUM_INLINE_LAMBDA {
      const T value = normalized(x[i], center, scale, offset);
      return Relu ? math::max(value, T{0}) : value;
    };
  };
  assign<Layout>(*block, values, y);
}

// Whether ReLU has cut the output off, which is computed again: with the same operations, hence with the same sign.
// What is chosen by it is a result, not dy itself: a load of dy under a mask would wait for x.
template <bool Relu, class T>
FINITESUM_INLINE bool is_cut(T x, T center, T scale, T offset) {
  if constexpr (Relu) return normalized(x, center, scale, offset) <= T{0};
  return false;
}

template <class Layout, bool Relu, class T>
void gradient_sums(const T* x, const T* dy, const BatchBlock* block, const Normalization<T>* normalization,
                   double* sums) {
  const Normalization<T> a = *normalization;
  const auto terms = [=](std::size_t c) FINITESUM_INLINE_LAMBDA {
    const T center = a.center[c], scale = a.scale[c], offset = a.offset[c];
    return [=](std::size_t i) FINITESUM_INLINE_LAMBDA {
      const bool cut = is_cut<Relu>(x[i], center, scale, offset);
      const T g = dy[i], product = g * (x[i] - center);
      return Pair<T>{cut ? T{0} : g, cut ? T{0} : product};
    };
  };
  Layout::add(*block, terms, sums);
}

template <class Layout, bool Relu, class T>
void input_gradient(const T* x, const T* dy, const BatchBlock* block, const Normalization<T>* normalization,
                    const InputGradient<T>* gradient, T* dx) {
  const Normalization<T> a = *normalization;
  const InputGradient<T> b = *gradient;
  const auto values = [=](std::size_t c) FINITESUM_INLINE_LAMBDA {
    const T center = a.center[c], scale = a.scale[c], offset = a.offset[c];
    const T mean = b.mean[c], slope = b.slope[c], rest = b.rest[c];
    return [=](std::size_t i) FINITESUM_INLINE_LAMBDA {
      const T distance = dy[i] - mean;
      const T g = is_cut<Relu>(x[i], center, scale, offset) ? T{0} - mean : distance;
      return g * scale + ((x[i] - center) * slope + rest);
    };
  };
  assign<Layout>(*block, values, dx);
}

template <class Layout, class T>
constexpr BatchNormLayoutKernels<T> batch_norm_layout_kernels = {
    moment_sums<Layout, T>,
    {normalize<Layout, false, T>, normalize<Layout, true, T>},
    {gradient_sums<Layout, false, T>, gradient_sums<Layout, true, T>},
    {input_gradient<Layout, false, T>, input_gradient<Layout, true, T>}};

template <class T>
constexpr BatchNormKernels<T> batch_norm_kernels = {batch_norm_layout_kernels<ByRow, T>,
                                                    batch_norm_layout_kernels<ByPlane, T>};

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
