// Row arithmetic through the kernels of the active instruction set: one overload per row type, so that algorithms are
// written once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/matrix_view.hpp"
#include "core/parallel.hpp"
#include "core/targets.hpp"
#include "isa/isa.hpp"
#include "kernels/table.hpp"
#include "solvers/control.hpp"

namespace finitesum {

template <class T>
const DenseKernels<T>& row_kernels(const KernelTable& table, const DenseView<T>&) {
  return dense<T>(table);
}

template <class T, class I>
const SparseKernels<T, I>& row_kernels(const KernelTable& table, const CsrView<T, I>&) {
  return sparse<T, I>(table);
}

template <class T>
double dot(const DenseKernels<T>& k, DenseRow<T> x, const double* w) {
  return k.dot(x.values, w, x.size);
}
template <class T, class I>
double dot(const SparseKernels<T, I>& k, SparseRow<T, I> x, const double* w) {
  return k.dot(x.values, x.indices, x.size, w);
}

template <class T>
void axpy(const DenseKernels<T>& k, double a, DenseRow<T> x, double* w) {
  k.axpy(a, x.values, w, x.size);
}
template <class T, class I>
void axpy(const SparseKernels<T, I>& k, double a, SparseRow<T, I> x, double* w) {
  k.axpy(a, x.values, x.indices, x.size, w);
}

// w_j += a x_j^2
template <class T>
void axpy_squares(const DenseKernels<T>& k, double a, DenseRow<T> x, double* w) {
  k.axpy_squares(a, x.values, w, x.size);
}
template <class T, class I>
void axpy_squares(const SparseKernels<T, I>&, double a, SparseRow<T, I> x, double* w) {
  for (std::size_t k = 0; k < x.size; ++k) {
    const double value = double{x.values[k]};
    w[static_cast<std::size_t>(x.indices[k])] += a * (value * value);
  }
}

template <class T>
double squared_norm(const KernelTable& table, const T* values, std::size_t size) {
  return dense<T>(table).squared_norm(values, size);
}

inline void prefetch_bytes(const void* data, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  for (std::uintptr_t line = begin / 64 * 64; line < begin + bytes; line += 64)
    __builtin_prefetch(reinterpret_cast<const void*>(line));
}

template <class T>
void prefetch(DenseRow<T> x) {
  prefetch_bytes(x.values, x.size * sizeof(T));
}
template <class T, class I>
void prefetch(SparseRow<T, I> x) {
  prefetch_bytes(x.values, x.size * sizeof(T));
  prefetch_bytes(x.indices, x.size * sizeof(I));
}

// Where row i begins: to fetch a row takes this first.
template <class T>
void prefetch_pointer(const DenseView<T>&, std::size_t) {}
template <class T, class I>
void prefetch_pointer(const CsrView<T, I>& X, std::size_t i) {
  X.row_pointers.prefetch(i);
}

// For a sweep that reads each row once: fetched so as not to drive the coefficients that sparse rows gather out of the
// caches. Dense rows and their coefficients come in order by themselves.
template <class T>
void prefetch_once(const T* data, std::size_t size) {
  constexpr std::size_t line = 64 / sizeof(T);
  for (std::size_t k = 0; k < size; k += line) __builtin_prefetch(data + k, 0, 0);
}
template <class T>
void prefetch_once(DenseRow<T>) {}
template <class T, class I>
void prefetch_once(SparseRow<T, I> x) {
  prefetch_once(x.values, x.size);
  prefetch_once(x.indices, x.size);
}

// Sum of term(j), j < n, in eight interleaved chains: one chain would wait for each addition in turn.
template <class Term>
double chained_sum(std::size_t n, Term&& term) {
  std::array<double, 8> chains{};
  std::size_t j = 0;
  for (; j + 8 <= n; j += 8) {
    for (std::size_t k = 0; k < 8; ++k) chains[k] += term(j + k);
  }
  for (; j < n; ++j) chains[0] += term(j);
  return ((chains[0] + chains[4]) + (chains[2] + chains[6])) + ((chains[1] + chains[5]) + (chains[3] + chains[7]));
}

// Calls work(first, count) for consecutive blocks of [0, n).
template <class Work>
void for_each_block(std::size_t n, Work&& work) {
  for (std::size_t first = 0; first < n; first += block_rows) work(first, std::min(block_rows, n - first));
}

template <class Work>
void for_each_watched_block(std::size_t n, const Watch& watch, Work&& work) {
  in_parts(n, block_rows, block_rows * watch.work_per_row, watch.control, [&](std::size_t begin, std::size_t end) {
    for_each_block(end - begin, [&](std::size_t first, std::size_t count) { work(begin + first, count); });
  });
}

// The same as for_each_block on several threads, eight blocks at a time.
template <class Work>
void for_each_block(std::size_t n, int n_threads, Work&& work) {
  constexpr std::size_t rows_at_once = 8 * block_rows;
  parallel_for((n + rows_at_once - 1) / rows_at_once, n_threads, [&](std::size_t k) {
    const std::size_t begin = k * rows_at_once;
    for_each_block(std::min(rows_at_once, n - begin),
                   [&](std::size_t first, std::size_t count) { work(begin + first, count); });
  });
}

// Sum of term(first, count) over the blocks of [0, n), added in their order: on any number of threads the same. Of no
// use if control stops the work.
template <class Term>
auto sum_over_blocks(std::size_t n, int n_threads, Term&& term, const Watch& watch = {}) {
  std::vector<decltype(term(n, n))> terms((n + block_rows - 1) / block_rows);
  in_parts(n, block_rows, block_rows * watch.work_per_row, watch.control, [&](std::size_t begin, std::size_t end) {
    for_each_block(end - begin, n_threads, [&](std::size_t first, std::size_t count) {
      terms[(begin + first) / block_rows] = term(begin + first, count);
    });
  });
  decltype(term(n, n)) sum{};
  for (const auto& each : terms) sum += each;
  return sum;
}

}  // namespace finitesum
