// The solvers by name. Adding one: its .cpp, a maker here, a line in `named_solvers` (api/fit.cpp).
#pragma once

#include <memory>

#include "solvers/solver.hpp"

namespace finitesum {

template <class View>
std::unique_ptr<Solver> make_sag(const Problem<View>& problem, const SolverSetup& setup);
template <class View>
std::unique_ptr<Solver> make_saga(const Problem<View>& problem, const SolverSetup& setup);
template <class View>
std::unique_ptr<Solver> make_svrg(const Problem<View>& problem, const SolverSetup& setup);
template <class View>
std::unique_ptr<Solver> make_katyusha(const Problem<View>& problem, const SolverSetup& setup);
template <class View>
std::unique_ptr<Solver> make_sdca(const Problem<View>& problem, const SolverSetup& setup);
template <class View>
std::unique_ptr<Solver> make_newton(const Problem<View>& problem, const SolverSetup& setup);
template <class View>
std::unique_ptr<Solver> make_newton_cg(const Problem<View>& problem, const SolverSetup& setup);
template <class View>
std::unique_ptr<Solver> make_lbfgs(const Problem<View>& problem, const SolverSetup& setup);
template <class View>
std::unique_ptr<Solver> make_accelerated(const Problem<View>& problem, const SolverSetup& setup);
template <class View>
std::unique_ptr<Solver> make_gradient_descent(const Problem<View>& problem, const SolverSetup& setup);
template <class View>
std::unique_ptr<Solver> make_cd(const Problem<View>& problem, const SolverSetup& setup);

// Each solver is compiled once per view, in its own file.
#define FINITESUM_FOR_VIEW(maker, ...) \
  template std::unique_ptr<Solver> maker<__VA_ARGS__>(const Problem<__VA_ARGS__>&, const SolverSetup&);
#define FINITESUM_FOR_EACH_VIEW(maker)                     \
  FINITESUM_FOR_VIEW(maker, DenseView<float>)              \
  FINITESUM_FOR_VIEW(maker, DenseView<double>)             \
  FINITESUM_FOR_VIEW(maker, CsrView<float, std::int32_t>)  \
  FINITESUM_FOR_VIEW(maker, CsrView<double, std::int32_t>) \
  FINITESUM_FOR_VIEW(maker, CsrView<float, std::int64_t>)  \
  FINITESUM_FOR_VIEW(maker, CsrView<double, std::int64_t>)

}  // namespace finitesum
