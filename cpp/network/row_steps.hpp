// Steps of the weights that sparse batches multiply, a row per column of X, for rules whose steps without a gradient
// compose (optimizers/idle.hpp): rows that a batch names make up for the steps they missed, one map for a whole row,
// and take the step; the others cost nothing until settle().
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "optimizers/dense_update.hpp"
#include "optimizers/missed_steps.hpp"
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

template <class T, class Rule>
class RowStepsOf final : public RowSteps<T> {
 public:
  RowStepsOf(const Rule& rule, const KernelTable& table, const RowMatrix<T>& matrix)
      : rule_(rule), table_(table), matrix_(matrix), maps_(capacity), seen_(matrix.n_rows) {}

  void fetch(const std::vector<std::size_t>& rows) override {
    for (const std::size_t j : rows) catch_up(j);
  }

  void step(double rate, std::int64_t k, const Decay& decay, const std::vector<std::size_t>& rows) override {
    if (maps_.size() == capacity) settle();
    decay_ = decay;
    maps_.push(rule_.idle(rate, k, decay));
    for (const std::size_t j : rows) {
      if (seen_[j] == maps_.size()) continue;  // named before
      seen_[j] = maps_.size();
      const std::size_t first = j * matrix_.width;
      T* slots[most_slots] = {};
      for (std::size_t i = 0; i < Rule::n_slots; ++i) slots[i] = matrix_.slots[i] + first;
      dense_update(rule_, decay, table_, rate, k, matrix_.gradient + first, matrix_.values + first, slots,
                   matrix_.width);
    }
  }

  void settle() override {
    for (std::size_t j = 0; j < matrix_.n_rows; ++j) catch_up(j);
    std::fill(seen_.begin(), seen_.end(), 0);
    maps_.clear();
  }

 private:
  static constexpr std::size_t capacity = 4096;

  void catch_up(std::size_t j) {
    if (seen_[j] == maps_.size()) return;
    const auto missed = maps_.between(seen_[j], maps_.size());
    seen_[j] = maps_.size();
    for (std::size_t i = j * matrix_.width; i < (j + 1) * matrix_.width; ++i) {
      double w = static_cast<double>(matrix_.values[i]);
      double slots[most_slots] = {};
      for (std::size_t s = 0; s < Rule::n_slots; ++s) slots[s] = static_cast<double>(matrix_.slots[s][i]);
      rule_.catch_up(missed, decay_, w, slots);
      matrix_.values[i] = static_cast<T>(w);
      for (std::size_t s = 0; s < Rule::n_slots; ++s) matrix_.slots[s][i] = static_cast<T>(slots[s]);
    }
  }

  Rule rule_;
  const KernelTable& table_;
  RowMatrix<T> matrix_;
  Decay decay_;
  MapTree<typename Rule::Idle> maps_;
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
        if constexpr (detail::IdleOf<Rule>::exists && !Rule::has_spending) {
          if (decay.l1 == 0 && rule.can_idle(decay)) {
            return std::make_unique<detail::RowStepsOf<T, Rule>>(rule, table, matrix);
          }
        }
        return nullptr;
      },
      any);
}

}  // namespace finitesum
