// How a row of weights makes up for steps that it missed, as if it had had gradients of zero, decay included:
//   push(rate, k, decay)             another step, which rows are behind by from here on
//   catch_up(w, slots, begin, end)   a row that has taken the first `begin` steps takes those up to `end`, all there
//   are clear()                          all rows are current
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "optimizers/dense_update.hpp"
#include "optimizers/missed_steps.hpp"

namespace finitesum::detail {

inline constexpr std::size_t remembered_steps = 4096;  // then all rows are settled

// f(w, slots) in float64 for each coordinate of a row.
template <class Rule, class T, class Function>
void for_each_coordinate(T* w, T* const* slots, std::size_t width, const Function& f) {
  for (std::size_t i = 0; i < width; ++i) {
    double value = static_cast<double>(w[i]);
    double state[most_slots] = {};
    for (std::size_t s = 0; s < Rule::n_slots; ++s) state[s] = static_cast<double>(slots[s][i]);
    f(value, state);
    w[i] = static_cast<T>(value);
    for (std::size_t s = 0; s < Rule::n_slots; ++s) slots[s][i] = static_cast<T>(state[s]);
  }
}

// All that a row missed is one map, the same for all coordinates.
template <class T, class Rule>
class WayByMaps {
 public:
  WayByMaps(const Rule& rule, const KernelTable&, std::size_t width)
      : rule_(rule), width_(width), maps_(remembered_steps) {}

  void push(double rate, std::int64_t k, const Decay& decay) {
    decay_ = decay;
    maps_.push(rule_.idle(rate, k, decay));
  }
  void clear() { maps_.clear(); }
  void catch_up(T* w, T* const* slots, std::size_t begin, std::size_t end) const {
    const auto missed = maps_.between(begin, end);
    for_each_coordinate<Rule>(w, slots, width_,
                              [&](double& value, double* state) { rule_.catch_up(missed, decay_, value, state); });
  }

 private:
  Rule rule_;
  std::size_t width_;
  Decay decay_;
  MapTree<typename Rule::Idle> maps_;
};

// Coordinate by coordinate, as sparse linear models do.
template <class T, class Rule>
class WayByCoordinates {
 public:
  WayByCoordinates(const Rule& rule, const KernelTable&, std::size_t width) : rule_(rule), width_(width) {}

  void push(double rate, std::int64_t k, const Decay& decay) {
    if (missed_ == nullptr) missed_ = std::make_unique<MissedSteps<Rule>>(rule_, decay, remembered_steps);
    missed_->push(rate, k);
  }
  void clear() { missed_.reset(); }
  void catch_up(T* w, T* const* slots, std::size_t begin, std::size_t /*end*/) const {
    for_each_coordinate<Rule>(w, slots, width_,
                              [&](double& value, double* state) { missed_->catch_up(begin, value, state); });
  }

 private:
  Rule rule_;
  std::size_t width_;
  std::unique_ptr<MissedSteps<Rule>> missed_;
};

// A momentum that spends itself under a root (AveragedSteps). What is left of it after spent_after() steps is
// forgotten; before, the series takes a range of steps together where its bound is below rounding in T, else the
// range's halves, and a few steps are taken one by one with a gradient of zero. The series is the same for all rows
// that missed the same steps, so that it is kept, and runs over a row in vectors.
template <class T, class Rule>
class WayBySeries {
 public:
  WayBySeries(const Rule& rule, const KernelTable& table, std::size_t width)
      : rule_(rule),
        table_(table),
        width_(width),
        spent_after_(rule.spent_after()),
        zeros_(width),
        maps_(remembered_steps),
        rests_(remembered_steps),
        kept_(remembered_steps) {}

  void push(double rate, std::int64_t k, const Decay& decay) {
    decay_ = decay;
    const AveragedSteps map = rule_.idle(rate, k, decay);
    maps_.push(map);
    rests_.push({map.shrink, map.keep1, map.keep2});
    steps_.push_back({rate, k});
  }
  void clear() {
    maps_.clear();
    rests_.clear();
    steps_.clear();
    for (Kept& each : kept_) each = Kept{};
  }

