// Truncated Newton: the step solves the Newton equations by conjugate gradients, one fused sweep over X for each
// product with the Hessian, and only as exactly as the distance to the optimum asks for. S. Eisenstat, H. Walker, SIAM
// J. Sci. Comput. 17, 1996; C.-J. Lin, R. Weng, S. Keerthi, "Trust region Newton method for logistic regression", JMLR
// 9, 2008, with a line search in the trust region's place and the diagonal of the Hessian as preconditioner: C.-Y.
// Hsia, W.-L. Chiang, C.-J. Lin, "Preconditioned conjugate gradient methods in truncated Newton frameworks", ACML 2018.
// So columns may have any scales. The penalty has to be smooth.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "solvers/any.hpp"
#include "solvers/newton_steps.hpp"
#include "solvers/step_size.hpp"

namespace finitesum {
namespace {

template <class View>
class ImplicitHessian {
 public:
  ImplicitHessian(const Problem<View>& problem, const SolverSetup&)
      : problem_(problem),
        size_(problem.n_columns() + (problem.fit_intercept ? 1 : 0)),
        curvatures_(problem.n_rows()),
        products_(problem.n_rows()),
        move_margins_(problem.n_rows()),
        diagonal_(size_),
        inverse_(size_),
        residual_(size_),
        direction_(size_),
        image_(size_),
        mean_squared_norm_(unit_smoothness(problem).mean) {}

  // The curvatures l''(z_i, y_i) and the Hessian's diagonal, without the penalty.
  void build(const ModelPoint& point, Control& control) {
    if (is_built_ && problem_.loss.is_quadratic()) return;
    passes_ += 1;
    std::vector<double> sums((problem_.n_rows() + block_rows - 1) / block_rows);
    const auto& rows = row_kernels(problem_.kernels, problem_.X);
    const auto add = [&](std::size_t first, std::size_t count, double* sum) {
      std::array<double, block_rows> z;
      double* h = curvatures_.data() + first;
      for (std::size_t k = 0; k < count; ++k) z[k] = point.margins[first + k] + point.anchor.intercept;
      problem_.loss.curvatures(z.data(), TargetBlock(problem_.y, first, count).data(), h, count);
      for (std::size_t k = 0; k < count; ++k) {
        const double factor = problem_.weight(first + k) * h[k] / problem_.total_weight;
        sums[first / block_rows] += factor;
        if (factor != 0) axpy_squares(rows, factor, problem_.X.row(first + k), sum);
      }
    };
    is_built_ = sum_over_rows(problem_, diagonal_.data(), add, &control);
    if (problem_.fit_intercept) diagonal_.back() = std::accumulate(sums.begin(), sums.end(), 0.0);
  }

  // Preconditioned conjugate gradients for (H + D) v = -g from v = 0, D the penalty's part and the damping.
  bool solve(const ModelPoint& point, double damping, Control& control, std::vector<double>& move) {
    constexpr double flat = 1e-14;  // relative to the diagonal: what rounding leaves
    shift_ = damping * curvature_bound(problem_.loss, mean_squared_norm_,
                                       chained_sum(size_, [&](std::size_t j) { return diagonal_[j]; }));
    std::fill(move.begin(), move.end(), 0.0);
    std::fill(move_margins_.begin(), move_margins_.end(), 0.0);
    for (std::size_t j = 0; j < size_; ++j) {
      const double total = diagonal_[j] + ridge(j);
      inverse_[j] = total > 0 ? 1 / total : 1;
      residual_[j] = -slope(point, j);
      direction_[j] = inverse_[j] * residual_[j];
    }
    double norm = chained_sum(size_, [&](std::size_t j) { return residual_[j] * direction_[j]; });
    if (norm == 0) return true;
    if (!std::isfinite(norm)) return false;
    const double target = forcing(norm) * norm;
    const std::size_t most = 2 * std::min(size_, problem_.n_rows()) + 10;
    for (std::size_t k = 0; k < most; ++k) {
      if (!multiply(control)) return false;
      const double along = chained_sum(size_, [&](std::size_t j) { return direction_[j] * image_[j]; });
      const double scale =
          chained_sum(size_, [&](std::size_t j) { return direction_[j] * direction_[j] / inverse_[j]; });
      if (!(along > flat * scale)) return k > 0;
      const double step = norm / along;
      for (std::size_t i = 0; i < products_.size(); ++i) move_margins_[i] += step * products_[i];
      for (std::size_t j = 0; j < size_; ++j) {
        move[j] += step * direction_[j];
        residual_[j] -= step * image_[j];
      }
      const double next = chained_sum(size_, [&](std::size_t j) { return residual_[j] * residual_[j] * inverse_[j]; });
      if (next <= target) break;
      const double keep = next / norm;
      for (std::size_t j = 0; j < size_; ++j) direction_[j] = inverse_[j] * residual_[j] + keep * direction_[j];
      norm = next;
    }
    return true;
  }

