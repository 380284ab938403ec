// Every kernel on every instruction set that this processor supports: name/isa/types/sizes. Beside the time stand
// bytes/s of the data named by the algorithm (matrix, indices, vectors; a vector that is read and written counts
// twice) and `of_limit`, their share of what a plain sum (read-only kernels) or an update in place (the others) reaches
// in arrays of the same total size.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include <benchmark/benchmark.h>

#include "isa/isa.hpp"
#include "losses/visit.hpp"
#include "measure.hpp"
#include "memory_speed.hpp"

namespace finitesum::bench {
namespace {

// ---- dense rows ----

template <class T>
struct DenseData {
  explicit DenseData(std::size_t n) : x(n, T{0.5}), w(n, 0.5), d(n, 0.5) {}
  std::vector<T> x;
  std::vector<double> w;
  std::vector<double> d;
};

template <class T>
void add_dense(const KernelTable& table, const std::string& type, std::size_t n) {
  const DenseKernels<T>& k = dense<T>(table);
  const auto name = [&](const char* kernel) {
    return std::string(kernel) + "/" + table.isa + "/" + type + "/" + std::to_string(n);
  };
  const std::size_t row = n * sizeof(T);
  const std::size_t vector = n * sizeof(double);
  add(name("dot"), [=, &k](benchmark::State& state) {
    const DenseData<T> data(n);
    measure(state, n, row + vector, row + vector, Access::reads,
            [&] { benchmark::DoNotOptimize(k.dot(data.x.data(), data.w.data(), n)); });
  });
  add(name("squared_norm"), [=, &k](benchmark::State& state) {
    const DenseData<T> data(n);
    measure(state, n, row, row, Access::reads, [&] { benchmark::DoNotOptimize(k.squared_norm(data.x.data(), n)); });
  });
  add(name("axpy"), [=, &k](benchmark::State& state) {
    DenseData<T> data(n);
    double a = 1e-3;  // the sign alternates, so that nothing grows
    measure(state, n, row + 2 * vector, row + vector, Access::updates,
            [&] { k.axpy(a = -a, data.x.data(), data.w.data(), n); });
  });
  for (const bool l1 : {false, true}) {
    add(name(l1 ? "step_l1" : "step"), [=, &k](benchmark::State& state) {
      DenseData<T> data(n);
      StepCoefficients c{1e-6, 1e-3, 1e-3, l1 ? 1e-9 : 0.0, 1 - 1e-9};
      const auto kernel = l1 ? k.step_l1 : k.step;
      measure(state, n, row + 4 * vector, row + 2 * vector, Access::updates, [&] {
        c.change = -c.change;
        c.fresh = -c.fresh;
        kernel(data.x.data(), data.w.data(), data.d.data(), n, &c);
      });
    });
  }
}

// ---- sparse rows ----

// So many rows that they come from memory, as in an epoch. A row's columns are a random walk of equal strides:
// scattered and, the stride being odd and the number of columns a power of two, unique.
template <class T, class I>
struct SparseData {
  SparseData(std::size_t nonzeros, std::size_t n_columns)
      : values(n_stored, T{0.5}), indices(n_stored), w(n_columns, 0.5) {
    std::mt19937_64 random(1);
    for (std::size_t first = 0; first < n_stored; first += nonzeros) {
      const std::uint64_t start = random();
      const std::uint64_t stride = random() | 1;
      for (std::size_t k = 0; k < nonzeros; ++k)
        indices[first + k] = static_cast<I>((start + k * stride) & (n_columns - 1));
    }
  }
  // Calls work(values, indices) on the next row, in a circle.
  template <class Work>
  void visit(std::size_t nonzeros, Work&& work) {
    work(values.data() + at, indices.data() + at);
    at = (at + nonzeros) % n_stored;
  }

