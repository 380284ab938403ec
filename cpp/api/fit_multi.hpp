// The one entry of the core for several outputs: plain data in, plain data out, as in fit.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "api/solver_choice.hpp"
#include "core/matrix_view.hpp"
#include "solvers/report.hpp"
#include "solvers/solver_options.hpp"

namespace finitesum {

// min over (W, b) of (1/S) sum_i s_i loss(z_i, y_i) + alpha [ (1 - l1_ratio)/2 |W|_F^2 + l1_ratio |W|_1 ],
// z_i = W^T x_i + b, W p x K stored by rows. The loss is the multinomial one, log sum_k exp(z_ik) - z_{i, y_i}, or the
// sum over k of a scalar loss l(z_ik, y_ik): then these are K problems, each with its own outcome.
struct MultiFitRequest {
  AnyMatrix X;
  // One of the two. The multinomial loss takes labels, 0 to n_outputs - 1, each with weight; to a scalar loss a label
  // is +1 for the output of its number, if there is one, and -1 for the others.
  const std::int32_t* labels = nullptr;
  const double* targets = nullptr;  // n x K by rows
  std::size_t n_outputs = 0;
  const double* sample_weight = nullptr;  // null: every weight is one
  std::string loss = "multinomial";
  double loss_parameter = 1;
  double alpha = 0;
  double l1_ratio = 0;
  bool fit_intercept = true;
  double intercept_scaling = std::numeric_limits<double>::infinity();  // as in FitRequest; scalar losses only

  std::string solver = "auto";
  std::string sampling = "auto";
  std::string step_rule = "auto";
  double step_size = 0;  // if positive, the step itself
  SolverOptions options;
  StopRule stop;
  double time_limit = std::numeric_limits<double>::infinity();
  std::uint64_t seed = 0;
  const double* coef_init = nullptr;        // p x K
  const double* intercepts_init = nullptr;  // K; null: those of the null model

  // Lossless resume, as in FitRequest.
  const double* state = nullptr;
  std::size_t state_size = 0;
  bool keep_state = false;

  std::function<bool()> interrupted;  // asked at most every 20 ms; true stops the fit
};

struct MultiFitResult {
  std::vector<Outcome> outcomes;  // one for the multinomial loss, else one per output
  std::vector<double> null_objectives;
  std::vector<double> coef;        // p x K
  std::vector<double> intercepts;  // K
  std::string solver;
  SolverChoice choice;  // by "auto"
  std::string sampling;
  std::vector<double> draw_shares;  // as in FitResult
  std::vector<double> state;
};

// Throws std::invalid_argument, with a message for the user, before any work starts.
MultiFitResult fit_multi(const MultiFitRequest& request);

// Whether the solver takes several separable outputs together, with these options.
bool suits_several_outputs(std::string_view solver, const SolverOptions& options);

}  // namespace finitesum
