// A benchmark that reports its speed beside that of the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>

#include "memory_speed.hpp"

namespace finitesum::bench {

enum class Access { reads, updates };

// Runs kernel() as often as the library asks and reports its `items` and `bytes` per call; `footprint` is the memory
// that it moves through.
template <class Kernel>
void measure(benchmark::State& state, std::size_t items, std::size_t bytes, std::size_t footprint, Access access,
             Kernel&& kernel) {
  const double start = cpu_seconds();
  for (auto _ : state) {
    kernel();
    benchmark::ClobberMemory();
  }
  const double seconds = cpu_seconds() - start;
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(items));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
  const MemorySpeed limit = memory_speed(footprint);
  const double speed = static_cast<double>(state.iterations()) * static_cast<double>(bytes) / seconds;
  state.counters["of_limit"] = speed / (access == Access::reads ? limit.read : limit.update);
}

template <class Function>
void add(const std::string& name, Function&& function) {
  benchmark::RegisterBenchmark(name.c_str(), function);
}

}  // namespace finitesum::bench
