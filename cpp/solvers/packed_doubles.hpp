// Doubles cut to their upper 48 bits, towards zero: six bytes each, 37 significant bits, an error below 2^-36.
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
  explicit PackedDoubles(std::size_t n) : cells_(n) {}

  static constexpr std::uint64_t mask = ~std::uint64_t{0xffff};  // of the bits that are kept

  double operator[](std::size_t i) const {
    const Cell& cell = cells_[i];
    return math::from_bits(std::uint64_t{cell[0]} << 48 | std::uint64_t{cell[1]} << 32 | std::uint64_t{cell[2]} << 16);
  }
  void set(std::size_t i, double value) {
    const std::uint64_t bits = math::bits(value);
    cells_[i] = {static_cast<std::uint16_t>(bits >> 48), static_cast<std::uint16_t>(bits >> 32),
                 static_cast<std::uint16_t>(bits >> 16)};
  }
  void prefetch(std::size_t i) const { __builtin_prefetch(&cells_[i]); }

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

  std::vector<Cell> cells_;
};

}  // namespace finitesum
