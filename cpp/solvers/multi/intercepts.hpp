// The best K intercepts for given scores: min over b of sum_i s_i loss(z_i + b, y_i), a convex problem in K dimensions
// whose gradient is the excess mass of each class, sum_i s_i q_ik minus the weight of its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "solvers/multi/problem.hpp"
#include "solvers/multi/row_sweep.hpp"
#include "solvers/quadratic_model.hpp"

namespace finitesum {

class InterceptsProblem {
 public:
  // Every class must have weight.
  InterceptsProblem(const KernelTable& table, const std::int32_t* y, const double* s, std::size_t n, std::size_t K,
                    RowSweep sweep);

  const std::vector<double>& class_weights() const { return class_weights_; }

  // sum_i s_i loss(z_i + b, y_i); z is n x K. Infinite, here and below, if control stops the sweep.
  double objective(const RowNumbers& z, const double* b);
  // Moves b to the minimizer and returns the objective there. Newton's method, whose quadratic end makes the
  // derivatives sum to zero up to rounding; where its step fails, one of iterative scaling, b_k += log(class weight /
  // mass), which always decreases the objective (J. Darroch, D. Ratcliff, Ann. Math. Stat. 1972). The intercepts keep
  // their sum.
  double solve(const RowNumbers& z, double* b);

 private:
  struct Point {
    double objective = 0;
    double excess = 0;  // sum_k |mass_k - class weight_k|
    std::vector<double> b;
    std::vector<double> mass;  // sum_i s_i q_ik
  };

  void evaluate(const RowNumbers& z, Point& point);
  bool newton_move(const Point& from, std::vector<double>& move);

  const KernelTable& table_;
  const std::int32_t* y_;
  const double* s_;
  RowSweep sweep_;
  std::size_t K_;
  double total_weight_ = 0;
  std::vector<double> class_weights_;
  Scores scores_;
  std::vector<double> room_;      // for the numbers of a block
  std::vector<double> products_;  // sum_i s_i q_i q_i^T at the point evaluated last
  QuadraticModel model_;
};

// The null model: zero coefficients and the best intercepts, log of the class frequencies, which sum to zero.
struct MultiNullModel {
  std::vector<double> intercepts;
  double objective;
  double rounding;             // how exactly objectives of this problem can be evaluated
  double derivative_rounding;  // eps times the mean |derivative|_1
};
MultiNullModel fit_multi_null_model(const std::vector<double>& class_weights, bool fit_intercept);

}  // namespace finitesum
