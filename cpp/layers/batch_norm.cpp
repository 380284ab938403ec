#include "layers/batch_norm.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/parallel.hpp"

namespace finitesum {

namespace {

// Numbers from the begin of a cache line on, as loads of the widest registers that take two lines are slow. (Aligned
// allocation would cost more than small batches do.)
template <class V>
class ColumnVector {
 public:
  ColumnVector() = default;
  explicit ColumnVector(std::size_t size) : size_(size), memory_(size + line) {
    const std::size_t found = reinterpret_cast<std::uintptr_t>(memory_.data()) / sizeof(V) % line;
    first_ = (line - found) % line;
  }

  V* data() { return memory_.data() + first_; }
  const V* data() const { return memory_.data() + first_; }
  V& operator[](std::size_t i) { return data()[i]; }
  V operator[](std::size_t i) const { return data()[i]; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t line = 64 / sizeof(V);
  std::size_t size_ = 0;
  std::size_t first_ = 0;
  std::vector<V> memory_;
};

// The blocks that an array is gone through in: its shape alone says which. Planes of one number are rows, and several
// short rows, which stand one behind the other anyway, go as one with as many times the channels.
class Blocks {
 public:
  Blocks(const BatchShape& shape, int n_threads) : shape_(shape), by_row_(shape.plane == 1) {
    constexpr std::size_t short_row = 64;
    if (by_row_) {
      const std::size_t together = std::min(std::max<std::size_t>(short_row / shape.channels, 1), shape.samples);
      width_ = together * shape.channels;
      lines_ = shape.samples / together;
      rest_ = shape.samples % together * shape.channels;
    } else {
      width_ = shape.plane;
      lines_ = shape.samples * shape.channels;
    }
    // Enough for any number of threads, and in rows few beside the array, as each has sums of its own.
    constexpr std::size_t entries = std::size_t{1} << 15;
    constexpr std::size_t most = 64;
    block_lines_ = std::max((entries + width_ - 1) / width_, (lines_ + most - 1) / most);
    n_whole_ = (lines_ + block_lines_ - 1) / block_lines_;
    n_threads_ = shape.size() < 2 * entries ? 1 : n_threads;
  }

  bool by_row() const { return by_row_; }
  std::size_t width() const { return width_; }

  template <class T>
  const BatchNormLayoutKernels<T>& kernels(const KernelTable& table) const {
    const BatchNormKernels<T>& both = dense_of<T>(table.batch_norm);
    return by_row_ ? both.rows : both.planes;
  }

  // From the last block to the first: a sweep before has left the end of the arrays in the caches.
  template <class Work>
  void for_each_backwards(bool streams, const Work& work) const {
    const std::size_t n = n_blocks();
    parallel_for(n, n_threads_, [&](std::size_t b) {
      BatchBlock each = block(n - 1 - b);
      each.streams = streams;
      work(each);
    });
  }

  // Two sums per channel: add(block, sums) as the kernels do, into zeros of the block's own.
  template <class Add>
  std::vector<double> sums(const Add& add) const {
    ColumnVector<double> parts(by_row_ ? n_blocks() * 2 * width_ : 2 * lines_);
    parallel_for(n_blocks(), n_threads_,
                 [&](std::size_t b) { add(block(b), parts.data() + (by_row_ ? b * 2 * width_ : 0)); });
    std::vector<double> total(2 * shape_.channels);
    if (by_row_) {
      for (std::size_t b = 0; b < n_blocks(); ++b) add_columns(parts.data() + b * 2 * width_, block(b).width, total);
    } else {
      for (std::size_t i = 0; i < parts.size(); i += total.size()) {
        for (std::size_t k = 0; k < total.size(); ++k) total[k] += parts[i + k];
      }
    }
    return total;
  }

 private:
  std::size_t n_blocks() const { return n_whole_ + (rest_ > 0 ? 1 : 0); }

