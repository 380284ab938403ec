// A step of a per-coordinate rule over arrays: parameters, gradient and the rule's slots, one array each.
#pragma once

#include "kernels/table.hpp"
#include "optimizers/any.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

// Kept apart from the loop, as arrays declared inside one under the pragma are not taken apart into registers.
template <class Rule, bool HasL1, class T>
FINITESUM_INLINE void update_entry(const typename Rule::template Step<T>& step, const DecayStep<T>& decay, T g, T& w,
                                   T* first, T* second, T* third) {
  T slots[most_slots] = {};
  if constexpr (Rule::n_slots > 0) slots[0] = *first;
  if constexpr (Rule::n_slots > 1) slots[1] = *second;
  if constexpr (Rule::n_slots > 2) slots[2] = *third;
  update_coordinate<Rule, HasL1>(step, decay, g, w, slots);
  if constexpr (Rule::n_slots > 0) *first = slots[0];
  if constexpr (Rule::n_slots > 1) *second = slots[1];
  if constexpr (Rule::n_slots > 2) *third = slots[2];
}

template <class Rule, bool HasL1, class T>
void update_all(const void* step, const DecayStep<T>* decay, const T* __restrict g, T* __restrict w, T* const* slots,
                std::size_t n) {
  const auto s = *static_cast<const typename Rule::template Step<T>*>(step);
  const DecayStep<T> d = *decay;
  T* __restrict first = Rule::n_slots > 0 ? slots[0] : nullptr;
  T* __restrict second = Rule::n_slots > 1 ? slots[1] : nullptr;
  T* __restrict third = Rule::n_slots > 2 ? slots[2] : nullptr;
#pragma omp simd
  for (std::size_t j = 0; j < n; ++j) {
    update_entry<Rule, HasL1>(s, d, g[j], w[j], first + j, second + j, third + j);
  }
}

template <class T>
struct OptimizerRows {
  OptimizerKernels<T> rows[Optimizers::size];
};

template <class T, class... Rule>
constexpr OptimizerRows<T> make_rows(TypeList<Rule...>) {
  return {{{update_all<Rule, false, T>, update_all<Rule, Rule::has_length, T>}...}};
}

template <class T>
constexpr OptimizerRows<T> all_optimizer_kernels = make_rows<T>(Optimizers{});

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
