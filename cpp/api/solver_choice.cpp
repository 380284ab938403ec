#include "api/solver_choice.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iterator>

namespace finitesum {
namespace {

// Measured to a relative gap of 1e-6 on one core of an AMD EPYC 9005: a9a, news20, covtype, protein, MNIST, digits,
// breast_cancer and random wide data with 0.01, 0.1, 1 and 10 / n for alpha; squared hinge, logistic and squared loss.
// `python -m bench.peers.auto` tells how well the predictions do.
namespace ns {
constexpr double per_row = 15;          // loss, derivative and what belongs to them, in a pass over all rows
constexpr double newton_row = 30;       // the same in a Newton step, with curvatures and line search
constexpr double dual_row = 80;         // order and dual step
constexpr double stochastic_row = 30;   // draw, derivative and table
constexpr double multinomial_row = 30;  // the same per class of a multinomial model
constexpr double pair_of_lbfgs = 25;    // per coefficient: ten pairs
constexpr double factor_product = 0.1;

struct Entry {
  double pass, stochastic, stochastic_l1, dual, column, hessian_product, multinomial_product, multinomial_pass;
};
constexpr Entry dense{0.4, 1.1, 1.1, 0.6, 0.65, 0.034, 0.2, 0.2};
constexpr Entry sparse{1.2, 3.4, 10, 2.0, 2.0, 0.3, 0.5, 0.6};
}  // namespace ns

class CostModel {
 public:
  explicit CostModel(const ProblemStatistics& statistics)
      : s_(statistics), entry_(statistics.is_sparse ? ns::sparse : ns::dense) {}

  // Up to so many columns (or coefficients, for several classes): a Hessian of 64 MB.
  bool suits_newton() const {
    constexpr double widest = 2000;
    return width() <= widest;
  }
  PredictedCost newton() const {
    const double steps = s_.is_quadratic ? 1 : 5 + std::log10(1 + s_.l1_or_l2_condition);
    const double K = s_.is_multinomial ? s_.n_outputs : 1;
    const double per_product = s_.is_multinomial ? entry_.multinomial_product : entry_.hessian_product;
    const double build = s_.products * K * K * per_product;
    const double factorize = width() * width() * width() / 6 * ns::factor_product;
    const double passes = K * (2 * s_.n_stored * entry_.pass + s_.n_rows * ns::newton_row);
    return cost("newton", 2 * steps + 1, steps * apart() * (build + factorize + passes));
  }
  PredictedCost newton_cg() const {
    const double passes = (is_wide() ? 3 : 1) * (60 + 60 * std::log10(1 + s_.condition));
    return cost("newton-cg", passes, passes * apart() * full_pass());
  }
  PredictedCost lbfgs() const {
    if (s_.is_multinomial) return multinomial_lbfgs();
    const double passes = 12 + (is_wide() ? 15 : 40) * std::sqrt(bounded(s_.condition));
    return cost("lbfgs", passes, passes * apart() * (full_pass() + s_.n_columns * ns::pair_of_lbfgs));
  }
  PredictedCost sdca() const {
    const double passes = 5 + (is_wide() ? 2 * std::sqrt(s_.condition) : 5 * s_.condition);
    return cost("sdca", passes, passes * apart() * (s_.n_stored * entry_.dual + s_.n_rows * ns::dual_row));
  }
  PredictedCost cd() const {
    const double passes = 40 + 40 * std::sqrt(bounded(s_.l1_or_l2_condition));
    return cost("cd", passes, passes * apart() * s_.n_stored * entry_.column);
  }
  // Outputs side by side share the reading of X: each takes about half of the time.
  PredictedCost sag() const {
    constexpr double shared = 0.5;
    const double passes =
        s_.is_multinomial ? multinomial_sag_passes() : 12 + 6 * std::sqrt(s_.condition) + 0.7 * s_.condition;
    const double per_entry = s_.has_l1 ? entry_.stochastic_l1 : entry_.stochastic;
    const double outputs = s_.n_outputs > 1 ? shared * s_.n_outputs : 1;
    return cost("sag", passes, passes * outputs * (s_.n_stored * per_entry + s_.n_rows * ns::stochastic_row));
  }

