#include "solvers/smoothness_sampling.hpp"

#include <algorithm>
#include <cmath>

#include "core/math.hpp"

namespace finitesum {
namespace {

double unit_interval(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

int exponent_of_unit(double largest) { return largest > 0 ? std::clamp(std::ilogb(largest), -1000, 1000) : 0; }

}  // namespace

std::array<double, 4> SmoothnessSampler::Group::quarters() const {
  std::array<double, 4> sums;
  for (std::size_t q = 0; q < 4; ++q) {
    const float* e = &estimates[4 * q];
    sums[q] = (double{e[0]} + double{e[1]}) + (double{e[2]} + double{e[3]});
  }
  return sums;
}

double SmoothnessSampler::Group::sum() const {
  const auto q = quarters();
  return ((q[0] + q[1]) + q[2]) + q[3];
}

std::size_t SmoothnessSampler::Group::rows_below(double level) const {
  const auto q = quarters();
  const std::array<double, 4> before{0, q[0], q[0] + q[1], (q[0] + q[1]) + q[2]};
  const std::size_t quarter =
      std::size_t{level >= before[1]} + std::size_t{level >= before[2]} + std::size_t{level >= before[3]};
  const double rest = level - before[quarter];
  const float* e = &estimates[4 * quarter];
  const double pair = double{e[0]} + double{e[1]};
  const std::size_t row =
      4 * quarter + std::size_t{rest >= e[0]} + std::size_t{rest >= pair} + std::size_t{rest >= pair + double{e[2]}};
  return level >= before[3] + q[3] ? group_size : row;
}

SmoothnessSampler::SmoothnessSampler(std::size_t n, double largest, double l2)
    : n_(n),
      unit_(std::ldexp(1.0, exponent_of_unit(largest))),
      per_unit_(1 / unit_),
      l2_(l2 * per_unit_),
      decay_(std::exp2(-1.0 / static_cast<double>(n))),
      max_(largest * per_unit_),
      groups_((n + group_size - 1) / group_size),
      order_(groups_.size()),
      slots_(groups_.size()) {}

float SmoothnessSampler::to_stored(double smoothness) const {
  return static_cast<float>(std::clamp(smoothness * per_unit_, std::ldexp(1.0, -halvings), std::ldexp(1.0, doublings)));
}

// By the binary exponent; sums are positive and normal.
std::size_t SmoothnessSampler::bucket_of(double sum) {
  return static_cast<std::size_t>(static_cast<int>(math::bits(sum) >> 52) - 1023 + halvings);
}

void SmoothnessSampler::refresh() {
  sum_ = 0;
  begin_.fill(0);
  for (const Group& group : groups_) {
    const double sum = group.sum();
    sum_ += sum;
    ++begin_[bucket_of(sum) + 1];
  }
  for (std::size_t b = 0; b < n_buckets; ++b) begin_[b + 1] += begin_[b];
  auto next = begin_;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    const std::size_t slot = next[bucket_of(groups_[group].sum())]++;
    order_[slot] = static_cast<std::uint32_t>(group);
    slots_[group] = static_cast<std::uint32_t>(slot);
  }
}

void SmoothnessSampler::set_estimate(std::size_t i, double smoothness) {
  const float fresh = to_stored(smoothness);
  max_ = std::max(max_ * decay_, double{fresh});
  if (fresh == stored(i)) return;
  const std::size_t group = i / group_size;
  const std::size_t from = bucket_of(groups_[group].sum());
  sum_ += double{fresh} - double{stored(i)};
  stored(i) = fresh;
  move(group, from, bucket_of(groups_[group].sum()));
}

// From bucket to bucket, across the border that they share: O(1) for each power of two.
void SmoothnessSampler::move(std::size_t group, std::size_t from, std::size_t to) {
  for (; from < to; ++from) swap_into(--begin_[from + 1], group);
  for (; from > to; --from) swap_into(begin_[from]++, group);
}

void SmoothnessSampler::swap_into(std::size_t slot, std::size_t group) {
  const std::uint32_t other = order_[slot];
  order_[slots_[group]] = other;
  slots_[other] = slots_[group];
  order_[slot] = static_cast<std::uint32_t>(group);
  slots_[group] = static_cast<std::uint32_t>(slot);
}

SmoothnessSampler::Chances SmoothnessSampler::chances() const {
  Chances result;
  for (std::size_t b = n_buckets; b-- > 0;) {
    const std::size_t size = begin_[b + 1] - begin_[b];
    if (size == 0) continue;
    const double bound = math::from_bits((b + 1 + 1023 - halvings) << 52);  // 2^(b + 1 - halvings)
    result.total += bound * static_cast<double>(size);
    result.ends[result.n_used] = result.total;
    result.buckets[result.n_used++] = {bound, begin_[b], size};
  }
  return result;
}

// A bucket by its weight from `place` in [0, 1), then a slot in it and a level from the bits.
SmoothnessSampler::Try SmoothnessSampler::choose(const Chances& chances, double place, std::uint64_t bits) {
  std::size_t b = 0;
  for (std::size_t c = 0; c + 1 < chances.n_used; ++c) b += std::size_t{place * chances.total >= chances.ends[c]};
  const Bucket& bucket = chances.buckets[b];
  // bits * size is the slot, and after the point what is left is even again.
  return {bucket.first + below(bits, bucket.size), unit_interval(bits * bucket.size) * bucket.bound};
}

// L_i + L_mean + 2 l2 = (L_i + l2) + (L_mean + l2): half of the draws, less what falls to the l2 in it.
double SmoothnessSampler::share_by_smoothness() const { return 0.5 * sum_ / (sum_ + static_cast<double>(n_) * l2_); }

double SmoothnessSampler::importance(std::size_t i) const {
  const double share = share_by_smoothness();
  return 1 / ((1 - share) + share * static_cast<double>(n_) / sum_ * double{stored(i)});
}

// In sweeps without branches on what was drawn: the memory's latencies overlap, and no guess is undone.
void SmoothnessSampler::draw(const Philox& random, std::size_t first, std::size_t count, Draw* out) const {
  const double share = share_by_smoothness();
  const Chances by_smoothness = chances();
  std::array<double, max_draws> place;
  std::array<std::uint64_t, max_draws> bits;
  std::array<std::uint32_t, max_draws> open;  // draws that have no row yet
  std::size_t n_open = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const auto words = random.words(first + k);
    place[k] = unit_interval(words[0]);
    bits[k] = words[1];
    out[k].row = below(words[1], n_);
    __builtin_prefetch(&stored(out[k].row));
    open[n_open] = static_cast<std::uint32_t>(k);
    n_open += std::size_t{place[k] < share};
  }
  for (std::size_t t = 0; t < n_open; ++t) place[open[t]] /= share;
  for (std::uint64_t attempt = 1; n_open > 0; ++attempt) {
    std::array<Try, max_draws> tries;
    for (std::size_t t = 0; t < n_open; ++t) {
      tries[t] = choose(by_smoothness, place[open[t]], bits[open[t]]);
      __builtin_prefetch(&order_[tries[t].slot]);
    }
    for (std::size_t t = 0; t < n_open; ++t) {
      Draw& draw = out[open[t]];
      draw.row = group_size * order_[tries[t].slot];
      __builtin_prefetch(&stored(draw.row));
    }
    std::size_t n_left = 0;
    for (std::size_t t = 0; t < n_open; ++t) {
      const std::uint32_t k = open[t];
      const std::size_t row = groups_[out[k].row / group_size].rows_below(tries[t].level);
      out[k].row = std::min(out[k].row + row, n_ - 1);  // beyond it only by rounding, or to be drawn again
      open[n_left] = k;
      n_left += std::size_t{row == group_size};
    }
    n_open = n_left;
    for (std::size_t t = 0; t < n_open; ++t) {
      // Counters of further tries never meet another draw's.
      const auto words = random.words(first + open[t] + (attempt << 48));
      place[open[t]] = unit_interval(words[0]);
      bits[open[t]] = words[1];
    }
  }
  const double slope = share * static_cast<double>(n_) / sum_;
  for (std::size_t k = 0; k < count; ++k) {
    out[k].importance = 1 / ((1 - share) + slope * double{stored(out[k].row)});
  }
}

