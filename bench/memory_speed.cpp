#include "memory_speed.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <map>
#include <vector>

#include <benchmark/benchmark.h>

namespace finitesum::bench {
namespace {

constexpr std::size_t n_streams = 4;  // read at a time, as more than one keeps more of the memory busy
constexpr std::size_t n_lanes = 16;

// Sums integers: their order is free, so the compiler may use the widest registers. Independent lanes hide latency.
std::uint64_t sum(const std::vector<std::uint64_t>& x) {
  std::array<std::uint64_t, n_streams * n_lanes> lanes{};
  const std::size_t quarter = x.size() / n_streams;
  for (std::size_t i = 0; i + n_lanes <= quarter; i += n_lanes) {
    for (std::size_t stream = 0; stream < n_streams; ++stream) {
      for (std::size_t lane = 0; lane < n_lanes; ++lane) {
        lanes[stream * n_lanes + lane] += x[stream * quarter + i + lane];
      }
    }
  }
  std::uint64_t total = 0;
  for (const std::uint64_t lane : lanes) total += lane;
  return total;
}

void update(std::vector<std::uint64_t>& a, std::uint64_t s) {
  for (std::uint64_t& entry : a) entry ^= s;
}

// Bytes per second of pass(), which moves `bytes`: the best of five runs of some milliseconds each.
template <class Pass>
double speed(std::size_t bytes, Pass&& pass) {
  constexpr std::size_t bytes_per_run = std::size_t{1} << 28;
  const std::size_t passes = std::max<std::size_t>(bytes_per_run / bytes, 1);
  double best = 0;
  for (int run = 0; run < 5; ++run) {
    const double start = cpu_seconds();
    for (std::size_t k = 0; k < passes; ++k) pass();
    best = std::max(best, static_cast<double>(bytes * passes) / (cpu_seconds() - start));
  }
  return best;
}

MemorySpeed measure(std::size_t bytes) {
  std::vector<std::uint64_t> x(std::max(bytes / sizeof(std::uint64_t), n_streams * n_lanes), 1);
  const std::size_t size = x.size() * sizeof(std::uint64_t);
  MemorySpeed result{};
  result.read = speed(size, [&] { benchmark::DoNotOptimize(sum(x)); });
  result.update = speed(2 * size, [&] {
    update(x, 3);
    benchmark::ClobberMemory();
  });
  return result;
}

}  // namespace

MemorySpeed memory_speed(std::size_t bytes) {
  static std::map<std::size_t, MemorySpeed> measured;
  const auto known = measured.find(bytes);
  if (known != measured.end()) return known->second;
  return measured[bytes] = measure(bytes);
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace finitesum::bench
