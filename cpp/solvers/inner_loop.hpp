// How SVRG goes from anchor to anchor, as its options say: how many steps, along how many rows each, and which iterate
// is the next anchor. Without options 2 n steps (under Catalyst n) along one row; the last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "core/random.hpp"
#include "solvers/row_loop.hpp"

namespace finitesum {

class InnerLoop {
 public:
  InnerLoop(const SolverOptions& options, std::size_t n_rows, std::uint64_t seed)
      : next_anchor_(options.iterate.value_or(NextAnchor::last)),
        batch_size_(options.batch_size.value_or(1)),
        n_steps_((inner_draws(options, n_rows, usual_length(options)) + batch_size_ - 1) / batch_size_),
        n_rows_(n_rows),
        seed_(seed) {
    if (batch_size_ > n_rows)
      throw std::invalid_argument("solver_options: 'batch_size' must be at most the number of samples, " +
                                  std::to_string(n_rows) + ", got " + std::to_string(batch_size_));
  }

  std::size_t batch_size() const { return batch_size_; }
  std::size_t n_steps() const { return n_steps_; }
  bool averages() const { return next_anchor_ == NextAnchor::average; }
  // Of one stream of draws, whose first n, each row once, are left to the solvers with tables: with weights they are
  // biased.
  std::size_t first_draw(std::size_t epoch) const { return n_rows_ + epoch * n_steps_ * batch_size_; }
  std::size_t n_draws(std::size_t epoch) const { return steps_in(epoch) * batch_size_; }

 private:
  static double usual_length(const SolverOptions& options) {
    return options.acceleration == Acceleration::catalyst ? 1 : 2;
  }
  std::size_t steps_in(std::size_t epoch) const {
    if (next_anchor_ != NextAnchor::random) return n_steps_;
    const Philox random(seed_, ~std::uint64_t{epoch});  // the draws' streams count up from zero
    return 1 + below(random.words(0)[0], n_steps_);
  }

  NextAnchor next_anchor_;
  std::size_t batch_size_;
  std::size_t n_steps_;
  std::size_t n_rows_;
  std::uint64_t seed_;
};

}  // namespace finitesum
