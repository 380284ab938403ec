// Parameters that a rule updates by sparse gradients, at a cost in the touched coordinates alone and with the outcome
// of dense steps. A coordinate's w, slots and time stamp stand together: mostly one line of the cache.
//
//   fetch(j) for the coordinates that the gradient needs;  begin_step(rate);  update(j, g) for those that it has;
//   settle() before all coordinates are read.
#pragma once

#include <cstdint>
#include <vector>

#include "optimizers/missed_steps.hpp"

namespace finitesum {

template <class Rule>
class SparseIterate {
 public:
  // w: n coordinates to start from. n_steps: steps taken so far.
  SparseIterate(const Rule& rule, const Decay& decay, const double* w, std::size_t n, std::int64_t n_steps = 0,
                std::size_t capacity = 4096)
      : rule_(rule), decay_(decay), missed_(rule, decay, capacity), n_steps_(n_steps), coordinates_(n) {
    for (std::size_t j = 0; j < n; ++j) coordinates_[j].state[0] = w[j];
  }

  std::size_t size() const { return coordinates_.size(); }
  std::int64_t n_steps() const { return n_steps_; }

  // Brings coordinate j up to date with all steps taken.
  double fetch(std::size_t j) {
    Coordinate& c = coordinates_[j];
    missed_.catch_up(c.seen, c.state[0], c.state + 1);
    c.seen = missed_.size();
    return c.state[0];
  }

  // Begins the next step: coordinates without a gradient are behind by one from here on.
  void begin_step(double rate) {
    if (missed_.full()) settle();
    n_steps_ += 1;
    step_ = rule_.template step<double>(rate, n_steps_);
    decay_step_ = decay_.template step<double>(rate);
    missed_.push(rate, n_steps_);
  }

  // The step's share of coordinate j, fetched before it began; at most once per step.
  void update(std::size_t j, double g) {
    Coordinate& c = coordinates_[j];
    if (decay_.l1 == 0.0) {
      update_coordinate<Rule, false>(step_, decay_step_, g, c.state[0], c.state + 1);
    } else {
      update_coordinate<Rule, true>(step_, decay_step_, g, c.state[0], c.state + 1);
    }
    c.seen = missed_.size();
  }

  void settle() {
    for (std::size_t j = 0; j < size(); ++j) {
      fetch(j);
      coordinates_[j].seen = 0;
    }
    missed_.clear();
  }

  // state(j)[0] is w, then come the slots; j just fetched, or all coordinates settled.
  double* state(std::size_t j) { return coordinates_[j].state; }
  const double* state(std::size_t j) const { return coordinates_[j].state; }

 private:
  struct Coordinate {
    double state[1 + Rule::n_slots] = {};
    std::size_t seen = 0;
  };

  Rule rule_;
  Decay decay_;
  MissedSteps<Rule> missed_;
  std::int64_t n_steps_;
  typename Rule::template Step<double> step_ = rule_.template step<double>(0.0, 1);
  DecayStep<double> decay_step_ = decay_.template step<double>(0.0);
  std::vector<Coordinate> coordinates_;
};

}  // namespace finitesum
