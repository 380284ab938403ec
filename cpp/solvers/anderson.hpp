// Anderson extrapolation of a sequence of vectors, here the coefficients after each sweep of coordinate descent:
// Q. Bertrand, M. Massias, "Anderson acceleration of coordinate descent", AISTATS 2021. With the last K differences as
// the rows of U, the point is sum_k c_k x_k, where c minimizes |sum_k c_k U_k| with sum_k c_k = 1:
// c ~ (U U^T)^-1 (1, ..., 1).
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "solvers/rows.hpp"

namespace finitesum {

class Anderson {
 public:
  void begin(std::size_t size) {
    for (auto& point : points_) point.resize(size);
    count_ = 0;
  }

  // The vector to remember next; commit() when it is written. True once there are enough.
  double* next() { return points_[count_].data(); }
  bool commit() { return ++count_ == points_.size(); }

  // Writes the extrapolated point and forgets the others; false if there is none.
  bool extrapolate(std::vector<double>& out) {
    count_ = 0;
    const std::size_t size = points_[0].size();
    std::array<std::array<double, depth>, depth> gram{};
    double trace = 0;
    for (std::size_t a = 0; a < depth; ++a) {
      for (std::size_t b = 0; b <= a; ++b) {
        gram[a][b] = chained_sum(size, [&](std::size_t j) {
          return (points_[a + 1][j] - points_[a][j]) * (points_[b + 1][j] - points_[b][j]);
        });
      }
      trace += gram[a][a];
    }
    std::array<double, depth> c{};
    if (!solve_for_ones(gram, 1e-12 * trace, c)) return false;
    double sum = 0;
    for (const double each : c) sum += each;
    if (!(std::fabs(sum) > 0) || !std::isfinite(sum)) return false;
    out.assign(size, 0.0);
    for (std::size_t a = 0; a < depth; ++a) {
      for (std::size_t j = 0; j < size; ++j) out[j] += c[a] / sum * points_[a + 1][j];
    }
    return true;
  }

 private:
  static constexpr std::size_t depth = 5;
  using Matrix = std::array<std::array<double, depth>, depth>;

  // Cholesky, of the lower triangle.
  static bool solve_for_ones(Matrix& m, double shift, std::array<double, depth>& x) {
    for (std::size_t i = 0; i < depth; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        double rest = i == j ? m[i][i] + shift : m[i][j];
        for (std::size_t k = 0; k < j; ++k) rest -= m[i][k] * m[j][k];
        if (i == j && !(rest > 0)) return false;
        m[i][j] = i == j ? std::sqrt(rest) : rest / m[j][j];
      }
    }
    for (std::size_t i = 0; i < depth; ++i) {
      x[i] = 1;
      for (std::size_t k = 0; k < i; ++k) x[i] -= m[i][k] * x[k];
      x[i] /= m[i][i];
    }
    for (std::size_t i = depth; i-- > 0;) {
      for (std::size_t k = i + 1; k < depth; ++k) x[i] -= m[k][i] * x[k];
      x[i] /= m[i][i];
    }
    return true;
  }

  std::array<std::vector<double>, depth + 1> points_;
  std::size_t count_ = 0;
};

}  // namespace finitesum
