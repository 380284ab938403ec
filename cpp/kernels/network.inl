// What networks do element by element: activations, random masks, sums of scaled rows.
#pragma once

#include "kernels/dense.inl"
#include "kernels/table.hpp"
#include "layers/activations.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

template <class Activation, class T>
void activate(const T* __restrict x, T* __restrict y, std::size_t n) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) y[i] = Activation::value(x[i]);
}

template <class Activation, class T>
void activation_gradient(const T* __restrict y, const T* __restrict dy, T* __restrict dx, std::size_t n) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) dx[i] = dy[i] * Activation::slope(y[i]);
}

void add_scaled(float a, const float* __restrict x, float* __restrict y, std::size_t n) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) y[i] += a * x[i];
}

template <class T>
constexpr auto adder() {
  if constexpr (sizeof(T) == sizeof(double)) {
    return dense_axpy<double>;
  } else {
    return add_scaled;
  }
}

// Philox4x32-10 (core/random.hpp) for sixteen counters at a time. Part q of counter l, 16 bits, decides on entry
// 16 q + l of a group of 128.
struct MaskGroup {
  static constexpr std::size_t lanes = 16;
  static constexpr std::size_t size = 8 * lanes;

  FINITESUM_INLINE static void draw(const std::uint32_t* key, std::uint64_t stream, std::uint64_t first,
                                    std::uint32_t words[4][lanes]) {
    for (std::size_t l = 0; l < lanes; ++l) {
      words[0][l] = static_cast<std::uint32_t>(first + l);
      words[1][l] = static_cast<std::uint32_t>((first + l) >> 32);
      words[2][l] = static_cast<std::uint32_t>(stream);
      words[3][l] = static_cast<std::uint32_t>(stream >> 32);
    }
    std::uint32_t k0 = key[0];
    std::uint32_t k1 = key[1];
    for (int round = 0; round < 10; ++round) {
#pragma omp simd
      for (std::size_t l = 0; l < lanes; ++l) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * words[0][l];
        const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * words[2][l];
        words[0][l] = static_cast<std::uint32_t>(p1 >> 32) ^ words[1][l] ^ k0;
        words[1][l] = static_cast<std::uint32_t>(p1);
        words[2][l] = static_cast<std::uint32_t>(p0 >> 32) ^ words[3][l] ^ k1;
        words[3][l] = static_cast<std::uint32_t>(p0);
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
  }
};

template <class T>
void bernoulli_mask(const MaskDraw* draw, T* mask, std::size_t n) {
  const std::uint32_t key[2] = {static_cast<std::uint32_t>(draw->seed), static_cast<std::uint32_t>(draw->seed >> 32)};
  const T scale = static_cast<T>(draw->scale);
  for (std::size_t begin = 0; begin < n; begin += MaskGroup::size) {
    std::uint32_t words[4][MaskGroup::lanes];
    MaskGroup::draw(key, draw->stream, begin / MaskGroup::size * MaskGroup::lanes, words);
    T part[MaskGroup::size];
    for (std::size_t w = 0; w < 4; ++w) {
#pragma omp simd
      for (std::size_t l = 0; l < MaskGroup::lanes; ++l) {
        const std::uint32_t low = words[w][l] & 0xffffu;
        const std::uint32_t high = words[w][l] >> 16;
        part[2 * w * MaskGroup::lanes + l] = low < draw->dropped ? T{0} : scale;
        part[(2 * w + 1) * MaskGroup::lanes + l] = high < draw->dropped ? T{0} : scale;
      }
    }
    const std::size_t count = n - begin < MaskGroup::size ? n - begin : MaskGroup::size;
    for (std::size_t i = 0; i < count; ++i) mask[begin + i] = part[i];
  }
}

template <class T, class... Activation>
constexpr NetworkKernels<T> make_network_kernels(TypeList<Activation...>) {
  return {{{activate<Activation, T>, activation_gradient<Activation, T>}...}, adder<T>(), bernoulli_mask<T>};
}

template <class T>
constexpr NetworkKernels<T> network_kernels = make_network_kernels<T>(Activations{});

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