  bool margins(const std::vector<double>&, std::vector<double>& out, Control&) {
    std::swap(out, move_margins_);
    return true;
  }

  double passes() const { return passes_; }
  void transfer(Archive& archive) {
    archive(last_norm_);
    archive(last_forcing_);
    archive(passes_);
  }

 private:
  double ridge(std::size_t j) const {
    return shift_ + (j < problem_.n_columns() ? problem_.l2() : problem_.intercept_penalty.l2());
  }
  double slope(const ModelPoint& point, std::size_t j) const {
    if (j < problem_.n_columns()) return point.gradient[j] + problem_.l2() * point.w[j];
    return point.anchor.intercept_slope + problem_.intercept_penalty.l2() * point.anchor.intercept;
  }

  // What is to be left of the residual's squared norm: the second choice of Eisenstat and Walker, with eta^2 for eta. A
  // quadratic loss has but one system, which is better not begun again.
  double forcing(double norm) {
    constexpr double loosest = 0.1;
    if (problem_.loss.is_quadratic()) return 1e-6;
    double eta = last_norm_ > 0 ? 0.9 * norm / last_norm_ : loosest;
    const double before = 0.9 * last_forcing_ * last_forcing_;
    if (before > 0.1) eta = std::max(eta, before);
    last_norm_ = norm;
    last_forcing_ = std::min(eta, loosest);
    return last_forcing_ * last_forcing_;
  }

  // image = (H + D) direction, products = X direction: the fused pass.
  bool multiply(Control& control) {
    const std::size_t p = problem_.n_columns();
    const double of_intercept = problem_.fit_intercept ? direction_[p] : 0;
    std::vector<double> sums((problem_.n_rows() + block_rows - 1) / block_rows);
    const bool is_finished = sum_gradient(
        problem_,
        [&](std::size_t first, std::size_t count, double* room) {
          double* q = products_.data() + first;
          finitesum::margins(problem_, direction_.data(), 0, first, count, q);
          for (std::size_t k = 0; k < count; ++k) room[k] = curvatures_[first + k] * (q[k] + of_intercept);
          if (problem_.fit_intercept) sums[first / block_rows] += weighted_sum(problem_, room, first, count);
          return room;
        },
        image_.data(), &control);
    if (problem_.fit_intercept) image_[p] = std::accumulate(sums.begin(), sums.end(), 0.0) / problem_.total_weight;
    for (std::size_t j = 0; j < size_; ++j) image_[j] += ridge(j) * direction_[j];
    passes_ += 1;
    return is_finished;
  }

  const Problem<View>& problem_;
  std::size_t size_;
  std::vector<double> curvatures_;
  std::vector<double> products_;      // X direction_
  std::vector<double> move_margins_;  // X move
  std::vector<double> diagonal_;
  std::vector<double> inverse_;  // of the whole diagonal: the preconditioner
  std::vector<double> residual_;
  std::vector<double> direction_;
  std::vector<double> image_;
  double mean_squared_norm_;
  double shift_ = 0;
  double last_norm_ = 0;
  double last_forcing_ = 0;
  bool is_built_ = false;
  double passes_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_newton_cg(const Problem<View>& problem, const SolverSetup& setup) {
  return std::make_unique<NewtonSteps<View, ImplicitHessian<View>>>(problem, setup);
}

FINITESUM_FOR_EACH_VIEW(make_newton_cg)

}  // namespace finitesum
