// The largest number of each window, per channel; the first of equal ones has the gradient. Options: size, stride
// (size unless given). Windows that would leave the input are left out.
#pragma once

#include <algorithm>
#include <vector>

#include "layers/layer.hpp"

namespace finitesum {

template <class T>
class MaxPool2d final : public Layer<T> {
 public:
  static constexpr const char* name = "max_pool2d";

  MaxPool2d(const PlaneShape& inputs, LayerOptions& options) : MaxPool2d(inputs, window_of(options)) {}

  void forward(const Pass& pass, const T* x, T* y) override {
    const PlaneShape& in = this->inputs();
    const PlaneShape& out = this->outputs();
    places_.resize(pass.n * out.size());
    for (std::size_t o = 0; o < places_.size(); ++o) {
      const std::size_t plane = o / out.plane();
      const std::size_t row = o / out.width % out.height * window_.stride;
      const std::size_t first = plane * in.plane() + row * in.width + o % out.width * window_.stride;
      std::size_t best = first;
      for (std::size_t i = 0; i < window_.size; ++i) {
        for (std::size_t j = 0; j < window_.size; ++j) {
          const std::size_t place = first + i * in.width + j;
          if (x[place] > x[best]) best = place;
        }
      }
      places_[o] = best;
      y[o] = x[best];
    }
  }
  void backward(const Pass& pass, const T* /*x*/, const T* /*y*/, const T* dy, T* dx) override {
    if (dx == nullptr) return;
    std::fill_n(dx, pass.n * this->inputs().size(), T{0});
    for (std::size_t o = 0; o < places_.size(); ++o) dx[places_[o]] += dy[o];
  }

 private:
  struct Window {
    std::size_t size;
    std::size_t stride;
  };

  MaxPool2d(const PlaneShape& inputs, const Window& window)
      : Layer<T>(inputs, outputs_of(inputs, window)), window_(window) {}

  static Window window_of(LayerOptions& options) {
    const std::size_t size = options.take_count("size", 2);
    return {size, options.take_count("stride", static_cast<double>(size))};
  }
  static PlaneShape outputs_of(const PlaneShape& in, const Window& window) {
    if (in.height < window.size || in.width < window.size) {
      throw std::invalid_argument("the pooling window is larger than its input");
    }
    return {in.channels, (in.height - window.size) / window.stride + 1, (in.width - window.size) / window.stride + 1};
  }

  Window window_;
  std::vector<std::size_t> places_;  // of the largest numbers in the batch
};

}  // namespace finitesum
