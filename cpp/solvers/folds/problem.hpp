// The fits of a cross-validation: K problems that share X, y and the loss. A fold is a vector of weights, zero for the
// rows that it leaves out, and may have a penalty of its own. What is kept of a row, or of a column, for all folds
// stands side by side, so that one reading of X serves them all. The penalty is L2, or an elastic net with the squared
// loss, and intercepts are free.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <vector>

#include "core/large_pages.hpp"
#include "core/parallel.hpp"
#include "solvers/multi/problem.hpp"
#include "solvers/problem.hpp"
#include "solvers/solver.hpp"

namespace finitesum {

template <class View>
struct FoldProblem {
  std::vector<Problem<View>> folds;
  int n_threads;  // over the folds

  const Problem<View>& any() const { return folds.front(); }
  std::size_t n_folds() const { return folds.size(); }
  std::size_t n_rows() const { return any().n_rows(); }
  std::size_t n_columns() const { return any().n_columns(); }
};

// Numbers of all folds for each column (or row), in whole cache lines.
class FoldColumns {
 public:
  FoldColumns(std::size_t n, std::size_t n_folds) : n_(n), stride_((n_folds + 3) / 4 * 4), values_(n * stride_ + line) {
    const auto misfit = reinterpret_cast<std::uintptr_t>(values_.data()) / sizeof(double) % line;
    offset_ = misfit == 0 ? 0 : line - misfit;
  }
  FoldColumns(const FoldColumns&) = delete;
  FoldColumns& operator=(const FoldColumns&) = delete;
  FoldColumns(FoldColumns&&) = default;
  FoldColumns& operator=(FoldColumns&&) = delete;

  std::size_t size() const { return n_; }
  std::size_t stride() const { return stride_; }  // folds, and zeros that fill vectors
  double* data() { return values_.data() + offset_; }
  const double* data() const { return values_.data() + offset_; }
  double* operator[](std::size_t j) { return data() + j * stride_; }
  const double* operator[](std::size_t j) const { return data() + j * stride_; }
  void clear() { std::fill(values_.begin(), values_.end(), 0.0); }

 private:
  static constexpr std::size_t line = 8;  // doubles
  std::size_t n_;
  std::size_t stride_;
  std::size_t offset_ = 0;
  LargeVector<double> values_;
};

// Neighboring folds that a thread works on. Bits do not depend on how the folds are cut: each has its own lane.
struct FoldRange {
  std::size_t first;
  std::size_t size;
};
inline std::vector<FoldRange> cut_folds(std::size_t n_folds, int n_threads) {
  const std::size_t n_parts = std::clamp<std::size_t>(static_cast<std::size_t>(std::max(n_threads, 1)), 1, n_folds);
  std::vector<FoldRange> parts;
  for (std::size_t part = 0; part < n_parts; ++part) {
    const std::size_t first = n_folds * part / n_parts;
    parts.push_back({first, n_folds * (part + 1) / n_parts - first});
  }
  return parts;
}

// Whether the caller is the thread that the loop around it was started by, or there is no such loop.
inline bool is_first_thread() {
#ifdef _OPENMP
  return omp_get_thread_num() == 0;
#else
  return true;
#endif
}

// work(part, control) for every part, on a thread each. Only the thread that began may ask for what comes from outside;
// the others run to their end.
template <class Work>
void on_parts(std::size_t n_parts, Control& control, const Work& work) {
  std::vector<std::exception_ptr> raised(n_parts);
  parallel_for(n_parts, static_cast<int>(n_parts), [&](std::size_t part) {
    Control endless(std::numeric_limits<double>::infinity(), nullptr);
    try {
      work(part, is_first_thread() ? control : endless);
    } catch (...) {
      raised[part] = std::current_exception();
    }
  });
  for (const std::exception_ptr& exception : raised) {
    if (exception) std::rethrow_exception(exception);
  }
}

// x_i.w of all lanes, and w += x_i a^T.
template <class View>
void dot_lanes(const Problem<View>& problem, std::size_t i, const FoldColumns& w, double* out) {
  dot(column_kernels(problem.kernels, problem.X), problem.X.row(i), w.data(), w.stride(), out);
}
template <class View>
void axpy_lanes(const Problem<View>& problem, const double* a, std::size_t i, FoldColumns& w) {
  axpy(column_kernels(problem.kernels, problem.X), a, problem.X.row(i), w.data(), w.stride());
}

// A solver of all folds that goes along a path: before each step the penalties of the problem change.
class FoldSolver : public Solver {
 public:
  virtual void change_penalties(const std::vector<double>& l2_before) = 0;
  // What the folds have arrived at: K x p, and K intercepts.
  virtual void write(double* coef, double* intercepts) const = 0;
  // x_i.w of fold k for all rows, those that it leaves out too; null where the solver does not keep them.
  virtual const double* margins(std::size_t) const { return nullptr; }

  Certificate check(Control& control) final { return check_outputs(control).front(); }
  double finish() final { return 0; }
  void transfer(Archive&) final {}  // a path is not resumed
};

struct FoldSetup {
  std::uint64_t seed;
  std::vector<double> intercepts;  // of the null models, where all begin
  std::vector<double> targets;     // a fold whose gap is at most its target needs nothing more
};

template <class View>
std::unique_ptr<FoldSolver> make_fold_sdca(const FoldProblem<View>& problem, const FoldSetup& setup);
template <class View>
std::unique_ptr<FoldSolver> make_fold_newton(const FoldProblem<View>& problem, const FoldSetup& setup);
template <class View>
std::unique_ptr<FoldSolver> make_fold_least_squares(const FoldProblem<View>& problem, const FoldSetup& setup);

#define FINITESUM_FOR_FOLD_VIEW(maker, ...) \
  template std::unique_ptr<FoldSolver> maker<__VA_ARGS__>(const FoldProblem<__VA_ARGS__>&, const FoldSetup&);
#define FINITESUM_FOR_EACH_FOLD_VIEW(maker)                     \
  FINITESUM_FOR_FOLD_VIEW(maker, DenseView<float>)              \
  FINITESUM_FOR_FOLD_VIEW(maker, DenseView<double>)             \
  FINITESUM_FOR_FOLD_VIEW(maker, CsrView<float, std::int32_t>)  \
  FINITESUM_FOR_FOLD_VIEW(maker, CsrView<double, std::int32_t>) \
  FINITESUM_FOR_FOLD_VIEW(maker, CsrView<float, std::int64_t>)  \
  FINITESUM_FOR_FOLD_VIEW(maker, CsrView<double, std::int64_t>)

}  // namespace finitesum
