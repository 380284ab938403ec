// The rows of SDCA's epochs: those with little to gain are left out for some epochs, as told in sdca.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "solvers/sampling.hpp"

namespace finitesum {

class GainfulRows {
 public:
  GainfulRows(std::uint64_t seed, std::size_t n) : seed_(seed), rows_(n), size_(n), gains_(n), draws_of_some_(n) {}

  // gain_of(i): what the last steps on the row have won.
  template <class GainOf>
  void choose(const GainOf& gain_of) {
    constexpr std::size_t most_epochs = 16;
    constexpr std::size_t fewest = 128;  // one row in so many
    constexpr float share = 0.3F;        // of the mean gain
    const std::size_t n = rows_.size();
    bool all = epochs_of_some_ == most_epochs || draws_of_some_ >= n;
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      gains_[i] = gain_of(i);
      sum += double{gains_[i]};
    }
    take(all ? 0 : share * static_cast<float>(sum / static_cast<double>(n)));
    if (size_ < n / fewest) {
      all = true;
      take(0);
    }
    epochs_of_some_ = all ? 0 : epochs_of_some_ + 1;
    draws_of_some_ = all ? 0 : draws_of_some_ + size_;
  }
  void begin_with_all() { draws_of_some_ = rows_.size(); }

  std::size_t size() const { return size_; }
  std::size_t max_draws() const { return RowSampler::max_draws; }
  void draw(std::uint64_t epoch, std::size_t first, std::size_t count, Draw* out) const {
    RowSampler(seed_, size_, Sampling::shuffle).draw(epoch, first, count, out);
    for (std::size_t k = 0; k < count; ++k) out[k].row = rows_[out[k].row];
  }

 private:
  void take(float least) {
    size_ = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      rows_[size_] = i;
      size_ += gains_[i] >= least ? 1 : 0;
    }
  }

  std::uint64_t seed_;
  std::vector<std::size_t> rows_;
  std::size_t size_;
  std::vector<float> gains_;
  std::size_t epochs_of_some_ = 0;  // since all rows were visited
  std::size_t draws_of_some_;
};

}  // namespace finitesum
