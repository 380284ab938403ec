// The losses of an epoch's draws, each row's at the time of its draw, and whether they have grown beyond all bounds.
#pragma once

#include <array>
#include <cstddef>

#include "core/math.hpp"
#include "core/targets.hpp"
#include "losses/subgradient.hpp"

namespace finitesum {

class EpochLoss {
 public:
  explicit EpochLoss(const SubgradientLoss& loss) : loss_(loss) {}

  void begin(double limit) {
    sum_ = 0;
    peak_ = 0;
    limit_ = limit;
    is_lost_ = false;
  }
  // What a draw was predicted, and its target: the kernels want many at a time.
  void push(double prediction, double target, double weight) {
    z_[size_] = prediction;
    y_[size_] = target;
    weight_[size_++] = weight;
    if (size_ == block_rows) settle();
  }
  // A draw's loss that is known.
  void add(double value) {
    add(value, 1);
    if (n_in_block_ == block_rows) end_block();
  }
  void settle() {
    add(loss_.value_sum(z_.data(), y_.data(), weight_.data(), size_), size_);
    size_ = 0;
    end_block();
  }
  double sum() const { return sum_; }
  // The largest mean of a block of draws.
  double peak() const { return peak_; }
  // The sum exceeds the limit, or is no number.
  bool is_lost() const { return is_lost_; }

 private:
  void add(double value, std::size_t n) {
    sum_ += value;
    of_block_ += value;
    n_in_block_ += n;
    is_lost_ = is_lost_ || !(sum_ <= limit_);
  }
  void end_block() {
    if (n_in_block_ > 0) peak_ = math::max(peak_, of_block_ / static_cast<double>(n_in_block_));
    of_block_ = 0;
    n_in_block_ = 0;
  }

  const SubgradientLoss& loss_;
  std::array<double, block_rows> z_;
  std::array<double, block_rows> y_;
  std::array<double, block_rows> weight_;
  std::size_t size_ = 0;
  double sum_ = 0;
  double of_block_ = 0;
  std::size_t n_in_block_ = 0;
  double peak_ = 0;
  double limit_ = 0;
  bool is_lost_ = false;
};

}  // namespace finitesum
