// From a TypeList of structs with a `name`: the variant over them, the list of names, the factory by name.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/type_list.hpp"

namespace finitesum {

namespace detail {

template <class List>
struct NamedVariant;

template <class... Ts>
struct NamedVariant<TypeList<Ts...>> {
  using type = std::variant<Ts...>;

  static std::vector<std::string> names() { return {Ts::name...}; }

  // make(Type{}) is called for the one type whose name matches and returns that type's configured object.
  template <class Make>
  static type make(std::string_view kind, std::string_view name, Make&& configure) {
    type result;
    const bool found = ((name == Ts::name && (result = configure(Ts{}), true)) || ...);
    if (!found) {
      std::string message = "unknown " + std::string(kind) + " '" + std::string(name) + "'; choose from:";
      for (const std::string& choice : names()) message += " '" + choice + "'";
      throw std::invalid_argument(message);
    }
    return result;
  }
};

}  // namespace detail

template <class List>
using VariantOf = typename detail::NamedVariant<List>::type;

template <class List>
std::vector<std::string> names_of() {
  return detail::NamedVariant<List>::names();
}

template <class List, class Configure>
VariantOf<List> make_named(std::string_view kind, std::string_view name, Configure&& configure) {
  return detail::NamedVariant<List>::make(kind, name, std::forward<Configure>(configure));
}

}  // namespace finitesum
