// Steps of the weights that sparse batches multiply, a row per column of X, for rules whose steps without a gradient
// compose (optimizers/idle.hpp): rows that a batch names make up for the steps they missed and take the step; the
// others cost nothing until settle().
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "network/missed_rows.hpp"
#include "optimizers/dense_update.hpp"
#include "optimizers/visit.hpp"

namespace finitesum {

// A matrix and its gradient, slots one array each.
template <class T>
struct RowMatrix {
  T* values;
  const T* gradient;
  std::vector<T*> slots;
  std::size_t n_rows;
  std::size_t width;
};

template <class T>
class RowSteps {
 public:
  virtual ~RowSteps() = default;
  // Rows may be named several times, here and in step(), whose rows have been fetched since the last one.
  virtual void fetch(const std::vector<std::size_t>& rows) = 0;
  virtual void step(double rate, std::int64_t k, const Decay& decay, const std::vector<std::size_t>& rows) = 0;
  virtual void settle() = 0;
};

namespace detail {

// Which steps a row is current to; Way is how the rule makes up for missed ones (missed_rows.hpp).
template <class T, class Rule, class Way>
class RowStepsBy final : public RowSteps<T> {
 public:
  RowStepsBy(const Rule& rule, const KernelTable& table, const RowMatrix<T>& matrix)
      : rule_(rule), table_(table), matrix_(matrix), way_(rule, table, matrix.width), seen_(matrix.n_rows) {}

  void fetch(const std::vector<std::size_t>& rows) override {
    for (const std::size_t j : rows) catch_up(j);
  }

  void step(double rate, std::int64_t k, const Decay& decay, const std::vector<std::size_t>& rows) override {
    if (n_steps_ == remembered_steps) settle();
    way_.push(rate, k, decay);
    n_steps_ += 1;
    for (const std::size_t j : rows) {
      if (seen_[j] == n_steps_) continue;  // named before
      seen_[j] = n_steps_;
      T* slots[most_slots] = {};
      place(j, slots);
      const std::size_t first = j * matrix_.width;
      dense_update(rule_, decay, table_, rate, k, matrix_.gradient + first, matrix_.values + first, slots,
                   matrix_.width);
    }
  }

  void settle() override {
    for (std::size_t j = 0; j < matrix_.n_rows; ++j) catch_up(j);
    std::fill(seen_.begin(), seen_.end(), 0);
    n_steps_ = 0;
    way_.clear();
  }

 private:
  void place(std::size_t j, T** slots) const {
    for (std::size_t i = 0; i < Rule::n_slots; ++i) slots[i] = matrix_.slots[i] + j * matrix_.width;
  }
  void catch_up(std::size_t j) {
    if (seen_[j] == n_steps_) return;
    T* slots[most_slots] = {};
    place(j, slots);
    way_.catch_up(matrix_.values + j * matrix_.width, slots, seen_[j], n_steps_);
    seen_[j] = n_steps_;
  }

  Rule rule_;
  const KernelTable& table_;
  RowMatrix<T> matrix_;
  Way way_;
  std::size_t n_steps_ = 0;
  std::vector<std::size_t> seen_;  // steps that a row is current to
};

}  // namespace detail

// Null where the rule's steps do not compose with this decay.
template <class T>
std::unique_ptr<RowSteps<T>> make_row_steps(const AnyOptimizer& any, const Decay& decay, const KernelTable& table,
                                            const RowMatrix<T>& matrix) {
  return std::visit(
      [&](const auto& rule) -> std::unique_ptr<RowSteps<T>> {
        using Rule = std::decay_t<decltype(rule)>;
        if constexpr (detail::IdleOf<Rule>::exists) {
          if (decay.l1 == 0 && rule.can_idle(decay)) {
            using Way = std::remove_pointer_t<decltype(detail::way_of<T, Rule>())>;
            return std::make_unique<detail::RowStepsBy<T, Rule, Way>>(rule, table, matrix);
          }
        }
        return nullptr;
      },
      any);
}

}  // namespace finitesum
