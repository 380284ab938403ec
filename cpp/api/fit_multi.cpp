#include "api/fit_multi.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "api/fit.hpp"
#include "api/problem_of.hpp"
#include "api/request_checks.hpp"
#include "solvers/driver.hpp"
#include "solvers/intercept.hpp"
#include "solvers/multi/any.hpp"
#include "solvers/multi/evaluation.hpp"
#include "solvers/multi/intercepts.hpp"
#include "solvers/step_size.hpp"

namespace finitesum {
namespace {

template <class View>
struct NamedSolver {
  const char* name;
  bool takes_l1;
  bool takes_separable;  // has something to share between outputs that are problems of their own
  std::unique_ptr<Solver> (*make)(const MultiProblem<View>&, const MultiSetup&);
};

template <class View>
constexpr std::array<NamedSolver<View>, 5> named_solvers() {
  return {{{"sag", true, true, make_multi_sag<View>},
           {"saga", true, true, make_multi_saga<View>},
           {"svrg", true, true, make_multi_svrg<View>},
           {"newton", true, false, make_multi_newton<View>},
           {"lbfgs", false, false, make_multi_lbfgs<View>}}};
}

template <class View>
SolverChoice choose_solver(const MultiProblem<View>& problem, const MultiFitRequest& request) {
  ProblemStatistics statistics = statistics_of(problem, problem.n_outputs);
  statistics.is_multinomial = !problem.loss.is_separable();
  statistics.is_quadratic = problem.loss.is_separable() && problem.loss.of_output().is_quadratic();
  if (!statistics.is_multinomial) return choose_solver(statistics, {"sag"}, "that take several outputs together");
  if (!asks_for_sag(request)) return choose_solver(statistics, {}, "");
  return choose_solver(statistics, {"newton", "sag"}, left_by_what_is_asked_for);
}

template <class View>
std::unique_ptr<Solver> make_solver(const MultiProblem<View>& problem, const MultiSetup& setup,
                                    const std::string& name) {
  for (const auto& choice : named_solvers<View>()) {
    if (name != choice.name) continue;
    if (problem.loss.is_separable() && !choice.takes_separable)
      throw std::invalid_argument("solver '" + name + "' takes the outputs of a separable loss one at a time.");
    if (problem.l1() > 0 && !choice.takes_l1)
      throw std::invalid_argument("solver '" + name + "' takes no L1 penalty: it needs l1_ratio=0.");
    return choice.make(problem, setup);
  }
  std::vector<std::string_view> choices{"auto"};
  for (const auto& choice : named_solvers<View>()) choices.emplace_back(choice.name);
  refuse("solver for several classes fitted together:", name, choices);
}

template <class View>
std::vector<double> weights_of_classes(const MultiProblem<View>& problem) {
  const auto n_classes = static_cast<std::int32_t>(problem.n_outputs);
  std::vector<double> weights(problem.n_outputs);
  for (std::size_t i = 0; i < problem.n_rows(); ++i) {
    if (problem.y.labels[i] < 0 || problem.y.labels[i] >= n_classes)
      throw std::invalid_argument("y must hold class numbers in [0, " + std::to_string(n_classes) + ").");
    weights[problem.label(i)] += problem.weight(i);
  }
  if (std::any_of(weights.begin(), weights.end(), [](double weight) { return !(weight > 0); }))
    throw std::invalid_argument("Every class needs a sample of positive weight.");
  return weights;
}

// Zero coefficients and the best intercepts.
struct NullModels {
  std::vector<double> intercepts;
  std::vector<DriverLimits> limits;         // per problem
  std::vector<double> derivative_rounding;  // per problem
};

template <class View>
NullModels fit_null_models(const MultiProblem<View>& problem) {
  NullModels models;
  if (!problem.loss.is_separable()) {
    const MultiNullModel null = fit_multi_null_model(weights_of_classes(problem), problem.fit_intercept);
    return {null.intercepts, {{null.objective, null.rounding, 0, 0}}, {null.derivative_rounding}};
  }
  std::vector<double> y(problem.n_rows());
  for (std::size_t k = 0; k < problem.n_outputs; ++k) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = problem.target(i, k);
    const NullModel null = fit_null_model(problem.loss.of_output(), Targets(y.data()), problem.s, y.size(),
                                          problem.total_weight, problem.has_free_intercept(), 1);
    models.intercepts.push_back(null.intercept);
    models.limits.push_back({null.objective, null.rounding, 0, 0});
    models.derivative_rounding.push_back(null.derivative_rounding);
  }
  return models;
}

// What the gradient norms are compared with where no finite gap exists.
template <class View>
void set_gradient_limits(const MultiProblem<View>& problem, NullModels& null) {
  const std::vector<double> zero(problem.n_coefficients());
  std::vector<double> gradient(problem.n_coefficients());
  const std::vector<double> norms =
      make_evaluation(problem)->gradient_norms(zero.data(), null.intercepts.data(), gradient.data());
  const double largest_norm = std::sqrt(unit_smoothness(problem).max);
  for (std::size_t k = 0; k < norms.size(); ++k) {
    null.limits[k].null_gradient_norm = norms[k];
    null.limits[k].gradient_rounding = 8 * null.derivative_rounding[k] * largest_norm;
  }
}

MultiLoss make_multi_loss(const MultiFitRequest& request) {
  if (request.loss == "multinomial") return {};
  const LossFunction loss(make_loss(request.loss, request.loss_parameter), kernels());
  if (request.labels != nullptr && loss.target_domain() != TargetDomain::sign)
    throw std::invalid_argument("Labels are no targets of the loss '" + request.loss + "'.");
  return MultiLoss(loss);
}

template <class View>
void load_start(const MultiProblem<View>& problem, const MultiFitRequest& request, const NullModels& null,
                MultiFitResult& result) {
  const std::size_t size = problem.n_coefficients();
  if (request.coef_init != nullptr) {
    result.coef.assign(request.coef_init, request.coef_init + size);
  } else {
    result.coef.assign(size, 0.0);
  }
  result.intercepts = null.intercepts;
  if (request.fit_intercept && request.intercepts_init != nullptr)
    result.intercepts.assign(request.intercepts_init, request.intercepts_init + request.n_outputs);
}

template <class View>
void run(const MultiProblem<View>& problem, const MultiFitRequest& request, NullModels& null, Control& control,
         MultiFitResult& result) {
  check_csr(problem.X, &control);
  if (request.solver == "auto") result.choice = choose_solver(problem, request);
  result.solver = request.solver == "auto" ? result.choice.solver : request.solver;
  check_options(request, result.solver, true);
  if (!problem.has_finite_gap()) set_gradient_limits(problem, null);

  load_start(problem, request, null, result);
  const MultiSetup setup{result.coef.data(),
                         result.intercepts.data(),
                         parse<Sampling>("sampling", request.sampling, sampling_names),
                         parse<StepSize>("step_size", request.step_rule, step_size_names),
                         request.step_size,
                         request.seed,
                         request.options};

  const std::unique_ptr<Solver> solver = make_solver(problem, setup, result.solver);
  Start start{request.coef_init != nullptr, 0};
  if (request.state != nullptr) {
    Archive archive(request.state, request.state_size);
    archive.integer(start.epochs);
    solver->transfer(archive);
    start.is_warm = true;
  }
  control.begin();
  result.outcomes = drive(*solver, request.stop, null.limits, start, control);
  if (request.keep_state) {
    Archive archive;
    std::size_t epochs = start.epochs + result.outcomes.front().n_iter;
    archive.integer(epochs);
    solver->transfer(archive);
    result.state = archive.release();
  }
  solver->finish();
  result.sampling = solver->sampling();
  result.draw_shares = solver->draw_shares();
}

template <class View>
MultiFitResult fit_view(const View& X, const MultiFitRequest& request) {
  if (X.n_rows == 0 || X.n_columns == 0) throw std::invalid_argument("X must have at least one row and one column.");
  Control control(request.time_limit, request.interrupted);
  const AnyPenalty penalty = make_penalty(request.alpha, request.l1_ratio);
  const ElasticNet of_intercept = penalty_of_intercept(penalty, request.intercept_scaling);
  const MultiProblem<View> problem{X,
                                   {request.labels, request.targets},
                                   request.n_outputs,
                                   request.sample_weight,
                                   sum_weights(request.sample_weight, X.n_rows),
                                   make_multi_loss(request),
                                   penalty,
                                   request.fit_intercept,
                                   request.fit_intercept ? of_intercept : ElasticNet{0, 0},
                                   kernels(),
                                   &control};
  NullModels null = fit_null_models(problem);
  MultiFitResult result;
  result.solver = request.solver;
  for (const DriverLimits& limits : null.limits) result.null_objectives.push_back(limits.null_objective);
  try {
    run(problem, request, null, control, result);
  } catch (const Interrupted&) {
    // As in fit.cpp: the start is what there is.
    load_start(problem, request, null, result);
    const bool is_null = request.coef_init == nullptr && request.intercepts_init == nullptr;
    for (const double objective : result.null_objectives)
      result.outcomes.push_back(Outcome::before_start(is_null ? objective : std::numeric_limits<double>::infinity()));
  }
  return result;
}

}  // namespace

MultiFitResult fit_multi(const MultiFitRequest& request) {
  check_request(request);
  if (request.n_outputs < 2) throw std::invalid_argument("n_outputs must be at least 2.");
  if (request.loss == "multinomial" && request.labels == nullptr)
    throw std::invalid_argument("The multinomial loss takes class numbers.");
  if (request.loss == "multinomial" && std::isfinite(request.intercept_scaling))
    throw std::invalid_argument("The multinomial loss leaves the intercepts free: intercept_scaling must be infinite.");
  return std::visit([&](const auto& X) { return fit_view(X, request); }, request.X);
}

bool suits_several_outputs(std::string_view solver, const SolverOptions& options) {
  const auto solvers = named_solvers<DenseView<double>>();
  const bool is_there =
      std::any_of(solvers.begin(), solvers.end(), [&](const auto& s) { return solver == s.name && s.takes_separable; });
  const auto rules = option_rules(options);
  return is_there && std::all_of(rules.begin(), rules.end(), [&](const OptionRule& rule) {
           const auto& owners = rule.multi_solvers;
           return !rule.is_set || std::find(owners.begin(), owners.end(), solver) != owners.end();
         });
}

}  // namespace finitesum
