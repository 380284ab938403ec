#include "layers/conv2d.hpp"

#include <algorithm>

namespace finitesum {

template <class T>
typename Conv2d<T>::Window Conv2d<T>::window_of(LayerOptions& options) {
  return {options.take_count("kernel_size", 3), options.take_count("stride", 1), options.take_count("padding", 0, 0),
          options.take_count("n_outputs", 0), options.take("bias", 1) != 0};
}

template <class T>
PlaneShape Conv2d<T>::outputs_of(const PlaneShape& inputs, const Window& window) {
  const std::size_t height = inputs.height + 2 * window.padding;
  const std::size_t width = inputs.width + 2 * window.padding;
  if (height < window.size || width < window.size) {
    throw std::invalid_argument("the convolution's kernel is larger than its padded input");
  }
  return {window.n_outputs, (height - window.size) / window.stride + 1, (width - window.size) / window.stride + 1};
}

template <class T>
Conv2d<T>::Conv2d(const PlaneShape& inputs, LayerOptions& options) : Conv2d(inputs, window_of(options)) {}

template <class T>
Conv2d<T>::Conv2d(const PlaneShape& inputs, const Window& window)
    : Layer<T>(inputs, outputs_of(inputs, window)),
      window_(window),
      patch_(inputs.channels * window.size * window.size) {
  this->add_parameter("weights", {patch_, window.n_outputs}, true);
  if (window.has_bias) this->add_parameter("bias", {window.n_outputs}, false);
}

template <class T>
template <class Visit>
void Conv2d<T>::for_each_entry(const Visit& visit) const {
  const PlaneShape& in = this->inputs();
  const PlaneShape& out = this->outputs();
  for (std::size_t p = 0; p < patch_; ++p) {
    const std::size_t channel = p / (window_.size * window_.size);
    const std::size_t row = p / window_.size % window_.size;
    const std::size_t column = p % window_.size;
    for (std::size_t i = 0; i < out.height; ++i) {
      const std::size_t y = i * window_.stride + row - window_.padding;  // wraps around where it is negative
      if (y >= in.height) continue;
      for (std::size_t j = 0; j < out.width; ++j) {
        const std::size_t x = j * window_.stride + column - window_.padding;
        if (x < in.width) visit((p * out.height + i) * out.width + j, (channel * in.height + y) * in.width + x);
      }
    }
  }
}

template <class T>
void Conv2d<T>::forward(const Pass& pass, const T* x, T* y) {
  const std::size_t plane = this->outputs().plane();
  patches_.assign(patch_ * plane, T{0});  // the padding stays zero
  const T* weights = this->parameters()[0].values;
  if (pass.rescales) this->whitening()->coordinates().begin_batch(static_cast<double>(pass.n * plane));
  for (std::size_t s = 0; s < pass.n; ++s) {
    const T* sample = x + s * this->inputs().size();
    T* out = y + s * this->outputs().size();
    for_each_entry([&](std::size_t to, std::size_t from) { patches_[to] = sample[from]; });
    if (pass.rescales) observe();
    if (window_.has_bias) {
      const T* bias = this->parameters()[1].values;
      for (std::size_t k = 0; k < window_.n_outputs; ++k) std::fill_n(out + k * plane, plane, bias[k]);
    }
    multiply<T>(pass.blas, window_.n_outputs, plane, patch_, {weights, window_.n_outputs, true},
                {patches_.data(), plane}, window_.has_bias ? T{1} : T{0}, out);
  }
}

template <class T>
void Conv2d<T>::backward(const Pass& pass, const T* x, const T* /*y*/, const T* dy, T* dx) {
  const std::size_t plane = this->outputs().plane();
  const Parameter<T>& weights = this->parameters()[0];
  T* bias_gradient = window_.has_bias ? this->parameters()[1].gradient : nullptr;
  if (bias_gradient != nullptr) std::fill_n(bias_gradient, window_.n_outputs, T{0});
  if (dx != nullptr) std::fill_n(dx, pass.n * this->inputs().size(), T{0});
  if (pass.rescales) this->whitening()->begin_rows(plane, 0);
  for (std::size_t s = 0; s < pass.n; ++s) {
    const T* sample = x + s * this->inputs().size();
    const T* dout = dy + s * this->outputs().size();
    patches_.assign(patch_ * plane, T{0});
    for_each_entry([&](std::size_t to, std::size_t from) { patches_[to] = sample[from]; });
    if (pass.rescales) rescale(dout);
    multiply<T>(pass.blas, patch_, window_.n_outputs, plane, {patches_.data(), plane}, {dout, plane, true},
                s > 0 ? T{1} : T{0}, weights.gradient);
    for (std::size_t k = 0; bias_gradient != nullptr && k < window_.n_outputs; ++k) {
      for (std::size_t i = 0; i < plane; ++i) {
        bias_gradient[k] += dout[k * plane + i] * (pass.rescales ? this->whitening()->bias_factor(i) : T{1});
      }
    }
    if (dx == nullptr) continue;
    multiply<T>(pass.blas, patch_, plane, window_.n_outputs, {weights.values, window_.n_outputs}, {dout, plane}, T{0},
                patches_.data());
    T* dsample = dx + s * this->inputs().size();
    for_each_entry([&](std::size_t from, std::size_t to) { dsample[to] += patches_[from]; });
  }
  if (pass.rescales) this->scale_gradients(this->whitening()->take_length(pass.n));
}

template <class T>
std::unique_ptr<LayerWhitening<T>> Conv2d<T>::make_whitening(const WhiteningOptions& options) {
  const double share = static_cast<double>(this->outputs().plane());
  return std::make_unique<LayerWhitening<T>>(options, patch_, window_.n_outputs, share, window_.has_bias);
}

// The inputs of the linear map are the entries of a patch, zeros of the padding included; a sample uses it at each
// place of the outputs.
template <class T>
void Conv2d<T>::observe() {
  const std::size_t plane = this->outputs().plane();
  for (std::size_t p = 0; p < patch_; ++p) {
    for (std::size_t i = 0; i < plane; ++i) {
      this->whitening()->coordinates().observe(p, static_cast<double>(patches_[p * plane + i]));
    }
  }
}

template <class T>
void Conv2d<T>::rescale(const T* dout) {
  const std::size_t plane = this->outputs().plane();
  const Whitening& coordinates = this->whitening()->coordinates();
  rows_.assign(plane, {});
  for (std::size_t p = 0; p < patch_; ++p) {
    T* values = patches_.data() + p * plane;
    for (std::size_t i = 0; i < plane; ++i) rows_[i] += coordinates.rescale(values + i, p, 1, values + i);
  }
  for (std::size_t i = 0; i < plane; ++i) this->whitening()->take_row(i, rows_[i], dout + i, plane);
}

template class Conv2d<float>;
template class Conv2d<double>;

}  // namespace finitesum
