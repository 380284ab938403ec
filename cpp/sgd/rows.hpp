// Rows with their targets and weights.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/targets.hpp"
#include "solvers/rows.hpp"

namespace finitesum {

template <class View>
struct SgdRows {
  const View& X;
  Targets y;
  const std::int32_t* classes;  // of the multinomial loss, instead of y
  const double* s;              // null: every weight is one

  double weight(std::size_t i) const { return s != nullptr ? s[i] : 1.0; }
};

// s_i |x_i|^2, the intercept's column with the others: times the loss' smoothness, that of a row's loss.
struct RowSquares {
  double largest = 0;
  double sum = 0;
};

template <class View>
RowSquares weighted_squares(const KernelTable& table, const SgdRows<View>& rows, double to_mean, bool fit_intercept) {
  RowSquares squares;
  for (std::size_t i = 0; i < rows.X.n_rows; ++i) {
    const auto x = rows.X.row(i);
    const double square = squared_norm(table, x.values, x.size) + (fit_intercept ? 1 : 0);
    const double of_row = rows.weight(i) * to_mean * square;
    squares.largest = std::max(squares.largest, of_row);
    squares.sum += of_row;
  }
  return squares;
}

}  // namespace finitesum
