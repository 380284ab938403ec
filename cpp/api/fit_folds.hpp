// The entry of the core for cross-validation: fits of all folds along a path of penalties, in shared passes over X.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/matrix_view.hpp"
#include "core/targets.hpp"
#include "solvers/report.hpp"

namespace finitesum {

// For each step t and fold k: min over (w, b) of (1/S_k) sum_i s_ki l(x_i.w + b, y_i)
// + alpha_tk [(1 - l1_ratio) |w|^2 / 2 + l1_ratio |w|_1]
struct FoldRequest {
  AnyMatrix X;
  Targets y;
  const double* weights = nullptr;  // K x n: zero for the rows that a fold leaves out
  std::size_t n_folds = 0;
  const double* alphas = nullptr;  // T x K, positive
  std::size_t n_steps = 0;
  double l1_ratio = 0;  // other than 0: for Newton with the squared loss
  std::string loss = "logistic";
  double loss_parameter = 1;
  bool fit_intercept = true;
  std::string solver;  // "sdca" or "newton"
  StopRule stop;
  int n_threads = 0;  // over the folds; 0: as many as OpenMP would take
  std::uint64_t seed = 0;
  std::function<bool()> interrupted;  // asked at most every 20 ms; true stops the work
};

// All folds at one step.
struct FoldStep {
  std::vector<Outcome> outcomes;
  std::vector<double> null_objectives;
  std::vector<double> coef;  // K x p
  std::vector<double> intercepts;
  std::vector<const double*> margins;  // x_i.w of all n rows, until the next step; null if they are not known
};

// Calls report after every step; one that was interrupted is the last. Throws std::invalid_argument, with a message for
// the user, before any work starts.
void fit_folds(const FoldRequest& request, const std::function<void(FoldStep&&)>& report);

}  // namespace finitesum
