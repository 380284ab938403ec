// Synthetic data in the shape of well-known sets: rows, columns, entries per row and how often each column occurs
// decide what an epoch costs, the numbers themselves do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/matrix_view.hpp"

namespace finitesum::bench {

enum class Shape {
  a9a,     // 48842 x 123, 14 ones in each row
  news20,  // 18846 x 173762, some 157 entries in each row, of unit norm; columns as frequent as words
  protein  // 145751 x 74, dense
};

const char* name_of(Shape shape);

template <class T>
struct Data {
  std::size_t n_rows = 0;
  std::size_t n_columns = 0;
  std::vector<T> values;
  std::vector<std::int32_t> indices;       // empty: dense
  std::vector<std::int32_t> row_pointers;  // empty: dense
  std::vector<double> y;                   // +-1, the sign of a linear function with a fifth of the labels flipped

  AnyMatrix view() const;
};

template <class T>
Data<T> make_data(Shape shape);

}  // namespace finitesum::bench
