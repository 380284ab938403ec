// Which row comes next. Whatever the sampling, the first epoch visits every row once (in random order, unless the
// order is cyclic): the gradient table is then full, and no certificate has to wait for a last unseen row.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/random.hpp"
#include "solvers/archive.hpp"
#include "solvers/smoothness_sampling.hpp"

namespace finitesum {

enum class Sampling { automatic, uniform, cyclic, shuffle, lipschitz, adaptive };
inline constexpr std::array<const char*, 6> sampling_names{"auto",    "uniform",   "cyclic",
                                                           "shuffle", "lipschitz", "adaptive"};

class RowSampler {
 public:
  RowSampler(std::uint64_t seed, std::size_t n, Sampling kind = Sampling::uniform) : seed_(seed), n_(n), kind_(kind) {}

  // From the second epoch on rows are drawn by their smoothness: smoothness(i), none of them above `largest`.
  template <class SmoothnessOf>
  void use_smoothness(double largest, double l2, const SmoothnessOf& smoothness) {
    by_smoothness_.emplace(n_, largest, l2, smoothness);
  }
  std::optional<SmoothnessSampler>& by_smoothness() { return by_smoothness_; }
  const std::optional<SmoothnessSampler>& by_smoothness() const { return by_smoothness_; }

  // The epoch (at first: epoch 0) that visits every row once.
  void visit_all_in(std::uint64_t epoch) { permuted_epoch_ = epoch; }

  static constexpr std::size_t max_draws = SmoothnessSampler::max_draws;  // at once
  // Draws `first`, `first + 1`, ... of the epoch (counted from zero): as long as no estimate changes they can be made
  // ahead, in any order and any cut.
  void draw(std::uint64_t epoch, std::size_t first, std::size_t count, Draw* out) const;

  void transfer(Archive& archive);

 private:
  std::uint64_t seed_;
  std::size_t n_;
  Sampling kind_;
  std::uint64_t permuted_epoch_ = 0;
  std::optional<SmoothnessSampler> by_smoothness_;
};

}  // namespace finitesum
