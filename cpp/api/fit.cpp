#include "api/fit.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "api/problem_of.hpp"
#include "api/request_checks.hpp"
#include "solvers/any.hpp"
#include "solvers/driver.hpp"
#include "solvers/intercept.hpp"
#include "solvers/step_size.hpp"

namespace finitesum {
namespace {

template <class View>
struct NamedSolver {
  const char* name;
  bool takes_l1;
  std::unique_ptr<Solver> (*make)(const Problem<View>&, const SolverSetup&);
};

template <class View>
constexpr std::array<NamedSolver<View>, 11> named_solvers() {
  return {{{"sag", true, make_sag<View>},
           {"saga", true, make_saga<View>},
           {"svrg", true, make_svrg<View>},
           {"katyusha", true, make_katyusha<View>},
           {"sdca", true, make_sdca<View>},
           {"newton", true, make_newton<View>},
           {"cd", true, make_cd<View>},
           {"newton-cg", false, make_newton_cg<View>},
           {"lbfgs", false, make_lbfgs<View>},
           {"accelerated", true, make_accelerated<View>},
           {"gradient_descent", true, make_gradient_descent<View>}}};
}

// What is asked for that only SAG has is not passed over, unless the others are far too slow.
template <class View>
SolverChoice choose_solver(const Problem<View>& problem, const FitRequest& request, std::size_t n_outputs) {
  ProblemStatistics statistics = statistics_of(problem, n_outputs);
  statistics.is_quadratic = problem.loss.is_quadratic();
  if (!asks_for_sag(request)) return choose_solver(statistics, {}, "");
  return choose_solver(statistics, {"newton", "cd", "sag"}, left_by_what_is_asked_for);
}

template <class View>
NamedSolver<View> find_solver(const std::string& name, bool has_l1) {
  for (const auto& choice : named_solvers<View>()) {
    if (name != choice.name) continue;
    if (has_l1 && !choice.takes_l1)
      throw std::invalid_argument("solver '" + name + "' takes no L1 penalty: it needs l1_ratio=0.");
    return choice;
  }
  std::vector<std::string_view> choices = solver_names();
  choices.insert(choices.begin(), "auto");
  refuse("solver", name, choices);
}

SolverSetup setup_of(const FitRequest& request, double* coef, double intercept) {
  return {coef,
          intercept,
          parse<Sampling>("sampling", request.sampling, sampling_names),
          parse<StepSize>("step_size", request.step_rule, step_size_names),
          request.step_size,
          request.seed,
          request.options};
}

void load_start(const FitRequest& request, std::size_t p, std::vector<double>& coef) {
  if (request.coef_init != nullptr) {
    coef.assign(request.coef_init, request.coef_init + p);
  } else {
    coef.assign(p, 0.0);
  }
}

template <class View>
void run(const Problem<View>& problem, const FitRequest& request, const NullModel& null, Control& control,
         FitResult& result) {
  const std::size_t p = problem.n_columns();
  check_csr(problem.X, &control);
  if (request.solver == "auto") result.choice = choose_solver(problem, request, 1);
  result.solver = request.solver == "auto" ? result.choice.solver : request.solver;
  const NamedSolver<View> named = find_solver<View>(result.solver, problem.l1() > 0);
  check_options(request, result.solver, false);

  result.coef.resize(p);
  DriverLimits limits{null.objective, null.rounding, 0, 0};
  if (!has_finite_gap(problem)) {
    const std::vector<double> zero(p);
    limits.null_gradient_norm = gradient_norm(problem, zero.data(), null.intercept, result.coef.data());
    limits.gradient_rounding = 8 * null.derivative_rounding * std::sqrt(unit_smoothness(problem).max);
  }
  load_start(request, p, result.coef);
  const SolverSetup setup = setup_of(request, result.coef.data(), result.intercept);
  const std::unique_ptr<Solver> solver = named.make(problem, setup);
  Start start{request.coef_init != nullptr, 0};
  if (request.state != nullptr) {
    Archive archive(request.state, request.state_size);
    archive.integer(start.epochs);
    solver->transfer(archive);
    start.is_warm = true;
  }
  control.begin();
  static_cast<Outcome&>(result) = drive(*solver, request.stop, limits, start, control);
  if (request.keep_state) {
    Archive archive;
    std::size_t epochs = start.epochs + result.n_iter;
    archive.integer(epochs);
    solver->transfer(archive);
    result.state = archive.release();
  }
  result.intercept = solver->finish();
  result.sampling = solver->sampling();
  result.draw_shares = solver->draw_shares();
}

template <class View>
FitResult fit_view(const View& X, const FitRequest& request) {
  Control control(request.time_limit, request.interrupted);
  Problem<View> problem = problem_of(X, request);
  problem.control = &control;
  const NullModel null = fit_null_model(problem);
  FitResult result;
  result.solver = request.solver;
  result.null_objective = null.objective;
  result.intercept = request.fit_intercept ? request.intercept_init.value_or(null.intercept) : 0;
  try {
    run(problem, request, null, control, result);
  } catch (const Interrupted&) {
    // The start is what there is, with the objective that the null model has.
    load_start(request, X.n_columns, result.coef);
    const bool is_null = request.coef_init == nullptr && !request.intercept_init.has_value();
    static_cast<Outcome&>(result) =
        Outcome::before_start(is_null ? null.objective : std::numeric_limits<double>::infinity());
  }
  return result;
}

template <class View>
bool has_duplicates_in(const View& X, Control* control) {
  check_csr(X, control);
  if constexpr (View::is_sparse) {
    std::vector<std::size_t> last_row;  // one more than the last row that named the column; only for unsorted rows
    for (std::size_t i = 0; i < X.n_rows; ++i) {
      const auto row = X.row(i);
      if (control != nullptr) control->stop_after(row.size);
      bool increasing = true;
      for (std::size_t k = 1; k < row.size; ++k) increasing &= row.indices[k - 1] < row.indices[k];
      if (increasing) continue;
      last_row.resize(X.n_columns);
      for (std::size_t k = 0; k < row.size; ++k) {
        std::size_t& last = last_row[static_cast<std::size_t>(row.indices[k])];
        if (last == i + 1) return true;
        last = i + 1;
      }
    }
  }
  return false;
}

}  // namespace

FitResult fit(const FitRequest& request) {
  check_request(request);
  return std::visit([&](const auto& X) { return fit_view(X, request); }, request.X);
}

bool has_duplicates(const AnyMatrix& X, std::function<bool()> interrupted) {
  Control control(std::numeric_limits<double>::infinity(), std::move(interrupted));
  return std::visit([&](const auto& view) { return has_duplicates_in(view, &control); }, X);
}

std::string automatic_solver(const FitRequest& request, std::size_t n_outputs) {
  return std::visit(
      [&](const auto& X) {
        check_csr(X);
        return choose_solver(problem_of(X, request), request, n_outputs).solver;
      },
      request.X);
}

std::vector<std::string_view> solver_names(bool has_l1) {
  std::vector<std::string_view> names;
  for (const auto& choice : named_solvers<DenseView<double>>()) {
    if (choice.takes_l1 || !has_l1) names.emplace_back(choice.name);
  }
  return names;
}

std::vector<std::string_view> sampling_choices() { return {sampling_names.begin(), sampling_names.end()}; }

std::vector<std::string_view> step_size_choices() { return {step_size_names.begin(), step_size_names.end()}; }

const char* name_of(Stopping stopping) {
  switch (stopping) {
    case Stopping::duality_gap:
      return "duality gap";
    case Stopping::gradient_norm:
      return "gradient norm";
    case Stopping::max_iter:
      return "max_iter";
    case Stopping::no_progress:
      return "no progress";
    case Stopping::time_limit:
      return "time_limit";
    case Stopping::interrupted:
      return "interrupted";
    case Stopping::callback:
      return "callback";
  }
  return "";
}

}  // namespace finitesum
