// In which order the rows of an epoch come: a function of (seed, epoch), so that a run can stop and go on anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "sgd/options.hpp"
#include "solvers/sampling.hpp"

namespace finitesum {

class EpochOrder {
 public:
  EpochOrder(std::uint64_t seed, std::size_t n, RowOrder kind)
      : seed_(seed), n_(n), kind_(kind), rows_(kind == RowOrder::shuffle ? n : 0) {}

  // A shuffled order is laid out as a whole (R. Durstenfeld, CACM 7 (1964)): that takes 8 bytes per row, and a tenth of
  // the time of a permutation computed entry by entry (core/random.hpp), which counts where a step is short.
  void begin(std::uint64_t epoch) {
    if (kind_ != RowOrder::shuffle) return;
    const Philox random(seed_, epoch);
    for (std::size_t i = 0; i < n_; ++i) rows_[i] = i;
    for (std::size_t left = n_; left > 1;) {
      for (const std::uint64_t word : random.words(left)) {
        if (left <= 1) break;
        std::swap(rows_[left - 1], rows_[below(word, left)]);
        --left;
      }
    }
  }

  // Draws first, first + 1, ... of the epoch that has begun.
  void draw(std::uint64_t epoch, std::size_t first, std::size_t count, Draw* out) const {
    const Philox random(seed_, epoch);
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t number = first + k;
      std::size_t row = number;
      if (kind_ == RowOrder::shuffle) row = rows_[number];
      if (kind_ == RowOrder::iid) row = below(random.words(number / 2)[number % 2], n_);
      out[k] = {row, 1};
    }
  }
  static std::size_t max_draws() { return RowSampler::max_draws; }

 private:
  std::uint64_t seed_;
  std::size_t n_;
  RowOrder kind_;
  std::vector<std::size_t> rows_;
};

}  // namespace finitesum
