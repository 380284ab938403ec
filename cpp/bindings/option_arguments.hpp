// The dict `solver_options` as plain data: the one place that knows its keys' types and ranges.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "solvers/solver_options.hpp"

namespace finitesum {

[[noreturn]] inline void refuse_option(const char* name, const std::string& must, const pybind11::handle& value) {
  const std::string message = std::string("solver_options: '") + name + "' must be " + must + ", got " +
                              pybind11::repr(value).cast<std::string>();
  throw pybind11::value_error(message);
}

// A number of Python's or NumPy's, in (0, most]; no bool, no string.
inline double positive_number(const char* name, const pybind11::handle& value, double most) {
  const auto real = pybind11::module_::import("numbers").attr("Real");
  if (pybind11::isinstance<pybind11::bool_>(value) || !pybind11::isinstance(value, real))
    refuse_option(name, "a number", value);
  const auto number = value.cast<double>();
  if (!(number > 0 && number <= most))
    refuse_option(name, "in (0, " + pybind11::str(pybind11::float_(most)).cast<std::string>() + "]", value);
  return number;
}

// A whole number of Python's or NumPy's, at least 1.
inline std::size_t positive_integer(const char* name, const pybind11::handle& value) {
  const auto integral = pybind11::module_::import("numbers").attr("Integral");
  if (pybind11::isinstance<pybind11::bool_>(value) || !pybind11::isinstance(value, integral) ||
      value.attr("__lt__")(1).cast<bool>() || value.attr("__gt__")(1 << 30).cast<bool>())
    refuse_option(name, "an integer in [1, 2^30]", value);
  return pybind11::int_(pybind11::reinterpret_borrow<pybind11::object>(value)).cast<std::size_t>();
}

inline bool truth(const char* name, const pybind11::handle& value, const char* choices = "True or False") {
  const auto numpys = pybind11::module_::import("numpy").attr("bool_");
  if (!pybind11::isinstance<pybind11::bool_>(value) && !pybind11::isinstance(value, numpys))
    refuse_option(name, choices, value);
  return value.cast<bool>();
}

template <class Choice, std::size_t size>
Choice one_of(const char* name, const pybind11::handle& value, const std::array<const char*, size>& names) {
  std::string choices = "one of";
  for (std::size_t k = 0; k < size; ++k) {
    if (pybind11::isinstance<pybind11::str>(value) && value.cast<std::string>() == names[k])
      return static_cast<Choice>(k);
    choices += std::string(" '") + names[k] + "'";
  }
  refuse_option(name, choices, value);
}

// True, False or "auto", which leaves the choice open.
inline std::optional<bool> bool_or_auto(const char* name, const pybind11::handle& value) {
  if (pybind11::isinstance<pybind11::str>(value) && value.cast<std::string>() == "auto") return {};
  return truth(name, value, "True, False or 'auto'");
}

struct OptionArgument {
  const char* name;
  void (*read)(const char* name, const pybind11::handle& value, SolverOptions& options);
};

inline const std::vector<OptionArgument>& option_arguments() {
  static const std::vector<OptionArgument> arguments{
      {"inner_length", [](const char* name, const pybind11::handle& value,
                          SolverOptions& options) { options.inner_length = positive_number(name, value, 1e6); }},
      {"iterate", [](const char* name, const pybind11::handle& value,
                     SolverOptions& options) { options.iterate = one_of<NextAnchor>(name, value, next_anchor_names); }},
      {"batch_size", [](const char* name, const pybind11::handle& value,
                        SolverOptions& options) { options.batch_size = positive_integer(name, value); }},
      {"store_derivatives", [](const char* name, const pybind11::handle& value,
                               SolverOptions& options) { options.store_derivatives = truth(name, value); }},
      {"scale_columns", [](const char* name, const pybind11::handle& value,
                           SolverOptions& options) { options.scale_columns = bool_or_auto(name, value); }},
      {"acceleration", [](const char* name, const pybind11::handle& value, SolverOptions& options) {
         if (!value.is_none()) options.acceleration = one_of<Acceleration>(name, value, acceleration_names);
       }}};
  return arguments;
}

inline SolverOptions parse_options(const pybind11::dict& given) {
  SolverOptions options;
  for (const auto& [key, value] : given) {
    bool is_known = false;
    for (const OptionArgument& argument : option_arguments()) {
      if (!pybind11::isinstance<pybind11::str>(key) || key.cast<std::string>() != argument.name) continue;
      argument.read(argument.name, value, options);
      is_known = true;
    }
    if (is_known) continue;
    std::string message = "solver_options: unknown key " + pybind11::repr(key).cast<std::string>() + "; choose from:";
    for (const OptionArgument& argument : option_arguments()) message += std::string(" '") + argument.name + "'";
    throw pybind11::value_error(message);
  }
  return options;
}

}  // namespace finitesum
