#include "layers/weight_noise.hpp"

#include <cmath>

namespace finitesum {

template <class T>
void DropConnect<T>::draw(const Pass& pass, std::uint64_t stream, const T* w, std::size_t n_inputs,
                          std::size_t n_outputs, T* used, T* factor) const {
  const MaskDraw draw = mask_draw(rate_, pass.seed, stream);
  dense_of<T>(pass.table.network).bernoulli_mask(&draw, factor, n_inputs * n_outputs);
  for (std::size_t i = 0; i < n_inputs * n_outputs; ++i) used[i] = w[i] * factor[i];
}

template <class T>
void Shakeout<T>::draw(const Pass& pass, std::uint64_t stream, const T* w, std::size_t n_inputs, std::size_t n_outputs,
                       T* used, T* factor) const {
  const MaskDraw draw = mask_draw(rate_, pass.seed, stream);
  dense_of<T>(pass.table.network).bernoulli_mask(&draw, used, n_inputs);  // one number per input
  const T c = static_cast<T>(c_);
  for (std::size_t j = n_inputs; j-- > 0;) {  // backwards: row j covers no draw of a row before it
    const T r = used[j];
    for (std::size_t k = 0; k < n_outputs; ++k) {
      const std::size_t i = j * n_outputs + k;
      const T sign = static_cast<T>((w[i] > T{0}) - (w[i] < T{0}));
      used[i] = r * w[i] + c * (r - T{1}) * sign;
      factor[i] = r;
    }
  }
}

// With q(|w|) = |w| sqrt(variance) the weight is w + sign(w) q e, and its derivative 1 + q' e.
template <class T>
void Whiteout<T>::draw(const Pass& pass, std::uint64_t stream, const T* w, std::size_t n_inputs, std::size_t n_outputs,
                       T* used, T* factor) const {
  draw_normal(pass.seed, stream, factor, n_inputs * n_outputs);
  for (std::size_t i = 0; i < n_inputs * n_outputs; ++i) {
    const double e = static_cast<double>(factor[i]);
    const double size = std::abs(static_cast<double>(w[i]));
    const double a = sigma_ * sigma_ * std::pow(size, 2 - gamma_);
    const double b = lambda_ * size * size;
    const double q = std::sqrt(a + b);
    const double slope = size * q > 0 ? ((2 - gamma_) * a + 2 * b) / (2 * q * size) : 0.0;
    used[i] = static_cast<T>(static_cast<double>(w[i]) + (w[i] < T{0} ? -q * e : q * e));
    factor[i] = static_cast<T>(1 + slope * e);
  }
}

template class DropConnect<float>;
template class DropConnect<double>;
template class Shakeout<float>;
template class Shakeout<double>;
template class Whiteout<float>;
template class Whiteout<double>;

}  // namespace finitesum
