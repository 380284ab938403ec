#include "solvers/adaptive_sampling.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/math.hpp"

namespace finitesum {
namespace {

// Estimates this many halvings below the largest start are as good as zero; the other buckets leave room for growth.
constexpr int halvings = 40;

double unit(std::uint32_t word) { return word * 0x1p-32; }

}  // namespace

AdaptiveSampler::AdaptiveSampler(std::uint64_t seed, std::vector<double> start, double l2)
    : seed_(seed),
      l2_(l2),
      decay_(std::exp2(-1.0 / static_cast<double>(start.size()))),
      max_(*std::max_element(start.begin(), start.end())),
      estimates_(std::move(start)),
      places_(estimates_.size()) {
  lowest_exponent_ = (max_ > 0 ? std::ilogb(max_) : 0) - halvings;
  smallest_ = std::ldexp(1.0, lowest_exponent_);
  for (std::size_t b = 0; b < n_buckets; ++b) {
    bounds_[b] = std::ldexp(1.0, lowest_exponent_ + static_cast<int>(b) + 1);
  }
  for (std::size_t i = 0; i < estimates_.size(); ++i) {
    estimates_[i] = std::max(estimates_[i], smallest_);
    insert(i, bucket_of(estimates_[i]));
  }
  refresh();
}

std::size_t AdaptiveSampler::bucket_of(double smoothness) const {
  const auto exponent = static_cast<int>(math::bits(smoothness) >> 52) - 1023;  // estimates are positive and normal
  return static_cast<std::size_t>(std::clamp(exponent - lowest_exponent_, 0, int{n_buckets} - 1));
}

double AdaptiveSampler::bound_of(std::size_t bucket) const { return bounds_[bucket]; }

double AdaptiveSampler::bucket_weight(std::size_t bucket) const {
  return bound_of(bucket) * static_cast<double>(buckets_[bucket].size());
}

void AdaptiveSampler::insert(std::size_t i, std::size_t bucket) {
  places_[i] = {static_cast<std::uint32_t>(bucket), static_cast<std::uint32_t>(buckets_[bucket].size())};
  buckets_[bucket].push_back(static_cast<std::uint32_t>(i));
  top_ = std::max(top_, bucket);
}

void AdaptiveSampler::set_estimate(std::size_t i, double smoothness) {
  smoothness = std::clamp(smoothness, smallest_, bound_of(n_buckets - 1));
  sum_ += smoothness - estimates_[i];
  estimates_[i] = smoothness;
  max_ = std::max(max_ * decay_, smoothness);
  const std::size_t bucket = bucket_of(smoothness);
  const Place place = places_[i];
  if (bucket == place.bucket) return;
  std::vector<std::uint32_t>& old = buckets_[place.bucket];
  old[place.index] = old.back();
  places_[old.back()].index = place.index;
  old.pop_back();
  insert(i, bucket);
}

void AdaptiveSampler::refresh() {
  sum_ = 0;
  for (const double estimate : estimates_) sum_ += estimate;
  while (top_ > 0 && buckets_[top_].empty()) --top_;
}

// A bucket by its weight, then a place in it. The counters of the tries never meet another draw's.
AdaptiveSampler::Candidate AdaptiveSampler::try_by_smoothness(const Philox& random, std::uint64_t counter,
                                                              std::uint64_t attempt, double total) const {
  const auto words = random.words(counter + ((attempt + 1) << 48));
  double rest = unit(static_cast<std::uint32_t>(words[0])) * total;
  std::size_t bucket = top_;  // the heaviest buckets are on top
  while (bucket > 0 && ((rest -= bucket_weight(bucket)) >= 0 || buckets_[bucket].empty())) --bucket;
  if (buckets_[bucket].empty()) bucket = top_;  // only by rounding
  const std::uint32_t* place = buckets_[bucket].data() + below(words[1], buckets_[bucket].size());
  return {place, unit(static_cast<std::uint32_t>(words[0] >> 32)) * bound_of(bucket)};
}

// L_i + L_mean + 2 l2 = (L_i + l2) + (L_mean + l2): half of the draws, less what falls to the l2 in it.
double AdaptiveSampler::share_by_smoothness() const {
  return 0.5 * sum_ / (sum_ + static_cast<double>(estimates_.size()) * l2_);
}

double AdaptiveSampler::importance(std::size_t i) const {
  const double share = share_by_smoothness();
  return 1 / ((1 - share) + share * estimates_[i] / mean());
}

void AdaptiveSampler::draw(std::uint64_t epoch, std::size_t first, std::size_t count, Draw* out) const {
  const Philox random(seed_, epoch);
  const double share = share_by_smoothness();
  double total = 0;
  for (std::size_t b = 0; b <= top_; ++b) total += bucket_weight(b);
  // In three sweeps, so that the memory's latencies overlap.
  std::array<Candidate, max_draws> candidates;
  for (std::size_t k = 0; k < count; ++k) {
    const auto words = random.words(first + k);
    const bool is_uniform = unit(static_cast<std::uint32_t>(words[1])) >= share;
    out[k].row = below(words[0], estimates_.size());
    candidates[k] = is_uniform ? Candidate{nullptr, 0} : try_by_smoothness(random, first + k, 0, total);
    if (!is_uniform) __builtin_prefetch(candidates[k].place);
  }
  for (std::size_t k = 0; k < count; ++k) {
    if (candidates[k].place != nullptr) out[k].row = *candidates[k].place;
    __builtin_prefetch(&estimates_[out[k].row]);
    __builtin_prefetch(&places_[out[k].row]);
  }
  for (std::size_t k = 0; k < count; ++k) {
    // A try keeps its row with probability at least one half.
    for (std::uint64_t attempt = 1; candidates[k].level >= estimates_[out[k].row]; ++attempt) {
      candidates[k] = try_by_smoothness(random, first + k, attempt, total);
      out[k].row = *candidates[k].place;
    }
    out[k].importance = 1 / ((1 - share) + share * estimates_[out[k].row] / mean());
  }
}

void AdaptiveSampler::transfer(Archive& archive) {
  archive(max_);
  archive(estimates_);
  for (std::vector<std::uint32_t>& bucket : buckets_) archive(bucket);
  archive(sum_);
  archive.integer(top_);
  for (std::size_t b = 0; b < n_buckets; ++b) {
    for (std::size_t k = 0; k < buckets_[b].size(); ++k) {
      places_[buckets_[b][k]] = {static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(k)};
    }
  }
}

}  // namespace finitesum
