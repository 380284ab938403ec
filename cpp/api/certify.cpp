#include "api/certify.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "api/problem_of.hpp"
#include "solvers/anchor.hpp"

namespace finitesum {
namespace {

// The largest value of a concave f on [0, end] by golden sections; f may be -infinity beyond some point. The ends and
// 1 are tried as well: the best scale is often one of them.
template <class Function>
double largest_value(double end, Function&& f) {
  constexpr double golden = 0.6180339887498949;
  constexpr double width = 1e-6;  // near the top, values differ by its square
  double best = std::max(f(end), end > 1 ? f(1) : 0.0);
  double low = 0;
  double high = end;
  double left = high - golden * (high - low);
  double right = low + golden * (high - low);
  double f_left = f(left);
  double f_right = f(right);
  while (high - low > width * end) {
    best = std::max({best, f_left, f_right});
    if (f_left >= f_right) {  // also where both are -infinity
      high = right;
      right = left;
      f_right = f_left;
      left = high - golden * (high - low);
      f_left = f(left);
    } else {
      low = left;
      left = right;
      f_left = f_right;
      right = low + golden * (high - low);
      f_right = f(right);
    }
  }
  return best;
}

// Dual points of a problem and the best lower bound that they give.
template <class View>
class LowerBound {
 public:
  explicit LowerBound(const Problem<View>& problem)
      : problem_(problem), anchor_(problem.n_rows()), gradient_(problem.n_columns()) {}

  double value() const { return best_; }

  // The derivatives at the predictions z_i + b (z null: all zero), balanced for the intercept's sake, times the best
  // scale: zero lies in every domain, so whole segments are feasible.
  void try_derivatives(const double* z, double b) {
    if (!has_finite_gap(problem_)) return;
    const std::size_t n = problem_.n_rows();
    double* u = anchor_.derivatives();
    for (std::size_t i = 0; i < n; ++i) u[i] = (z != nullptr ? z[i] : 0.0) + b;
    for_each_block(n, problem_.n_threads, [&](std::size_t first, std::size_t count) {
      problem_.loss.derivatives(u + first, TargetBlock(problem_.y, first, count).data(), u + first, count);
    });
    if (!std::all_of(u, u + n, [](double value) { return std::isfinite(value); })) return;
    if (problem_.has_free_intercept()) {
      const Balance balance = find_balance(problem_, StoredDerivatives{u});
      balance.apply(u, 0, n, u);
    }
    sum_gradient(problem_, StoredDerivatives{u}, gradient_.data());
    if (problem_.has_penalized_intercept()) intercept_gradient_ = mean_derivative(problem_, StoredDerivatives{u});
    best_ = std::max(best_, largest_value(largest_scale(), [&](double scale) { return scaled_dual(scale); }));
  }

 private:
  // Beyond 1 the bound may still rise, though near the optimum hardly ever does.
  double largest_scale() const {
    constexpr double reach = 2;
    if (problem_.l2() > 0) return reach;
    double largest = 0;
    for (const double entry : gradient_) largest = std::max(largest, std::fabs(entry));
    if (problem_.has_penalized_intercept())
      largest = std::max(largest, std::fabs(intercept_gradient_) * (problem_.l1() / problem_.intercept_penalty.l1()));
    return largest * reach > problem_.l1() ? problem_.l1() / largest : reach;
  }

  // D(scale u); the caller keeps a pure L1 penalty's constraint.
  double scaled_dual(double scale) const {
    double penalty = 0;
    if (problem_.l2() > 0) {
      penalty = std::visit(
          [&](const auto& each) {
            double sum = 0;
            for (const double entry : gradient_) sum += each.conjugate(-scale * entry);
            return sum;
          },
          problem_.penalty);
      if (problem_.has_penalized_intercept())
        penalty += problem_.intercept_penalty.conjugate(-scale * intercept_gradient_);
    }
    const double conjugate = conjugate_sum(problem_, scale, StoredDerivatives{anchor_.margins.data()});
    const double value = -conjugate / problem_.total_weight - penalty;
    return std::isnan(value) ? -math::infinity : value;
  }

