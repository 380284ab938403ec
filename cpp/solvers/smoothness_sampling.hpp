// Independent draws, half of them in proportion to an estimate L_i of each row's smoothness. The estimates may stand
// ("lipschitz") or learn ("adaptive"): M. Schmidt, N. Le Roux, F. Bach, "Minimizing finite sums with the stochastic
// average gradient", 2017, section 5.5, as in its authors' code. A draw takes a row with probability proportional to
// L_i + L_mean + 2 l2, that is half uniform, half proportional to L_i + l2. Who learns halves L_i at a visit, then
// doubles it until
//     f_i(w - f_i' / L_i) <= f_i(w) - |f_i'|^2 / (2 L_i)
// holds, so rows that the model has learned are drawn less and less.
//
// The authors draw from a sum tree, O(log n). Here 16 rows are a group, and groups stand in buckets by the binary
// exponent of their sum: a bucket is chosen by its group count times its upper bound, a group in it uniformly, and a
// level in [0, bound) picks the row in the group, or none, with probability at most one half.
//
// Deviation: an estimate is one byte, a number with two bits after its leading one, rounded up, so that it bounds what
// it stands for and is at most 5/4 of it. Halving and doubling are exact, and draws and their importance go by the
// rounded numbers. Per row that is one byte, and half of one to find its group.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/random.hpp"
#include "solvers/archive.hpp"

namespace finitesum {

// A row and what makes an estimate from it unbiased: 1 / (n p), p its probability.
struct Draw {
  std::size_t row;
  double importance;
};

class SmoothnessSampler {
 public:
  static constexpr double bytes_per_row = 1.5;

  // Row i begins with the estimate smoothness(i), none of them above `largest`.
  template <class SmoothnessOf>
  SmoothnessSampler(std::size_t n, double largest, double l2, const SmoothnessOf& smoothness)
      : SmoothnessSampler(n, largest, l2) {
    for (std::size_t i = 0; i < n; ++i) code(i) = to_code(smoothness(i));
    refresh();
  }

  static constexpr std::size_t max_draws = 1024;  // at once
  // Draws `first`, `first + 1`, ... from the estimates as they stand.
  void draw(const Philox& random, std::size_t first, std::size_t count, Draw* out) const;

  std::size_t size() const { return n_; }
  // 1 / (n p_i)
  double importance(std::size_t i) const;
  double estimate(std::size_t i) const { return unit_ * stored(i); }
  void set_estimate(std::size_t i, double smoothness);

  // The largest estimate, which decays by a factor of two per n visits unless a row renews it, and the mean: if all are
  // zero, any number will do.
  double max() const { return unit_ * max_; }
  double mean() const { return sum_ > 0 ? unit_ * sum_ / static_cast<double>(n_) : max(); }
  // Shares of the draws per decile of the rows' estimates.
  std::vector<double> draw_shares() const;

  // Sums again what rounding has let drift, and puts the groups in an order that depends on the estimates alone.
  void refresh();
  // Between two epochs, before refresh().
  void transfer(Archive& archive);

 private:
  static constexpr std::size_t group_size = 16;
  // Codes are relative to a power of two near the largest start. Those so many halvings below are as good as zero; the
  // other way is room for growth. Code 0 is a zero: of a row without weight, which only even draws meet.
  static constexpr int halvings = 23;
  static constexpr std::size_t n_codes = 256;
  static constexpr std::size_t n_buckets = 69;  // for sums of zero, for the 64 octaves of codes, for 4 above them
  static const std::array<double, n_codes> code_values;

  struct alignas(group_size) Group {
    std::array<std::uint8_t, group_size> codes{};

    std::array<double, 4> quarters() const;
    double sum() const;
    std::size_t rows_below(double level) const;  // rows until the sum exceeds level; all of them if it never does
  };
  struct Bucket {
    double bound;  // of the sums in it
    std::size_t first;
    std::size_t size;
  };
  struct Chances {
    std::array<double, n_buckets> ends;  // of their weights, one after the other
    std::array<Bucket, n_buckets> buckets;
    std::size_t n_used = 0;
    double total = 0;
  };
  struct Try {
    std::size_t slot;
    double level;
  };

  SmoothnessSampler(std::size_t n, double largest, double l2);
  std::uint8_t& code(std::size_t i) { return groups_[i / group_size].codes[i % group_size]; }
  const std::uint8_t& code(std::size_t i) const { return groups_[i / group_size].codes[i % group_size]; }
  double stored(std::size_t i) const { return code_values[code(i)]; }
  std::uint8_t to_code(double smoothness) const;
  static std::size_t bucket_of(double sum);
  static double bound_of(std::size_t bucket);
  double share_by_smoothness() const;  // of the draws
  double importance_slope() const;     // 1 / (n p_i) is 1 / (1 - share + slope L_i)
  Chances chances() const;
  static Try choose(const Chances& chances, double place, std::uint64_t bits);
  void move(std::size_t group, std::size_t from, std::size_t to);
  void swap_into(std::size_t slot, std::size_t group);

  std::size_t n_;
  double unit_;
  double per_unit_;
  double l2_;  // in units, as the following
  double decay_;
  double max_;
  double sum_ = 0;
  std::vector<Group> groups_;
  std::vector<std::uint32_t> order_;  // groups by bucket: bucket b has the slots from begin_[b] to begin_[b + 1]
  std::vector<std::uint32_t> slots_;  // where in it a group stands
  std::array<std::size_t, n_buckets + 1> begin_{};
};

}  // namespace finitesum
