#include "layers/batch_norm_layer.hpp"

#include <algorithm>
#include <cmath>

namespace finitesum {

template <class T>
BatchNormLayer<T>::BatchNormLayer(const PlaneShape& inputs, LayerOptions& options)
    : Layer<T>(inputs, inputs),
      momentum_(options.take("momentum", 0.1)),
      eps_(options.take_positive("eps", 1e-5)),
      relu_(options.take("relu", 0) != 0),
      mean_(inputs.channels),
      variance_(inputs.channels),
      mean_sum_(inputs.channels),
      variance_sum_(inputs.channels) {
  if (!(momentum_ > 0 && momentum_ <= 1)) throw std::invalid_argument("momentum must be in (0, 1]");
  this->add_parameter("gamma", {inputs.channels}, false);
  this->add_parameter("beta", {inputs.channels}, false);
  this->state() = {{"running_mean", std::vector<double>(inputs.channels)},
                   {"running_variance", std::vector<double>(inputs.channels, 1.0)}};
}

template <class T>
BatchNorm<T> BatchNormLayer<T>::norm(const double* mean, const double* variance) const {
  auto& parameters = const_cast<BatchNormLayer*>(this)->parameters();
  return {mean, variance, parameters[0].values, parameters[1].values, eps_, relu_};
}

template <class T>
void BatchNormLayer<T>::forward(const Pass& pass, const T* x, T* y) {
  const BatchShape shape = this->shape(pass);
  if (pass.mode == Mode::evaluate) {
    batch_normalize(pass.table, x, shape, norm(running_mean().data(), running_variance().data()), y, pass.n_threads);
    return;
  }
  if (shape.per_channel() < 2) throw std::invalid_argument("batch normalization needs batches of more than one row");
  batch_moments(pass.table, x, shape, mean_.data(), variance_.data(), pass.n_threads);
  const double m = static_cast<double>(shape.per_channel());
  const double unbiased = m / std::max(m - 1, 1.0);
  for (std::size_t c = 0; c < mean_.size(); ++c) {
    if (pass.mode == Mode::collect) {
      mean_sum_[c] += mean_[c];
      variance_sum_[c] += unbiased * variance_[c];
    } else {
      running_mean()[c] += momentum_ * (mean_[c] - running_mean()[c]);
      running_variance()[c] += momentum_ * (unbiased * variance_[c] - running_variance()[c]);
    }
  }
  if (pass.mode == Mode::collect) n_collected_ += 1;
  batch_normalize(pass.table, x, shape, norm(mean_.data(), variance_.data()), y, pass.n_threads);
}

template <class T>
void BatchNormLayer<T>::backward(const Pass& pass, const T* x, const T* /*y*/, const T* dy, T* dx) {
  if (dx == nullptr) spare_.resize(pass.n * this->inputs().size());
  batch_norm_gradients(pass.table, x, dy, shape(pass), norm(mean_.data(), variance_.data()), true,
                       dx != nullptr ? dx : spare_.data(), this->parameters()[0].gradient,
                       this->parameters()[1].gradient, pass.n_threads);
  // A unit's map of its own normalized input, used at each place: beta^2 = 1 / sqrt(share fanin) with a fan-in of one.
  if (pass.rescales) {
    this->scale_gradients(static_cast<T>(1 / std::sqrt(static_cast<double>(this->inputs().plane()))));
  }
}

template <class T>
void BatchNormLayer<T>::end_collecting() {
  if (n_collected_ == 0) return;
  for (std::size_t c = 0; c < mean_.size(); ++c) {
    running_mean()[c] = mean_sum_[c] / n_collected_;
    running_variance()[c] = variance_sum_[c] / n_collected_;
    mean_sum_[c] = variance_sum_[c] = 0;
  }
  n_collected_ = 0;
}

template class BatchNormLayer<float>;
template class BatchNormLayer<double>;

}  // namespace finitesum
