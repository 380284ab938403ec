// A list of types: the one registry from which variants, names and kernel tables are generated.
#pragma once

#include <cstddef>
#include <type_traits>

namespace finitesum {

template <class... Ts>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Ts);
};

// The place of a type in a list that has it.
template <class Wanted, class... Ts>
constexpr std::size_t place_in(TypeList<Ts...>) {
  std::size_t place = 0;
  bool found = false;
  ((found = found || std::is_same_v<Wanted, Ts>, place += found ? 0 : 1), ...);
  return place;
}

}  // namespace finitesum
