// Layers on arrays of the caller's; Python has checked shapes and dtypes, and those of parameters are checked here.
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <string>

#include "bindings/arrays.hpp"
#include "bindings/bind.hpp"
#include "core/parallel.hpp"
#include "layers/batch_norm.hpp"

namespace finitesum {

namespace {

namespace py = pybind11;
using Doubles = Array<double>;

template <class T>
using OptionalArray = std::optional<Array<T>>;

template <class T>
BatchShape shape_of(const Array<T>& x) {
  if (x.ndim() < 2 || x.size() == 0) throw std::invalid_argument("x must have the shape (samples, channels, ...)");
  const auto samples = static_cast<std::size_t>(x.shape(0));
  const auto channels = static_cast<std::size_t>(x.shape(1));
  return {samples, channels, static_cast<std::size_t>(x.size()) / (samples * channels)};
}

void check_length(py::ssize_t found, std::size_t wanted) {
  if (static_cast<std::size_t>(found) != wanted) throw std::invalid_argument("the arrays do not fit together");
}

template <class T>
const T* channel_data(const OptionalArray<T>& values, const BatchShape& shape) {
  if (!values.has_value()) return nullptr;
  check_length(values->size(), shape.channels);
  return values->data();
}

int used_threads(int n_threads) {
  if (n_threads == 1) return 1;  // without asking the system how many there are
  return std::min(n_threads > 0 ? n_threads : available_threads(), most_threads());
}

const KernelTable& table_of(const std::string& isa) { return isa.empty() ? kernels() : kernels(isa); }

template <class T>
py::tuple batch_moments_of(const Array<T>& x, int n_threads, const std::string& isa) {
  const BatchShape shape = shape_of(x);
  const KernelTable& table = table_of(isa);
  Doubles mean(static_cast<py::ssize_t>(shape.channels));
  Doubles variance(static_cast<py::ssize_t>(shape.channels));
  double* const mean_data = mean.mutable_data();
  double* const variance_data = variance.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    batch_moments(table, x.data(), shape, mean_data, variance_data, used_threads(n_threads));
  }
  return py::make_tuple(std::move(mean), std::move(variance));
}

template <class T>
BatchNorm<T> norm_of(const BatchShape& shape, const Doubles& mean, const Doubles& variance,
                     const OptionalArray<T>& gamma, const OptionalArray<T>& beta, double eps, bool relu) {
  check_length(mean.size(), shape.channels);
  check_length(variance.size(), shape.channels);
  return {mean.data(), variance.data(), channel_data(gamma, shape), channel_data(beta, shape), eps, relu};
}

template <class T>
void batch_normalize_into(const Array<T>& x, const Doubles& mean, const Doubles& variance,
                          const OptionalArray<T>& gamma, const OptionalArray<T>& beta, double eps, bool relu,
                          Array<T>& y, int n_threads, const std::string& isa) {
  const BatchShape shape = shape_of(x);
  check_length(y.size(), shape.size());
  const BatchNorm<T> norm = norm_of(shape, mean, variance, gamma, beta, eps, relu);
  const KernelTable& table = table_of(isa);
  T* const target = y.mutable_data();
  const py::gil_scoped_release unlocked;
  batch_normalize(table, x.data(), shape, norm, target, used_threads(n_threads));
}

// running <- (1 - momentum) running + momentum factor of_batch
template <class T>
void move_running(OptionalArray<T>& running, const Doubles& of_batch, double momentum, double factor) {
  if (!running.has_value()) return;
  check_length(running->size(), static_cast<std::size_t>(of_batch.size()));
  T* const values = running->mutable_data();
  for (py::ssize_t c = 0; c < of_batch.size(); ++c) {
    values[c] =
        static_cast<T>((1.0 - momentum) * static_cast<double>(values[c]) + momentum * (factor * of_batch.data()[c]));
  }
}

// Mean and variance of the batch; these move what is given of the running ones, the variance without its bias.
template <class T>
py::tuple batch_norm_training_into(const Array<T>& x, const OptionalArray<T>& gamma, const OptionalArray<T>& beta,
                                   OptionalArray<T>& running_mean, OptionalArray<T>& running_var, double momentum,
                                   double eps, bool relu, Array<T>& y, int n_threads) {
  const BatchShape shape = shape_of(x);
  check_length(y.size(), shape.size());
  Doubles mean(static_cast<py::ssize_t>(shape.channels));
  Doubles variance(static_cast<py::ssize_t>(shape.channels));
  const BatchNorm<T> norm = norm_of(shape, mean, variance, gamma, beta, eps, relu);
  double* const statistics[] = {mean.mutable_data(), variance.mutable_data()};
  T* const target = y.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    batch_moments(kernels(), x.data(), shape, statistics[0], statistics[1], used_threads(n_threads));
    batch_normalize(kernels(), x.data(), shape, norm, target, used_threads(n_threads));
  }
  const auto m = static_cast<double>(shape.per_channel());
  move_running(running_mean, mean, momentum, 1.0);
  move_running(running_var, variance, momentum, m / (m - 1.0));
  return py::make_tuple(std::move(mean), std::move(variance));
}

