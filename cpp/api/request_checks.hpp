// What every request is checked for before work starts. All throw std::invalid_argument with a message for the user.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/matrix_view.hpp"
#include "solvers/control.hpp"
#include "solvers/solver_options.hpp"

namespace finitesum {

[[noreturn]] inline void refuse(const std::string& what, const std::string& value,
                                const std::vector<std::string_view>& choices) {
  std::string message = "unknown " + what + " '" + value + "'; choose from:";
  for (const std::string_view choice : choices) message += " '" + std::string(choice) + "'";
  throw std::invalid_argument(message);
}

template <class Choice, std::size_t size>
Choice parse(const std::string& what, const std::string& value, const std::array<const char*, size>& names) {
  for (std::size_t k = 0; k < size; ++k) {
    if (value == names[k]) return static_cast<Choice>(k);
  }
  refuse(what, value, {names.begin(), names.end()});
}

inline double sum_weights(const double* sample_weight, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += sample_weight != nullptr ? sample_weight[i] : 1.0;
  if (!(sum > 0) || !std::isfinite(sum))
    throw std::invalid_argument("The sum of the sample weights must be positive and finite.");
  return sum;
}

// What a FitRequest and a MultiFitRequest have in common.
template <class Request>
void check_request(const Request& request) {
  const auto require = [](bool holds, const char* message) {
    if (!holds) throw std::invalid_argument(message);
  };
  require(request.stop.tol >= 0, "tol must not be negative.");
  require(request.stop.max_iter >= 1, "max_iter must be at least 1.");
  require(request.step_size >= 0 && std::isfinite(request.step_size), "step_size must be positive and finite.");
  require(request.time_limit >= 0, "time_limit must not be negative.");
}

// Whether SAG is asked for by what only it has among the solvers that "auto" takes.
template <class Request>
bool asks_for_sag(const Request& request) {
  const std::vector<OptionRule> rules = option_rules(request.options);
  return request.sampling != "auto" || request.step_rule != "auto" || request.step_size > 0 ||
         std::any_of(rules.begin(), rules.end(), [](const OptionRule& rule) { return rule.is_set; });
}
inline constexpr std::string_view left_by_what_is_asked_for = "left by the sampling, step_size or options asked for";

// An option that the solver which runs does not have is refused: it would be ignored in silence.
template <class Request>
void check_options(const Request& request, const std::string& solver, bool has_several_outputs) {
  for (const OptionRule& rule : option_rules(request.options)) {
    const std::vector<std::string_view>& solvers = has_several_outputs ? rule.multi_solvers : rule.solvers;
    if (!rule.is_set || std::find(solvers.begin(), solvers.end(), solver) != solvers.end()) continue;
    std::string message = "solver '" + solver + "'";
    if (request.solver == "auto") message += ", which 'auto' has chosen for this problem,";
    message += " has no option '" + std::string(rule.name) + "'";
    if (has_several_outputs) message += " with several classes fitted together";
    message += solvers.empty() ? "; no solver has" : "; it belongs to:";
    for (const std::string_view owner : solvers) message += " '" + std::string(owner) + "'";
    throw std::invalid_argument(message);
  }
}

// Views come from outside: nothing is read through an index before it is known to be in range.
template <class View>
void check_csr(const View& X, Control* control = nullptr) {
  if constexpr (View::is_sparse) {
    if (X.row_pointers[0] != 0) throw std::invalid_argument("indptr must start at 0.");
    for (std::size_t i = 0; i < X.n_rows; ++i) {
      if (X.row_pointers[i + 1] < X.row_pointers[i] || X.row_pointers[i + 1] > X.n_entries) {
        throw std::invalid_argument("indptr must not decrease, nor end beyond the stored values.");
      }
    }
    using Unsigned = std::make_unsigned_t<typename View::Index>;
    const std::size_t stored = X.n_stored();
    bool in_range = true;
    in_parts(stored, 1, 1, control, [&](std::size_t begin, std::size_t end) {
      for (std::size_t k = begin; k < end; ++k) in_range &= static_cast<Unsigned>(X.indices[k]) < X.n_columns;
    });
    if (!in_range) {
      throw std::invalid_argument("column indices must lie in [0, " + std::to_string(X.n_columns) + ").");
    }
  }
}

}  // namespace finitesum
