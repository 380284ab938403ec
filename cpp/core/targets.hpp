// The targets y: numbers, or the two labels of a classifier as one bit per row.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace finitesum {

class Targets {
 public:
  Targets() = default;
  explicit Targets(const double* values) : values_(values) {}
  // Bit i, the least significant of a byte first, stands for +1 if set and -1 if not.
  explicit Targets(const std::uint8_t* label_bits) : label_bits_(label_bits) {}

  bool are_labels() const { return label_bits_ != nullptr; }
  double operator[](std::size_t i) const { return values_ != nullptr ? values_[i] : label(i); }
  void prefetch(std::size_t i) const {
    if (values_ != nullptr) __builtin_prefetch(values_ + i);
    if (label_bits_ != nullptr) __builtin_prefetch(label_bits_ + i / 8);
  }

 private:
  friend class TargetBlock;
  double label(std::size_t i) const { return static_cast<double>((label_bits_[i / 8] >> (i % 8)) & 1) * 2 - 1; }

  const double* values_ = nullptr;
  const std::uint8_t* label_bits_ = nullptr;
};

// Full passes work on blocks of this many rows, so that their margins stay in the first-level cache between two
// kernels.
inline constexpr std::size_t block_rows = 256;

// Some consecutive targets, at most block_rows, as the vector kernels take them.
class TargetBlock {
 public:
  TargetBlock(const Targets& targets, std::size_t first, std::size_t count)
      : values_(targets.values_ != nullptr ? targets.values_ + first : nullptr) {
    if (values_ == nullptr) decode(targets, first, count);
  }
  const double* data() const { return values_ != nullptr ? values_ : decoded_.data(); }

 private:
  using FourLabels = std::array<double, 4>;
  static constexpr std::array<FourLabels, 16> labels_of_bits = [] {
    std::array<FourLabels, 16> labels{};
    for (std::size_t bits = 0; bits < 16; ++bits) {
      for (std::size_t k = 0; k < 4; ++k) labels[bits][k] = static_cast<double>((bits >> k) & 1) * 2 - 1;
    }
    return labels;
  }();

  // Half a byte at a time where one begins: bit by bit it would cost as much as a cheap loss.
  void decode(const Targets& targets, std::size_t first, std::size_t count) {
    std::size_t k = 0;
    for (; k < count && (first + k) % 4 != 0; ++k) decoded_[k] = targets.label(first + k);
    for (; k + 4 <= count; k += 4) {
      const std::size_t i = first + k;
      const FourLabels& labels = labels_of_bits[(targets.label_bits_[i / 8] >> (i % 8)) & 15];
      std::copy(labels.begin(), labels.end(), decoded_.begin() + static_cast<std::ptrdiff_t>(k));
    }
    for (; k < count; ++k) decoded_[k] = targets.label(first + k);
  }

  const double* values_;
  std::array<double, block_rows> decoded_;
};

}  // namespace finitesum
