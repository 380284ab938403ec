// Batch normalization: sweep/isa/type/shape, with bytes/s of the arrays it goes through and `of_limit`, their share of
// what the memory gives in arrays of the same total size. A sweep that writes another array counts it twice: it is
// read before it is written.
#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "layers/batch_norm.hpp"
#include "measure.hpp"

namespace finitesum::bench {
namespace {

template <class T>
struct Data {
  explicit Data(const BatchShape& shape)
      : x(shape.size()),
        dy(x.size(), T{0.5}),
        out(x.size()),
        mean(shape.channels),
        variance(mean),
        gamma(shape.channels) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(i % 7);
    for (T& g : gamma) g = T{1};
  }
  std::vector<T> x, dy, out;
  std::vector<double> mean, variance;
  std::vector<T> gamma;
};

template <class T>
void add_shape(const KernelTable& table, const std::string& type, const BatchShape& shape) {
  const std::string name = std::string("/") + table.isa + "/" + type + "/" + std::to_string(shape.samples) + "x" +
                           std::to_string(shape.channels) + "x" + std::to_string(shape.plane);
  const std::size_t n = shape.size();
  const std::size_t array = n * sizeof(T);
  add("moments" + name, [=, &table](benchmark::State& state) {
    Data<T> d(shape);
    measure(state, n, array, array, Access::reads,
            [&] { batch_moments(table, d.x.data(), shape, d.mean.data(), d.variance.data(), 1); });
  });
  for (const bool relu : {false, true}) {
    const std::string behind = relu ? "_relu" : "";
    add("normalize" + behind + name, [=, &table](benchmark::State& state) {
      Data<T> d(shape);
      const BatchNorm<T> norm = {d.mean.data(), d.variance.data(), d.gamma.data(), nullptr, 1e-5, relu};
      measure(state, n, 3 * array, 2 * array, Access::updates,
              [&] { batch_normalize(table, d.x.data(), shape, norm, d.out.data(), 1); });
    });
    add("gradients" + behind + name, [=, &table](benchmark::State& state) {
      Data<T> d(shape);
      std::vector<T> dgamma(shape.channels), dbeta(shape.channels);
      const BatchNorm<T> norm = {d.mean.data(), d.variance.data(), d.gamma.data(), nullptr, 1e-5, relu};
      measure(state, n, 6 * array, 3 * array, Access::updates, [&] {
        batch_norm_gradients(table, d.x.data(), d.dy.data(), shape, norm, true, d.out.data(), dgamma.data(),
                             dbeta.data(), 1);
      });
    });
  }
}

void add_all() {
  const BatchShape shapes[] = {{128, 256, 1}, {8192, 512, 1}, {16, 64, 1024}, {64, 64, 1024}};
  for (const std::string& isa : available_isas()) {
    for (const BatchShape& shape : shapes) {
      if (shape.size() > 2'000'000 && isa != available_isas().back()) continue;  // the memory's speed
      add_shape<float>(kernels(isa), "f32", shape);
      add_shape<double>(kernels(isa), "f64", shape);
    }
  }
}

}  // namespace
}  // namespace finitesum::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  finitesum::bench::add_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
