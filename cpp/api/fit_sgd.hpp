// The entry of the core for stochastic gradient descent: plain data in, plain data out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/matrix_view.hpp"
#include "core/targets.hpp"
#include "sgd/options.hpp"

namespace finitesum {

// What is known after an epoch.
struct SgdEpoch {
  double epoch = 0;
  double seconds = 0;
  double loss = 0;       // mean over the epoch, each row's at the time of its draw; exact if that was asked for
  double objective = 0;  // with the penalty of the epoch's last iterate
  double score = std::numeric_limits<double>::quiet_NaN();  // of the validation rows
  double step_size = 0;
  double nonzeros = 0;
  double restarts = 0;  // so far, each with half the step
};

struct ValidationRows {
  AnyMatrix X;
  Targets y;
  const std::int32_t* classes;  // of the multinomial loss, instead of y
  const double* sample_weight;  // null: every weight is one
  bool are_labels;              // scored by the share of right predictions, else by R^2
};

struct SgdRequest {
  AnyMatrix X;
  Targets y;
  const std::int32_t* classes = nullptr;  // of the multinomial loss, instead of y: below n_classes
  const double* sample_weight = nullptr;
  SgdOptions options;
  std::optional<ValidationRows> validation;  // their score decides instead of the objective; the best result is kept
  const double* coef_init = nullptr;         // output by output
  const double* intercept_init = nullptr;
  double time_limit = std::numeric_limits<double>::infinity();

  // What a run left, to go on as if it had never stopped.
  const double* state = nullptr;
  std::size_t state_size = 0;
  bool keep_state = false;

  std::function<bool(const SgdEpoch&)> monitor;  // after every epoch; true stops
  std::function<bool()> interrupted;             // asked at most every 20 ms; true stops
};

struct SgdResult {
  std::vector<double> coef;  // output by output
  std::vector<double> intercepts;
  std::size_t n_iter = 0;
  double n_steps = 0;  // of all runs that this one goes on with
  std::string stopping;
  std::vector<SgdEpoch> history;
  std::optional<OptimumEstimate> optimum;
  std::vector<double> state;
};

// Throws std::invalid_argument, with a message for the user, before any work starts.
SgdResult fit_sgd(const SgdRequest& request);

}  // namespace finitesum
