// Rows of a sparse batch in the network's type.
#pragma once

#include <cstddef>
#include <vector>

namespace finitesum {

template <class T>
struct SparseBatch {
  std::vector<T> values;
  std::vector<std::size_t> indices;
  std::vector<std::size_t> offsets;  // row i has entries offsets[i] <= k < offsets[i + 1]
};

}  // namespace finitesum
