// Limited-memory BFGS: J. Nocedal, "Updating quasi-Newton matrices with limited storage", Math. Comp. 35, 1980; D. Liu,
// J. Nocedal, Math. Programming 45, 1989. The initial matrix is diagonal, in units of the coordinates, so that these
// may have any scales.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "solvers/archive.hpp"
#include "solvers/rows.hpp"

namespace finitesum {

class QuasiNewton {
 public:
  QuasiNewton(const KernelTable& table, std::vector<double> units)
      : kernels_(dense<double>(table)),
        units_(std::move(units)),
        size_(units_.size()),
        steps_(n_slots * size_),
        changes_(n_slots * size_),
        point_(size_),
        slope_(size_),
        products_(n_slots),
        weights_(n_slots) {}

  // Learns from the step that led here; at(j) is the coordinate and the objective's slope along it.
  template <class At>
  void learn(const At& at) {
    const std::size_t slot = n_pairs_ % n_slots * size_;
    double* step = steps_.data() + slot;
    double* change = changes_.data() + slot;
    for (std::size_t j = 0; j < size_; ++j) {
      const auto [x, g] = at(j);
      step[j] = x - point_[j];
      change[j] = g - slope_[j];
      point_[j] = x;
      slope_[j] = g;
    }
    if (has_point_ != 0) {
      constexpr double least_curvature = 1e-12;  // relative: below, rounding may be all that is seen
      const double product = dot(step, change);
      const double squared = chained_sum(size_, [&](std::size_t j) { return change[j] * change[j] / units_[j]; });
      const double length = chained_sum(size_, [&](std::size_t j) { return step[j] * step[j] * units_[j]; });
      if (product > least_curvature * std::sqrt(squared * length)) {
        products_[n_pairs_ % n_slots] = product;
        scale_ = product / squared;
        n_pairs_ += 1;
      }
    }
    has_point_ = 1;
  }

  // The two loops: size() numbers. Damped, the pairs are forgotten, and the steps shrink. False if they overflow.
  bool propose(double damping, double* move) {
    constexpr double smallest_damping = 1e-10;
    if (damping > 0) n_pairs_ = 0;
    const double scale = damping > 0 ? scale_ * smallest_damping / damping : scale_;
    for (std::size_t j = 0; j < size_; ++j) move[j] = -slope_[j];
    const std::size_t count = std::min<std::size_t>(n_pairs_, memory);
    for (std::size_t k = 1; k <= count; ++k) {
      const std::size_t slot = (n_pairs_ - k) % n_slots;
      weights_[slot] = dot(steps_.data() + slot * size_, move) / products_[slot];
      kernels_.axpy(-weights_[slot], changes_.data() + slot * size_, move, size_);
    }
    for (std::size_t j = 0; j < size_; ++j) move[j] *= scale / units_[j];
    for (std::size_t k = count; k > 0; --k) {
      const std::size_t slot = (n_pairs_ - k) % n_slots;
      const double back = dot(changes_.data() + slot * size_, move) / products_[slot];
      kernels_.axpy(weights_[slot] - back, steps_.data() + slot * size_, move, size_);
    }
    return std::all_of(move, move + size_, [](double v) { return std::isfinite(v); });
  }

  std::size_t size() const { return size_; }
  void transfer(Archive& archive) {
    archive(steps_);
    archive(changes_);
    archive(point_);
    archive(slope_);
    archive(products_);
    archive(scale_);
    archive.integer(n_pairs_);
    archive.integer(has_point_);
  }

 private:
  static constexpr std::size_t memory = 10;           // pairs
  static constexpr std::size_t n_slots = memory + 1;  // and one that may not be kept

  double dot(const double* a, const double* b) const { return kernels_.dot(a, b, size_); }

  const DenseKernels<double>& kernels_;
  std::vector<double> units_;
  std::size_t size_;
  std::vector<double> steps_;
  std::vector<double> changes_;  // of the slope, along the steps
  std::vector<double> point_;
  std::vector<double> slope_;
  std::vector<double> products_;  // step.change
  std::vector<double> weights_;
  double scale_ = 1;
  std::size_t n_pairs_ = 0;
  std::size_t has_point_ = 0;
};

}  // namespace finitesum
