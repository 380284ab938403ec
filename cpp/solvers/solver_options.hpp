// What only some solvers have, as plain data. An option that is not set leaves the solver its own way.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace finitesum {

// Which of the iterates since the last anchor SVRG's next anchor is.
enum class NextAnchor { last, random, average };
inline constexpr std::array<const char*, 3> next_anchor_names{"last", "random", "average"};

// The outer loop around SAG, SAGA or SVRG (acceleration.hpp).
enum class Acceleration { catalyst, qning };
inline constexpr std::array<const char*, 2> acceleration_names{"catalyst", "qning"};

struct SolverOptions {
  // Draws from anchor to anchor, over the number of rows; if not set, SVRG makes 2 and Katyusha 1.
  std::optional<double> inner_length;
  // Of SVRG.
  std::optional<NextAnchor> iterate;
  std::optional<std::size_t> batch_size;  // rows per step; 1 if not set
  std::optional<bool> store_derivatives;  // the anchor's, one per row; true if not set

  // Of these and of the methods that take all rows at once, Newton's excepted.
  std::optional<bool> scale_columns;  // steps of their own length for columns; by the data if not set
  // Of SAG, SAGA and SVRG.
  std::optional<Acceleration> acceleration;
};

// Which solvers have an option, for problems of one output and of several; nobody may set it for another.
struct OptionRule {
  std::string_view name;
  bool is_set;
  std::vector<std::string_view> solvers;
  std::vector<std::string_view> multi_solvers;
};

inline std::vector<OptionRule> option_rules(const SolverOptions& options) {
  return {{"inner_length", options.inner_length.has_value(), {"svrg", "katyusha"}, {"svrg"}},
          {"iterate", options.iterate.has_value(), {"svrg"}, {"svrg"}},
          {"batch_size", options.batch_size.has_value(), {"svrg"}, {"svrg"}},
          {"store_derivatives", options.store_derivatives.has_value(), {"svrg"}, {"svrg"}},
          {"scale_columns",
           options.scale_columns.has_value(),
           {"sag", "saga", "svrg", "lbfgs", "accelerated", "gradient_descent"},
           {"sag", "saga", "svrg", "lbfgs"}},
          {"acceleration", options.acceleration.has_value(), {"sag", "saga", "svrg"}, {}}};
}

}  // namespace finitesum
