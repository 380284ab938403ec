// A list of types: the one registry from which variants, names and kernel tables are generated.
#pragma once

#include <cstddef>

namespace finitesum {

template <class... Ts>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Ts);
};

}  // namespace finitesum
