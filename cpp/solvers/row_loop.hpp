// What SAG, SAGA and SVRG share around their update rules: the loop over drawn rows, and starting points.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "solvers/acceleration.hpp"
#include "solvers/sampling.hpp"
#include "solvers/solver.hpp"
#include "solvers/step_size.hpp"

namespace finitesum {

inline std::vector<double> copy_unless_zero(const double* coef, std::size_t n) {
  if (std::all_of(coef, coef + n, [](double w) { return w == 0; })) return {};
  return {coef, coef + n};
}

// w = start (empty: zero), d = 0.
template <class Iterate>
void load_iterate(Iterate& iterate, std::size_t n, const std::vector<double>& start) {
  iterate.settle();
  for (std::size_t j = 0; j < n; ++j) {
    iterate.coefficient(j) = start.empty() ? 0 : start[j];
    iterate.gradient_sum(j) = 0;
  }
}

// m.w, by which the intercept of centered rows is larger; see column_scaling.hpp.
template <class Iterate>
double center_prediction(Iterate& iterate, std::size_t n) {
  double sum = 0;
  if (!iterate.is_centered()) return sum;
  for (std::size_t j = 0; j < n; ++j) sum += iterate.center(j) * iterate.coefficient(j);
  return sum;
}

template <class Iterate>
void copy_coefficients(Iterate& iterate, std::size_t n, double* coef) {
  for (std::size_t j = 0; j < n; ++j) coef[j] = iterate.coefficient(j);
}

// How many rows ahead to fetch: far enough to cover the memory's latency, near enough to stay in the cache.
struct PrefetchDistance {
  std::size_t entries;  // of the iterate; 0: they stay in the cache by themselves
  std::size_t row;
  std::size_t pointer;  // to the row

  PrefetchDistance(std::size_t row_size, std::size_t n_columns) {
    constexpr std::size_t work_to_cover = 300;      // stored entries
    constexpr std::size_t columns_in_cache = 8192;  // 16 bytes each
    const std::size_t ahead = std::clamp<std::size_t>(work_to_cover / (row_size + 1), 1, 8);
    entries = n_columns <= columns_in_cache ? 0 : ahead;
    row = entries + ahead;
    pointer = row + 2 * ahead;
  }
};

// Tells the iterate what comes, draw by draw: the draws that are known so far. Most do not ask.
template <class Iterate, class View>
void expect(Iterate&, const View&, const Draw*, std::size_t) {}

// Calls visit(draw) for the draws [begin, end) of an epoch's n and returns their number, smaller when control stopped.
// Coming rows are fetched while the present one is worked on: first the pointers to them, then their values and indices
// and what prefetch_row(i) asks for, then the entries of the iterate that they name. A stored entry works on n_outputs
// coefficients.
template <class View, class Iterate, class Rule, class PrefetchRow, class Visit>
std::size_t for_each_draw_within(const View& X, Iterate& iterate, Rule& rule, std::uint64_t epoch, std::size_t begin,
                                 std::size_t end, Control& control, PrefetchRow&& prefetch_row, Visit&& visit,
                                 std::size_t n_outputs) {
  constexpr std::size_t work_per_block = 65536;
  const std::size_t row_size = X.n_stored() / X.n_rows + 1;
  const std::size_t row_work = row_size * n_outputs;
  const std::size_t block = std::clamp<std::size_t>(work_per_block / row_size / 4 * 4, 4, rule.max_draws());
  const PrefetchDistance ahead(row_work, X.n_columns * n_outputs);
  std::array<Draw, RowSampler::max_draws> draws;
  for (std::size_t first = begin; first < end; first += block) {
    const std::size_t count = std::min(block, end - first);
    rule.draw(epoch, first, count, draws.data());
    for (std::size_t k = 0; k < count; ++k) {
      if (k + ahead.pointer < count) prefetch_pointer(X, draws[k + ahead.pointer].row);
      if (k + ahead.row < count) {
        prefetch(X.row(draws[k + ahead.row].row));
        prefetch_row(draws[k + ahead.row].row);
      }
      if (ahead.entries > 0 && k + ahead.entries < count) iterate.prefetch(X.row(draws[k + ahead.entries].row));
      expect(iterate, X, draws.data() + k, count - k);
      visit(draws[k]);
    }
    if (control.stop_after(count * row_work)) return first + count - begin;
  }
  return end - begin;
}

// All draws of an epoch.
template <class View, class Iterate, class Rule, class PrefetchRow, class Visit>
std::size_t for_each_draw(const View& X, Iterate& iterate, Rule& rule, std::uint64_t epoch, Control& control,
                          PrefetchRow&& prefetch_row, Visit&& visit, std::size_t n_outputs = 1) {
  return for_each_draw_within(X, iterate, rule, epoch, 0, X.n_rows, control, prefetch_row, visit, n_outputs);
}

// `count` draws from draw `first` of the run on, epoch after epoch.
template <class View, class Iterate, class Rule, class PrefetchRow, class Visit>
std::size_t for_draws_from(const View& X, Iterate& iterate, Rule& rule, std::size_t first, std::size_t count,
                           Control& control, PrefetchRow&& prefetch_row, Visit&& visit, std::size_t n_outputs = 1) {
  std::size_t done = 0;
  while (done < count && !control.stopped()) {
    const std::size_t begin = (first + done) % X.n_rows;
    const std::size_t end = std::min(X.n_rows, begin + count - done);
    done += for_each_draw_within(X, iterate, rule, (first + done) / X.n_rows, begin, end, control, prefetch_row, visit,
                                 n_outputs);
  }
  return done;
}

// Draws from anchor to anchor; `usual` is the solver's own way, over the number of rows.
inline std::size_t inner_draws(const SolverOptions& options, std::size_t n_rows, double usual) {
  const double draws = options.inner_length.value_or(usual) * static_cast<double>(n_rows);
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::llround(draws)));
}

