#include "solvers/multi/table_solver.hpp"

namespace finitesum {

template <class View>
std::unique_ptr<Solver> make_multi_saga(const MultiProblem<View>& problem, const MultiSetup& setup) {
  return make_multi_table_solver<TableRule::saga>(problem, setup);
}

FINITESUM_FOR_EACH_MULTI_VIEW(make_multi_saga)

}  // namespace finitesum
