// Layers one behind the other with a loss on top, trained by any per-coordinate rule. All parameters stand in one
// array, those that decay first, and so do gradients and the rule's slots.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/matrix_view.hpp"
#include "layers/any.hpp"
#include "network/batch.hpp"
#include "network/heads.hpp"
#include "network/row_steps.hpp"
#include "optimizers/whitening.hpp"

namespace finitesum {

enum class GradientClip { none, value, norm };

// Of all steps of a call of train(). L1 and L2 are those of the sum of the losses: a step takes them over the sum of
// the batch's weights.
struct TrainingOptions {
  std::size_t batch_size = 1;
  double l2 = 0;
  double l1 = 0;
  double decoupled = 0;
  GradientClip clip = GradientClip::none;
  double clip_limit = 0;
  int n_threads = 1;
};

// Rows `rows` of X and of the targets.
struct NetworkData {
  AnyMatrix X;
  NetworkTargets targets;
  const double* weight;  // may be null
  const std::int64_t* rows;
  std::size_t n_rows;
};

template <class T>
class Network {
 public:
  Network(const PlaneShape& inputs, const std::vector<LayerSpec>& layers, const std::string& head, double smoothing,
          std::uint64_t seed, const KernelTable& table, const Blas& blas);

  std::vector<std::unique_ptr<Layer<T>>>& layers() { return layers_; }
  std::vector<T>& parameters() { return parameters_; }
  std::vector<T>& gradient() { return gradient_; }
  std::vector<std::vector<T>>& slots() { return slots_; }
  std::int64_t& n_steps() { return n_steps_; }
  std::int64_t& rule_steps() { return rule_steps_; }
  std::size_t n_outputs() const { return head_.n_outputs(); }
  HeadKind head() const { return head_.kind(); }

  // The rule begins without a past: slots of zero, no steps. n_steps() stays: it drives the random masks.
  void set_optimizer(const DescentRule& rule);

  // A step per batch, of length rates[k] for batch k of n_batches(); a last batch of one row joins the one before.
  // Returns the weighted sum of the losses, each at its batch's parameters; ends early if interrupted() says so.
  double train(const NetworkData& data, const TrainingOptions& options, const double* rates,
               const std::function<bool()>& interrupted);
  static std::size_t n_batches(std::size_t n_rows, std::size_t batch_size);

  // The mean loss and its gradient, in mode `train` with the next step's masks; nothing moves but running statistics.
  double differentiate(const NetworkData& data, int n_threads);
  // Passes in mode `collect` over batches, then the statistics of the population in each layer.
  void collect(const NetworkData& data, std::size_t batch_size, int n_threads);
  // The head's predictions for all rows into out (n x outputs), `raw` for z itself; returns the weighted sum of the
  // losses if there are targets.
  double evaluate(const NetworkData& data, bool raw, T* out, int n_threads);

 private:
  void make_layers(const PlaneShape& inputs, const std::vector<LayerSpec>& specs);
  void place_parameters();
  void check_matrix(const AnyMatrix& X) const;
  std::size_t first_with_output() const;
  void reserve(std::size_t n);
  // The last layer's outputs for the batch.
  T* forward(const Pass& pass);
  void backward(const Pass& pass);
  double backpropagate(const NetworkData& data, std::size_t begin, std::size_t n, int n_threads, bool rescales,
                       double* total_weight);
  void begin_row_steps(const AnyMatrix& X, const TrainingOptions& options);
  void end_row_steps();
  Layer<T>& first_with_weights();
  void fold_shared();
  void end_block();
  double whitened_rate(double rate);
  void owe_penalty(double rate, const Decay& decay);
  void step_shared(double rate);
  void clip(const TrainingOptions& options);
  void step(const TrainingOptions& options, double rate, double total_weight);
  Pass pass_of(std::size_t n, Mode mode, int n_threads, bool rescales = false) const {
    return {table_, blas_, n, mode, seed_, n_steps_, n_threads, rescales};
  }

  const KernelTable& table_;
  Blas blas_;
  std::uint64_t seed_;
  std::int64_t n_steps_ = 0;
  std::int64_t rule_steps_ = 0;  // those of the present rule
  std::vector<std::unique_ptr<Layer<T>>> layers_;
  Head head_;
  AnyOptimizer rule_;
  std::optional<WhiteningOptions> whitening_;  // what rescales the gradients before the rule
  std::vector<T> parameters_;
  std::size_t n_decaying_ = 0;
  std::vector<T> gradient_;
  std::vector<std::vector<T>> slots_;
  std::unique_ptr<RowSteps<T>> row_steps_;  // of the first parameters, within train()
  std::size_t n_in_rows_ = 0;               // how many these are
  bool shares_row_ = false;                 // whether the first weights have a shared row (layers/layer_whitening.hpp)
  Batch<T> batch_;
  std::vector<std::vector<T>> outputs_;  // of each layer
  std::vector<T> gradients_[2];          // of a layer's outputs and of its inputs, taking turns
};

}  // namespace finitesum
