// The loss on top of a network: z, the last layer's outputs, against targets.
//   softmax   -sum_k q_k log p_k, p = softmax(z); q is 1 at the label, smoothed q <- (1 - s) q + s / K
//   logistic  sum_k log(1 + exp(z_k)) - t_k z_k, t in [0, 1], smoothed t <- (1 - s) t + s / 2
//   squared   sum_k (z_k - t_k)^2 / 2
//   poisson   sum_k exp(z_k) - t_k z_k + t_k log t_k - t_k, half the deviance, t >= 0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "layers/layer.hpp"

namespace finitesum {

enum class HeadKind { softmax, logistic, squared, poisson };

// A class per row for softmax, else n x K numbers.
struct NetworkTargets {
  const std::int32_t* classes = nullptr;
  const double* values = nullptr;
};

class Head {
 public:
  // Throws std::invalid_argument for an unknown name or a smoothing that the loss does not have.
  Head(const std::string& name, std::size_t n_outputs, double smoothing);

  HeadKind kind() const { return kind_; }
  std::size_t n_outputs() const { return n_outputs_; }

  // The weighted sum of the losses of the batch whose row i is row rows[i] of the targets; dz, if not null, gets its
  // gradient times `share`. weight may be null for ones.
  template <class T>
  double loss(const KernelTable& table, const T* z, const NetworkTargets& targets, const double* weight,
              const std::int64_t* rows, std::size_t n, double share, T* dz);

  // Probabilities, means: what z says of the targets. In place.
  template <class T>
  void predict(const KernelTable& table, T* z, std::size_t n);

 private:
  template <class T>
  double softmax_loss(const KernelTable& table, const T* z, std::int32_t label, double share, T* dz);
  template <class T>
  double loss_of_outputs(const T* z, const double* targets, double share, T* dz) const;

  HeadKind kind_;
  std::size_t n_outputs_;
  double smoothing_;
  std::vector<double> z_;  // padded to what the softmax kernel takes
  std::vector<double> p_;
};

}  // namespace finitesum
