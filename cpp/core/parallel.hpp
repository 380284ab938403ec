// Loops on several threads. What a loop computes must not depend on their number: each pass writes its own results, and
// sums are formed from them in order afterwards.
#pragma once

#include <cstddef>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace finitesum {

// As many as OMP_NUM_THREADS, or whoever limits OpenMP at run time, allows.
inline int available_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

// No request for more can be in earnest, and some systems would fail to start them.
inline int most_threads() {
#ifdef _OPENMP
  return 8 * omp_get_num_procs();
#else
  return 1;
#endif
}

// Counting from within a loop.
inline void add_atomically(std::size_t& sum, std::size_t amount) {
#ifdef _OPENMP
#pragma omp atomic
#endif
  sum += amount;
}

// work(i) for i < count, in any order; work must not throw.
template <class Work>
void parallel_for(std::size_t count, [[maybe_unused]] int n_threads, Work&& work) {
#ifdef _OPENMP
  if (n_threads > 1 && count > 1) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads)
    for (std::size_t i = 0; i < count; ++i) work(i);
    return;
  }
#endif
  for (std::size_t i = 0; i < count; ++i) work(i);
}

}  // namespace finitesum
