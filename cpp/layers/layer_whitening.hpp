// What a layer with weights needs for descent in whitened coordinates (optimizers/whitening.hpp): a batch's inputs
// rescaled, so that the product that gives the gradient gives the rescaled one, and each row's factor for the biases.
//
// Sparse batches rescale their entries only. What they leave out is -pull_i s_j in every row of the gradient, s the sum
// of the rows of dy: the weights are W = V + pull S', steps with a linear rule move V by the entries' part and S, one
// more row, by -s. Within train() alone V and S stand for W; fold() adds them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/math.hpp"
#include "layers/sparse_batch.hpp"
#include "optimizers/whitening.hpp"

namespace finitesum {

template <class T>
class LayerWhitening {
 public:
  LayerWhitening(const WhiteningOptions& options, std::size_t n_inputs, std::size_t n_outputs, double share,
                 bool has_bias)
      : coordinates_(options, n_inputs, share, has_bias), n_outputs_(n_outputs), shared_(n_outputs) {}

  Whitening& coordinates() { return coordinates_; }
  // A step's length for this layer in units of the rate: other than one where each layer's is normalized.
  double length() const { return length_; }

  void observe(const T* x, std::size_t n_rows) {
    const std::size_t n_inputs = coordinates_.n_inputs();
    coordinates_.begin_batch(static_cast<double>(n_rows));
    for (std::size_t i = 0; i < n_rows; ++i) coordinates_.observe(x + i * n_inputs, 0, n_inputs);
  }
  void observe(const SparseBatch<T>& x) {
    coordinates_.begin_batch(static_cast<double>(x.offsets.size() - 1));
    for (std::size_t k = 0; k < x.values.size(); ++k) {
      coordinates_.observe(x.indices[k], static_cast<double>(x.values[k]));
    }
  }

  // The inputs that give the rescaled gradient; the rows' factors in bias_factor().
  const T* rescale(const T* x, const T* dy, std::size_t n_rows) {
    const std::size_t n_inputs = coordinates_.n_inputs();
    begin_rows(n_rows, n_rows * n_inputs);
    for (std::size_t i = 0; i < n_rows; ++i) {
      take_row(i, coordinates_.rescale(x + i * n_inputs, 0, n_inputs, inputs_.data() + i * n_inputs),
               dy + i * n_outputs_);
    }
    end_rows(n_rows);
    return inputs_.data();
  }
  // Likewise of a sparse batch, entry by entry; the gradient of the shared row follows from dy.
  const T* rescale(const SparseBatch<T>& x, const T* dy) {
    const std::size_t n_rows = x.offsets.size() - 1;
    begin_rows(n_rows, x.values.size());
    std::fill(shared_.gradient.begin(), shared_.gradient.end(), T{0});
    for (std::size_t i = 0; i < n_rows; ++i) {
      const double rest = coordinates_.mean_length();
      Whitening::Row row{-rest, rest};
      for (std::size_t k = x.offsets[i]; k < x.offsets[i + 1]; ++k) {
        const double value = static_cast<double>(x.values[k]);
        const double scaled = coordinates_.scale()[x.indices[k]] * value;
        const double mean = coordinates_.mean()[x.indices[k]];
        row += {mean * scaled, (value - 2 * mean) * scaled};
        inputs_[k] = static_cast<T>(scaled);
      }
      take_row(i, row, dy + i * n_outputs_);
      for (std::size_t k = 0; k < n_outputs_; ++k) shared_.gradient[k] -= dy[i * n_outputs_ + k];
    }
    end_rows(n_rows);
    for (T& g : shared_.gradient) g *= static_cast<T>(length_);
    return inputs_.data();
  }
  T bias_factor(std::size_t row) const { return static_cast<T>(factors_[row]); }

