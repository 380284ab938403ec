#include "api/fit_folds.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "api/problem_of.hpp"
#include "api/request_checks.hpp"
#include "solvers/driver.hpp"
#include "solvers/folds/problem.hpp"

namespace finitesum {
namespace {

template <class View>
FoldProblem<View> fold_problem_of(const View& X, const FoldRequest& request, Control& control) {
  FoldProblem<View> problem{{}, request.n_threads > 0 ? request.n_threads : available_threads()};
  for (std::size_t k = 0; k < request.n_folds; ++k) {
    FitRequest of_fold;
    of_fold.y = request.y;
    of_fold.sample_weight = request.weights + k * X.n_rows;
    of_fold.loss = request.loss;
    of_fold.loss_parameter = request.loss_parameter;
    of_fold.alpha = request.alphas[k];
    of_fold.l1_ratio = request.l1_ratio;
    of_fold.fit_intercept = request.fit_intercept;
    of_fold.n_threads = request.n_threads;
    problem.folds.push_back(problem_of(X, of_fold));
    problem.folds.back().control = &control;
  }
  return problem;
}

template <class View>
std::unique_ptr<FoldSolver> make_solver(const FoldProblem<View>& problem, const FoldRequest& request,
                                        const FoldSetup& setup) {
  if (!std::isfinite(problem.any().loss.smoothness()))
    throw std::invalid_argument("Folds need a loss with a bounded second derivative.");
  if (request.solver == "newton" && problem.any().loss.is_quadratic()) return make_fold_least_squares(problem, setup);
  if (request.l1_ratio != 0) throw std::invalid_argument("Folds take L1 with the squared loss and Newton alone.");
  if (request.solver == "sdca") return make_fold_sdca(problem, setup);
  if (request.solver == "newton") return make_fold_newton(problem, setup);
  refuse("solver for folds", request.solver, {"sdca", "newton"});
}

template <class View>
void run(const View& X, const FoldRequest& request, const std::function<void(FoldStep&&)>& report) {
  Control control(std::numeric_limits<double>::infinity(), request.interrupted);
  FoldProblem<View> problem = fold_problem_of(X, request, control);
  check_csr(X, &control);
  FoldSetup setup{request.seed, {}, {}};
  std::vector<DriverLimits> limits;
  for (const Problem<View>& fold : problem.folds) {
    const NullModel null = fit_null_model(fold);
    setup.intercepts.push_back(null.intercept);
    setup.targets.push_back(request.stop.tol * null.objective + null.rounding);
    limits.push_back({null.objective, null.rounding, 0, 0});
  }
  const std::unique_ptr<FoldSolver> solver = make_solver(problem, request, setup);
  control.begin();
  Start start{false, 0};
  for (std::size_t t = 0; t < request.n_steps && !control.stopped(); ++t) {
    if (t > 0) {
      std::vector<double> before;
      for (std::size_t k = 0; k < problem.n_folds(); ++k) {
        before.push_back(problem.folds[k].l2());
        problem.folds[k].penalty = make_penalty(request.alphas[t * problem.n_folds() + k], request.l1_ratio);
      }
      solver->change_penalties(before);
    }
    FoldStep step;
    step.outcomes = drive(*solver, request.stop, limits, start, control);
    for (const DriverLimits& fold : limits) step.null_objectives.push_back(fold.null_objective);
    step.coef.resize(problem.n_folds() * X.n_columns);
    step.intercepts.resize(problem.n_folds());
    solver->write(step.coef.data(), step.intercepts.data());
    for (std::size_t k = 0; k < problem.n_folds(); ++k) step.margins.push_back(solver->margins(k));
    // A look before the first epoch seldom finds the fits done.
    start = {solver->checks_are_free(), start.epochs + step.outcomes.front().n_iter};
    report(std::move(step));
  }
}

}  // namespace

void fit_folds(const FoldRequest& request, const std::function<void(FoldStep&&)>& report) {
  if (request.n_folds == 0) throw std::invalid_argument("n_folds must be at least 1.");
  for (std::size_t k = 0; k < request.n_steps * request.n_folds; ++k) {
    if (!(request.alphas[k] > 0)) throw std::invalid_argument("Folds need a positive alpha.");
  }
  std::visit([&](const auto& X) { run(X, request, report); }, request.X);
}

}  // namespace finitesum
