// Memory in pages of 2 MiB where the system has them on request: for copies of X, whose hundreds of thousands of small
// pages would take as long to map, and at the end to unmap, as to fill; and for coefficients that sparse rows gather,
// whose small pages are more than the processor remembers.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace finitesum {

template <class T>
struct LargePages {
  using value_type = T;

  LargePages() = default;
  template <class U>
  LargePages(const LargePages<U>&) {}

  T* allocate(std::size_t n) {
    if (!is_large(n)) return static_cast<T*>(::operator new(n * sizeof(T)));
    const std::size_t size = (n * sizeof(T) + page - 1) / page * page;
    void* memory = std::aligned_alloc(page, size);
    if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    madvise(memory, size, MADV_HUGEPAGE);  // a wish: small pages do as well
#endif
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t n) {
    if (is_large(n)) {
      std::free(memory);
    } else {
      ::operator delete(memory);
    }
  }

  friend bool operator==(const LargePages&, const LargePages&) { return true; }
  friend bool operator!=(const LargePages&, const LargePages&) { return false; }

 private:
  static constexpr std::size_t page = std::size_t{1} << 21;
  static bool is_large(std::size_t n) { return n >= page / 2 / sizeof(T); }
};

template <class T>
using LargeVector = std::vector<T, LargePages<T>>;

}  // namespace finitesum
