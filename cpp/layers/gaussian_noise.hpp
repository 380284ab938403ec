// In training y = x + deviation * e, e standard normal, for every sample and unit on its own; else y = x.
#pragma once

#include <algorithm>

#include "layers/noise_draws.hpp"

namespace finitesum {

template <class T>
class GaussianNoise final : public Layer<T> {
 public:
  static constexpr const char* name = "gaussian_noise";

  GaussianNoise(const PlaneShape& inputs, LayerOptions& options)
      : Layer<T>(inputs, inputs), deviation_(options.take_nonnegative("deviation", 0.1)) {}

  void forward(const Pass& pass, const T* x, T* y) override {
    const std::size_t n = pass.n * this->inputs().size();
    if (pass.mode != Mode::train) {
      std::copy(x, x + n, y);
      return;
    }
    draw_normal(pass.seed, this->stream(pass), y, n);
    const T deviation = static_cast<T>(deviation_);
    for (std::size_t i = 0; i < n; ++i) y[i] = x[i] + deviation * y[i];
  }
  void backward(const Pass& pass, const T* /*x*/, const T* /*y*/, const T* dy, T* dx) override {
    if (dx != nullptr) std::copy(dy, dy + pass.n * this->inputs().size(), dx);
  }

 private:
  double deviation_;
};

}  // namespace finitesum
