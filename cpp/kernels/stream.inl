// Stores past the caches: a line that is written as a whole need not be read from memory first, and what else the
// caches hold stays there. For arrays that are larger than they are.
#pragma once

#include "core/types.hpp"

namespace finitesum::FINITESUM_ISA {
namespace {

// Copies n numbers; by GCC's builtins on x86, as anyone copies elsewhere.
template <class T>
FINITESUM_INLINE void stream(const T* from, std::size_t n, T* to) {
  std::size_t i = 0;
#if defined(__SSE2__) && !defined(__clang__)
  using Group = long long __attribute__((vector_size(16), may_alias));
  constexpr std::size_t group = sizeof(Group) / sizeof(T);
  for (; i < n && reinterpret_cast<std::uintptr_t>(to + i) % sizeof(Group) != 0; ++i) to[i] = from[i];
  for (; i + group <= n; i += group) {
    Group numbers;
    __builtin_memcpy(&numbers, from + i, sizeof(Group));
    __builtin_ia32_movntdq(reinterpret_cast<Group*>(to + i), numbers);
  }
#endif
  for (; i < n; ++i) to[i] = from[i];
}

// Before others may read what was streamed.
FINITESUM_INLINE void finish_streams() {
#if defined(__SSE2__) && !defined(__clang__)
  __builtin_ia32_sfence();
#endif
}

}  // namespace
}  // namespace finitesum::FINITESUM_ISA
