// Limited-memory BFGS: J. Nocedal, "Updating quasi-Newton matrices with limited storage", Math. Comp. 35, 1980; D. Liu,
// J. Nocedal, Math. Programming 45, 1989. The initial matrix is diagonal, in units of the columns, so that they may
// have any scales. A free intercept is not a coordinate: it is at its best in every trial, and the pairs are those of
// min_b F(w, b). The penalty has to be smooth.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "solvers/any.hpp"
#include "solvers/column_units.hpp"
#include "solvers/newton_steps.hpp"

namespace finitesum {
namespace {

template <class View>
class QuasiNewtonModel {
 public:
  QuasiNewtonModel(const Problem<View>& problem, const SolverSetup& setup)
      : problem_(problem),
        units_(column_units(problem, setup)),
        size_(units_.size()),
        steps_(memory * size_),
        changes_(memory * size_),
        point_(size_),
        slope_(size_),
        products_(memory),
        weights_(memory) {}

  // Learns from the step that led here.
  void build(const ModelPoint& at, Control&) {
    const std::size_t slot = n_pairs_ % memory * size_;
    double* step = steps_.data() + slot;
    double* change = changes_.data() + slot;
    for (std::size_t j = 0; j < size_; ++j) {
      const bool is_intercept = j == problem_.n_columns();
      const double x = is_intercept ? at.anchor.intercept : at.w[j];
      const double g = is_intercept ? at.anchor.intercept_slope + problem_.intercept_penalty.l2() * x
                                    : at.gradient[j] + problem_.l2() * x;
      step[j] = x - point_[j];
      change[j] = g - slope_[j];
      point_[j] = x;
      slope_[j] = g;
    }
    if (has_point_ != 0) {
      constexpr double least_curvature = 1e-12;  // relative: below, rounding may be all that is seen
      const double product = dot(step, change);
      const double squared = chained_sum(size_, [&](std::size_t j) { return change[j] * change[j] / units_[j]; });
      const double length = chained_sum(size_, [&](std::size_t j) { return step[j] * step[j] * units_[j]; });
      if (product > least_curvature * std::sqrt(squared * length)) {
        products_[n_pairs_ % memory] = product;
        scale_ = product / squared;
        n_pairs_ += 1;
      }
    }
    has_point_ = 1;
  }

  // The two loops. Damped, the model forgets its pairs, and its steps shrink.
  bool solve(const ModelPoint&, double damping, Control&, std::vector<double>& move) {
    constexpr double smallest_damping = 1e-10;
    const auto& kernel = dense<double>(problem_.kernels);
    if (damping > 0) n_pairs_ = 0;
    const double scale = damping > 0 ? scale_ * smallest_damping / damping : scale_;
    std::fill(move.begin(), move.end(), 0.0);
    for (std::size_t j = 0; j < size_; ++j) move[j] = -slope_[j];
    const std::size_t count = std::min<std::size_t>(n_pairs_, memory);
    for (std::size_t k = 1; k <= count; ++k) {
      const std::size_t slot = (n_pairs_ - k) % memory;
      weights_[slot] = dot(steps_.data() + slot * size_, move.data()) / products_[slot];
      kernel.axpy(-weights_[slot], changes_.data() + slot * size_, move.data(), size_);
    }
    for (std::size_t j = 0; j < size_; ++j) move[j] *= scale / units_[j];
    for (std::size_t k = count; k > 0; --k) {
      const std::size_t slot = (n_pairs_ - k) % memory;
      const double back = dot(changes_.data() + slot * size_, move.data()) / products_[slot];
      kernel.axpy(weights_[slot] - back, steps_.data() + slot * size_, move.data(), size_);
    }
    return std::all_of(move.begin(), move.end(), [](double v) { return std::isfinite(v); });
  }

  bool margins(const std::vector<double>& move, std::vector<double>& out, Control& control) const {
    return all_margins(problem_, move.data(), out.data(), &control);
  }

  double passes() const { return 0; }
  void transfer(Archive& archive) {
    archive(steps_);
    archive(changes_);
    archive(point_);
    archive(slope_);
    archive(products_);
    archive(scale_);
    archive.integer(n_pairs_);
    archive.integer(has_point_);
  }

 private:
  static constexpr std::size_t memory = 10;  // pairs

  double dot(const double* a, const double* b) const { return dense<double>(problem_.kernels).dot(a, b, size_); }

  const Problem<View>& problem_;
  std::vector<double> units_;  // with one for a penalized intercept
  std::size_t size_;
  std::vector<double> steps_;
  std::vector<double> changes_;  // of the slope, along the steps
  std::vector<double> point_;
  std::vector<double> slope_;
  std::vector<double> products_;  // step.change
  std::vector<double> weights_;
  double scale_ = 1;
  std::size_t n_pairs_ = 0;
  std::size_t has_point_ = 0;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_lbfgs(const Problem<View>& problem, const SolverSetup& setup) {
  return std::make_unique<NewtonSteps<View, QuasiNewtonModel<View>>>(problem, setup);
}

FINITESUM_FOR_EACH_VIEW(make_lbfgs)

}  // namespace finitesum
