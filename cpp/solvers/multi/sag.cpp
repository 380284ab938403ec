#include "solvers/multi/table_solver.hpp"

namespace finitesum {

template <class View>
std::unique_ptr<Solver> make_multi_sag(const MultiProblem<View>& problem, const MultiSetup& setup) {
  return make_multi_table_solver<TableRule::sag>(problem, setup);
}

FINITESUM_FOR_EACH_MULTI_VIEW(make_multi_sag)

}  // namespace finitesum