  BatchBlock block(std::size_t b) const {
    if (b == n_whole_) return {lines_ * width_, 1, rest_, rest_, false};
    const std::size_t first = b * block_lines_;
    return {first * width_, std::min(block_lines_, lines_ - first), width_, shape_.channels, false};
  }

  void add_columns(const double* part, std::size_t width, std::vector<double>& total) const {
    for (std::size_t begin = 0; begin < width; begin += shape_.channels) {
      for (std::size_t c = 0; c < shape_.channels; ++c) {
        total[2 * c] += part[begin + c];
        total[2 * c + 1] += part[width + begin + c];
      }
    }
  }

  BatchShape shape_;
  bool by_row_;
  std::size_t width_ = 0;
  std::size_t lines_ = 0;
  std::size_t rest_ = 0;  // numbers in the last line where it is shorter
  std::size_t block_lines_ = 1;
  std::size_t n_whole_ = 0;
  int n_threads_ = 1;
};

// A number per channel, repeated where a line holds several rows.
template <class V, class Value>
ColumnVector<V> per_column(const Blocks& blocks, const BatchShape& shape, const Value& value) {
  ColumnVector<V> out(blocks.by_row() ? blocks.width() : shape.channels);
  for (std::size_t c = 0; c < shape.channels; ++c) out[c] = static_cast<V>(value(c));
  for (std::size_t j = shape.channels; j < out.size(); ++j) out[j] = out[j - shape.channels];
  return out;
}

// x - center is exact near the mean, so that a mean far larger than the deviation costs no digit of y.
template <class T>
struct Columns {
  Columns(const Blocks& blocks, const BatchShape& shape, const BatchNorm<T>& norm)
      : inverse_deviation(shape.channels),
        exact_scale(shape.channels),
        rounding(shape.channels),
        center(per_column<T>(blocks, shape, [&](std::size_t c) { return norm.mean[c]; })) {
    const double eps = norm.eps;  // copies, or the first loop would not be vectorized
    const double* const variance = norm.variance;
    double* const inverse = inverse_deviation.data();
    for (std::size_t c = 0; c < shape.channels; ++c) inverse[c] = 1.0 / std::sqrt(variance[c] + eps);
    for (std::size_t c = 0; c < shape.channels; ++c) {
      exact_scale[c] = (norm.gamma != nullptr ? static_cast<double>(norm.gamma[c]) : 1.0) * inverse_deviation[c];
      rounding[c] = static_cast<double>(center[c]) - norm.mean[c];
    }
    scale = per_column<T>(blocks, shape, [&](std::size_t c) { return exact_scale[c]; });
    offset = per_column<T>(blocks, shape, [&](std::size_t c) {
      return (norm.beta != nullptr ? static_cast<double>(norm.beta[c]) : 0.0) + rounding[c] * exact_scale[c];
    });
  }

  Normalization<T> view() const { return {center.data(), scale.data(), offset.data()}; }

