// What the driver asks of a solver, once per epoch: everything inside an epoch is the solver's own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "solvers/archive.hpp"
#include "solvers/control.hpp"
#include "solvers/dual_gap.hpp"
#include "solvers/sampling.hpp"
#include "solvers/solver_options.hpp"

namespace finitesum {

class Solver {
 public:
  Solver() = default;
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;
  virtual ~Solver() = default;

  // Runs the epoch with this number (from zero). May return early when control says so; the iterate is valid at any
  // time.
  virtual void run_epoch(std::size_t number, Control& control) = 0;
  // The certificate of the present iterate; an unfinished one where control stops the work. If control has stopped
  // before, a solver without one at hand goes back to where it has one, or else leaves it unfinished.
  virtual Certificate check(Control& control) = 0;
  // The same for solvers that work on several outputs, problems of their own, side by side.
  virtual std::vector<Certificate> check_outputs(Control& control) { return {check(control)}; }
  // How many entries of X the next check reads.
  virtual std::size_t check_work() const = 0;
  // Whether check() reuses what an epoch computes anyway.
  virtual bool checks_are_free() const = 0;
  // Whether no further epoch can change anything.
  virtual bool stalled() const { return false; }
  // Gradient evaluations so far, divided by the number of rows.
  virtual double passes() const = 0;
  virtual double step_size() const = 0;
  // The sampling in use: "uniform" or "lipschitz"; "none" for solvers that take all rows at once.
  virtual const char* sampling() const = 0;
  // Share of the draws that falls to each tenth of the rows, ordered by their smoothness; empty where nothing is drawn.
  virtual std::vector<double> draw_shares() const { return {}; }
  // Forgets everything but the starting point, and goes on with half the step.
  virtual void restart_with_half_step() = 0;
  // Saves or loads everything that the epochs to come depend on, after an epoch.
  virtual void transfer(Archive& archive) = 0;
  // Writes the coefficients to the vector lent at construction and returns the intercept.
  virtual double finish() = 0;
};

// Step sizes by their formulas in L and mu, the strong convexity that the penalty gives.
enum class StepSize {
  automatic,
  one_over_L,
  one_over_16_L,
  two_over_L_plus_n_mu,
  one_over_3_L,
  one_over_2_L_plus_n_mu,
  line_search
};
inline constexpr std::array<const char*, 7> step_size_names{"auto", "1/L",           "1/16L",      "2/(L+n*mu)",
                                                            "1/3L", "1/(2(L+n*mu))", "line-search"};

// What a solver is built from besides the problem. `coef` holds the starting point; the solver may use it as p doubles
// of scratch until finish() fills it with the result.
struct SolverSetup {
  double* coef;
  double intercept;
  Sampling sampling;
  StepSize step_rule;
  double step_size;  // if positive, the step itself
  std::uint64_t seed;
  SolverOptions options;
};

}  // namespace finitesum
