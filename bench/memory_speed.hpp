// What the memory allows: the yardstick for the kernels.
#pragma once

#include <cstddef>

namespace finitesum::bench {

struct MemorySpeed {
  double read;    // bytes/s of a sum over one array
  double update;  // bytes/s of a = a xor s in one array, each entry counted as read and written
};

// Measured with one thread on an array of this size, best of several runs; the same size is measured once.
MemorySpeed memory_speed(std::size_t bytes);

// Processor time of this process: on a shared machine, what others take does not count.
double cpu_seconds();

}  // namespace finitesum::bench
