// Rules chosen at run time, and their hyper-parameters by name. Uses the standard library: not for kernel files.
#pragma once

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/named_variant.hpp"
#include "optimizers/any.hpp"

namespace finitesum {

using AnyOptimizer = VariantOf<Optimizers>;
using OptimizerParameter = std::variant<bool, double, std::string>;
using OptimizerParameters = std::map<std::string, OptimizerParameter>;

inline std::vector<std::string> optimizer_names() { return names_of<Optimizers>(); }

// The rule's row in KernelTable::optimizers.
inline std::size_t optimizer_index(const AnyOptimizer& rule) { return rule.index(); }

inline constexpr const char* length_over_names[] = {"none", "layer", "network"};

namespace detail {

struct ReadParameters {
  OptimizerParameters& found;

  void operator()(const char* name, double value, Range) const { found[name] = value; }
  void operator()(const char* name, bool value) const { found[name] = value; }
  void operator()(const char* name, EpsMode value) const {
    found[name] = std::string(value == EpsMode::inside ? "inside" : "outside");
  }
  void operator()(const char* name, LengthOver value) const {
    found[name] = std::string(length_over_names[static_cast<std::size_t>(value)]);
  }
};

struct SetParameters {
  const OptimizerParameters& given;
  std::size_t& n_used;

  void operator()(const char* name, double& member, Range range) const {
    const OptimizerParameter* value = find(name);
    if (value == nullptr) return;
    const double* number = std::get_if<double>(value);
    if (number == nullptr || !lies_in(range, *number)) {
      throw std::invalid_argument(std::string(name) + " must be " + text(range) +
                                  (number == nullptr ? "" : ", got " + std::to_string(*number)));
    }
    member = *number;
  }
  void operator()(const char* name, bool& member) const {
    const OptimizerParameter* value = find(name);
    if (value == nullptr) return;
    const bool* truth = std::get_if<bool>(value);
    if (truth == nullptr) throw std::invalid_argument(std::string(name) + " must be True or False");
    member = *truth;
  }
  void operator()(const char* name, EpsMode& member) const {
    const OptimizerParameter* value = find(name);
    if (value == nullptr) return;
    const std::string* mode = std::get_if<std::string>(value);
    if (mode == nullptr || (*mode != "inside" && *mode != "outside")) {
      throw std::invalid_argument(std::string(name) + " must be 'inside' or 'outside'");
    }
    member = *mode == "inside" ? EpsMode::inside : EpsMode::outside;
  }
  void operator()(const char* name, LengthOver& member) const {
    const OptimizerParameter* value = find(name);
    if (value == nullptr) return;
    const std::string* text = std::get_if<std::string>(value);
    const auto* place =
        std::find(std::begin(length_over_names), std::end(length_over_names), text == nullptr ? std::string() : *text);
    if (place == std::end(length_over_names)) {
      throw std::invalid_argument(std::string(name) + " must be 'none', 'layer' or 'network'");
    }
    member = static_cast<LengthOver>(place - std::begin(length_over_names));
  }

 private:
  const OptimizerParameter* find(const char* name) const {
    const auto place = given.find(name);
    if (place == given.end()) return nullptr;
    n_used += 1;
    return &place->second;
  }
  static bool lies_in(Range range, double x) {
    switch (range) {
      case Range::fraction:
        return x >= 0.0 && x < 1.0;
      case Range::nonnegative:
        return x >= 0.0 && std::isfinite(x);
      case Range::positive:
        return x > 0.0 && std::isfinite(x);
      case Range::above_one:
        break;
    }
    return x > 1.0 && std::isfinite(x);
  }
  static const char* text(Range range) {
    switch (range) {
      case Range::fraction:
        return "a number in [0, 1)";
      case Range::nonnegative:
        return "a finite number, not negative";
      case Range::positive:
        return "a finite positive number";
      case Range::above_one:
        break;
    }
    return "a finite number above 1";
  }
};

}  // namespace detail

template <class Rule>
OptimizerParameters parameters_of(Rule rule) {
  OptimizerParameters found;
  rule.parameters(detail::ReadParameters{found});
  return found;
}

// Parameters that are not given keep their defaults. Throws std::invalid_argument for a parameter that the rule does
// not have, and a value out of range.
template <class Rule>
Rule with_parameters(Rule rule, const OptimizerParameters& given) {
  std::size_t n_used = 0;
  rule.parameters(detail::SetParameters{given, n_used});
  if (n_used == given.size()) return rule;
  const OptimizerParameters known = parameters_of(rule);
  std::string message;
  for (const auto& [key, value] : given) {
    if (known.count(key) == 0) message += " '" + key + "'";
  }
  message = "optimizer '" + std::string(Rule::name) + "' has no parameter" + message + "; choose from:";
  for (const auto& [key, value] : known) message += " '" + key + "'";
  throw std::invalid_argument(message);
}

// Also where there is no rule of that name.
inline AnyOptimizer make_optimizer(std::string_view name, const OptimizerParameters& given) {
  return make_named<Optimizers>("optimizer", name, [&](auto rule) { return with_parameters(rule, given); });
}

inline void check_decay(const Decay& decay) {
  const auto check = [](const char* name, double value) {
    if (value >= 0.0 && std::isfinite(value)) return;
    throw std::invalid_argument(std::string(name) + " must be a finite number, not negative, got " +
                                std::to_string(value));
  };
  check("l2", decay.l2);
  check("decoupled", decay.decoupled);
  check("l1", decay.l1);
}

inline void check_rate(double rate) {
  if (rate >= 0.0 && std::isfinite(rate)) return;
  throw std::invalid_argument("learning_rate must be a finite number, not negative, got " + std::to_string(rate));
}

}  // namespace finitesum
