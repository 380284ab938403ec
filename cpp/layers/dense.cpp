#include "layers/dense.hpp"

#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"

namespace finitesum {

template <class T>
Dense<T>::Dense(const PlaneShape& inputs, LayerOptions& options)
    : Layer<T>(inputs, {options.take_count("n_outputs", 0), 1, 1}),
      n_inputs_(inputs.size()),
      n_outputs_(this->outputs().size()),
      has_bias_(options.take("bias", 1) != 0),
      max_norm_(options.take_nonnegative("max_norm", 0)),
      norms_(max_norm_ > 0 ? n_outputs_ : 0) {
  this->add_parameter("weights", {n_inputs_, n_outputs_}, true);
  if (has_bias_) this->add_parameter("bias", {n_outputs_}, false);
}

template <class T>
void Dense<T>::fill_with_bias(const Pass& pass, T* y) const {
  const T* bias = has_bias_ ? const_cast<Dense*>(this)->parameters()[1].values : nullptr;
  for (std::size_t i = 0; i < pass.n; ++i) {
    T* row = y + i * n_outputs_;
    if (has_bias_) {
      std::copy(bias, bias + n_outputs_, row);
    } else {
      std::fill(row, row + n_outputs_, T{0});
    }
  }
}

template <class T>
void Dense<T>::forward(const Pass& pass, const T* x, T* y) {
  if (has_bias_) fill_with_bias(pass, y);
  if (pass.rescales) this->whitening()->observe(x, pass.n);
  const T* weights = used_weights(pass);
  multiply<T>(pass.blas, pass.n, n_outputs_, n_inputs_, {x, n_inputs_}, {weights, n_outputs_}, has_bias_ ? T{1} : T{0},
              y);
}

template <class T>
void Dense<T>::backward(const Pass& pass, const T* x, const T* /*y*/, const T* dy, T* dx) {
  const Parameter<T>& weights = this->parameters()[0];
  if (pass.rescales) x = this->whitening()->rescale(x, dy, pass.n);
  multiply<T>(pass.blas, n_inputs_, n_outputs_, pass.n, {x, n_inputs_, true}, {dy, n_outputs_}, T{0}, weights.gradient);
  finish_gradient(weights.gradient);
  is_clean_ = false;
  add_bias_gradient(pass, dy);
  if (dx != nullptr) {
    multiply<T>(pass.blas, pass.n, n_inputs_, n_outputs_, {dy, n_outputs_}, {last_used_weights(), n_outputs_, true},
                T{0}, dx);
  }
}

template <class T>
void Dense<T>::add_bias_gradient(const Pass& pass, const T* dy) {
  if (!has_bias_) return;
  T* gradient = this->parameters()[1].gradient;
  std::fill(gradient, gradient + n_outputs_, T{0});
  for (std::size_t i = 0; i < pass.n; ++i) {
    const T* row = dy + i * n_outputs_;
    const T factor = pass.rescales ? this->whitening()->bias_factor(i) : T{1};
    for (std::size_t k = 0; k < n_outputs_; ++k) gradient[k] += factor * row[k];
  }
}

template <class T>
void Dense<T>::forward(const Pass& pass, const SparseBatch<T>& x, T* y) {
  fill_with_bias(pass, y);
  if (pass.rescales) {
    this->whitening()->observe(x);
    this->whitening()->add_shared(x, y);
  }
  const T* weights = this->parameters()[0].values;
  const auto add_scaled = dense_of<T>(pass.table.network).add_scaled;
  parallel_for(pass.n, x.values.size() * n_outputs_ < (std::size_t{1} << 18) ? 1 : pass.n_threads, [&](std::size_t i) {
    for (std::size_t k = x.offsets[i]; k < x.offsets[i + 1]; ++k) {
      add_scaled(x.values[k], weights + x.indices[k] * n_outputs_, y + i * n_outputs_, n_outputs_);
    }
  });
}

// Only the rows of W that the batch names have a gradient; those of the batch before are set back to zero first.
template <class T>
void Dense<T>::backward(const Pass& pass, const SparseBatch<T>& x, const T* dy) {
  const Parameter<T>& weights = this->parameters()[0];
  if (is_clean_) {
    for (const std::size_t j : touched_) {
      std::fill(weights.gradient + j * n_outputs_, weights.gradient + (j + 1) * n_outputs_, T{0});
    }
  } else {
    std::fill(weights.gradient, weights.gradient + weights.size(), T{0});
    is_clean_ = true;
  }
  const auto add_scaled = dense_of<T>(pass.table.network).add_scaled;
  const T* values = pass.rescales ? this->whitening()->rescale(x, dy) : x.values.data();
  for (std::size_t i = 0; i < pass.n; ++i) {
    for (std::size_t k = x.offsets[i]; k < x.offsets[i + 1]; ++k) {
      add_scaled(values[k], dy + i * n_outputs_, weights.gradient + x.indices[k] * n_outputs_, n_outputs_);
    }
  }
  touched_.assign(x.indices.begin(), x.indices.end());
  add_bias_gradient(pass, dy);
}

template <class T>
std::unique_ptr<LayerWhitening<T>> Dense<T>::make_whitening(const WhiteningOptions& options) {
  return std::make_unique<LayerWhitening<T>>(options, n_inputs_, n_outputs_, 1.0, has_bias_);
}

// The weights into each output are projected onto the ball of radius max_norm (Srebro and Shraibman, COLT 2005; with
// dropout: Srivastava et al., JMLR 15 (2014), section 5.1).
template <class T>
void Dense<T>::after_step() {
  if (max_norm_ == 0) return;
  T* weights = this->parameters()[0].values;
  std::fill(norms_.begin(), norms_.end(), 0.0);
  for (std::size_t j = 0; j < n_inputs_; ++j) {
    for (std::size_t k = 0; k < n_outputs_; ++k) {
      const double w = static_cast<double>(weights[j * n_outputs_ + k]);
      norms_[k] += w * w;
    }
  }
  for (double& norm : norms_) norm = norm > max_norm_ * max_norm_ ? max_norm_ / std::sqrt(norm) : 1.0;
  for (std::size_t j = 0; j < n_inputs_; ++j) {
    for (std::size_t k = 0; k < n_outputs_; ++k) weights[j * n_outputs_ + k] *= static_cast<T>(norms_[k]);
  }
}

template class Dense<float>;
template class Dense<double>;

}  // namespace finitesum
