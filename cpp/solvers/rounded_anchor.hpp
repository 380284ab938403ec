// SVRG's anchor: a full evaluation as in anchor.hpp, of which eight bytes per row are kept, or six, or nothing.
//
// Eight are the derivatives. Six, which leaves room for a sampler by smoothness, are the margins, cut: the derivatives
// u_i = l'(z_i + b, y_i) are those of the cut margins z_i, for which b is the best intercept if it is free, and a draw
// computes one. Any u_i make an unbiased step as long as the gradient is formed from the same ones; these leave 2^-72
// of the variance without an anchor at the optimum. Being derivatives they are a dual point that sums to zero, and D(u)
// falls short of the exact margins' by second order: cut derivatives would leave the ends of the conjugates' domains,
// where many have to be, and cost first order. So does any cut where u has to be scaled into the domain of R*, with a
// penalty of L1 alone: no cut there. The objective is that of exact margins, which the sweep for the gradient computes
// again from the row at hand. What is not kept is computed, and cut, whenever it is needed: all bits are the same.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "solvers/dual_gap.hpp"
#include "solvers/intercept.hpp"
#include "solvers/packed_doubles.hpp"

namespace finitesum {

struct RoundedAnchor {
  RoundedAnchor(std::size_t n_rows, bool stores_rows, bool cuts_margins)
      : stores(stores_rows),
        cuts(cuts_margins),
        mask(cuts ? PackedDoubles::mask : ~std::uint64_t{0}),
        packed(stores && cuts ? n_rows : 0),
        whole(stores && !cuts ? n_rows : 0) {}

  // By a mask: GCC 12 drops the cut from `cuts ? cut(z) : z`.
  double kept(double z) const { return math::from_bits(math::bits(z) & mask); }
  void prefetch(std::size_t i) const {
    if (stores && cuts) packed.prefetch(i);
    if (stores && !cuts) __builtin_prefetch(&whole[i]);
  }
  void transfer(Archive& archive) {
    if (stores && cuts) packed.transfer(archive);
    if (stores && !cuts) archive(whole);
    archive.integer(rows_computed_again);
  }

  bool stores;
  bool cuts;
  std::uint64_t mask;
  PackedDoubles packed;       // the margins x_i.w, if they are cut and stored
  std::vector<double> whole;  // if stored uncut: the margins until evaluate_gradient, then the derivatives
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

// As they are kept, before evaluate_gradient.
template <class View>
void kept_margins(const Problem<View>& problem, RoundedAnchor& anchor, std::size_t first, std::size_t count,
                  double* z) {
  if (!anchor.stores) compute_margins(problem, anchor, first, count, z);
  for (std::size_t k = 0; k < count; ++k) {
    z[k] = !anchor.stores ? anchor.kept(z[k]) : anchor.cuts ? anchor.packed[first + k] : anchor.whole[first + k];
  }
}

// The derivatives of a block of rows, once the gradient is evaluated.
template <class View>
const double* derivatives_of(const Problem<View>& problem, RoundedAnchor& anchor, std::size_t first, std::size_t count,
                             double* room) {
  if (anchor.stores && !anchor.cuts) return &anchor.whole[first];
  kept_margins(problem, anchor, first, count, room);
  for (std::size_t k = 0; k < count; ++k) room[k] += anchor.intercept;
  problem.loss.derivatives(room, TargetBlock(problem.y, first, count).data(), room, count);
  return room;
}

// The same for one row.
template <class View>
double derivative_of(const Problem<View>& problem, const RoundedAnchor& anchor, std::size_t i) {
  if (anchor.stores) {
    return anchor.cuts ? problem.derivative(i, anchor.packed[i] + anchor.intercept) : anchor.whole[i];
  }
  const double z = dot(row_kernels(problem.kernels, problem.X), problem.X.row(i), anchor.w);
  return problem.derivative(i, anchor.kept(z) + anchor.intercept);
}

// A derivative that is not stored costs a row of X.
template <class View>
Watch watch_for(const Problem<View>& problem, const RoundedAnchor& anchor, Control* control) {
  return {control, anchor.stores ? 8 : problem.X.n_stored() / problem.n_rows() + 8};
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
      for (std::size_t k = 0; k < count; ++k) {
        if (anchor.cuts) {
          anchor.packed.set(first + k, z[k]);
        } else {
          anchor.whole[first + k] = z[k];
        }
      }
    });
    if (!is_finished) return false;
  }
  InterceptProblem along{problem.loss, nullptr, problem.y, problem.s, n, problem.n_threads};
  along.compute_z = [&](std::size_t first, std::size_t count, double* z) {
    kept_margins(problem, anchor, first, count, z);
  };
  along.watch = watch_for(problem, anchor, control);
  if (problem.has_free_intercept()) anchor.intercept = along.solve(anchor.intercept);
  anchor.objective =
      along.objective(anchor.intercept) / problem.total_weight + penalty_value(problem, w, anchor.intercept);
  return control == nullptr || !control->stopped();
}

// Derivatives, (1/S) X^T (s o u), and where margins were cut the objective of the exact ones.
template <class View>
bool evaluate_gradient(const Problem<View>& problem, RoundedAnchor& anchor, double* gradient, Control* control) {
  struct Sums {
    double losses = 0;
    double derivatives = 0;
  };
  std::vector<Sums> blocks((problem.n_rows() + block_rows - 1) / block_rows);
  const double b = anchor.intercept;
  const bool is_finished = sum_gradient(
      problem,
      [&](std::size_t first, std::size_t count, double* u) {
        const TargetBlock y(problem.y, first, count);
        Sums& sums = blocks[first / block_rows];
        if (anchor.cuts) {
          std::array<double, block_rows> z;
          compute_margins(problem, anchor, first, count, z.data());
          for (std::size_t k = 0; k < count; ++k) {
            u[k] = anchor.kept(z[k]) + b;
            z[k] += b;
          }
          sums.losses += problem.loss.value_sum(z.data(), y.data(), problem.weights_from(first), count);
        } else {
          kept_margins(problem, anchor, first, count, u);
          for (std::size_t k = 0; k < count; ++k) u[k] += b;
        }
        problem.loss.derivatives(u, y.data(), u, count);
        if (anchor.stores && !anchor.cuts) std::copy_n(u, count, &anchor.whole[first]);
        if (problem.has_penalized_intercept()) sums.derivatives += weighted_sum(problem, u, first, count);
        return u;
      },
      gradient, control);
  if (!is_finished) return false;
  Sums all;
  for (const Sums& block : blocks) {
    all.losses += block.losses;
    all.derivatives += block.derivatives;
  }
  if (anchor.cuts) anchor.objective = all.losses / problem.total_weight + penalty_value(problem, anchor.w, b);
  anchor.intercept_slope = all.derivatives / problem.total_weight;
  return true;
}

}  // namespace finitesum
