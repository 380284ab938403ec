#include "layers/recurrent.hpp"

#include <algorithm>

#include "layers/activations.hpp"
#include "layers/noise_draws.hpp"

namespace finitesum {

template <class T>
Recurrent<T>::Recurrent(const PlaneShape& inputs, LayerOptions& options)
    : Layer<T>(inputs, {options.take_count("n_outputs", 0), 1, 1}),
      n_outputs_(this->outputs().size()),
      n_steps_(options.take_count("n_steps", 0)),
      n_features_(inputs.size() / n_steps_),
      zoneout_(options.take_rate("zoneout", 0)) {
  if (n_features_ * n_steps_ != inputs.size()) throw std::invalid_argument("n_steps must divide the number of inputs");
  this->add_parameter("weights", {n_features_, n_outputs_}, true);
  this->add_parameter("recurrent_weights", {n_outputs_, n_outputs_}, true);
  this->add_parameter("bias", {n_outputs_}, false);
}

template <class T>
void Recurrent<T>::draw_shares(const Pass& pass) {
  const std::size_t n = n_steps_ * pass.n * n_outputs_;
  kept_.assign(n, static_cast<T>(zoneout_));
  if (pass.mode != Mode::train || zoneout_ == 0) return;
  const MaskDraw draw = mask_draw(zoneout_, pass.seed, this->stream(pass));
  dense_of<T>(pass.table.network).bernoulli_mask(&draw, kept_.data(), n);
  for (T& share : kept_) share = share == T{0} ? T{1} : T{0};
}

template <class T>
void Recurrent<T>::forward(const Pass& pass, const T* x, T* y) {
  const std::size_t n = pass.n * n_outputs_;
  const auto& parameters = this->parameters();
  draw_shares(pass);
  states_.assign((n_steps_ + 1) * n, T{0});
  candidates_.resize(n_steps_ * n);
  if (pass.rescales) this->whitening()->coordinates().begin_batch(static_cast<double>(pass.n * n_steps_));
  for (std::size_t t = 0; t < n_steps_; ++t) {
    const T* before = states_.data() + t * n;
    T* after = states_.data() + (t + 1) * n;
    T* c = candidates_.data() + t * n;
    const T* kept = kept_.data() + t * n;
    for (std::size_t i = 0; i < pass.n; ++i) {
      std::copy_n(parameters[2].values, n_outputs_, c + i * n_outputs_);
      if (!pass.rescales) continue;
      this->whitening()->coordinates().observe(x + i * this->inputs().size() + t * n_features_, 0, n_features_);
      this->whitening()->coordinates().observe(before + i * n_outputs_, n_features_, n_outputs_);
    }
    multiply<T>(pass.blas, pass.n, n_outputs_, n_features_, {x + t * n_features_, this->inputs().size()},
                {parameters[0].values, n_outputs_}, T{1}, c);
    multiply<T>(pass.blas, pass.n, n_outputs_, n_outputs_, {before, n_outputs_}, {parameters[1].values, n_outputs_},
                T{1}, c);
    for (std::size_t i = 0; i < n; ++i) {
      c[i] = Tanh::value(c[i]);
      after[i] = kept[i] * before[i] + (T{1} - kept[i]) * c[i];
    }
  }
  std::copy_n(states_.data() + n_steps_ * n, n, y);
}

// Backwards through time (Werbos, Proc. IEEE 78 (1990)).
template <class T>
void Recurrent<T>::backward(const Pass& pass, const T* x, const T* /*y*/, const T* dy, T* dx) {
  const std::size_t n = pass.n * n_outputs_;
  const std::size_t n_inputs = this->inputs().size();
  const auto& parameters = this->parameters();
  dstate_.assign(dy, dy + n);
  dcandidate_.resize(n);
  std::fill_n(parameters[2].gradient, n_outputs_, T{0});
  if (pass.rescales) this->whitening()->begin_rows(pass.n, pass.n * (n_features_ + n_outputs_));
  for (std::size_t t = n_steps_; t-- > 0;) {
    const T beta = t + 1 < n_steps_ ? T{1} : T{0};
    const T* before = states_.data() + t * n;
    const T* c = candidates_.data() + t * n;
    const T* kept = kept_.data() + t * n;
    for (std::size_t i = 0; i < n; ++i) {
      dcandidate_[i] = dstate_[i] * (T{1} - kept[i]) * Tanh::slope(c[i]);
      dstate_[i] *= kept[i];
    }
    Factor<T> inputs = {x + t * n_features_, n_inputs, true};
    Factor<T> states = {before, n_outputs_, true};
    if (pass.rescales) rescale(pass, inputs, states);
    for (std::size_t i = 0; i < n; ++i) {
      const T factor = pass.rescales ? this->whitening()->bias_factor(i / n_outputs_) : T{1};
      parameters[2].gradient[i % n_outputs_] += factor * dcandidate_[i];
    }
    const Factor<T> delta = {dcandidate_.data(), n_outputs_};
    multiply<T>(pass.blas, n_features_, n_outputs_, pass.n, inputs, delta, beta, parameters[0].gradient);
    multiply<T>(pass.blas, n_outputs_, n_outputs_, pass.n, states, delta, beta, parameters[1].gradient);
    multiply<T>(pass.blas, pass.n, n_outputs_, n_outputs_, delta, {parameters[1].values, n_outputs_, true}, T{1},
                dstate_.data());
    if (dx == nullptr) continue;
    multiply<T>(pass.blas, pass.n, n_features_, n_outputs_, delta, {parameters[0].values, n_outputs_, true}, T{0},
                dx + t * n_features_, n_inputs);
  }
  if (pass.rescales) this->scale_gradients(this->whitening()->take_length(pass.n));
}

// One linear map of (x_t, h_{t-1}), which a sample uses n_steps times.
template <class T>
std::unique_ptr<LayerWhitening<T>> Recurrent<T>::make_whitening(const WhiteningOptions& options) {
  return std::make_unique<LayerWhitening<T>>(options, n_features_ + n_outputs_, n_outputs_,
                                             static_cast<double>(n_steps_), true);
}

template <class T>
void Recurrent<T>::rescale(const Pass& pass, Factor<T>& inputs, Factor<T>& states) {
  LayerWhitening<T>& whitening = *this->whitening();
  T* const x = whitening.inputs();
  T* const h = x + pass.n * n_features_;
  for (std::size_t i = 0; i < pass.n; ++i) {
    Whitening::Row row =
        whitening.coordinates().rescale(inputs.values + i * inputs.stride, 0, n_features_, x + i * n_features_);
    row += whitening.coordinates().rescale(states.values + i * n_outputs_, n_features_, n_outputs_, h + i * n_outputs_);
    whitening.take_row(i, row, dcandidate_.data() + i * n_outputs_);
  }
  inputs = {x, n_features_, true};
  states = {h, n_outputs_, true};
}

template class Recurrent<float>;
template class Recurrent<double>;

}  // namespace finitesum
