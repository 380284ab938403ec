// The solvers for K outputs by name. Adding one: its .cpp, a maker here, a line in `named_solvers`
// (api/fit_multi.cpp). finish() of these solvers writes W and b to the places lent by MultiSetup; what it returns means
// nothing.
#pragma once

#include <memory>

#include "solvers/multi/problem.hpp"
#include "solvers/solver.hpp"

namespace finitesum {

template <class View>
std::unique_ptr<Solver> make_multi_sag(const MultiProblem<View>& problem, const MultiSetup& setup);
template <class View>
std::unique_ptr<Solver> make_multi_saga(const MultiProblem<View>& problem, const MultiSetup& setup);
template <class View>
std::unique_ptr<Solver> make_multi_svrg(const MultiProblem<View>& problem, const MultiSetup& setup);
template <class View>
std::unique_ptr<Solver> make_multi_newton(const MultiProblem<View>& problem, const MultiSetup& setup);
template <class View>
std::unique_ptr<Solver> make_multi_lbfgs(const MultiProblem<View>& problem, const MultiSetup& setup);

#define FINITESUM_FOR_MULTI_VIEW(maker, ...) \
  template std::unique_ptr<Solver> maker<__VA_ARGS__>(const MultiProblem<__VA_ARGS__>&, const MultiSetup&);
#define FINITESUM_FOR_EACH_MULTI_VIEW(maker)                     \
  FINITESUM_FOR_MULTI_VIEW(maker, DenseView<float>)              \
  FINITESUM_FOR_MULTI_VIEW(maker, DenseView<double>)             \
  FINITESUM_FOR_MULTI_VIEW(maker, CsrView<float, std::int32_t>)  \
  FINITESUM_FOR_MULTI_VIEW(maker, CsrView<double, std::int32_t>) \
  FINITESUM_FOR_MULTI_VIEW(maker, CsrView<float, std::int64_t>)  \
  FINITESUM_FOR_MULTI_VIEW(maker, CsrView<double, std::int64_t>)

}  // namespace finitesum