  // For maps that rescale() does not fit: of `row` with dy's, once or several times; then the gradient's factor.
  void begin_rows(std::size_t n_rows, std::size_t n_numbers) {
    coordinates_.refresh_if_new();
    if (inputs_.size() < n_numbers) inputs_.resize(n_numbers);
    factors_.resize(n_rows);
    square_ = 0;
  }
  void take_row(std::size_t i, const Whitening::Row& row, const T* dy, std::size_t stride = 1) {
    factors_[i] = coordinates_.beta2() - row.pull;
    if (!coordinates_.takes_squares()) return;
    double square = 0;
    for (std::size_t k = 0; k < n_outputs_; ++k) {
      const double g = static_cast<double>(dy[k * stride]);
      square += g * g;
    }
    square_ += square * (coordinates_.beta2() + row.square);
  }
  T take_length(std::size_t n_samples) {
    if (coordinates_.takes_squares()) length_ = coordinates_.take_square(static_cast<double>(n_samples) * square_);
    return static_cast<T>(length_);
  }
  T* inputs() { return inputs_.data(); }

  // Of the weights that sparse batches multiply.
  struct Shared {
    std::vector<T> values;
    std::vector<T> gradient;
    std::vector<std::vector<T>> slots;

    explicit Shared(std::size_t n_outputs) : values(n_outputs), gradient(n_outputs) {}
  };
  Shared& shared() { return shared_; }
  void begin_shared(std::size_t n_slots) {
    std::fill(shared_.values.begin(), shared_.values.end(), T{0});
    shared_.slots.assign(n_slots, std::vector<T>(n_outputs_));
  }
  // y += (x . pull) S for each row.
  void add_shared(const SparseBatch<T>& x, T* y) const {
    for (std::size_t i = 0; i + 1 < x.offsets.size(); ++i) {
      double pull = 0;
      for (std::size_t k = x.offsets[i]; k < x.offsets[i + 1]; ++k) {
        pull += coordinates_.pull(x.indices[k]) * static_cast<double>(x.values[k]);
      }
      const T factor = static_cast<T>(pull);
      for (std::size_t k = 0; k < n_outputs_; ++k) y[i * n_outputs_ + k] += factor * shared_.values[k];
    }
  }
  // Into the weights and their slots, which become W and its own again.
  void fold(T* weights, const std::vector<T*>& slots) {
    const auto add = [&](std::vector<T>& row, T* to) {
      for (std::size_t i = 0; i < coordinates_.n_inputs(); ++i) {
        const T pull = static_cast<T>(coordinates_.pull(i));
        for (std::size_t k = 0; k < n_outputs_; ++k) to[i * n_outputs_ + k] += pull * row[k];
      }
      std::fill(row.begin(), row.end(), T{0});
    };
    add(shared_.values, weights);
    for (std::size_t s = 0; s < slots.size(); ++s) add(shared_.slots[s], slots[s]);
  }

  // The penalty of the steps since it was paid last, as one proximal step in the coordinates v: of inputs first, ...,
  // with weights row by row. v_0, and so the output at x = mu, stays.
  void owe(double l2, double l1) {
    l2_ += length_ * l2;
    l1_ += length_ * l1;
  }
  void pay(T* weights, std::size_t first, std::size_t n_inputs, T* bias) {
    if (l2_ == 0 && l1_ == 0) return;
    for (std::size_t i = 0; i < n_inputs; ++i) {
      const double scale = coordinates_.scale()[first + i];
      const double mean = coordinates_.mean()[first + i];
      for (std::size_t k = 0; k < n_outputs_; ++k) {
        T& w = weights[i * n_outputs_ + k];
        const double before = static_cast<double>(w);
        w = static_cast<T>(math::soft_threshold(before, scale * l1_) / (1 + scale * l2_));
        if (bias != nullptr) bias[k] += static_cast<T>(mean * (before - static_cast<double>(w)));
      }
    }
  }
  void forget_debt() { l2_ = l1_ = 0; }

 private:
  void end_rows(std::size_t n_rows) {
    const T length = take_length(n_rows);
    if (length == T{1}) return;
    for (T& x : inputs_) x *= length;
    for (double& factor : factors_) factor *= length_;
  }

  Whitening coordinates_;
  std::size_t n_outputs_;
  std::vector<T> inputs_;        // of the batch, rescaled
  std::vector<double> factors_;  // of its rows
  double square_ = 0;
  double length_ = 1;
  Shared shared_;
  double l2_ = 0;  // rates times strengths that are still to pay
  double l1_ = 0;
};

}  // namespace finitesum
