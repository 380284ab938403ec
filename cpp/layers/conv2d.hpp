// Two-dimensional convolution, as the product of the weights with a matrix of the patches (Chellapilla, Puri, Simard,
// IWFHR 2006). Options: n_outputs (channels), kernel_size, stride, padding, bias. Weights have the shape
// (channels * kernel_size^2, n_outputs), rows ordered as (channel, row, column).
#pragma once

#include <vector>

#include "layers/layer.hpp"

namespace finitesum {

template <class T>
class Conv2d final : public Layer<T> {
 public:
  static constexpr const char* name = "conv2d";

  Conv2d(const PlaneShape& inputs, LayerOptions& options);

  void forward(const Pass& pass, const T* x, T* y) override;
  void backward(const Pass& pass, const T* x, const T* y, const T* dy, T* dx) override;

 private:
  struct Window {
    std::size_t size;
    std::size_t stride;
    std::size_t padding;
    std::size_t n_outputs;
    bool has_bias;
  };

  static Window window_of(LayerOptions& options);
  static PlaneShape outputs_of(const PlaneShape& inputs, const Window& window);
  Conv2d(const PlaneShape& inputs, const Window& window);

  // visit(place in the patches, place in the sample) for every entry of a patch that lies inside the sample.
  template <class Visit>
  void for_each_entry(const Visit& visit) const;
  std::unique_ptr<LayerWhitening<T>> make_whitening(const WhiteningOptions& options) override;
  void observe();
  void rescale(const T* dout);

  Window window_;
  std::size_t patch_;       // numbers in a patch
  std::vector<T> patches_;  // of one sample: (patch, places)
  std::vector<Whitening::Row> rows_;
};

}  // namespace finitesum