  void catch_up(T* w, T* const* slots, std::size_t begin, std::size_t end) {
    const bool is_idle = std::all_of(slots[0], slots[0] + width_, [](T m) { return m == T{0}; });
    const std::size_t spent = is_idle ? begin : (end - begin > spent_after_ ? begin + spent_after_ : end);
    if (spent > begin) spend(w, slots, begin, spent);
    if (spent < end) forget(w, slots, rests_.between(spent, end));
  }

 private:
  struct Step {
    double rate;
    std::int64_t k;
  };
  struct Rest {
    double shrink;
    double keep1;
    double keep2;
    Rest then(const Rest& later) const { return {later.shrink * shrink, later.keep1 * keep1, later.keep2 * keep2}; }
  };
  struct Kept {
    std::size_t end = 0;
    std::size_t too_far = ~std::size_t{0};  // a range that ends there or later is not accurate
    AveragedRow<T> row;
  };
  static constexpr std::size_t few = 2;
  static constexpr double tolerance = sizeof(T) == sizeof(float) ? 1e-8 : AveragedSteps::tolerance;

  void spend(T* w, T* const* slots, std::size_t begin, std::size_t end) {
    if (end - begin > few) {
      const AveragedRow<T>* row = row_of(begin, end);
      if (row != nullptr) {
        dense_of<T>(table_.network).spend_row(row, w, slots[0], slots[1], slots[Rule::under_root], width_);
        return;
      }
      const std::size_t middle = begin + (end - begin) / 2;
      spend(w, slots, begin, middle);
      spend(w, slots, middle, end);
      return;
    }
    for (std::size_t s = begin; s < end; ++s) {
      dense_update(rule_, decay_, table_, steps_[s].rate, steps_[s].k, zeros_.data(), w, slots, width_);
    }
  }

  // Of the last range that began there, as rows which missed the same steps ask for the same; null if not accurate.
  const AveragedRow<T>* row_of(std::size_t begin, std::size_t end) {
    Kept& kept = kept_[begin];
    if (end >= kept.too_far) return nullptr;
    if (kept.end == end) return &kept.row;
    const AveragedSteps map = maps_.between(begin, end);
    if (!map.is_accurate(tolerance)) {
      kept.too_far = end;
      return nullptr;
    }
    kept.end = end;
    kept.row = AveragedRow<T>(map, Root<double>(1.0, rule_.eps, rule_.eps_mode));
    return &kept.row;
  }

  void forget(T* w, T* const* slots, const Rest& rest) const {
    const T shrink = static_cast<T>(rest.shrink);
    const T keep1 = static_cast<T>(rest.keep1);
    const T keep2 = static_cast<T>(rest.keep2);
    for (std::size_t i = 0; i < width_; ++i) {
      w[i] *= shrink;
      slots[0][i] *= keep1;
      slots[1][i] *= keep2;
    }
  }

  Rule rule_;
  const KernelTable& table_;
  std::size_t width_;
  std::size_t spent_after_;
  std::vector<T> zeros_;
  Decay decay_;
  MapTree<AveragedSteps> maps_;
  MapTree<Rest> rests_;
  std::vector<Step> steps_;
  std::vector<Kept> kept_;
};

template <class T, class Rule>
auto way_of() {
  if constexpr (!Rule::has_spending) {
    return static_cast<WayByMaps<T, Rule>*>(nullptr);
  } else if constexpr (std::is_same_v<typename Rule::Idle, AveragedSteps>) {
    return static_cast<WayBySeries<T, Rule>*>(nullptr);
  } else {
    return static_cast<WayByCoordinates<T, Rule>*>(nullptr);
  }
}

}  // namespace finitesum::detail
