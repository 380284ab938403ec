// Newton with the explicit (p + 1) x (p + 1) Hessian: for narrow data, and where rows or columns are so badly scaled
// that stochastic steps are too short. Losses without a second derivative everywhere take a generalized one.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "solvers/any.hpp"
#include "solvers/newton_steps.hpp"
#include "solvers/quadratic_model.hpp"
#include "solvers/step_size.hpp"

namespace finitesum {
namespace {

template <class View>
class ExplicitHessian {
 public:
  ExplicitHessian(const Problem<View>& problem, const SolverSetup&)
      : problem_(problem),
        model_(problem.n_columns(), problem.fit_intercept, problem.l1(), problem.l2()),
        n_strips_(View::is_sparse ? 0 : (model_.size() + strip_width - 1) / strip_width),
        rows_at_once_(View::is_sparse
                          ? 4 * block_rows
                          : std::clamp<std::size_t>(most_packed / model_.size() / block_rows, 1, 4) * block_rows),
        factors_(std::min((problem.n_rows() + block_rows - 1) / block_rows * block_rows, rows_at_once_)),
        strips_(n_strips_ * strip_width * factors_.size()),
        mean_squared_norm_(unit_smoothness(problem).mean),
        row_products_(mean_row_size(problem) * mean_row_size(problem) / 2 + 1) {}

  void build(const ModelPoint& point, Control& control) {
    const ElasticNet& penalty = problem_.intercept_penalty;
    model_.set_intercept({point.anchor.intercept, point.anchor.intercept_slope, penalty.l1(), penalty.l2()});
    if (is_built_ && problem_.loss.is_quadratic()) return;
    passes_ += 1;
    model_.clear();
    for (std::size_t begin = 0; begin < problem_.n_rows() && !control.stopped(); begin += rows_at_once_) {
      const std::size_t count = std::min(rows_at_once_, problem_.n_rows() - begin);
      for_each_block(count, problem_.n_threads, [&](std::size_t first, std::size_t size) {
        curvatures(point, begin + first, size, factors_.data() + first);
      });
      add_rows(problem_.X, begin, count);
      control.stop_after(count * row_products_);
    }
    is_built_ = !control.stopped();
  }

  bool solve(const ModelPoint& point, double damping, Control& control, std::vector<double>& move) {
    const double shift = damping * curvature_bound(problem_.loss, mean_squared_norm_, model_.trace());
    return model_.solve(point.w, point.gradient.data(), shift, control, move);
  }

  bool margins(const std::vector<double>& move, std::vector<double>& out, Control& control) const {
    return all_margins(problem_, move.data(), out.data(), &control);
  }

  double passes() const { return passes_; }
  void transfer(Archive& archive) { archive(passes_); }

 private:
  static std::size_t mean_row_size(const Problem<View>& problem) { return problem.X.n_stored() / problem.n_rows() + 1; }

  // (1/S) s_i l''(z_i, y_i)
  void curvatures(const ModelPoint& point, std::size_t first, std::size_t count, double* h) const {
    std::array<double, block_rows> z;
    for (std::size_t k = 0; k < count; ++k) z[k] = point.margins[first + k] + point.anchor.intercept;
    problem_.loss.curvatures(z.data(), TargetBlock(problem_.y, first, count).data(), h, count);
    for (std::size_t k = 0; k < count; ++k) h[k] *= problem_.weight(first + k) / problem_.total_weight;
  }