  static constexpr std::size_t n_stored = std::size_t{1} << 20;
  std::vector<T> values;
  std::vector<I> indices;
  std::vector<double> w;
  std::size_t at = 0;
};

template <class T, class I>
void add_sparse(const KernelTable& table, const std::string& type, std::size_t nonzeros, std::size_t n_columns) {
  using Data = SparseData<T, I>;
  const SparseKernels<T, I>& k = sparse<T, I>(table);
  const auto name = [&](const char* kernel) {
    return std::string(kernel) + "/" + table.isa + "/" + type + "/" + std::to_string(nonzeros) + "/" +
           std::to_string(n_columns);
  };
  const std::size_t row = nonzeros * (sizeof(T) + sizeof(I));
  const std::size_t entries = nonzeros * sizeof(double);
  const std::size_t footprint = Data::n_stored * (sizeof(T) + sizeof(I)) + n_columns * sizeof(double);
  add(name("sparse_dot"), [=, &k](benchmark::State& state) {
    Data data(nonzeros, n_columns);
    measure(state, nonzeros, row + entries, footprint, Access::reads, [&] {
      data.visit(nonzeros, [&](const T* values, const I* indices) {
        benchmark::DoNotOptimize(k.dot(values, indices, nonzeros, data.w.data()));
      });
    });
  });
  add(name("sparse_axpy"), [=, &k](benchmark::State& state) {
    Data data(nonzeros, n_columns);
    double a = 1e-3;
    measure(state, nonzeros, row + 2 * entries, footprint, Access::updates, [&] {
      data.visit(nonzeros,
                 [&](const T* values, const I* indices) { k.axpy(a = -a, values, indices, nonzeros, data.w.data()); });
    });
  });
}

// ---- losses ----

// Predictions, and targets and dual points in the loss's domains.
struct LossData {
  LossData(const AnyLoss& any, std::size_t n) : z(n), y(n), u(n), out(n) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    std::visit(
        [&](const auto& loss) {
          for (std::size_t i = 0; i < n; ++i) {
            z[i] = normal(random);
            y[i] = normal(random);
            if (loss.target_domain == TargetDomain::sign) y[i] = y[i] > 0 ? 1 : -1;
            if (loss.target_domain == TargetDomain::nonnegative) y[i] = std::floor(std::fabs(y[i]));
            u[i] = loss.derivative(z[i], y[i]);
          }
        },
        any);
  }
  std::vector<double> z;
  std::vector<double> y;
  std::vector<double> u;
  std::vector<double> out;
};

void add_losses(const KernelTable& table, std::size_t n) {
  for (const std::string& loss_name : loss_names()) {
    const AnyLoss any = make_loss(loss_name, 1.0);
    const LossKernels& k = table.losses[loss_index(any)];
    const auto name = [&](const char* kernel) {
      return loss_name + "." + kernel + "/" + table.isa + "/" + std::to_string(n);
    };
    const auto address = [](const AnyLoss& held) {
      return std::visit([](const auto& loss) -> const void* { return &loss; }, held);
    };
    const std::size_t vector = n * sizeof(double);
    add(name("value_sum"), [=, &k](benchmark::State& state) {
      const LossData data(any, n);
      measure(state, n, 2 * vector, 2 * vector, Access::reads,
              [&] { benchmark::DoNotOptimize(k.value_sum(address(any), data.z.data(), data.y.data(), nullptr, n)); });
    });
    add(name("conjugate_sum"), [=, &k](benchmark::State& state) {
      const LossData data(any, n);
      measure(state, n, 2 * vector, 2 * vector, Access::reads, [&] {
        benchmark::DoNotOptimize(k.conjugate_sum(address(any), 1.0, data.u.data(), data.y.data(), nullptr, n));
      });
    });
    for (const bool second : {false, true}) {
      add(name(second ? "curvatures" : "derivatives"), [=, &k](benchmark::State& state) {
        LossData data(any, n);
        const auto kernel = second ? k.curvatures : k.derivatives;
        measure(state, n, 3 * vector, 3 * vector, Access::updates,
                [&] { kernel(address(any), data.z.data(), data.y.data(), data.out.data(), n); });
      });
    }
  }
}

// The yardstick itself, in bytes/s.
void add_memory(std::size_t bytes) {
  benchmark::RegisterBenchmark(("memory/" + std::to_string(bytes)).c_str(), [bytes](benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(memory_speed(bytes));
    using benchmark::Counter;
    const MemorySpeed speed = memory_speed(bytes);
    state.counters["read"] = Counter(speed.read, Counter::kDefaults, Counter::kIs1024);
    state.counters["update"] = Counter(speed.update, Counter::kDefaults, Counter::kIs1024);
  })->Iterations(1);
}

void add_all() {
  for (const std::size_t bytes :
       {std::size_t{1} << 14, std::size_t{1} << 18, std::size_t{1} << 22, std::size_t{1} << 27})
    add_memory(bytes);
  for (const std::string& isa : available_isas()) {
    const KernelTable& table = kernels(isa);
    for (const std::size_t n : {64, 1024, 16384, 1 << 22}) {
      add_dense<float>(table, "f32", n);
      add_dense<double>(table, "f64", n);
    }
    for (const std::size_t nonzeros : {16, 256}) {
      for (const std::size_t n_columns : {1 << 12, 1 << 20}) {
        add_sparse<float, std::int32_t>(table, "f32-i32", nonzeros, n_columns);
        add_sparse<float, std::int64_t>(table, "f32-i64", nonzeros, n_columns);
        add_sparse<double, std::int32_t>(table, "f64-i32", nonzeros, n_columns);
        add_sparse<double, std::int64_t>(table, "f64-i64", nonzeros, n_columns);
      }
    }
    add_losses(table, 256);  // the rows of a block in the solvers' full passes
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
