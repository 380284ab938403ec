// L-BFGS of quasi_newton.hpp for the multinomial loss: the pairs are those of min_b F(W, b), see lbfgs.cpp.
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "solvers/column_units.hpp"
#include "solvers/multi/any.hpp"
#include "solvers/multi/newton_steps.hpp"
#include "solvers/quasi_newton.hpp"

namespace finitesum {
namespace {

template <class View>
class MultiQuasiNewtonModel {
 public:
  MultiQuasiNewtonModel(const MultiProblem<View>& problem, const MultiSetup& setup)
      : l2_(problem.l2()), pairs_(problem.kernels, coefficient_units(problem, setup)) {}

  void build(const MultiModelPoint& at, Control&) {
    pairs_.learn([&](std::size_t j) { return std::pair(at.w[j], at.gradient[j] + l2_ * at.w[j]); });
  }

  bool solve(const MultiModelPoint&, double damping, Control&, std::vector<double>& move) {
    std::fill(move.begin(), move.end(), 0.0);
    return pairs_.propose(damping, move.data());
  }

  double passes() const { return 0; }
  void transfer(Archive& archive) { pairs_.transfer(archive); }

 private:
  static std::vector<double> coefficient_units(const MultiProblem<View>& problem, const MultiSetup& setup) {
    std::vector<double> units;
    units.reserve(problem.n_coefficients());
    for (const double of_column : column_units(problem, setup)) units.insert(units.end(), problem.n_outputs, of_column);
    return units;
  }

  double l2_;
  QuasiNewton pairs_;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_multi_lbfgs(const MultiProblem<View>& problem, const MultiSetup& setup) {
  return std::make_unique<MultiNewtonSteps<View, MultiQuasiNewtonModel<View>>>(problem, setup);
}

FINITESUM_FOR_EACH_MULTI_VIEW(make_multi_lbfgs)

}  // namespace finitesum
