// The proximal Newton step: min over (v, c) of g.v + (1/2) (v, c)^T H (v, c) + R(w + v), with v the move of the
// coefficients and c that of the intercepts: always the last coordinates, with gradient entries of zero, or a single
// penalized one. By Cholesky without L1; with it by coordinate descent, which finds the nonzeros, and Cholesky on
// these.
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
  // With L1 a solution takes at most so many sweeps: enough that the model is not what limits Newton's iteration,
  // bounded so that a bad one cannot hang.
  QuadraticModel(std::size_t n_coefficients, std::size_t n_intercepts, double l1, double l2, int max_sweeps = 1000);

  // Row j of the lower triangle of H; the intercepts' rows begin at n_coefficients.
  double* row(std::size_t j) { return hessian_.data() + j * size_; }
  void clear();
  void add(double factor, const QuadraticModel& other);  // its Hessian

  // Writes the move to `move` (size() numbers), for H + shift I. False if that matrix is numerically singular, or
  // control stops the work.
  bool solve(const double* w, const double* gradient, double shift, Control& control, std::vector<double>& move);

  // The two halves of a solution without L1, for several right sides: (H + shift I + l2) right is solved in place.
  bool factorize_all(double l2, double shift, Control& control);
  void solve_factorized(std::vector<double>& right) const;

  void set_penalty(double l1, double l2);
  void set_intercept(const PenalizedIntercept& intercept) { intercept_ = intercept; }

  double trace() const;
  std::size_t size() const { return size_; }

 private:
  struct Rotation {
    double cosine;
    double sine;
  };

  bool solve_by_cholesky(const double* w, const double* gradient, double shift, Control& control,
                         std::vector<double>& move);
  bool solve_by_coordinate_descent(const double* w, const double* gradient, double shift, Control& control,
                                   std::vector<double>& move);
  // The largest decrease of the model by one coordinate; negative if the model falls for ever along one.
  double sweep(const double* w, double shift, std::vector<double>& move);
  void jump_to_minimum_of_orthant(const double* w, double shift, Control& control, std::vector<double>& move);
  void leave_out(std::size_t i);
  void add_to_slope(std::size_t j, double change, double shift);
  bool factorize(double shift, Control& control);

  double entry(std::size_t i, std::size_t j) const {
    return i >= j ? hessian_[i * size_ + j] : hessian_[j * size_ + i];
  }
  bool is_intercept(std::size_t j) const { return j >= n_coefficients_; }
  double l1(std::size_t j) const { return is_intercept(j) ? intercept_.l1 : l1_; }
  double l2(std::size_t j) const { return is_intercept(j) ? intercept_.l2 : l2_; }
  double start(const double* w, std::size_t j) const { return is_intercept(j) ? intercept_.value : w[j]; }

  std::size_t n_coefficients_;
  std::size_t size_;
  double l1_;
  double l2_;
  int max_sweeps_;
  PenalizedIntercept intercept_;
  std::vector<double> hessian_;
  double largest_term_ = 0;           // of h_jj (w_j + v_j)^2 in the last sweep: rounding is relative to it
  std::vector<double> slope_;         // gradient of the smooth part of the model at the present move
  std::vector<std::size_t> support_;  // the coordinates that factor_ is of
  std::vector<double> factor_;
  std::vector<double> jump_;
  std::vector<Rotation> rotations_;
};

}  // namespace finitesum
