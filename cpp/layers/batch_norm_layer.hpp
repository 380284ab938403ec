// Batch normalization as a layer. Options: momentum, eps, relu (1: a ReLU follows in the same sweep).
//
// Statistics for inference are running averages, r <- (1 - momentum) r + momentum v, of the batches' means and unbiased
// variances, until end_collecting() puts the means over all batches in their place (Ioffe and Szegedy, ICML 2015,
// Algorithm 2, lines 10 and 11: E[x] = E_B[mean_B], Var[x] = m / (m - 1) E_B[variance_B]).
#pragma once

#include "layers/batch_norm.hpp"
#include "layers/layer.hpp"

namespace finitesum {

template <class T>
class BatchNormLayer final : public Layer<T> {
 public:
  static constexpr const char* name = "batch_norm";

  BatchNormLayer(const PlaneShape& inputs, LayerOptions& options);

  void forward(const Pass& pass, const T* x, T* y) override;
  void backward(const Pass& pass, const T* x, const T* y, const T* dy, T* dx) override;
  void end_collecting() override;

 private:
  BatchNorm<T> norm(const double* mean, const double* variance) const;
  BatchShape shape(const Pass& pass) const { return {pass.n, this->inputs().channels, this->inputs().plane()}; }
  std::vector<double>& running_mean() { return this->state()[0].values; }
  std::vector<double>& running_variance() { return this->state()[1].values; }

  double momentum_;
  double eps_;
  bool relu_;
  std::vector<double> mean_;  // the batch's
  std::vector<double> variance_;
  std::vector<double> mean_sum_;
  std::vector<double> variance_sum_;
  double n_collected_ = 0;
  std::vector<T> spare_;  // for a dx that nobody asks for
};

}  // namespace finitesum
