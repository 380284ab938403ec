// Doubles cut to their upper 48 bits, towards zero: six bytes each, 37 significant bits, an error below 2^-36. Or,
// where that is not enough, all of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "core/math.hpp"
#include "solvers/archive.hpp"

namespace finitesum {

class PackedDoubles {
 public:
  PackedDoubles(std::size_t n, bool are_whole) : mask_(are_whole ? ~std::uint64_t{0} : ~std::uint64_t{0xffff}) {
    cells_.resize(n);
    if (are_whole) rests_.resize(n);
  }

  // What is left of a value.
  double cut(double value) const { return math::from_bits(math::bits(value) & mask_); }

  double operator[](std::size_t i) const {
    const Cell& cell = cells_[i];
    const std::uint64_t rest = rests_.empty() ? 0 : rests_[i];
    return math::from_bits(std::uint64_t{cell[0]} << 48 | std::uint64_t{cell[1]} << 32 | std::uint64_t{cell[2]} << 16 |
                           rest);
  }
  void set(std::size_t i, double value) {
    const std::uint64_t bits = math::bits(value);
    cells_[i] = {static_cast<std::uint16_t>(bits >> 48), static_cast<std::uint16_t>(bits >> 32),
                 static_cast<std::uint16_t>(bits >> 16)};
    if (!rests_.empty()) rests_[i] = static_cast<std::uint16_t>(bits);
  }
  void prefetch(std::size_t i) const {
    __builtin_prefetch(&cells_[i]);
    if (!rests_.empty()) __builtin_prefetch(&rests_[i]);
  }

  void transfer(Archive& archive) {
    auto size = cells_.size();
    archive.integer(size);
    if (size != cells_.size()) throw std::invalid_argument("The saved state belongs to a problem of another size.");
    for (std::size_t i = 0; i < size; ++i) {
      double value = (*this)[i];
      archive(value);
      set(i, value);
    }
  }

 private:
  using Cell = std::array<std::uint16_t, 3>;  // the most significant first

  std::uint64_t mask_;
  std::vector<Cell> cells_;
  std::vector<std::uint16_t> rests_;  // empty: cut off
};

}  // namespace finitesum
