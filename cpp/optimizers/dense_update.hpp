// One step of a rule over whole arrays, by the vectorized kernels, in blocks on several threads: coordinates do not
// depend on each other, so that no bit depends on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/parallel.hpp"
#include "isa/isa.hpp"
#include "optimizers/any.hpp"

namespace finitesum {

// Step number k of all n coordinates; slots: as many arrays as the rule has.
template <class T, class Rule>
void dense_update(const Rule& rule, const Decay& decay, const KernelTable& table, double rate, std::int64_t k,
                  const T* g, T* w, T* const* slots, std::size_t n, int n_threads = 1) {
  constexpr std::size_t block = std::size_t{1} << 16;
  constexpr std::size_t line = 64;
  const OptimizerKernels<T>& kernels = dense_of<T>(table.optimizers)[place_in<Rule>(Optimizers{})];
  const auto kernel = decay.l1 == 0.0 ? kernels.update : kernels.update_l1;
  const DecayStep<T> decay_step = decay.step<T>(rate);
  const auto step = rule.template step<T>(rate, k);
  const auto run = [&](std::size_t first, std::size_t count) {
    T* places[most_slots] = {};
    for (std::size_t i = 0; i < Rule::n_slots; ++i) places[i] = slots[i] + first;
    kernel(&step, &decay_step, g + first, w + first, places, count);
  };
  // Up to a line of the cache on their own: large arrays of NumPy's begin 16 bytes into one, all of them, and every
  // wide load and store would cross two.
  const std::size_t head = std::min(n, (line - reinterpret_cast<std::uintptr_t>(w) % line) % line / sizeof(T));
  if (head > 0) run(0, head);
  parallel_for((n - head + block - 1) / block, n_threads, [&](std::size_t i) {
    const std::size_t first = head + i * block;
    run(first, std::min(n - first, block));
  });
}

}  // namespace finitesum
