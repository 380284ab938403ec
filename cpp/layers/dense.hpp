// y = x W + b, W of shape (inputs, outputs). Options: n_outputs, bias (1 or 0), max_norm (0 for none).
#pragma once

#include "layers/layer.hpp"

namespace finitesum {

template <class T>
class Dense : public Layer<T> {
 public:
  static constexpr const char* name = "dense";

  Dense(const PlaneShape& inputs, LayerOptions& options);

  void forward(const Pass& pass, const T* x, T* y) override;
  void backward(const Pass& pass, const T* x, const T* y, const T* dy, T* dx) override;
  bool multiplies_sparse() const override { return true; }
  void forward(const Pass& pass, const SparseBatch<T>& x, T* y) override;
  void backward(const Pass& pass, const SparseBatch<T>& x, const T* dy) override;
  bool has_after_step() const override { return max_norm_ > 0; }
  void after_step() override;

 protected:
  // The weights of a dense batch, those of the last one, and the gradient in the weights from that in the used ones.
  virtual const T* used_weights(const Pass& /*pass*/) { return this->parameters()[0].values; }
  virtual const T* last_used_weights() { return this->parameters()[0].values; }
  virtual void finish_gradient(T* /*gradient*/) {}
  std::unique_ptr<LayerWhitening<T>> make_whitening(const WhiteningOptions& options) override;

 private:
  void add_bias_gradient(const Pass& pass, const T* dy);
  void fill_with_bias(const Pass& pass, T* y) const;

  std::size_t n_inputs_;
  std::size_t n_outputs_;
  bool has_bias_;
  double max_norm_;
  std::vector<std::size_t> touched_;  // rows of W with a gradient, from the last sparse batch
  bool is_clean_ = false;             // whether all other rows of the gradient are zero
  std::vector<double> norms_;
};

}  // namespace finitesum
