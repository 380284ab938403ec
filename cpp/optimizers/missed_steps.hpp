// The steps since all coordinates were last current, such that a coordinate which missed some can make up for them:
// what it would have had with gradients of zero, decay included. The learning rate may change from step to step.
#pragma once

#include <cstdint>
#include <vector>

#include "optimizers/decay.hpp"

namespace finitesum {

// Composes consecutive maps in O(log k): node (level, i) is the composition of maps [i 2^level, (i + 1) 2^level).
// Products of ranges, and no quotients of prefixes: these would divide by what has long underflowed.
template <class Map>
class MapTree {
 public:
  explicit MapTree(std::size_t capacity) {
    for (std::size_t size = capacity; size > 0; size /= 2) {
      levels_.emplace_back();
      levels_.back().reserve(size);
    }
  }

  std::size_t size() const { return levels_.front().size(); }
  void clear() {
    for (std::vector<Map>& level : levels_) level.clear();
  }
  void push(const Map& map) {
    levels_.front().push_back(map);
    std::size_t n = size();
    for (std::size_t level = 0; n % 2 == 0; ++level, n /= 2) {
      levels_[level + 1].push_back(levels_[level][n - 2].then(levels_[level][n - 1]));
    }
  }
  const Map& node(std::size_t level, std::size_t i) const { return levels_[level][i]; }
  // visit(level, i) for the fewest stored compositions that make up maps begin, ..., end - 1, in order.
  template <class Visit>
  void for_each_block(std::size_t begin, std::size_t end, Visit&& visit) const {
    while (begin < end) {
      const std::size_t level = largest_level(begin, end);
      visit(level, begin >> level);
      begin += std::size_t{1} << level;
    }
  }
  // The composition of maps begin, ..., end - 1; begin < end.
  Map between(std::size_t begin, std::size_t end) const {
    const std::size_t level = largest_level(begin, end);
    Map result = levels_[level][begin >> level];
    for_each_block(begin + (std::size_t{1} << level), end,
                   [&](std::size_t l, std::size_t i) { result = result.then(levels_[l][i]); });
    return result;
  }

 private:
  static std::size_t largest_level(std::size_t begin, std::size_t end) {
    std::size_t level = 0;
    while (begin + (std::size_t{2} << level) <= end && (begin >> level) % 2 == 0) level += 1;
    return level;
  }

  std::vector<std::vector<Map>> levels_;
};

namespace detail {

struct NoMap {
  NoMap then(const NoMap&) const { return {}; }
};

template <class Rule, class = void>
struct IdleOf {
  using type = NoMap;
  static constexpr bool exists = false;
};
template <class Rule>
struct IdleOf<Rule, std::void_t<typename Rule::Idle>> {
  using type = typename Rule::Idle;
  static constexpr bool exists = true;
};

}  // namespace detail

// In closed form where the rule has one for this decay, else step by step. A momentum that divides by a root is taken
// block by block, where the series for a block is exact to rounding; else step by step, too, until it is spent.
template <class Rule>
class MissedSteps {
  using Idle = detail::IdleOf<Rule>;

 public:
  // At most `capacity` steps are remembered; a power of two.
  MissedSteps(const Rule& rule, const Decay& decay, std::size_t capacity)
      : rule_(rule), decay_(decay), capacity_(capacity), maps_(is_closed() ? capacity : 1) {
    if (keeps_steps()) steps_.reserve(capacity);
    if constexpr (Rule::has_spending) spent_after_ = rule.spent_after();
  }

  std::size_t size() const { return keeps_steps() ? steps_.size() : maps_.size(); }
  bool full() const { return size() == capacity_; }
  void clear() {
    maps_.clear();
    steps_.clear();
  }

  void push(double rate, std::int64_t k) {
    if (keeps_steps()) steps_.push_back({rule_.template step<double>(rate, k), decay_.template step<double>(rate)});
    if constexpr (Idle::exists) {
      if (is_closed()) maps_.push(rule_.idle(rate, k, decay_));
    }
  }

  // A coordinate that is current to the first `seen` steps becomes current to all of them.
  void catch_up(std::size_t seen, double& w, double* slots) const {
    const std::size_t now = size();
    if (seen == now) return;
    if constexpr (Idle::exists) {
      if (is_closed()) {
        if constexpr (Rule::has_spending) {
          spend(seen, now, w, slots);
        } else {
          rule_.catch_up(maps_.between(seen, now), decay_, w, slots);
        }
        return;
      }
    }
    if (decay_.l1 == 0.0) {
      replay<false>(seen, now, w, slots);
    } else {
      replay<true>(seen, now, w, slots);
    }
  }

 private:
  struct Missed {
    typename Rule::template Step<double> step;
    DecayStep<double> decay;
  };

  bool is_closed() const {
    if constexpr (Idle::exists) {
      return Rule::can_idle(decay_);
    } else {
      return false;
    }
  }
  bool keeps_steps() const { return Rule::has_spending || !is_closed(); }

  void spend(std::size_t begin, std::size_t end, double& w, double* slots) const {
    maps_.for_each_block(begin, end, [&](std::size_t level, std::size_t i) { spend_block(begin, level, i, w, slots); });
  }
  void spend_block(std::size_t begin, std::size_t level, std::size_t i, double& w, double* slots) const {
    constexpr std::size_t few = 2;  // levels: four steps are cheaper one by one
    const typename Idle::type& map = maps_.node(level, i);
    const std::size_t first = i << level;
    if (slots[0] == 0.0 || first - begin >= spent_after_) {
      rule_.forget(map, w, slots);
    } else if (level <= few) {
      replay<false>(first, first + (std::size_t{1} << level), w, slots);
    } else if (rule_.is_exact(map, slots)) {
      rule_.take(map, w, slots);
    } else {
      spend_block(begin, level - 1, 2 * i, w, slots);
      spend_block(begin, level - 1, 2 * i + 1, w, slots);
    }
  }
  template <bool HasL1>
  void replay(std::size_t begin, std::size_t end, double& w, double* slots) const {
    for (std::size_t s = begin; s < end; ++s) {
      update_coordinate<Rule, HasL1>(steps_[s].step, steps_[s].decay, 0.0, w, slots);
    }
  }

  Rule rule_;
  Decay decay_;
  std::size_t capacity_;
  std::size_t spent_after_ = 0;
  MapTree<typename Idle::type> maps_;
  std::vector<Missed> steps_;
};

}  // namespace finitesum
