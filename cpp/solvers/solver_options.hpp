// What only some solvers have, as plain data. An option that is not set leaves the solver its own way.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace finitesum {

struct SolverOptions {
  std::optional<double> inner_length;  // SVRG: draws from anchor to anchor, over the number of rows; 2 if not set
};

// Which solvers have an option, for problems of one output and of several; nobody may set it for another.
struct OptionRule {
  std::string_view name;
  bool is_set;
  std::vector<std::string_view> solvers;
  std::vector<std::string_view> multi_solvers;
};

inline std::vector<OptionRule> option_rules(const SolverOptions& options) {
  return {{"inner_length", options.inner_length.has_value(), {"svrg"}, {"svrg"}}};
}

}  // namespace finitesum
