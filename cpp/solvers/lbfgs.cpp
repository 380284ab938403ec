// L-BFGS of quasi_newton.hpp. A free intercept is not a coordinate: it is at its best in every trial, and the pairs are
// those of min_b F(w, b). The penalty has to be smooth.
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "solvers/any.hpp"
#include "solvers/column_units.hpp"
#include "solvers/newton_steps.hpp"
#include "solvers/quasi_newton.hpp"

namespace finitesum {
namespace {

template <class View>
class QuasiNewtonModel {
 public:
  QuasiNewtonModel(const Problem<View>& problem, const SolverSetup& setup)
      : problem_(problem), pairs_(problem.kernels, column_units(problem, setup)) {}

  void build(const ModelPoint& at, Control&) {
    pairs_.learn([&](std::size_t j) {
      if (j < problem_.n_columns()) return std::pair(at.w[j], at.gradient[j] + problem_.l2() * at.w[j]);
      const double b = at.anchor.intercept;
      return std::pair(b, at.anchor.intercept_slope + problem_.intercept_penalty.l2() * b);
    });
  }

  bool solve(const ModelPoint&, double damping, Control&, std::vector<double>& move) {
    std::fill(move.begin(), move.end(), 0.0);
    return pairs_.propose(damping, move.data());
  }

  bool margins(const std::vector<double>& move, std::vector<double>& out, Control& control) const {
    return all_margins(problem_, move.data(), out.data(), &control);
  }

  double passes() const { return 0; }
  void transfer(Archive& archive) { pairs_.transfer(archive); }

 private:
  const Problem<View>& problem_;
  QuasiNewton pairs_;  // with one for a penalized intercept
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_lbfgs(const Problem<View>& problem, const SolverSetup& setup) {
  return std::make_unique<NewtonSteps<View, QuasiNewtonModel<View>>>(problem, setup);
}

FINITESUM_FOR_EACH_VIEW(make_lbfgs)

}  // namespace finitesum
