// A step of every rule: rule/isa/type/size, with bytes/s of the arrays it goes through (the gradient is read,
// parameters and slots are read and written) and `of_limit`, their share of what an update in place reaches in arrays
// of the same total size.
#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "measure.hpp"
#include "optimizers/dense_update.hpp"

namespace finitesum::bench {
namespace {

template <class Rule, class T>
void add_rule(const KernelTable& table, const std::string& type, std::size_t n) {
  const std::string name = std::string(Rule::name) + "/" + table.isa + "/" + type + "/" + std::to_string(n);
  add(name, [n, &table](benchmark::State& state) {
    const std::vector<T> g(n, T{0.5});
    std::vector<std::vector<T>> arrays(1 + Rule::n_slots, std::vector<T>(n, T{0.5}));
    T* slots[most_slots] = {};
    for (std::size_t s = 0; s < Rule::n_slots; ++s) slots[s] = arrays[s + 1].data();
    const std::size_t array = n * sizeof(T);
    std::int64_t k = 0;
    measure(state, n, (3 + 2 * Rule::n_slots) * array, (2 + Rule::n_slots) * array, Access::updates,
            [&] { dense_update(Rule{}, Decay{}, table, 1e-6, ++k, g.data(), arrays[0].data(), slots, n); });
  });
}

template <class... Rules>
void add_all(TypeList<Rules...>) {
  for (const std::string& isa : available_isas()) {
    for (const std::size_t n : {10'000, 1'000'000, 10'000'000}) {
      if (n > 1'000'000 && isa != available_isas().back()) continue;  // the memory's speed, whatever the registers
      (add_rule<Rules, float>(kernels(isa), "f32", n), ...);
      (add_rule<Rules, double>(kernels(isa), "f64", n), ...);
    }
  }
}

}  // namespace
}  // namespace finitesum::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  finitesum::bench::add_all(finitesum::Optimizers{});
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
