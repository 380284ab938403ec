#include "solvers/any.hpp"
#include "solvers/table_solver.hpp"

namespace finitesum {

template <class View>
std::unique_ptr<Solver> make_saga(const Problem<View>& problem, const SolverSetup& setup) {
  ColumnScaling scaling = scale_columns(problem, setup, true);
  return with_iterate<View>(problem, scaling, [&](auto iterate) -> std::unique_ptr<Solver> {
    return std::make_unique<TableSolver<View, typename decltype(iterate)::type, TableRule::saga>>(problem, setup,
                                                                                                  std::move(scaling));
  });
}

FINITESUM_FOR_EACH_VIEW(make_saga)

}  // namespace finitesum