  const Problem<View>& problem_;
  Anchor anchor_;  // holds the dual point
  std::vector<double> gradient_;
  double intercept_gradient_ = 0;  // only of a penalized one
  double best_ = 0;                // u = 0
};

// How much rounding may have moved the objective or a dual value: predictions and targets are known to some eps.
template <class View>
double rounding_at(const Problem<View>& problem, const double* z, double b, double objective) {
  double moved = 0;
  for (std::size_t i = 0; i < problem.n_rows(); ++i) {
    const double prediction = z[i] + b;
    const double slope = std::fabs(problem.loss.derivative(prediction, problem.y[i]));
    moved += problem.weight(i) * slope * (std::fabs(z[i]) + std::fabs(b) + std::fabs(problem.y[i]));
  }
  constexpr double eps = std::numeric_limits<double>::epsilon();
  return 4 * eps * (moved / problem.total_weight + objective);
}

// Runs this library's solver from the better of the point and the null model, until its objectives prove that the gap
// is at most a tenth above the true excess, or the gap is at rounding.
double bound_by_fitting(FitRequest request, const PointCertificate& point, double rounding) {
  constexpr double tight = 1.1;
  constexpr double tol = 1e-12;
  double bound = point.lower_bound;
  double smallest = point.objective;
  if (!(point.objective <= point.null_objective)) {
    request.coef_init = nullptr;
    request.intercept_init.reset();
    smallest = point.null_objective;
  }
  const auto is_enough = [&] {
    const double gap = point.objective - bound;
    return gap <= tight * (point.objective - smallest) || gap <= tol * point.null_objective + 2 * rounding;
  };
  if (is_enough()) return bound;
  request.stop.tol = 0;
  request.stop.monitor = [&](std::size_t, const Check& check) {
    smallest = std::min(smallest, check.objective);
    bound = std::max(bound, check.objective - check.gap - rounding);
    return is_enough();
  };
  return std::max(bound, fit(request).lower_bound - rounding);
}

template <class View>
PointCertificate certify_view(const View& X, const FitRequest& request) {
  const Problem<View> problem = problem_of(X, request);
  const NullModel null = fit_null_model(problem);

  const double* w = request.coef_init;
  const double b = request.intercept_init.value();
  Anchor anchor(problem.n_rows());
  evaluate_margins(problem, w, anchor);
  const double* z = anchor.margins.data();
  const InterceptProblem along{problem.loss, z, problem.y, problem.s, problem.n_rows(), problem.n_threads};
  PointCertificate result;
  result.null_objective = null.objective;
  result.objective = along.objective(b) / problem.total_weight + penalty_value(problem, w, b);

  LowerBound<View> bound(problem);
  bound.try_derivatives(z, b);
  if (problem.has_free_intercept()) bound.try_derivatives(z, along.solve(b));
  if (!(result.objective <= null.objective)) bound.try_derivatives(nullptr, null.intercept);
  double rounding = std::max(null.rounding, rounding_at(problem, z, b, result.objective));
  if (!std::isfinite(rounding)) rounding = null.rounding;
  result.lower_bound = std::max(bound.value() - rounding, 0.0);
  if (request.stop.max_iter > 0 && has_finite_gap(problem))
    result.lower_bound = bound_by_fitting(request, result, rounding);
  return result;
}

}  // namespace

PointCertificate certify_point(const FitRequest& request) {
  if (request.coef_init == nullptr || !request.intercept_init.has_value())
    throw std::invalid_argument("a point to certify has coefficients and an intercept.");
  has_duplicates(request.X);  // for its checks of the indices
  return std::visit([&](const auto& X) { return certify_view(X, request); }, request.X);
}

}  // namespace finitesum
