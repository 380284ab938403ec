#include "network/network.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "optimizers/dense_update.hpp"

namespace finitesum {

namespace {

std::size_t outputs_of(const std::vector<LayerSpec>& specs, const PlaneShape& inputs) {
  PlaneShape shape = inputs;
  for (const LayerSpec& spec : specs) shape = make_layer<double>(spec, shape)->outputs();
  return shape.size();
}

bool is_sparse(const AnyMatrix& X) {
  return std::visit([](const auto& view) { return std::decay_t<decltype(view)>::is_sparse; }, X);
}

}  // namespace

template <class T>
Network<T>::Network(const PlaneShape& inputs, const std::vector<LayerSpec>& layers, const std::string& head,
                    double smoothing, std::uint64_t seed, const KernelTable& table, const Blas& blas)
    : table_(table), blas_(blas), seed_(seed), head_(head, outputs_of(layers, inputs), smoothing) {
  make_layers(inputs, layers);
  place_parameters();
}

template <class T>
void Network<T>::make_layers(const PlaneShape& inputs, const std::vector<LayerSpec>& specs) {
  if (specs.empty()) throw std::invalid_argument("a network needs at least one layer");
  PlaneShape shape = inputs;
  for (const LayerSpec& spec : specs) {
    layers_.push_back(make_layer<T>(spec, shape));
    layers_.back()->set_place(layers_.size());
    shape = layers_.back()->outputs();
    if (shape.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      throw std::invalid_argument("a layer has too many outputs");
    }
  }
  outputs_.resize(layers_.size());
}

template <class T>
void Network<T>::place_parameters() {
  std::size_t n = 0;
  for (const bool decays : {true, false}) {
    for (const auto& layer : layers_) {
      for (const Parameter<T>& parameter : layer->parameters()) n += parameter.decays == decays ? parameter.size() : 0;
    }
    if (decays) n_decaying_ = n;
  }
  parameters_.resize(n);
  gradient_.resize(n);
  std::size_t places[] = {n_decaying_, 0};
  for (const auto& layer : layers_) {
    for (Parameter<T>& parameter : layer->parameters()) {
      std::size_t& place = places[parameter.decays ? 1 : 0];
      parameter.values = parameters_.data() + place;
      parameter.gradient = gradient_.data() + place;
      place += parameter.size();
    }
  }
}

template <class T>
void Network<T>::set_optimizer(const DescentRule& rule) {
  for (const auto& layer : layers_) layer->set_whitening(rule.whitening);
  rule_ = rule.rule;
  whitening_ = rule.whitening;
  const std::size_t n_slots = std::visit([](const auto& r) { return r.n_slots; }, rule_);
  slots_.assign(n_slots, std::vector<T>(parameters_.size()));
  rule_steps_ = 0;
}

template <class T>
void Network<T>::check_matrix(const AnyMatrix& X) const {
  const std::size_t n_columns = std::visit([](const auto& view) { return view.n_columns; }, X);
  if (n_columns != layers_.front()->inputs().size()) throw std::invalid_argument("X has the wrong number of columns");
  if (!is_sparse(X)) return;
  for (const auto& layer : layers_) {
    if (layer->multiplies_sparse()) return;
    if (!layer->scales_entries()) break;
  }
  throw std::invalid_argument(
      "sparse X needs a first layer that multiplies by weights, with at most dropout before it");
}

// Sparse batches pass the layers before it entry by entry.
template <class T>
std::size_t Network<T>::first_with_output() const {
  std::size_t l = 0;
  while (batch_.is_sparse() && !layers_[l]->multiplies_sparse()) ++l;
  return l;
}

template <class T>
void Network<T>::reserve(std::size_t n) {
  std::size_t widest = 0;
  for (std::size_t l = first_with_output(); l < layers_.size(); ++l) {
    const std::size_t width = layers_[l]->outputs().size();
    if (outputs_[l].size() < n * width) outputs_[l].resize(n * width);
    widest = std::max(widest, width);
  }
  for (auto& gradients : gradients_) {
    if (gradients.size() < n * widest) gradients.resize(n * widest);
  }
}

template <class T>
T* Network<T>::forward(const Pass& pass) {
  const std::size_t first = first_with_output();
  for (std::size_t l = 0; l < first; ++l) layers_[l]->scale_entries(pass, batch_.sparse());
  for (std::size_t l = first; l < layers_.size(); ++l) {
    T* y = outputs_[l].data();
    if (l > first) {
      layers_[l]->forward(pass, outputs_[l - 1].data(), y);
    } else if (batch_.is_sparse()) {
      layers_[l]->forward(pass, batch_.sparse(), y);
    } else {
      layers_[l]->forward(pass, batch_.dense(), y);
    }
  }
  return outputs_.back().data();
}

template <class T>
void Network<T>::backward(const Pass& pass) {
  const std::size_t first = first_with_output();
  for (std::size_t l = layers_.size() - 1; l > first; --l) {
    layers_[l]->backward(pass, outputs_[l - 1].data(), outputs_[l].data(), gradients_[0].data(), gradients_[1].data());
    std::swap(gradients_[0], gradients_[1]);
  }
  if (batch_.is_sparse()) {
    layers_[first]->backward(pass, batch_.sparse(), gradients_[0].data());
  } else {
    layers_[first]->backward(pass, batch_.dense(), outputs_[first].data(), gradients_[0].data(), nullptr);
  }
}

// The weighted sum of the losses of rows begin, ..., begin + n - 1; the gradient is that of their weighted mean.
template <class T>
double Network<T>::backpropagate(const NetworkData& data, std::size_t begin, std::size_t n, int n_threads,
                                 bool rescales, double* total_weight) {
  const std::int64_t* rows = data.rows + begin;
  double sum = static_cast<double>(n);
  if (data.weight != nullptr) {
    sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += data.weight[rows[i]];
  }
  *total_weight = sum;
  if (sum == 0) return 0;
  batch_.gather(data.X, rows, n);
  reserve(n);
  if (row_steps_ != nullptr) row_steps_->fetch(batch_.sparse().indices);
  const Pass pass = pass_of(n, Mode::train, n_threads, rescales);
  const T* z = forward(pass);
  const double loss = head_.loss(table_, z, data.targets, data.weight, rows, n, 1 / sum, gradients_[0].data());
  backward(pass);
  return loss;
}

template <class T>
void Network<T>::clip(const TrainingOptions& options) {
  const T limit = static_cast<T>(options.clip_limit);
  if (options.clip == GradientClip::value) {
    for (T& g : gradient_) g = std::clamp(g, -limit, limit);
  } else if (options.clip == GradientClip::norm) {
    double square = 0;
    for (const T g : gradient_) square += static_cast<double>(g) * static_cast<double>(g);
    if (square <= options.clip_limit * options.clip_limit) return;
    const T factor = static_cast<T>(options.clip_limit / std::sqrt(square));
    for (T& g : gradient_) g *= factor;
  }
}

template <class T>
void Network<T>::step(const TrainingOptions& options, double rate, double total_weight) {
  constexpr std::size_t long_enough = std::size_t{1} << 20;  // for threads to gain more than meeting costs
  const int n_threads = parameters_.size() < long_enough ? 1 : options.n_threads;
  clip(options);
  n_steps_ += 1;
  rule_steps_ += 1;
  Decay decay{options.l2 / total_weight, options.decoupled, options.l1 / total_weight};
  if (whitening_) {
    rate = whitened_rate(rate);
    owe_penalty(rate, decay);
    decay = {};
    if (shares_row_) step_shared(rate);
  }
  std::visit(
      [&](const auto& rule) {
        const auto update = [&](const Decay& of_part, std::size_t begin, std::size_t end) {
          T* slots[most_slots] = {};
          for (std::size_t i = 0; i < slots_.size(); ++i) slots[i] = slots_[i].data() + begin;
          dense_update(rule, of_part, table_, rate, rule_steps_, gradient_.data() + begin, parameters_.data() + begin,
                       slots, end - begin, n_threads);
        };
        update(decay, n_in_rows_, n_decaying_);
        update(Decay{}, n_decaying_, parameters_.size());
      },
      rule_);
  if (row_steps_ != nullptr) row_steps_->step(rate, rule_steps_, decay, batch_.sparse().indices);
  if (whitening_ && is_due(*whitening_, rule_steps_)) {
    end_block();
    for (const auto& layer : layers_) {
      if (layer->whitening() != nullptr) layer->whitening()->coordinates().refresh();
    }
  }
  for (const auto& layer : layers_) {
    if (!layer->has_after_step()) continue;
    if (shares_row_) fold_shared();
    layer->after_step();
  }
}

// In the metric of the whole network: the layers' squares add up.
template <class T>
double Network<T>::whitened_rate(double rate) {
  if (whitening_->normalize != LengthOver::network) return rate;
  double square = 0;
  for (const auto& layer : layers_) {
    if (layer->whitening() != nullptr) square += layer->whitening()->coordinates().square();
  }
  return rate / std::sqrt(whitening_->damping + square);
}

template <class T>
void Network<T>::owe_penalty(double rate, const Decay& decay) {
  for (const auto& layer : layers_) {
    if (layer->whitening() != nullptr) layer->whitening()->owe(rate * decay.l2, rate * decay.l1);
  }
}

// Layers before the first that multiplies sparse batches have no parameters: its weights are the first of all.
template <class T>
Layer<T>& Network<T>::first_with_weights() {
  return **std::find_if(layers_.begin(), layers_.end(), [](const auto& layer) { return layer->multiplies_sparse(); });
}

template <class T>
void Network<T>::step_shared(double rate) {
  auto& shared = first_with_weights().whitening()->shared();
  T* slots[most_slots] = {};
  for (std::size_t i = 0; i < shared.slots.size(); ++i) slots[i] = shared.slots[i].data();
  std::visit(
      [&](const auto& rule) {
        dense_update(rule, Decay{}, table_, rate, rule_steps_, shared.gradient.data(), shared.values.data(), slots,
                     shared.values.size());
      },
      rule_);
}

// The first weights are up to date thereafter.
template <class T>
void Network<T>::fold_shared() {
  if (row_steps_ != nullptr) row_steps_->settle();
  std::vector<T*> slots;
  for (auto& slot : slots_) slots.push_back(slot.data());
  first_with_weights().whitening()->fold(parameters_.data(), slots);
}

// What stands still while the coordinates do is brought up to date: the first weights of sparse batches, the penalty.
template <class T>
void Network<T>::end_block() {
  if (shares_row_) fold_shared();
  for (const auto& layer : layers_) {
    if (layer->whitening() == nullptr) continue;
    auto& parameters = layer->parameters();
    T* bias = parameters.back().decays ? nullptr : parameters.back().values;
    std::size_t first = 0;
    for (const Parameter<T>& parameter : parameters) {
      if (!parameter.decays) continue;
      layer->whitening()->pay(parameter.values, first, parameter.shape[0], bias);
      first += parameter.shape[0];
    }
    layer->whitening()->forget_debt();
  }
}

template <class T>
void Network<T>::begin_row_steps(const AnyMatrix& X, const TrainingOptions& options) {
  end_row_steps();  // of a call that an exception has ended
  shares_row_ = whitening_ && is_sparse(X);
  if (!is_sparse(X)) return;
  Layer<T>& first = first_with_weights();
  if (shares_row_) first.whitening()->begin_shared(slots_.size());
  if (first.has_after_step()) return;
  const Parameter<T>& weights = first.parameters()[0];
  RowMatrix<T> matrix = {weights.values, weights.gradient, {}, weights.shape[0], weights.shape[1]};
  for (auto& slot : slots_) matrix.slots.push_back(slot.data());
  const Decay decay{options.l2, options.decoupled, options.l1};
  row_steps_ = make_row_steps(rule_, whitening_ ? Decay{} : decay, table_, matrix);
  n_in_rows_ = row_steps_ != nullptr ? weights.size() : 0;
}

template <class T>
void Network<T>::end_row_steps() {
  if (row_steps_ != nullptr) row_steps_->settle();
  row_steps_.reset();
  n_in_rows_ = 0;
}

template <class T>
std::size_t Network<T>::n_batches(std::size_t n_rows, std::size_t batch_size) {
  const std::size_t n = (n_rows + batch_size - 1) / batch_size;
  return n_rows % batch_size == 1 && n > 1 && batch_size > 1 ? n - 1 : n;
}

template <class T>
double Network<T>::train(const NetworkData& data, const TrainingOptions& options, const double* rates,
                         const std::function<bool()>& interrupted) {
  check_matrix(data.X);
  double loss = 0;
  const std::size_t n = n_batches(data.n_rows, options.batch_size);
  begin_row_steps(data.X, options);
  for (std::size_t k = 0; k < n && !interrupted(); ++k) {
    const std::size_t begin = k * options.batch_size;
    const std::size_t end = k + 1 == n ? data.n_rows : begin + options.batch_size;
    double total_weight = 0;
    loss += backpropagate(data, begin, end - begin, options.n_threads, whitening_.has_value(), &total_weight);
    if (total_weight > 0) step(options, rates[k], total_weight);
  }
  if (whitening_) end_block();
  end_row_steps();
  return loss;
}

template <class T>
double Network<T>::differentiate(const NetworkData& data, int n_threads) {
  check_matrix(data.X);
  double total_weight = 0;
  const double loss = backpropagate(data, 0, data.n_rows, n_threads, false, &total_weight);
  return loss / total_weight;
}

template <class T>
void Network<T>::collect(const NetworkData& data, std::size_t batch_size, int n_threads) {
  check_matrix(data.X);
  const std::size_t n = n_batches(data.n_rows, batch_size);
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t begin = k * batch_size;
    const std::size_t count = (k + 1 == n ? data.n_rows : begin + batch_size) - begin;
    batch_.gather(data.X, data.rows + begin, count);
    reserve(count);
    forward(pass_of(count, Mode::collect, n_threads));
  }
  for (const auto& layer : layers_) layer->end_collecting();
}

template <class T>
double Network<T>::evaluate(const NetworkData& data, bool raw, T* out, int n_threads) {
  check_matrix(data.X);
  constexpr std::size_t most_rows = 256;
  double loss = 0;
  for (std::size_t begin = 0; begin < data.n_rows; begin += most_rows) {
    const std::size_t n = std::min(most_rows, data.n_rows - begin);
    batch_.gather(data.X, data.rows + begin, n);
    reserve(n);
    T* z = forward(pass_of(n, Mode::evaluate, n_threads));
    if (data.targets.classes != nullptr || data.targets.values != nullptr) {
      loss += head_.loss<T>(table_, z, data.targets, data.weight, data.rows + begin, n, 0, nullptr);
    }
    if (out == nullptr) continue;
    if (!raw) head_.predict(table_, z, n);
    std::copy(z, z + n * n_outputs(), out + begin * n_outputs());
  }
  return loss;
}

template class Network<float>;
template class Network<double>;

}  // namespace finitesum
