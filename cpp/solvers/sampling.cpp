#include "solvers/sampling.hpp"

namespace finitesum {

void RowSampler::draw(std::uint64_t epoch, std::size_t first, std::size_t count, Draw* out) const {
  const Philox random(seed_, epoch);
  if (kind_ == Sampling::cyclic) {
    for (std::size_t k = 0; k < count; ++k) out[k] = {first + k, 1};
  } else if (epoch == permuted_epoch_ || kind_ == Sampling::shuffle) {
    const Permutation permutation(random, n_);
    // The weights stay: the steps that go with them are too long for the steepest rows without.
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t i = permutation(first + k);
      out[k] = {i, by_smoothness_ ? by_smoothness_->importance(i) : 1};
    }
  } else if (by_smoothness_) {
    by_smoothness_->draw(random, first, count, out);
  } else {
    // Two draws share a block of random words, whatever the cut into calls.
    const auto one = [&](std::size_t draw) { return Draw{below(random.words(draw / 2)[draw % 2], n_), 1}; };
    std::size_t k = 0;
    if (first % 2 == 1 && count > 0) out[k++] = one(first);
    for (; k + 2 <= count; k += 2) {
      const auto words = random.words((first + k) / 2);
      out[k] = {below(words[0], n_), 1};
      out[k + 1] = {below(words[1], n_), 1};
    }
    if (k < count) out[k] = one(first + k);
  }
}

void RowSampler::transfer(Archive& archive) {
  archive.integer(permuted_epoch_);
  if (kind_ == Sampling::adaptive) by_smoothness_->transfer(archive);
}

}  // namespace finitesum
