#include "solvers/intercept.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "solvers/rows.hpp"

namespace finitesum {
namespace {

struct Slope {
  double first = 0;      // sum s_i l'(z_i + b, y_i)
  double second = 0;     // sum s_i l''(z_i + b, y_i)
  double magnitude = 0;  // sum s_i |l'|: the scale of rounding in `first`

  Slope& operator+=(const Slope& other) {
    first += other.first;
    second += other.second;
    magnitude += other.magnitude;
    return *this;
  }
};

using Block = std::array<double, block_rows>;

void shift(const InterceptProblem& problem, double b, std::size_t first, std::size_t count, Block& out) {
  if (problem.compute_z) {
    problem.compute_z(first, count, out.data());
    for (std::size_t k = 0; k < count; ++k) out[k] += b;
  } else {
    for (std::size_t k = 0; k < count; ++k) out[k] = b + (problem.z != nullptr ? problem.z[first + k] : 0.0);
  }
}

Slope slope_at(const InterceptProblem& problem, double b) {
  const auto slope_of = [&](std::size_t first, std::size_t count) {
    Block z;
    Block derivative;
    Block curvature;
    shift(problem, b, first, count, z);
    const TargetBlock y(problem.y, first, count);
    problem.loss.derivatives(z.data(), y.data(), derivative.data(), count);
    problem.loss.curvatures(z.data(), y.data(), curvature.data(), count);
    Slope block;
    for (std::size_t k = 0; k < count; ++k) {
      const double s = problem.s != nullptr ? problem.s[first + k] : 1.0;
      block.first += s * derivative[k];
      block.second += s * curvature[k];
      block.magnitude += s * std::fabs(derivative[k]);
    }
    return block;
  };
  return sum_over_blocks(problem.n, problem.n_threads, slope_of, problem.watch);
}

}  // namespace

double InterceptProblem::objective(double b) const {
  const auto value_of = [&](std::size_t first, std::size_t count) {
    Block shifted;
    shift(*this, b, first, count, shifted);
    const double* weights = s != nullptr ? s + first : nullptr;
    return loss.value_sum(shifted.data(), TargetBlock(y, first, count).data(), weights, count);
  };
  return sum_over_blocks(n, n_threads, value_of, watch);
}

double InterceptProblem::solve(double b) const {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double rounding = 4 * std::numeric_limits<double>::epsilon();
  double low = -infinity;
  double high = infinity;
  double reach = 1;
  for (int iteration = 0; iteration < 200; ++iteration) {
    const Slope slope = slope_at(*this, b);
    if (watch.has_stopped()) break;
    if (std::fabs(slope.first) <= rounding * slope.magnitude) break;
    (slope.first > 0 ? high : low) = b;
    double next = slope.second > 0 ? b - slope.first / slope.second : (slope.first > 0 ? -infinity : infinity);
    if (!(next > low && next < high)) {
      // Outside of the bracket: bisect, or go on doubling while one end is open.
      const bool closed = std::isfinite(low) && std::isfinite(high);
      next = closed ? low + (high - low) / 2 : (slope.first > 0 ? b - reach : b + reach);
      reach *= 2;
    }
    if (std::fabs(next - b) <= rounding * std::fabs(b)) break;
    b = next;
  }
  return b;
}

NullModel fit_null_model(const LossFunction& loss, const Targets& y, const double* s, std::size_t n,
                         double total_weight, bool fit_intercept, int n_threads) {
  // Targets of +-1 take two values: their total weights say all.
  std::array<double, 2> labels{-1, 1};
  std::array<double, 2> masses{0, 0};
  const bool is_sign = loss.target_domain() == TargetDomain::sign;
  if (is_sign) {
    for (std::size_t i = 0; i < n; ++i) masses[y[i] > 0 ? 1 : 0] += s != nullptr ? s[i] : 1.0;
  }
  const InterceptProblem problem = is_sign
                                       ? InterceptProblem{loss, nullptr, Targets(labels.data()), masses.data(), 2, 1}
                                       : InterceptProblem{loss, nullptr, y, s, n, n_threads};
  const double intercept = fit_intercept ? problem.solve(0) : 0;
  const Slope slope = slope_at(problem, intercept);
  const double objective = problem.objective(intercept);
  // A prediction near b is off by some eps |b|, which moves the loss by its slope and its curvature.
  constexpr double eps = std::numeric_limits<double>::epsilon();
  const double shift = eps * std::fabs(intercept);
  const double rounding = shift * slope.magnitude + 8 * shift * shift * slope.second + 4 * eps * objective;
  return {intercept, objective / total_weight, rounding / total_weight, eps * slope.magnitude / total_weight};
}

}  // namespace finitesum