// Without sorting n rows: a histogram over the estimates' bits, which grow with the number. Rows that share a bin are
// taken for equal, which they are to 2^-9 at worst.
std::vector<double> SmoothnessSampler::draw_shares() const {
  constexpr std::size_t n_bins = std::size_t{1} << 16;
  struct Bin {
    std::size_t rows = 0;
    double sum = 0;
  };
  const auto bits = [&](std::size_t i) { return __builtin_bit_cast(std::uint32_t, stored(i)); };
  std::uint32_t lowest = bits(0);
  std::uint32_t highest = bits(0);
  for (std::size_t i = 0; i < n_; ++i) {
    lowest = std::min(lowest, bits(i));
    highest = std::max(highest, bits(i));
  }
  unsigned shift = 0;
  while (((highest - lowest) >> shift) >= n_bins) ++shift;
  std::vector<Bin> bins(((highest - lowest) >> shift) + 1);
  for (std::size_t i = 0; i < n_; ++i) {
    Bin& bin = bins[(bits(i) - lowest) >> shift];
    ++bin.rows;
    bin.sum += double{stored(i)};
  }
  const double share = share_by_smoothness();
  std::vector<double> shares(10);
  std::size_t rank = 0;
  for (const Bin& bin : bins) {
    if (bin.rows == 0) continue;
    const auto rows = static_cast<double>(bin.rows);
    const double probability = (1 - share) / static_cast<double>(n_) + share * bin.sum / (sum_ * rows);
    for (const std::size_t end = rank + bin.rows; rank < end;) {
      const std::size_t decile = 10 * rank / n_;
      const std::size_t next = std::min(end, ((decile + 1) * n_ + 9) / 10);  // the first rank beyond it
      shares[decile] += static_cast<double>(next - rank) * probability;
      rank = next;
    }
  }
  return shares;
}

void SmoothnessSampler::transfer(Archive& archive) {
  archive(max_);
  archive(sum_);
  for (std::size_t i = 0; i < n_; ++i) archive(stored(i));
}

}  // namespace finitesum
