// Newton with the explicit (p + 1) x (p + 1) Hessian: for narrow data, and where rows or columns are so badly scaled
// that stochastic steps are too short. Losses without a second derivative everywhere take a generalized one.
#include <array>
#include <cstddef>
#include <vector>

#include "solvers/any.hpp"
#include "solvers/hessian_sum.hpp"
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
        sum_(problem, model_),
        mean_squared_norm_(unit_smoothness(problem).mean) {}

  void build(const ModelPoint& point, Control& control) {
    const ElasticNet& penalty = problem_.intercept_penalty;
    model_.set_intercept({point.anchor.intercept, point.anchor.intercept_slope, penalty.l1(), penalty.l2()});
    if (is_built_ && problem_.loss.is_quadratic()) return;
    passes_ += 1;
    const auto factors_of = [&](std::size_t first, std::size_t count, double* h) {
      curvatures(point, first, count, h);
    };
    is_built_ = sum_.build(factors_of, control);
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
  // (1/S) s_i l''(z_i, y_i)
  void curvatures(const ModelPoint& point, std::size_t first, std::size_t count, double* h) const {
    std::array<double, block_rows> z;
    for (std::size_t k = 0; k < count; ++k) z[k] = point.margins[first + k] + point.anchor.intercept;
    problem_.loss.curvatures(z.data(), TargetBlock(problem_.y, first, count).data(), h, count);
    for (std::size_t k = 0; k < count; ++k) h[k] *= problem_.weight(first + k) / problem_.total_weight;
  }

  const Problem<View>& problem_;
  QuadraticModel model_;
  HessianSum<View> sum_;
  double mean_squared_norm_;
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
