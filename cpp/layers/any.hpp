// Every layer there is. A new one is a header (layer.hpp says what it implements) and a line here; names and factory
// follow from the list.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/type_list.hpp"
#include "layers/activation_layer.hpp"
#include "layers/batch_norm_layer.hpp"
#include "layers/conv2d.hpp"
#include "layers/dense.hpp"
#include "layers/dropout.hpp"
#include "layers/gaussian_noise.hpp"
#include "layers/max_pool2d.hpp"
#include "layers/recurrent.hpp"
#include "layers/weight_noise.hpp"

namespace finitesum {

namespace detail {

template <class T, class... Activation>
auto activation_layers(TypeList<Activation...>) -> TypeList<ActivationLayer<T, Activation>...>;

template <class... First, class... Second>
auto joined(TypeList<First...>, TypeList<Second...>) -> TypeList<First..., Second...>;

}  // namespace detail

template <class T>
using Layers = decltype(detail::joined(
    TypeList<Dense<T>, BatchNormLayer<T>, Dropout<T>, GaussianNoise<T>, NoisyDense<T, DropConnect<T>>,
             NoisyDense<T, Shakeout<T>>, NoisyDense<T, Whiteout<T>>, Conv2d<T>, MaxPool2d<T>, Recurrent<T>>{},
    detail::activation_layers<T>(Activations{})));

struct LayerSpec {
  std::string kind;
  std::map<std::string, double> options;
};

std::vector<std::string> layer_names();

// Throws std::invalid_argument for an unknown kind or option, or a value out of range.
template <class T>
std::unique_ptr<Layer<T>> make_layer(const LayerSpec& spec, const PlaneShape& inputs);

}  // namespace finitesum
