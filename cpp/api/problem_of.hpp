// The problem that a request describes.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <variant>

#include "api/fit.hpp"
#include "api/request_checks.hpp"
#include "isa/isa.hpp"
#include "solvers/intercept.hpp"
#include "solvers/problem.hpp"

namespace finitesum {

// One where a pass takes less time than waking up the others; n_threads = 0 asks for what there is.
template <class View>
int threads_for(const View& X, int n_threads) {
  constexpr std::size_t worth_it = std::size_t{1} << 18;  // stored entries, some 0.2 ms
  if (X.n_stored() < worth_it) return 1;
  return n_threads > 0 ? std::min(n_threads, most_threads()) : available_threads();
}

// The intercept is `scaling` times the coefficient of a constant column with this penalty; infinite: it is free.
inline ElasticNet penalty_of_intercept(const AnyPenalty& penalty, double scaling) {
  if (!(scaling > 0)) throw std::invalid_argument("intercept_scaling must be positive.");
  return std::visit(
      [&](const auto& of_coefficient) {
        const double l1 = of_coefficient.l1() / scaling;
        const double l2 = of_coefficient.l2() / scaling / scaling;
        return l1 + l2 > 0 ? ElasticNet{l1 + l2, l1 / (l1 + l2)} : ElasticNet{0, 0};
      },
      penalty);
}

template <class View>
Problem<View> problem_of(const View& X, const FitRequest& request) {
  if (X.n_rows == 0 || X.n_columns == 0) throw std::invalid_argument("X must have at least one row and one column.");
  const KernelTable& table = kernels();
  Problem<View> problem{X,
                        request.y,
                        request.sample_weight,
                        sum_weights(request.sample_weight, X.n_rows),
                        LossFunction(make_loss(request.loss, request.loss_parameter), table),
                        make_penalty(request.alpha, request.l1_ratio),
                        request.fit_intercept,
                        {0, 0},
                        table,
                        threads_for(X, request.n_threads)};
  if (request.y.are_labels() && problem.loss.target_domain() != TargetDomain::sign)
    throw std::invalid_argument("Labels are no targets of the loss '" + request.loss + "'.");
  const ElasticNet of_intercept = penalty_of_intercept(problem.penalty, request.intercept_scaling);
  if (request.fit_intercept) problem.intercept_penalty = of_intercept;
  return problem;
}

template <class View>
NullModel fit_null_model(const Problem<View>& problem) {
  return fit_null_model(problem.loss, problem.y, problem.s, problem.n_rows(), problem.total_weight,
                        problem.has_free_intercept(), problem.n_threads);
}

}  // namespace finitesum
