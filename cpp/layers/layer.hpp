// A layer maps the rows of a batch, (n, inputs) row by row, to (n, outputs). Numbers live elsewhere: parameters and
// their gradients in the network's arrays, inputs and outputs in its buffers.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/blas.hpp"
#include "isa/isa.hpp"
#include "layers/layer_whitening.hpp"

namespace finitesum {

// What a row of a batch is: so many planes of height x width.
struct PlaneShape {
  std::size_t channels = 0;
  std::size_t height = 1;
  std::size_t width = 1;

  std::size_t plane() const { return height * width; }
  std::size_t size() const { return channels * plane(); }
};

enum class Mode {
  train,     // random masks are drawn, batches normalized by themselves
  evaluate,  // as fitted
  collect    // no masks; batch normalization goes by the batch and sums up statistics of the population
};

// What a layer needs to know of a pass over one batch. Random numbers depend on seed, step and the layer's place.
struct Pass {
  const KernelTable& table;
  const Blas& blas;
  std::size_t n;  // rows
  Mode mode;
  std::uint64_t seed;
  std::int64_t step;
  int n_threads;
  bool rescales = false;  // whether gradients of parameters are those of whitened coordinates
};

template <class T>
struct Parameter {
  std::string name;
  std::vector<std::size_t> shape;
  bool decays;  // whether L1 and L2 concern it: weights, but neither biases nor what batch normalization scales by
  T* values = nullptr;
  T* gradient = nullptr;

  std::size_t size() const {
    std::size_t product = 1;
    for (const std::size_t extent : shape) product *= extent;
    return product;
  }
};

// State that training changes beside the parameters, such as running statistics.
struct StateArray {
  std::string name;
  std::vector<double> values;
};

// Options of a layer by name; a layer takes what it knows, and what is left over is an error of the caller.
class LayerOptions {
 public:
  explicit LayerOptions(std::map<std::string, double> values) : values_(std::move(values)) {}

  double take(const std::string& name, double otherwise) {
    const auto found = values_.find(name);
    if (found == values_.end()) return otherwise;
    const double value = found->second;
    values_.erase(found);
    return value;
  }
  std::size_t take_count(const std::string& name, double otherwise, int least = 1) {
    const double value = take(name, otherwise);
    if (!(value >= least && value <= 1e9 && value == std::floor(value))) {
      throw std::invalid_argument(name + " must be a whole number of at least " + std::to_string(least));
    }
    return static_cast<std::size_t>(value);
  }
  double take_rate(const std::string& name, double otherwise) {
    const double value = take(name, otherwise);
    if (!(value >= 0 && value <= 0.95)) {  // beyond that hardly a unit is left (keeping is 1 - rate)
      throw std::invalid_argument(name + " must be in [0, 0.95], got " + std::to_string(value));
    }
    return value;
  }
  double take_nonnegative(const std::string& name, double otherwise) {
    const double value = take(name, otherwise);
    if (!(value >= 0)) throw std::invalid_argument(name + " must not be negative, got " + std::to_string(value));
    return value;
  }
  double take_positive(const std::string& name, double otherwise) {
    const double value = take(name, otherwise);
    if (!(value > 0)) throw std::invalid_argument(name + " must be positive, got " + std::to_string(value));
    return value;
  }
  void check_empty(const std::string& kind) const {
    if (!values_.empty())
      throw std::invalid_argument("layer '" + kind + "' has no option '" + values_.begin()->first + "'");
  }

 private:
  std::map<std::string, double> values_;
};

template <class T>
class Layer {
 public:
  Layer(PlaneShape inputs, PlaneShape outputs) : inputs_(inputs), outputs_(outputs) {}
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;
  virtual ~Layer() = default;

  const PlaneShape& inputs() const { return inputs_; }
  const PlaneShape& outputs() const { return outputs_; }
  std::vector<Parameter<T>>& parameters() { return parameters_; }
  std::vector<StateArray>& state() { return state_; }
  void set_place(std::uint64_t place) { place_ = place; }

  virtual void forward(const Pass& pass, const T* x, T* y) = 0;
  // After forward() on the same batch: gradients of the parameters, set and not added, and dx unless it is null.
  virtual void backward(const Pass& pass, const T* x, const T* y, const T* dy, T* dx) = 0;

  // Sparse batches end in the first layer that multiplies them; before it they may pass layers that scale entries.
  virtual bool scales_entries() const { return false; }
  virtual bool multiplies_sparse() const { return false; }
  virtual void scale_entries(const Pass& /*pass*/, SparseBatch<T>& /*x*/) {}
  virtual void forward(const Pass& /*pass*/, const SparseBatch<T>& /*x*/, T* /*y*/) {}
  virtual void backward(const Pass& /*pass*/, const SparseBatch<T>& /*x*/, const T* /*dy*/) {}

  // What has to hold again after the optimizer's step, if anything.
  virtual bool has_after_step() const { return false; }
  virtual void after_step() {}
  // The coordinates of the layer's linear map, where passes rescale gradients; null where it has none.
  void set_whitening(const std::optional<WhiteningOptions>& options) {
    whitening_ = options ? make_whitening(*options) : nullptr;
  }
  LayerWhitening<T>* whitening() { return whitening_.get(); }
  // The statistics of the population from what passes in the mode `collect` have summed up; begins anew.
  virtual void end_collecting() {}

 protected:
  // A stream of random numbers of this layer's for a step.
  std::uint64_t stream(const Pass& pass) const { return (static_cast<std::uint64_t>(pass.step) << 16) + place_; }
  virtual std::unique_ptr<LayerWhitening<T>> make_whitening(const WhiteningOptions& /*options*/) { return nullptr; }
  void scale_gradients(T factor) {
    for (const Parameter<T>& parameter : parameters_) {
      for (std::size_t i = 0; factor != T{1} && i < parameter.size(); ++i) parameter.gradient[i] *= factor;
    }
  }
  void add_parameter(std::string name, std::vector<std::size_t> shape, bool decays) {
    parameters_.push_back({std::move(name), std::move(shape), decays});
  }

 private:
  PlaneShape inputs_;
  PlaneShape outputs_;
  std::vector<Parameter<T>> parameters_;
  std::vector<StateArray> state_;
  std::unique_ptr<LayerWhitening<T>> whitening_;
  std::uint64_t place_ = 0;
};

}  // namespace finitesum
