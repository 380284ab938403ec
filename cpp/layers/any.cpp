#include "layers/any.hpp"

namespace finitesum {

namespace {

template <class... Kinds>
std::vector<std::string> names_in(TypeList<Kinds...>) {
  return {Kinds::name...};
}

template <class T, class... Kinds>
std::unique_ptr<Layer<T>> make_from(TypeList<Kinds...>, const LayerSpec& spec, const PlaneShape& inputs) {
  LayerOptions options(spec.options);
  std::unique_ptr<Layer<T>> layer;
  const bool found = ((spec.kind == Kinds::name && (layer = std::make_unique<Kinds>(inputs, options), true)) || ...);
  if (!found) {
    std::string message = "unknown layer '" + spec.kind + "'; choose from:";
    for (const std::string& choice : layer_names()) message += " '" + choice + "'";
    throw std::invalid_argument(message);
  }
  options.check_empty(spec.kind);
  return layer;
}

}  // namespace

std::vector<std::string> layer_names() { return names_in(Layers<double>{}); }

template <class T>
std::unique_ptr<Layer<T>> make_layer(const LayerSpec& spec, const PlaneShape& inputs) {
  return make_from<T>(Layers<T>{}, spec, inputs);
}

template std::unique_ptr<Layer<float>> make_layer<float>(const LayerSpec&, const PlaneShape&);
template std::unique_ptr<Layer<double>> make_layer<double>(const LayerSpec&, const PlaneShape&);

}  // namespace finitesum
