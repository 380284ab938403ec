#include "solvers/multi/evaluation.hpp"

#include "solvers/multi/any.hpp"
#include "solvers/multi/multinomial.hpp"
#include "solvers/multi/separable.hpp"

namespace finitesum {

template <class View>
std::unique_ptr<MultiEvaluation<View>> make_evaluation(const MultiProblem<View>& problem) {
  if (problem.loss.is_separable()) return std::make_unique<SeparableEvaluation<View>>(problem, problem.control);
  return std::make_unique<MultinomialEvaluation<View>>(problem, problem.control);
}

template std::unique_ptr<MultiEvaluation<DenseView<float>>> make_evaluation(const MultiProblem<DenseView<float>>&);
template std::unique_ptr<MultiEvaluation<DenseView<double>>> make_evaluation(const MultiProblem<DenseView<double>>&);
template std::unique_ptr<MultiEvaluation<CsrView<float, std::int32_t>>> make_evaluation(
    const MultiProblem<CsrView<float, std::int32_t>>&);
template std::unique_ptr<MultiEvaluation<CsrView<double, std::int32_t>>> make_evaluation(
    const MultiProblem<CsrView<double, std::int32_t>>&);
template std::unique_ptr<MultiEvaluation<CsrView<float, std::int64_t>>> make_evaluation(
    const MultiProblem<CsrView<float, std::int64_t>>&);
template std::unique_ptr<MultiEvaluation<CsrView<double, std::int64_t>>> make_evaluation(
    const MultiProblem<CsrView<double, std::int64_t>>&);

}  // namespace finitesum
