// A simple recurrent layer (Elman, Cogn. Sci. 14 (1990)) that gives its last state: for t = 1, ..., n_steps
//   c_t = tanh(x_t U + h_{t-1} W + b),  h_t = c_t, with zoneout h_t = m h_{t-1} + (1 - m) c_t,
// m one with probability `zoneout` for every sample, step and unit on its own; else h_t = zoneout h_{t-1} +
// (1 - zoneout) c_t, its mean (Krueger et al., ICLR 2017). A sample is x_1, ..., x_n_steps, one behind the other.
// Options: n_outputs, n_steps, zoneout.
#pragma once

#include <vector>

#include "layers/layer.hpp"

namespace finitesum {

template <class T>
class Recurrent final : public Layer<T> {
 public:
  static constexpr const char* name = "recurrent";

  Recurrent(const PlaneShape& inputs, LayerOptions& options);

  void forward(const Pass& pass, const T* x, T* y) override;
  void backward(const Pass& pass, const T* x, const T* y, const T* dy, T* dx) override;

 private:
  void draw_shares(const Pass& pass);
  std::unique_ptr<LayerWhitening<T>> make_whitening(const WhiteningOptions& options) override;
  void rescale(const Pass& pass, Factor<T>& inputs, Factor<T>& states);

  std::size_t n_outputs_;
  std::size_t n_steps_;
  std::size_t n_features_;
  double zoneout_;
  std::vector<T> states_;      // h_0, ..., h_n_steps, each (n, outputs)
  std::vector<T> candidates_;  // c_1, ...
  std::vector<T> kept_;        // m, or its mean
  std::vector<T> dstate_;
  std::vector<T> dcandidate_;
};

}  // namespace finitesum