template <class T>
void batch_norm_gradients_into(const Array<T>& x, const Array<T>& dy, const Doubles& mean, const Doubles& variance,
                               const OptionalArray<T>& gamma, const OptionalArray<T>& beta, double eps, bool relu,
                               bool of_batch, Array<T>& dx, Array<T>& dgamma, Array<T>& dbeta, int n_threads,
                               const std::string& isa) {
  const BatchShape shape = shape_of(x);
  check_length(dy.size(), shape.size());
  check_length(dx.size(), shape.size());
  check_length(dgamma.size(), shape.channels);
  check_length(dbeta.size(), shape.channels);
  const BatchNorm<T> norm = norm_of(shape, mean, variance, gamma, beta, eps, relu);
  const KernelTable& table = table_of(isa);
  T* const targets[] = {dx.mutable_data(), dgamma.mutable_data(), dbeta.mutable_data()};
  const py::gil_scoped_release unlocked;
  batch_norm_gradients(table, x.data(), dy.data(), shape, norm, of_batch, targets[0], targets[1], targets[2],
                       used_threads(n_threads));
}

template <class T>
void bind_batch_norm(py::module_& m) {
  const auto x = py::arg("x").noconvert();
  const auto mean = py::arg("mean").noconvert();
  const auto variance = py::arg("variance").noconvert();
  const auto gamma = py::arg("gamma").noconvert();
  const auto beta = py::arg("beta").noconvert();
  m.def("batch_moments", &batch_moments_of<T>, x, py::arg("n_threads") = 1, py::arg("isa") = "");
  m.def("batch_normalize", &batch_normalize_into<T>, x, mean, variance, gamma, beta, py::arg("eps"), py::arg("relu"),
        py::arg("y").noconvert(), py::arg("n_threads") = 1, py::arg("isa") = "");
  m.def("batch_norm_training", &batch_norm_training_into<T>, x, gamma, beta, py::arg("running_mean").noconvert(),
        py::arg("running_var").noconvert(), py::arg("momentum"), py::arg("eps"), py::arg("relu"),
        py::arg("y").noconvert(), py::arg("n_threads"));
  m.def("batch_norm_gradients", &batch_norm_gradients_into<T>, x, py::arg("dy").noconvert(), mean, variance, gamma,
        beta, py::arg("eps"), py::arg("relu"), py::arg("of_batch"), py::arg("dx").noconvert(),
        py::arg("dgamma").noconvert(), py::arg("dbeta").noconvert(), py::arg("n_threads") = 1, py::arg("isa") = "");
}

}  // namespace

void bind_layers(py::module_& m) {
  bind_batch_norm<float>(m);
  bind_batch_norm<double>(m);
}

}  // namespace finitesum
