// The diagonal metric of the methods that know no more of the Hessian: 1 / c_j of column_scaling.hpp, which leaves
// columns alone unless they are badly scaled. Measured on news20, L-BFGS takes 30 steps so and 49 in units of the
// columns.
#pragma once

#include <vector>

#include "solvers/column_scaling.hpp"

namespace finitesum {

// One per column, and one more for a penalized intercept.
template <class AnyProblem, class Setup>
std::vector<double> column_units(const AnyProblem& problem, const Setup& setup) {
  constexpr bool is_sparse = decltype(AnyProblem::X)::is_sparse;
  std::vector<double> units(problem.n_columns() + (problem.has_penalized_intercept() ? 1 : 0), 1.0);
  const ColumnScaling scaling = scale_columns(problem, setup, false);
  for (std::size_t j = 0; scaling.is_on() && j < problem.n_columns(); ++j)
    units[j] = 1 / scaling.factors[is_sparse ? scaling.classes[j] : j];
  return units;
}

}  // namespace finitesum
