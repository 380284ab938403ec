// Sampling that learns: M. Schmidt, N. Le Roux, F. Bach, "Minimizing finite sums with the stochastic average gradient",
// 2017, section 5.5, as in its authors' code. Each row carries an estimate L_i of its smoothness where the iterate is.
// A draw takes a seen row with probability proportional to L_i + L_mean + 2 l2, that is half uniform, half proportional
// to L_i + l2. A visit first halves L_i, then doubles it until
//     f_i(w - f_i' / L_i) <= f_i(w) - |f_i'|^2 / (2 L_i)
// holds, so rows that the model has learned are drawn less and less.
//
// The authors draw from a sum tree, O(log n). Here rows stand in buckets by the binary exponent of L_i: a bucket is
// chosen by its row count times its upper bound, a row in it uniformly and kept with probability L_i / bound >= 1/2.
// Since L_i moves by factors of two, most visits leave their row in its bucket.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/random.hpp"
#include "solvers/archive.hpp"
#include "solvers/sampling.hpp"

namespace finitesum {

class AdaptiveSampler {
 public:
  // `start` is the estimate that every row begins with: n numbers.
  AdaptiveSampler(std::uint64_t seed, std::vector<double> start, double l2);

  // Draws are made this many at a time from the estimates as they stand, so that their rows can be fetched ahead; the
  // authors draw one by one.
  static constexpr std::size_t max_draws = 32;
  void draw(std::uint64_t epoch, std::size_t first, std::size_t count, Draw* out) const;

  // 1 / (n p_i)
  double importance(std::size_t i) const;
  double estimate(std::size_t i) const { return estimates_[i]; }
  void set_estimate(std::size_t i, double smoothness);

  // The largest estimate, which decays by a factor of two per n visits unless a row renews it, and the mean.
  double max() const { return max_; }
  double mean() const { return sum_ / static_cast<double>(estimates_.size()); }
  // Sums again what rounding has let drift.
  void refresh();

  void transfer(Archive& archive);

 private:
  struct Place {
    std::uint32_t bucket;
    std::uint32_t index;
  };
  struct Candidate {
    const std::uint32_t* place;  // of the row's number
    double level;                // kept if the row's estimate is above
  };
  static constexpr std::size_t n_buckets = 128;

  std::size_t bucket_of(double smoothness) const;
  double bound_of(std::size_t bucket) const;  // of the estimates in it
  double share_by_smoothness() const;         // of the draws
  double bucket_weight(std::size_t bucket) const;
  Candidate try_by_smoothness(const Philox& random, std::uint64_t counter, std::uint64_t attempt, double total) const;
  void insert(std::size_t i, std::size_t bucket);

  std::uint64_t seed_;
  double l2_;
  double decay_;
  int lowest_exponent_ = 0;
  double smallest_ = 0;
  double max_ = 0;
  double sum_ = 0;
  std::array<double, n_buckets> bounds_{};
  std::size_t top_ = 0;  // no bucket above it holds rows
  std::vector<double> estimates_;
  std::vector<Place> places_;
  std::array<std::vector<std::uint32_t>, n_buckets> buckets_;
};

}  // namespace finitesum
