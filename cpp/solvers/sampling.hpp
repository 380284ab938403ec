// Which row comes next. Whatever the sampling, the first epoch visits every row once (in random order, unless the
// order is cyclic): the gradient table is then full, and no certificate has to wait for a last unseen row.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/random.hpp"

namespace finitesum {

// Independent draws with given probabilities in O(1) each: A. J. Walker, "An efficient method for generating discrete
// random variables with general distributions", ACM TOMS 1977; tables as in M. Vose, IEEE TSE 1991. Eight bytes per
// row.
class AliasTable {
 public:
  // `mass` holds n non-negative numbers, not all zero; n < 2^32.
  explicit AliasTable(const std::vector<double>& mass);

  std::size_t size() const { return entries_.size(); }
  // Row `candidate`, drawn uniformly, or its alias; `coin` is uniform on [0, 2^32).
  std::size_t resolve(std::size_t candidate, std::uint32_t coin) const {
    const Entry& entry = entries_[candidate];
    return coin < entry.threshold ? candidate : entry.alias;
  }
  void prefetch(std::size_t candidate) const { __builtin_prefetch(&entries_[candidate]); }

 private:
  struct Entry {
    std::uint32_t threshold;
    std::uint32_t alias;
  };
  std::vector<Entry> entries_;
};

enum class Sampling { automatic, uniform, cyclic, shuffle, lipschitz, adaptive };
inline constexpr std::array<const char*, 6> sampling_names{"auto",    "uniform",   "cyclic",
                                                           "shuffle", "lipschitz", "adaptive"};

// A row and what makes an estimate from it unbiased: 1 / (n p), p its probability.
struct Draw {
  std::size_t row;
  double importance;
};

// Draws that do not depend on the run: they can be made ahead, in any order and any cut.
class RowSampler {
 public:
  RowSampler(std::uint64_t seed, std::size_t n, Sampling kind = Sampling::uniform) : seed_(seed), n_(n), kind_(kind) {}

  // Draws row i with probability p_i = 1/(2n) + L_i / (2 sum L) from the second epoch on: half uniform, half
  // proportional to the rows' smoothness (M. Schmidt, N. Le Roux, F. Bach, "Minimizing finite sums with the stochastic
  // average gradient", 2017, section 5.5).
  void use_smoothness(const std::vector<double>& smoothness);

  // The epoch (at first: epoch 0) that visits every row once.
  void visit_all_in(std::uint64_t epoch) { permuted_epoch_ = epoch; }

  double importance(std::size_t i) const { return importance_.empty() ? 1.0 : double{importance_[i]}; }

  static constexpr std::size_t max_draws = 1024;  // at once
  // Draws `first`, `first + 1`, ... of the epoch (counted from zero).
  void draw(std::uint64_t epoch, std::size_t first, std::size_t count, Draw* out) const;

 private:
  std::uint64_t seed_;
  std::size_t n_;
  Sampling kind_;
  std::uint64_t permuted_epoch_ = 0;
  std::vector<AliasTable> alias_;  // none: uniform
  std::vector<float> importance_;
};

}  // namespace finitesum