  // A number per channel, then, repeated as lines are, per column.
  std::vector<double> inverse_deviation;
  std::vector<double> exact_scale;
  std::vector<double> rounding;  // center - mean
  ColumnVector<T> center;
  ColumnVector<T> scale;
  ColumnVector<T> offset;
};

// Results from so many bytes on are stored past the caches; measured, 4 MiB were not faster so, 8 MiB were.
template <class T>
bool outgrows_caches(const BatchShape& shape) {
  return shape.size() * sizeof(T) >= std::size_t{1} << 23;
}

}  // namespace

// Moments about the first row, by which they do not cancel: its distance from the mean is at most sqrt(m) deviations,
// m numbers per channel (Chan, Golub, LeVeque, Amer. Statist. 37 (1983), shifted data).
template <class T>
void batch_moments(const KernelTable& table, const T* x, const BatchShape& shape, double* mean, double* variance,
                   int n_threads) {
  const Blocks blocks(shape, n_threads);
  const auto shift = per_column<double>(blocks, shape, [&](std::size_t c) { return x[c * shape.plane]; });
  const auto kernel = blocks.kernels<T>(table).moment_sums;
  const auto sums = blocks.sums([&](const BatchBlock& block, double* out) { kernel(x, &block, shift.data(), out); });
  const auto m = static_cast<double>(shape.per_channel());
  for (std::size_t c = 0; c < shape.channels; ++c) {
    const double distance = sums[2 * c] / m;
    const double v = sums[2 * c + 1] / m - distance * distance;
    mean[c] = shift[c] + distance;
    variance[c] = v < 0.0 ? 0.0 : v;  // a NaN stays
  }
}

template <class T>
void batch_normalize(const KernelTable& table, const T* x, const BatchShape& shape, const BatchNorm<T>& norm, T* y,
                     int n_threads) {
  const Blocks blocks(shape, n_threads);
  const Columns<T> columns(blocks, shape, norm);
  const Normalization<T> view = columns.view();
  const auto kernel = blocks.kernels<T>(table).normalize[norm.relu ? 1 : 0];
  blocks.for_each_backwards(outgrows_caches<T>(shape), [&](const BatchBlock& block) { kernel(x, &block, &view, y); });
}

// With a = 1/sqrt(variance + eps), xhat = (x - mean) a and means over the m numbers of a channel
//   dx = gamma a (dy - mean(dy) - xhat mean(dy xhat)),
// which is the chain of the paper's section 3 with the terms that vanish left out (the mean of x - mean is 0).
template <class T>
void batch_norm_gradients(const KernelTable& table, const T* x, const T* dy, const BatchShape& shape,
                          const BatchNorm<T>& norm, bool of_batch, T* dx, T* dgamma, T* dbeta, int n_threads) {
  const Blocks blocks(shape, n_threads);
  const Columns<T> columns(blocks, shape, norm);
  const Normalization<T> view = columns.view();
  const auto& kernels = blocks.kernels<T>(table);
  auto sums = blocks.sums([&](const BatchBlock& block, double* out) {
    kernels.gradient_sums[norm.relu ? 1 : 0](x, dy, &block, &view, out);
  });
  for (std::size_t c = 0; c < shape.channels; ++c) {
    sums[2 * c + 1] += columns.rounding[c] * sums[2 * c];  // of dy (x - mean) now
    dbeta[c] = static_cast<T>(sums[2 * c]);
    dgamma[c] = static_cast<T>(sums[2 * c + 1] * columns.inverse_deviation[c]);
  }

  const double share = of_batch ? 1.0 / static_cast<double>(shape.per_channel()) : 0.0;
  const auto slope_of = [&](std::size_t c) {
    const double a = columns.inverse_deviation[c];
    return -columns.exact_scale[c] * a * a * sums[2 * c + 1] * share;
  };
  const auto centers = per_column<T>(blocks, shape, [&](std::size_t c) { return sums[2 * c] * share; });
  const auto slopes = per_column<T>(blocks, shape, slope_of);
  const auto rests = per_column<T>(blocks, shape, [&](std::size_t c) {  // what the rounded centers leave out
    return (static_cast<double>(centers[c]) - sums[2 * c] * share) * columns.exact_scale[c] +
           columns.rounding[c] * slope_of(c);
  });
  const InputGradient<T> gradient = {centers.data(), slopes.data(), rests.data()};
  blocks.for_each_backwards(dx != dy && outgrows_caches<T>(shape), [&](const BatchBlock& block) {
    kernels.input_gradient[norm.relu ? 1 : 0](x, dy, &block, &view, &gradient, dx);
  });
}

#define FINITESUM_BATCH_NORM(T)                                                                                    \
  template void batch_moments<T>(const KernelTable&, const T*, const BatchShape&, double*, double*, int);          \
  template void batch_normalize<T>(const KernelTable&, const T*, const BatchShape&, const BatchNorm<T>&, T*, int); \
  template void batch_norm_gradients<T>(const KernelTable&, const T*, const T*, const BatchShape&,                 \
                                        const BatchNorm<T>&, bool, T*, T*, T*, int);
FINITESUM_BATCH_NORM(float)
FINITESUM_BATCH_NORM(double)

}  // namespace finitesum
