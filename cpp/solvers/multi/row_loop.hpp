// row_loop.hpp for K outputs: starting points, results and saved states of the iterate, and what the step rule asks.
#pragma once

#include <cstddef>
#include <vector>

#include "solvers/multi/problem.hpp"
#include "solvers/row_loop.hpp"

namespace finitesum {

// Of separable losses each output asks for its own L, and the largest counts. The multinomial one: f_i = omega
// loss(z_i) and a gradient of squared norm omega^2 |g|^2 q: a step along it shifts the scores by -omega q g / L.
template <class View>
bool raise(LineSearch& search, const MultiProblem<View>& problem, std::size_t i, const double* z, const double* g,
           double q, double omega) {
  const std::size_t K = problem.n_outputs;
  if (problem.loss.is_separable()) {
    bool raised = false;
    for (std::size_t k = 0; k < K; ++k) {
      raised |= raise(search, problem.loss.of_output(), problem.target(i, k), z[k], g[k], q, omega);
    }
    return raised;
  }
  double squared = 0;
  for (std::size_t k = 0; k < K; ++k) squared += g[k] * g[k];
  Scores trial(problem.kernels, K);
  const auto value_after = [&](double step) {
    for (std::size_t k = 0; k < K; ++k) trial.z()[k] = z[k] - step * omega * q * g[k];
    return trial.evaluate(problem.label(i));
  };
  const double value = value_after(0);
  return search.raise(omega * omega * squared * q,
                      [&](double L) { return value_after(1 / L) <= value - omega * squared * q / (2 * L); });
}

template <class View>
using MultiStepRule = BasicStepRule<MultiProblem<View>>;

// W = start (empty: zero), d = 0.
template <class Columns>
void load_columns(Columns& iterate, std::size_t p, std::size_t K, const std::vector<double>& start) {
  iterate.settle();
  for (std::size_t j = 0; j < p; ++j) {
    for (std::size_t k = 0; k < K; ++k) {
      iterate.coefficient(j, k) = start.empty() ? 0 : start[j * K + k];
      iterate.gradient_sum(j, k) = 0;
    }
  }
}

// m^T W, by which the intercepts of centered rows are larger; see column_scaling.hpp.
template <class Columns>
std::vector<double> center_predictions(Columns& iterate, std::size_t p, std::size_t K) {
  std::vector<double> sums(K);
  for (std::size_t j = 0; j < p; ++j) {
    const double center = iterate.center(j);
    for (std::size_t k = 0; center != 0 && k < K; ++k) sums[k] += center * iterate.coefficient(j, k);
  }
  return sums;
}
inline std::vector<double> shifted(std::vector<double> b, double sign, const std::vector<double>& shift) {
  for (std::size_t k = 0; k < b.size(); ++k) b[k] += sign * shift[k];
  return b;
}

template <class Columns>
void copy_coefficients(Columns& iterate, std::size_t p, std::size_t K, double* W) {
  for (std::size_t j = 0; j < p; ++j) {
    for (std::size_t k = 0; k < K; ++k) W[j * K + k] = iterate.coefficient(j, k);
  }
}

template <class Columns>
void transfer_columns(Archive& archive, Columns& iterate, std::size_t p, std::size_t K) {
  iterate.settle();
  for (std::size_t j = 0; j < p; ++j) {
    for (std::size_t k = 0; k < K; ++k) archive(iterate.coefficient(j, k));
    for (std::size_t k = 0; k < K; ++k) archive(iterate.gradient_sum(j, k));
  }
}

}  // namespace finitesum
