// The proximal Newton step: min over (v, c) of g.v + (1/2) (v, c)^T H (v, c) + R(w + v), with v the move of the
// coefficients and c that of the intercepts: always the last coordinates, with gradient entries of zero, or a single
// penalized one. By Cholesky without L1, by coordinate descent with it.
#pragma once

#include <cstddef>
#include <vector>

#include "solvers/control.hpp"

namespace finitesum {

struct PenalizedIntercept {
  double value = 0;
  double slope = 0;  // of the smooth part
  double l1 = 0;
  double l2 = 0;
};

class QuadraticModel {
 public:
  QuadraticModel(std::size_t n_coefficients, std::size_t n_intercepts, double l1, double l2);

  // Row j of the lower triangle of H; the intercepts' rows begin at n_coefficients.
  double* row(std::size_t j) { return hessian_.data() + j * size_; }
  void clear();

  // Writes the move to `move` (size() numbers), for H + shift I. False if that matrix is numerically singular, or
  // control stops the work.
  bool solve(const double* w, const double* gradient, double shift, Control& control, std::vector<double>& move);

  void set_intercept(const PenalizedIntercept& intercept) { intercept_ = intercept; }

  double trace() const;
  std::size_t size() const { return size_; }

 private:
  bool solve_by_cholesky(const double* w, const double* gradient, double shift, Control& control,
                         std::vector<double>& move);
  bool solve_by_coordinate_descent(const double* w, const double* gradient, double shift, Control& control,
                                   std::vector<double>& move);
  double entry(std::size_t i, std::size_t j) const {
    return i >= j ? hessian_[i * size_ + j] : hessian_[j * size_ + i];
  }

  std::size_t n_coefficients_;
  std::size_t size_;
  double l1_;
  double l2_;
  PenalizedIntercept intercept_;
  std::vector<double> hessian_;
  std::vector<double> factor_;
};

}  // namespace finitesum
