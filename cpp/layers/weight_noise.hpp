// Noise on the weights of a dense layer in training. Each noise gives the weights that a batch uses and the factor of
// the gradient in the weights themselves; one draw serves the whole batch, where the papers draw for every sample.
#pragma once

#include <vector>

#include "layers/dense.hpp"
#include "layers/noise_draws.hpp"

namespace finitesum {

// w m / (1 - rate), m zero with probability `rate`, for each weight (Wan et al., ICML 2013). Prediction uses the mean
// weights, not the paper's Gaussian moments.
template <class T>
class DropConnect {
 public:
  static constexpr const char* name = "drop_connect";
  explicit DropConnect(LayerOptions& options) : rate_(options.take_rate("rate", 0.5)) {}
  void draw(const Pass& pass, std::uint64_t stream, const T* w, std::size_t n_inputs, std::size_t n_outputs, T* used,
            T* factor) const;

 private:
  double rate_;
};

// r w + c (r - 1) sign(w), r = 0 with probability `rate`, else 1 / (1 - rate), for all weights of an input: w is scaled
// up and moved away from zero, or becomes -c sign(w); its mean is w (Kang, Li, Tao, AAAI 2016). c = 0 is dropout.
template <class T>
class Shakeout {
 public:
  static constexpr const char* name = "shakeout";
  explicit Shakeout(LayerOptions& options)
      : rate_(options.take_rate("rate", 0.5)), c_(options.take_nonnegative("c", 0.1)) {}
  void draw(const Pass& pass, std::uint64_t stream, const T* w, std::size_t n_inputs, std::size_t n_outputs, T* used,
            T* factor) const;

 private:
  double rate_;
  double c_;
};

// w (1 + e), e normal with variance sigma^2 |w|^-gamma + lambda, for each weight (Li, Liu, arXiv:1612.01490, its
// multiplicative form). The noise is differentiated, too.
template <class T>
class Whiteout {
 public:
  static constexpr const char* name = "whiteout";
  explicit Whiteout(LayerOptions& options)
      : sigma_(options.take_nonnegative("sigma", 0.1)),
        gamma_(options.take_nonnegative("gamma", 1.0)),
        lambda_(options.take_nonnegative("lambda", 0.0)) {
    if (gamma_ > 2) throw std::invalid_argument("gamma must be in [0, 2]");
  }
  void draw(const Pass& pass, std::uint64_t stream, const T* w, std::size_t n_inputs, std::size_t n_outputs, T* used,
            T* factor) const;

 private:
  double sigma_;
  double gamma_;
  double lambda_;
};

template <class T, class Noise>
class NoisyDense final : public Dense<T> {
 public:
  static constexpr const char* name = Noise::name;

  NoisyDense(const PlaneShape& inputs, LayerOptions& options) : Dense<T>(inputs, options), noise_(options) {}
  bool multiplies_sparse() const override { return false; }  // all weights are drawn

 protected:
  const T* used_weights(const Pass& pass) override {
    const Parameter<T>& weights = this->parameters()[0];
    if (pass.mode != Mode::train) return weights.values;
    used_.resize(weights.size());
    factor_.resize(weights.size());
    noise_.draw(pass, this->stream(pass), weights.values, weights.shape[0], weights.shape[1], used_.data(),
                factor_.data());
    return used_.data();
  }
  const T* last_used_weights() override { return used_.data(); }
  void finish_gradient(T* gradient) override {
    for (std::size_t i = 0; i < factor_.size(); ++i) gradient[i] *= factor_[i];
  }
  std::unique_ptr<LayerWhitening<T>> make_whitening(const WhiteningOptions&) override {
    throw std::invalid_argument("optimizer='whitening' takes no noise on weights: layer '" + std::string(name) +
                                "' has other ones in every batch.");
  }

 private:
  Noise noise_;
  std::vector<T> used_;
  std::vector<T> factor_;
};

}  // namespace finitesum