// Steps that change all the time: where that costs the iterate a sweep over its coordinates, small changes can wait.
template <class Iterate>
void follow_step(Iterate& iterate, double step) {
  if (std::fabs(step - iterate.step_size()) > Iterate::step_tolerance * iterate.step_size()) iterate.set_step(step);
}

// The norm of the gradient of F + kappa/2 |v - y|^2 at v = D w, with L1 that of its smallest subgradient; the iterate's
// sums are those of F.
template <class View, class Iterate>
double residual_norm(const Problem<View>& problem, const ColumnScaling& scaling, Iterate& iterate,
                     const OuterLoop& outer) {
  const double to_mean = 1 / problem.total_weight;
  const double l1 = problem.l1();
  return std::sqrt(chained_sum(problem.n_columns(), [&](std::size_t j) {
    const double w = iterate.coefficient(j);
    const double unit = scaling.unit(j);
    const double g =
        iterate.gradient_sum(j) * to_mean + problem.l2() * w + (outer.kappa() * (w / unit) - outer.pull(j)) / unit;
    const double r = unit * (w == 0 ? math::soft_threshold(g, l1) : g + math::copysign(l1, w));
    return r * r;
  }));
}

// Takes the pull of the center off the gradient sums (sign -1), or puts it back.
template <class View, class Iterate>
void add_pull(const Problem<View>& problem, const ColumnScaling& scaling, Iterate& iterate, const OuterLoop& outer,
              double sign) {
  for (std::size_t j = 0; j < problem.n_columns(); ++j)
    iterate.gradient_sum(j) += sign * problem.total_weight * (outer.pull(j) / scaling.unit(j));
}

// Between two epochs, on a settled iterate whose sums are those of F: shows it to the outer loop, and leaves it as the
// inner problem has it.
template <class View, class Iterate>
void recenter(const Problem<View>& problem, const ColumnScaling& scaling, Iterate& iterate, OuterLoop& outer,
              double path, double* scratch) {
  for (std::size_t j = 0; j < problem.n_columns(); ++j) scratch[j] = iterate.coefficient(j) / scaling.unit(j);
  if (outer.advance(scratch, path, residual_norm(problem, scaling, iterate, outer))) {
    iterate.set_kappa(outer.kappa());
    for (std::size_t j = 0; outer.jumps() && j < problem.n_columns(); ++j)
      iterate.coefficient(j) = outer.center(j) * scaling.unit(j);
  }
  add_pull(problem, scaling, iterate, outer, -1);
}

// The state of an iterate between two epochs, when it is settled.
template <class Iterate>
void transfer_iterate(Archive& archive, Iterate& iterate, std::size_t n) {
  iterate.settle();
  for (std::size_t j = 0; j < n; ++j) {
    archive(iterate.coefficient(j));
    archive(iterate.gradient_sum(j));
  }
}

}  // namespace finitesum
