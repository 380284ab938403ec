// The one entry of the core for convex fits: plain data in, plain data out. Bindings and benchmarks include this and
// nothing below it.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/solver_choice.hpp"
#include "core/matrix_view.hpp"
#include "core/targets.hpp"
#include "solvers/control.hpp"
#include "solvers/report.hpp"
#include "solvers/solver_options.hpp"

namespace finitesum {

// min over (w, b) of (1/S) sum_i s_i l(x_i.w + b, y_i) + alpha [ (1 - l1_ratio)/2 |w|^2 + l1_ratio |w|_1 ]
struct FitRequest {
  AnyMatrix X;
  Targets y;
  const double* sample_weight = nullptr;  // null: every weight is one
  std::string loss = "squared";
  double loss_parameter = 1;
  double alpha = 0;
  double l1_ratio = 0;
  bool fit_intercept = true;
  // Finite: the intercept b is penalized like a coefficient of b / intercept_scaling, as liblinear does.
  double intercept_scaling = std::numeric_limits<double>::infinity();

  std::string solver = "auto";
  std::string sampling = "auto";
  std::string step_rule = "auto";
  double step_size = 0;  // if positive, the step itself
  SolverOptions options;
  StopRule stop;
  int n_threads = 0;  // for passes over all rows; 0: as many as OpenMP would take
  double time_limit = std::numeric_limits<double>::infinity();
  std::uint64_t seed = 0;
  const double* coef_init = nullptr;
  std::optional<double> intercept_init;

  // Lossless resume: what a fit of the same problem with the same options left, to go on as if it had never stopped.
  const double* state = nullptr;
  std::size_t state_size = 0;
  bool keep_state = false;  // whether to return such a state

  std::function<bool()> interrupted;  // asked at most every 20 ms; true stops the fit
};

struct FitResult : Outcome {
  std::vector<double> coef;
  double intercept = 0;
  double null_objective = 0;
  std::string solver;
  SolverChoice choice;  // by "auto"
  std::string sampling;
  std::vector<double> draw_shares;  // per decile of the rows' smoothness; empty where nothing is drawn
  std::vector<double> state;
};

// Throws std::invalid_argument, with a message for the user, before any work starts.
FitResult fit(const FitRequest& request);

const char* name_of(Stopping stopping);
// All solvers, or those that take an L1 penalty.
std::vector<std::string_view> solver_names(bool has_l1 = false);
// What "auto" means for so many outputs with this problem, whatever their targets; "sag" if it takes them together.
std::string automatic_solver(const FitRequest& request, std::size_t n_outputs);
// With "auto".
std::vector<std::string_view> sampling_choices();
std::vector<std::string_view> step_size_choices();

// Checks every row pointer and column index of a CSR matrix; true if some row names a column twice. Throws Interrupted
// when `interrupted` says so.
bool has_duplicates(const AnyMatrix& X, std::function<bool()> interrupted = nullptr);

}  // namespace finitesum
