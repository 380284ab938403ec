#include "layers/dropout.hpp"

#include <algorithm>

#include "layers/noise_draws.hpp"

namespace finitesum {

template <class T>
Dropout<T>::Dropout(const PlaneShape& inputs, LayerOptions& options)
    : Layer<T>(inputs, inputs), rate_(options.take_rate("rate", 0.5)) {}

template <class T>
void Dropout<T>::draw(const Pass& pass, std::size_t n) {
  if (mask_.size() < n) mask_.resize(n);  // in the first batch: those of sparse inputs show only here
  const MaskDraw draw = mask_draw(rate_, pass.seed, this->stream(pass));
  dense_of<T>(pass.table.network).bernoulli_mask(&draw, mask_.data(), n);
}

template <class T>
void Dropout<T>::forward(const Pass& pass, const T* x, T* y) {
  const std::size_t n = pass.n * this->inputs().size();
  if (pass.mode != Mode::train) {
    std::copy(x, x + n, y);
    return;
  }
  draw(pass, n);
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] * mask_[i];
}

template <class T>
void Dropout<T>::backward(const Pass& pass, const T* /*x*/, const T* /*y*/, const T* dy, T* dx) {
  if (dx == nullptr) return;
  const std::size_t n = pass.n * this->inputs().size();
  for (std::size_t i = 0; i < n; ++i) dx[i] = dy[i] * mask_[i];
}

// Entries that are not stored are zero, kept or not: only the stored ones are drawn.
template <class T>
void Dropout<T>::scale_entries(const Pass& pass, SparseBatch<T>& x) {
  if (pass.mode != Mode::train) return;
  draw(pass, x.values.size());
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] *= mask_[i];
}

template class Dropout<float>;
template class Dropout<double>;

}  // namespace finitesum
