// SVRG's anchor: a full evaluation as in anchor.hpp, of which the margins alone are kept, cut to six bytes each, or
// nothing. Its derivatives are u_i = l'(z_i + b, y_i) at the cut margins z_i, for which b is the best intercept if it
// is free. Any u_i make an unbiased step as long as the gradient is formed from the same ones; these leave 2^-72 of the
// variance without an anchor at the optimum. Being derivatives they are a dual point that sums to zero, and D(u) falls
// short of the exact margins' by second order: cut derivatives would leave the ends of the conjugates' domains, where
// many have to be, and cost first order. So does any cut where u has to be scaled into the domain of R*, with a penalty
// of L1 alone: there the margins are kept exactly, in eight bytes. The objective is that of the exact margins, which
// the sweep for the gradient computes again from the row at hand. What is not kept is computed and cut whenever it is
// needed: all bits are the same.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "solvers/dual_gap.hpp"
#include "solvers/intercept.hpp"
#include "solvers/packed_doubles.hpp"

namespace finitesum {

struct RoundedAnchor {
  RoundedAnchor(std::size_t n_rows, bool stores_rows, bool is_exact)
      : stores(stores_rows), margins(stores_rows ? n_rows : 0, is_exact) {}

  bool stores;
  PackedDoubles margins;      // x_i.w of all rows, if stored
  const double* w = nullptr;  // the caller's
  double intercept = 0;
  double intercept_slope = 0;  // (1/S) sum_i s_i u_i: zero at the best intercept
  double objective = 0;
  std::size_t rows_computed_again = 0;
};

// Exact ones, of a block of rows.
template <class View>
void compute_margins(const Problem<View>& problem, RoundedAnchor& anchor, std::size_t first, std::size_t count,
                     double* z) {
  margins(problem, anchor.w, 0, first, count, z);
  if (!anchor.stores) add_atomically(anchor.rows_computed_again, count);
}

// The cut ones, once they are stored.
template <class View>
void cut_margins(const Problem<View>& problem, RoundedAnchor& anchor, std::size_t first, std::size_t count, double* z) {
  if (!anchor.stores) compute_margins(problem, anchor, first, count, z);
  for (std::size_t k = 0; k < count; ++k) z[k] = anchor.stores ? anchor.margins[first + k] : anchor.margins.cut(z[k]);
}

// The derivatives of a block of rows, at the anchor's intercept.
template <class View>
const double* derivatives_of(const Problem<View>& problem, RoundedAnchor& anchor, std::size_t first, std::size_t count,
                             double* room) {
  cut_margins(problem, anchor, first, count, room);
  for (std::size_t k = 0; k < count; ++k) room[k] += anchor.intercept;
  problem.loss.derivatives(room, TargetBlock(problem.y, first, count).data(), room, count);
  return room;
}

// The margins, if they are to be stored; the best intercept at w, if it is free; and the objective, but for the cut.
// False, here and below, if control stops the work.
template <class View>
bool evaluate_intercept(const Problem<View>& problem, const double* w, RoundedAnchor& anchor, Control* control) {
  anchor.w = w;
  const std::size_t n = problem.n_rows();
  if (anchor.stores) {
    const bool is_finished = for_each_row_block(problem, control, [&](std::size_t first, std::size_t count) {
      std::array<double, block_rows> z;
      compute_margins(problem, anchor, first, count, z.data());
      for (std::size_t k = 0; k < count; ++k) anchor.margins.set(first + k, z[k]);
    });
    if (!is_finished) return false;
  }
  InterceptProblem along{problem.loss, nullptr, problem.y, problem.s, n, problem.n_threads};
  along.compute_z = [&](std::size_t first, std::size_t count, double* z) {
    cut_margins(problem, anchor, first, count, z);
  };
  if (problem.has_free_intercept()) anchor.intercept = along.solve(anchor.intercept);
  anchor.objective =
      along.objective(anchor.intercept) / problem.total_weight + penalty_value(problem, w, anchor.intercept);
  return true;
}

// The objective, exactly, and (1/S) X^T (s o u).
template <class View>
bool evaluate_gradient(const Problem<View>& problem, RoundedAnchor& anchor, double* gradient, Control* control) {
  struct Sums {
    double losses;
    double derivatives;
  };
  std::vector<Sums> blocks((problem.n_rows() + block_rows - 1) / block_rows);
  const double b = anchor.intercept;
  const bool is_finished = sum_gradient(
      problem,
      [&](std::size_t first, std::size_t count, double* u) {
        std::array<double, block_rows> z;
        compute_margins(problem, anchor, first, count, z.data());
        for (std::size_t k = 0; k < count; ++k) {
          u[k] = anchor.margins.cut(z[k]) + b;
          z[k] += b;
        }
        const TargetBlock y(problem.y, first, count);
        Sums& sums = blocks[first / block_rows];
        sums.losses = problem.loss.value_sum(z.data(), y.data(), problem.weights_from(first), count);
        problem.loss.derivatives(u, y.data(), u, count);
        sums.derivatives = problem.has_penalized_intercept() ? weighted_sum(problem, u, first, count) : 0;
        return u;
      },
      gradient, control);
  if (!is_finished) return false;
  Sums all{};
  for (const Sums& block : blocks) {
    all.losses += block.losses;
    all.derivatives += block.derivatives;
  }
  anchor.objective = all.losses / problem.total_weight + penalty_value(problem, anchor.w, b);
  anchor.intercept_slope = all.derivatives / problem.total_weight;
  return true;
}

}  // namespace finitesum
