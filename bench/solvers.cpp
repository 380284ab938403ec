// The cost of an epoch of each solver, on logistic regression with the penalty 1/n: names are
// solver/isa/data/dtype/penalty/checks, and pass/isa/data/dtype for the fused pass. The time is the difference of two
// fits that differ in the number of epochs alone, over that number, so that set-up and first epoch do not count.
// `unchecked` fits never ask for a certificate in between, `checked` ones after each epoch; SVRG and Newton have theirs
// for nothing. The instruction set is one per process: FINITESUM_ISA=v2 build/bench/bench_solvers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include <benchmark/benchmark.h>

#include "api/fit.hpp"
#include "isa/isa.hpp"
#include "memory_speed.hpp"
#include "synthetic.hpp"

namespace finitesum::bench {
namespace {

struct Case {
  std::string solver;
  Shape shape;
  double l1_ratio;
  bool checked;
};

template <class T>
const Data<T>& data_of(Shape shape) {
  static Data<T> latest;  // one at a time: benchmarks run in the order of the data
  static const char* held = "";
  if (held != name_of(shape)) {
    latest = make_data<T>(shape);
    held = name_of(shape);
  }
  return latest;
}

struct Run {
  double seconds;
  std::size_t epochs;
  double passes;
};

template <class T>
Run run(const Case& c, const Data<T>& data, std::size_t max_iter) {
  FitRequest request;
  request.X = data.view();
  request.n_threads = 1;
  request.y = Targets(data.y.data());
  request.loss = "logistic";
  request.alpha = (c.l1_ratio > 0 ? 0.1 : 1.0) / static_cast<double>(data.n_rows);
  request.l1_ratio = c.l1_ratio;
  request.solver = c.solver;
  request.stop.tol = 0;
  request.stop.max_iter = max_iter;
  request.stop.check_interval = c.checked ? 1 : max_iter;
  const FitResult result = fit(request);
  return {result.history.back().seconds, result.n_iter, result.history.back().passes};
}

template <class T>
void epoch(benchmark::State& state, const Case& c) {
  const Data<T>& data = data_of<T>(c.shape);
  // The first epoch is checked in any case and so is the last: both fits have these two checks.
  constexpr std::size_t fewer = 2;
  const std::size_t more = fewer + (c.solver == "newton" ? 2 : 4);
  for (auto _ : state) {
    const Run short_run = run(c, data, fewer);
    const Run long_run = run(c, data, more);
    if (long_run.epochs <= short_run.epochs) {
      state.SkipWithError("converged before the epochs were over");
      break;
    }
    const double seconds =
        (long_run.seconds - short_run.seconds) / static_cast<double>(long_run.epochs - short_run.epochs);
    state.SetIterationTime(std::max(seconds, 1e-9));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(data.values.size()));
}

// The fused pass, from conjugate gradients, whose epochs are little else: milliseconds per pass, and `of_limit`, the
// share of the memory's speed at which it reads X.
template <class T>
void pass(benchmark::State& state, Shape shape) {
  const Data<T>& data = data_of<T>(shape);
  const Case c{"newton-cg", shape, 0, true};
  double best = std::numeric_limits<double>::infinity();
  for (auto _ : state) {
    const Run short_run = run(c, data, 1);
    const Run long_run = run(c, data, 4);
    const double seconds = (long_run.seconds - short_run.seconds) / (long_run.passes - short_run.passes);
    state.SetIterationTime(std::max(seconds, 1e-9));
    best = std::min(best, seconds);
  }
  const std::size_t bytes = data.values.size() * sizeof(T) + data.indices.size() * sizeof(std::int32_t);
  state.counters["of_limit"] = static_cast<double>(bytes) / best / memory_speed(bytes).read;
}

template <class T>
void add_pass(Shape shape) {
  const std::string name =
      std::string("pass/") + kernels().isa + "/" + name_of(shape) + (std::is_same_v<T, float> ? "/f32" : "/f64");
  benchmark::RegisterBenchmark(name.c_str(), [shape](benchmark::State& state) { pass<T>(state, shape); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

template <class T>
void add(const Case& c) {
  std::string name = c.solver + "/" + kernels().isa + "/" + name_of(c.shape);
  name += std::is_same_v<T, float> ? "/f32" : "/f64";
  name += c.l1_ratio > 0 ? "/l1" : "/l2";
  if (c.solver == "sag" || c.solver == "saga") name += c.checked ? "/checked" : "/unchecked";
  benchmark::RegisterBenchmark(name.c_str(), [c](benchmark::State& state) { epoch<T>(state, c); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

template <class T>
void add_all(Shape shape) {
  add_pass<T>(shape);
  for (const double l1_ratio : {0.0, 1.0}) {
    for (const char* solver : {"sag", "saga"}) {
      for (const bool checked : {false, true}) add<T>({solver, shape, l1_ratio, checked});
    }
    for (const char* solver : {"svrg", "katyusha"}) add<T>({solver, shape, l1_ratio, true});
    // Newton's Hessian has the square of the number of columns.
    if (l1_ratio == 0) add<T>({"sdca", shape, l1_ratio, true});
    if (shape != Shape::news20) add<T>({"newton", shape, l1_ratio, true});
  }
}

}  // namespace
}  // namespace finitesum::bench

int main(int argc, char** argv) {
  using finitesum::bench::Shape;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const Shape shape : {Shape::a9a, Shape::news20, Shape::protein}) {
    finitesum::bench::add_all<float>(shape);
    finitesum::bench::add_all<double>(shape);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
