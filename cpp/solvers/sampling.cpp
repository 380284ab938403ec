#include "solvers/sampling.hpp"

#include <array>
#include <numeric>

namespace finitesum {

AliasTable::AliasTable(const std::vector<double>& mass) : entries_(mass.size()) {
  const std::size_t n = mass.size();
  const double scale = static_cast<double>(n) / std::accumulate(mass.begin(), mass.end(), 0.0);
  std::vector<double> share(n);  // n times the probability
  std::vector<std::uint32_t> small;
  std::vector<std::uint32_t> large;
  for (std::size_t i = 0; i < n; ++i) {
    share[i] = mass[i] * scale;
    (share[i] < 1 ? small : large).push_back(static_cast<std::uint32_t>(i));
  }
  while (!small.empty() && !large.empty()) {
    const std::uint32_t poor = small.back();
    const std::uint32_t rich = large.back();
    small.pop_back();
    entries_[poor] = {static_cast<std::uint32_t>(share[poor] * 4294967296.0), rich};
    share[rich] -= 1 - share[poor];
    if (share[rich] < 1) {
      large.pop_back();
      small.push_back(rich);
    }
  }
  // What is left has share one up to rounding: keeping the row and going to its alias are the same.
  for (const std::uint32_t i : small) entries_[i] = {0, i};
  for (const std::uint32_t i : large) entries_[i] = {0, i};
}

void RowSampler::use_smoothness(const std::vector<double>& smoothness) {
  kind_ = Sampling::lipschitz;
  const double mean = std::accumulate(smoothness.begin(), smoothness.end(), 0.0) / static_cast<double>(n_);
  if (mean == 0) return;  // rows of zeros only: every row alike
  std::vector<double> mass(n_);
  importance_.resize(n_);
  for (std::size_t i = 0; i < n_; ++i) {
    mass[i] = 0.5 + 0.5 * smoothness[i] / mean;
    importance_[i] = static_cast<float>(1 / mass[i]);
  }
  alias_.assign(1, AliasTable(mass));
}

void RowSampler::draw(std::uint64_t epoch, std::size_t first, std::size_t count, Draw* out) const {
  const Philox random(seed_, epoch);
  if (kind_ == Sampling::cyclic) {
    for (std::size_t k = 0; k < count; ++k) out[k] = {first + k, 1};
  } else if (epoch == permuted_epoch_ || kind_ == Sampling::shuffle) {
    const Permutation permutation(random, n_);
    // The weights stay: the steps that go with them are too long for the steepest rows without.
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t i = permutation(first + k);
      out[k] = {i, importance(i)};
    }
  } else if (!alias_.empty()) {
    const AliasTable& alias = alias_.front();
    std::array<std::uint32_t, max_draws> coins;
    for (std::size_t k = 0; k < count; ++k) {
      const auto words = random.words(first + k);
      out[k].row = below(words[0], n_);
      coins[k] = static_cast<std::uint32_t>(words[1]);
      alias.prefetch(out[k].row);
    }
    for (std::size_t k = 0; k < count; ++k) {
      out[k].row = alias.resolve(out[k].row, coins[k]);
      __builtin_prefetch(&importance_[out[k].row]);
    }
    for (std::size_t k = 0; k < count; ++k) out[k].importance = importance(out[k].row);
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

}  // namespace finitesum
