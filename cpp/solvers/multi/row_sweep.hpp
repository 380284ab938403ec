// Sweeps over n x K numbers, K per row, block of rows by block.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>

#include "core/targets.hpp"
#include "solvers/control.hpp"

namespace finitesum {

// The numbers of the rows [first, first + count): points to them, stored or computed just now in the room lent.
using RowNumbers = std::function<const double*(std::size_t first, std::size_t count, double* room)>;

class RowSweep {
 public:
  // A row's K numbers cost `work_per_row` entries of X. Without control nothing stops a sweep.
  RowSweep(std::size_t n_rows, std::size_t n_outputs, std::size_t work_per_row, Control* control)
      : n_rows_(n_rows),
        rows_at_once_(std::clamp<std::size_t>(numbers_at_once / n_outputs / 4 * 4, 16, block_rows)),
        work_(work_per_row * rows_at_once_),
        control_(control) {}

  std::size_t rows_at_once() const { return rows_at_once_; }
  Control* control() const { return control_; }

  // Calls work(first, count) for the blocks of all rows in order; false if control stops it.
  template <class Work>
  bool operator()(Work&& work) const {
    return in_parts(n_rows_, rows_at_once_, work_, control_, [&](std::size_t begin, std::size_t end) {
      for (std::size_t first = begin; first < end; first += rows_at_once_)
        work(first, std::min(rows_at_once_, end - first));
    });
  }

 private:
  static constexpr std::size_t numbers_at_once = 4096;  // dense kernels take groups of four rows

  std::size_t n_rows_;
  std::size_t rows_at_once_;
  std::size_t work_;
  Control* control_;
};

}  // namespace finitesum
