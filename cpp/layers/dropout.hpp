// Inverted dropout: in training y = x m / (1 - rate), where m is 0 with probability `rate`, for every sample and unit
// on its own; else y = x (Srivastava et al., JMLR 15 (2014); scaling in training instead of the weights later is equal
// in expectation). The rate is rounded to a multiple of 2^-16, and the scale is that of the rounded rate.
#pragma once

#include "layers/layer.hpp"

namespace finitesum {

template <class T>
class Dropout final : public Layer<T> {
 public:
  static constexpr const char* name = "dropout";

  Dropout(const PlaneShape& inputs, LayerOptions& options);

  void forward(const Pass& pass, const T* x, T* y) override;
  void backward(const Pass& pass, const T* x, const T* y, const T* dy, T* dx) override;
  bool scales_entries() const override { return true; }
  void scale_entries(const Pass& pass, SparseBatch<T>& x) override;

 private:
  void draw(const Pass& pass, std::size_t n);

  double rate_;
  std::vector<T> mask_;
};

}  // namespace finitesum