  // Dense rows, with a column of ones for the intercept, are packed times the square roots of their factors, block by
  // block; each row of tiles of the Hessian belongs to one thread.
  template <class T>
  void add_rows(const DenseView<T>& X, std::size_t begin, std::size_t count) {
    constexpr std::size_t block = block_rows * strip_width;
    for_each_block(count, problem_.n_threads, [&](std::size_t first, std::size_t size) {
      double* strips = strips_.data() + first * strip_width * n_strips_;
      for (std::size_t k = 0; k < size; ++k)
        pack(X.row(begin + first + k), factors_[first + k], strips + k * strip_width);
    });
    parallel_for(n_strips_, problem_.n_threads, [&](std::size_t task) {
      const std::size_t j = n_strips_ - 1 - task;  // the longest first
      for_each_block(count, [&](std::size_t first, std::size_t size) {
        const double* strips = strips_.data() + first * strip_width * n_strips_;
        for (std::size_t k = 0; k <= j; ++k) add_tile(strips + j * block, strips + k * block, size, j, k);
      });
    });
  }
  template <class T>
  void pack(DenseRow<T> x, double factor, double* strips) const {
    constexpr std::size_t stride = block_rows * strip_width;
    const double root = std::sqrt(factor);
    if (factor == 0) {
      for (std::size_t j = 0; j < n_strips_; ++j) std::fill_n(strips + j * stride, strip_width, 0.0);
    } else {
      row_kernels(problem_.kernels, problem_.X).pack_row(root, x.values, x.size, strips, stride);
    }
    if (problem_.fit_intercept) strips[x.size / strip_width * stride + x.size % strip_width] = root;
  }
  void add_tile(const double* a, const double* b, std::size_t count, std::size_t j, std::size_t k) {
    std::array<double, strip_width * strip_width> tile;
    problem_.kernels.multiply_strips(a, b, count, tile.data());
    for (std::size_t r = 0; r < strip_width && j * strip_width + r < model_.size(); ++r) {
      double* row = model_.row(j * strip_width + r) + k * strip_width;
      const std::size_t size = std::min(strip_width, model_.size() - k * strip_width);
      for (std::size_t c = 0; c < size; ++c) row[c] += tile[r * strip_width + c];
    }
  }

  // Each thread has rows of the Hessian of its own, equal areas of its triangle.
  template <class T, class I>
  void add_rows(const CsrView<T, I>& X, std::size_t first, std::size_t count) {
    const auto n_parts = static_cast<std::size_t>(problem_.n_threads);
    parallel_for(n_parts, problem_.n_threads, [&](std::size_t part) {
      const auto bound = [&](std::size_t k) {
        const double share = std::sqrt(static_cast<double>(k) / static_cast<double>(n_parts));
        return k == n_parts ? model_.size() : static_cast<std::size_t>(share * static_cast<double>(model_.size()));
      };
      for (std::size_t k = 0; k < count; ++k) {
        if (factors_[k] != 0) add_outer_product(X.row(first + k), factors_[k], bound(part), bound(part + 1));
      }
    });
  }
  // Adds rows [begin, end) of h (x, 1) (x, 1)^T to the lower triangle.
  template <class T, class I>
  void add_outer_product(SparseRow<T, I> x, double h, std::size_t begin, std::size_t end) {
    for (std::size_t a = 0; a < x.size; ++a) {
      const auto j = static_cast<std::size_t>(x.indices[a]);
      if (j < begin || j >= end) continue;
      double* row = model_.row(j);
      const double factor = h * double{x.values[a]};
      for (std::size_t b = 0; b < x.size; ++b) {
        if (x.indices[b] <= x.indices[a]) row[static_cast<std::size_t>(x.indices[b])] += factor * double{x.values[b]};
      }
    }
    const std::size_t p = problem_.n_columns();
    if (problem_.fit_intercept && begin <= p && p < end) {
      axpy(row_kernels(problem_.kernels, problem_.X), h, x, model_.row(p));
      model_.row(p)[p] += h;
    }
  }

  static constexpr std::size_t most_packed = std::size_t{1} << 16;  // numbers: what the second-level cache holds

  const Problem<View>& problem_;
  QuadraticModel model_;
  std::size_t n_strips_;
  std::size_t rows_at_once_;
  std::vector<double> factors_;
  std::vector<double> strips_;
  double mean_squared_norm_;
  std::size_t row_products_;  // per row of X, on average
  bool is_built_ = false;
  double passes_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_newton(const Problem<View>& problem, const SolverSetup& setup) {
  return std::make_unique<NewtonSteps<View, ExplicitHessian<View>>>(problem, setup);
}

FINITESUM_FOR_EACH_VIEW(make_newton)

}  // namespace finitesum
