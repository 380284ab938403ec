// An elementwise activation as a layer.
#pragma once

#include "layers/activations.hpp"
#include "layers/layer.hpp"

namespace finitesum {

template <class T, class Activation>
class ActivationLayer final : public Layer<T> {
 public:
  static constexpr const char* name = Activation::name;

  ActivationLayer(const PlaneShape& inputs, LayerOptions& /*options*/) : Layer<T>(inputs, inputs) {}

  void forward(const Pass& pass, const T* x, T* y) override { kernels(pass).forward(x, y, size(pass)); }
  void backward(const Pass& pass, const T* /*x*/, const T* y, const T* dy, T* dx) override {
    if (dx != nullptr) kernels(pass).backward(y, dy, dx, size(pass));
  }

 private:
  static const ActivationKernels<T>& kernels(const Pass& pass) {
    return dense_of<T>(pass.table.network).activations[place_in<Activation>(Activations{})];
  }
  std::size_t size(const Pass& pass) const { return pass.n * this->inputs().size(); }
};

}  // namespace finitesum
