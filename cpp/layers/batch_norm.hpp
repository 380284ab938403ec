// Batch normalization (Ioffe and Szegedy, ICML 2015, Algorithm 1) of arrays of shape (samples, channels, ...):
//   y = gamma (x - mean) / sqrt(variance + eps) + beta, if asked for behind a ReLU, max(y, 0)
// with a mean and a variance per channel. Sums are float64 whatever T is, and no bit depends on the number of threads.
#pragma once

#include <cstddef>
#include <vector>

#include "isa/isa.hpp"

namespace finitesum {

struct BatchShape {
  std::size_t samples;
  std::size_t channels;
  std::size_t plane;  // what follows the channels, as a product

  std::size_t per_channel() const { return samples * plane; }
  std::size_t size() const { return per_channel() * channels; }
};

// Arrays of `channels` numbers; gamma may be null for ones, beta for zeros.
template <class T>
struct BatchNorm {
  const double* mean;
  const double* variance;
  const T* gamma;
  const T* beta;
  double eps;
  bool relu;
};

// The biased variance, which is what normalizes a batch.
template <class T>
void batch_moments(const KernelTable& table, const T* x, const BatchShape& shape, double* mean, double* variance,
                   int n_threads);

template <class T>
void batch_normalize(const KernelTable& table, const T* x, const BatchShape& shape, const BatchNorm<T>& norm, T* y,
                     int n_threads);

// Gradients of sum(dy * y) in x, gamma and beta; of_batch: mean and variance are those of x, and depend on it.
template <class T>
void batch_norm_gradients(const KernelTable& table, const T* x, const T* dy, const BatchShape& shape,
                          const BatchNorm<T>& norm, bool of_batch, T* dx, T* dgamma, T* dbeta, int n_threads);

}  // namespace finitesum
