#include "solvers/smoothness_sampling.hpp"

#include <algorithm>
#include <cmath>

#include "core/math.hpp"

namespace finitesum {
namespace {

double unit_interval(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

int exponent_of_unit(double largest) { return largest > 0 ? std::clamp(std::ilogb(largest), -1020, 1020) : 0; }

}  // namespace

// Code c > 0 is (1 + m/4) 2^(e - halvings) with c - 1 = 4 e + m: exponent and leading bits of a floating point number.
const std::array<double, SmoothnessSampler::n_codes> SmoothnessSampler::code_values = [] {
  std::array<double, n_codes> values{};
  for (std::size_t c = 1; c < n_codes; ++c) values[c] = math::from_bits((4 * (1023 - halvings) + c - 1) << 50);
  return values;
}();

std::array<double, 4> SmoothnessSampler::Group::quarters() const {
  std::array<double, 4> sums;
  for (std::size_t q = 0; q < 4; ++q) {
    const std::uint8_t* c = &codes[4 * q];
    sums[q] = (code_values[c[0]] + code_values[c[1]]) + (code_values[c[2]] + code_values[c[3]]);
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
  const std::uint8_t* c = &codes[4 * quarter];
  const double one = code_values[c[0]];
  const double two = one + code_values[c[1]];
  const std::size_t row =
      4 * quarter + std::size_t{rest >= one} + std::size_t{rest >= two} + std::size_t{rest >= two + code_values[c[2]]};
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

std::uint8_t SmoothnessSampler::to_code(double smoothness) const {
  if (smoothness == 0) return 0;
  const double held = std::clamp(smoothness * per_unit_, code_values[1], code_values.back());
  const std::uint64_t leading = (math::bits(held) + ((std::uint64_t{1} << 50) - 1)) >> 50;  // rounded up
  return static_cast<std::uint8_t>(leading + 1 - 4 * (1023 - halvings));
}

// Sums of zero have bucket 0, the others one by their binary exponent.
std::size_t SmoothnessSampler::bucket_of(double sum) {
  return sum == 0 ? 0 : static_cast<std::size_t>((math::bits(sum) >> 52) + 1 - (1023 - halvings));
}
double SmoothnessSampler::bound_of(std::size_t bucket) { return math::from_bits((bucket + 1023 - halvings) << 52); }

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
  const std::uint8_t fresh = to_code(smoothness);
  max_ = std::max(max_ * decay_, code_values[fresh]);
  if (fresh == code(i)) return;
  const std::size_t group = i / group_size;
  const std::size_t from = bucket_of(groups_[group].sum());
  sum_ += code_values[fresh] - stored(i);
  code(i) = fresh;
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
  for (std::size_t b = n_buckets - 1; b > 0; --b) {
    const std::size_t size = begin_[b + 1] - begin_[b];
    if (size == 0) continue;
    const double bound = bound_of(b);
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
double SmoothnessSampler::share_by_smoothness() const {
  return sum_ == 0 ? 0 : 0.5 * sum_ / (sum_ + static_cast<double>(n_) * l2_);
}
double SmoothnessSampler::importance_slope() const {
  return sum_ == 0 ? 0 : share_by_smoothness() * static_cast<double>(n_) / sum_;
}
double SmoothnessSampler::importance(std::size_t i) const {
  return 1 / ((1 - share_by_smoothness()) + importance_slope() * stored(i));
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
    __builtin_prefetch(&code(out[k].row));
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
      __builtin_prefetch(&code(draw.row));
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
  const double slope = importance_slope();
  for (std::size_t k = 0; k < count; ++k) out[k].importance = 1 / ((1 - share) + slope * stored(out[k].row));
}

// Without sorting n rows: they are counted by their codes.
std::vector<double> SmoothnessSampler::draw_shares() const {
  std::array<std::size_t, n_codes> counts{};
  for (std::size_t i = 0; i < n_; ++i) ++counts[code(i)];
  const double even = (1 - share_by_smoothness()) / static_cast<double>(n_);
  const double slope = importance_slope() / static_cast<double>(n_);
  std::vector<double> shares(10);
  std::size_t rank = 0;
  for (std::size_t c = 0; c < n_codes; ++c) {
    for (const std::size_t end = rank + counts[c]; rank < end;) {
      const std::size_t decile = 10 * rank / n_;
      const std::size_t next = std::min(end, ((decile + 1) * n_ + 9) / 10);  // the first rank beyond it
      shares[decile] += static_cast<double>(next - rank) * (even + slope * code_values[c]);
      rank = next;
    }
  }
  return shares;
}

void SmoothnessSampler::transfer(Archive& archive) {
  archive(max_);
  archive(sum_);
  for (std::size_t i = 0; i < n_; ++i) archive.integer(code(i));
}

}  // namespace finitesum