 private:
  PredictedCost multinomial_lbfgs() const {
    const double passes = is_wide() ? 10 * std::pow(1 + bounded(s_.condition), 0.3)
                                    : 6 * std::pow((1 + s_.condition) * s_.n_columns, 0.4);
    const double per_class = s_.n_stored * entry_.multinomial_pass + s_.n_rows * ns::multinomial_row;
    return cost("lbfgs", passes, passes * s_.n_outputs * (per_class + s_.n_columns * ns::pair_of_lbfgs));
  }
  double multinomial_sag_passes() const {
    return is_wide() ? 10 + 4 * s_.condition : 18 + 14 * std::sqrt(s_.condition);
  }

  double width() const { return (s_.n_columns + 1) * (s_.is_multinomial ? s_.n_outputs : 1); }
  double apart() const { return s_.is_multinomial ? 1 : s_.n_outputs; }
  double full_pass() const { return s_.n_stored * entry_.pass + s_.n_rows * ns::per_row; }

  // Rows that can be interpolated limit how badly conditioned the problem appears.
  bool is_wide() const { return s_.n_columns > s_.n_rows; }
  double bounded(double condition) const { return is_wide() ? std::min(condition, 225.0) : condition; }

  static PredictedCost cost(std::string_view name, double passes, double nanoseconds) {
    return {name, passes, 1e-9 * nanoseconds};
  }

  const ProblemStatistics& s_;
  const ns::Entry& entry_;
};

std::string shown(const PredictedCost& cost) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.2g s (%.0f passes)", cost.seconds, cost.passes);
  return "'" + std::string(cost.solver) + "' in " + text.data();
}

}  // namespace

std::vector<PredictedCost> predict_costs(const ProblemStatistics& statistics) {
  const CostModel model(statistics);
  std::vector<PredictedCost> costs;
  if (model.suits_newton()) costs.push_back(model.newton());
  if (!statistics.has_l1) costs.push_back(model.lbfgs());
  if (!statistics.is_multinomial) {
    costs.push_back(statistics.has_l1 ? model.cd() : model.newton_cg());
    if (statistics.has_l2) costs.push_back(model.sdca());
  }
  costs.push_back(model.sag());
  std::stable_sort(costs.begin(), costs.end(), [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
  return costs;
}

SolverChoice choose_solver(const ProblemStatistics& statistics, const std::vector<std::string_view>& allowed,
                           std::string_view why_these) {
  SolverChoice choice{"", "", statistics, predict_costs(statistics)};
  std::vector<PredictedCost> candidates;
  std::copy_if(choice.costs.begin(), choice.costs.end(), std::back_inserter(candidates), [&](const auto& cost) {
    return allowed.empty() || std::find(allowed.begin(), allowed.end(), cost.solver) != allowed.end();
  });
  if (candidates.empty()) candidates = choice.costs;
  // Where nobody waits, Newton: its last step leaves far less than tol, so that the answer does not depend on the path.
  const auto newton = std::find_if(candidates.begin(), candidates.end(), [](const PredictedCost& cost) {
    constexpr double unnoticed = 1e-3;  // seconds
    return cost.solver == "newton" && cost.seconds < unnoticed;
  });
  if (newton != candidates.end()) std::rotate(candidates.begin(), newton, newton + 1);
  choice.solver = candidates.front().solver;
  choice.reason = "to a relative gap of 1e-6 " + shown(candidates.front()) + " on one core";
  choice.reason += candidates.size() == 1 ? ", the only candidate" : ", the next best " + shown(candidates[1]);
  if (!allowed.empty() && !why_these.empty()) choice.reason += ", of those " + std::string(why_these);
  return choice;
}

}  // namespace finitesum
