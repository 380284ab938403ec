// The stream of rows that the stochastic solvers visit, and its importance weights, for the tests' slow twins.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bind.hpp"
#include "solvers/sampling.hpp"

namespace py = pybind11;

namespace finitesum {
namespace {

SmoothnessSampler by_smoothness(const Array<double>& smoothness, double l2) {
  const double* const values = smoothness.data();
  const auto n = static_cast<std::size_t>(smoothness.size());
  if (n == 0) throw py::value_error("smoothness must hold a number");
  return {n, *std::max_element(values, values + n), l2, [values](std::size_t i) { return values[i]; }};
}

RowSampler make_sampler(std::uint64_t seed, std::size_t n, const std::optional<Array<double>>& smoothness,
                        const std::string& sampling) {
  const auto* const name = std::find(sampling_names.begin(), sampling_names.end(), sampling);
  if (name == sampling_names.end()) throw py::value_error("unknown sampling '" + sampling + "'");
  RowSampler sampler(seed, n, static_cast<Sampling>(name - sampling_names.begin()));
  if (smoothness.has_value()) {
    if (static_cast<std::size_t>(smoothness->size()) != n) throw py::value_error("smoothness must hold n numbers");
    sampler.by_smoothness() = by_smoothness(*smoothness, 0);
  }
  return sampler;
}

// draw(first, size, block) for every block.
template <class DrawBlock>
Array<std::int64_t> rows_drawn(std::size_t first, std::size_t count, const DrawBlock& draw) {
  Array<std::int64_t> out(static_cast<py::ssize_t>(count));
  std::int64_t* rows = out.mutable_data();
  std::array<Draw, RowSampler::max_draws> block;
  for (std::size_t done = 0; done < count; done += block.size()) {
    const std::size_t size = std::min(block.size(), count - done);
    draw(first + done, size, block.data());
    std::transform(block.begin(), block.begin() + size, rows + done,
                   [](const Draw& draw) { return static_cast<std::int64_t>(draw.row); });
  }
  return out;
}

template <class Value>
Array<double> of_every_row(std::size_t n, const Value& value) {
  Array<double> out(static_cast<py::ssize_t>(n));
  for (std::size_t i = 0; i < n; ++i) out.mutable_data()[i] = value(i);
  return out;
}

void bind_smoothness_sampler(py::module_& m) {
  py::class_<SmoothnessSampler>(m, "SmoothnessSampler")
      .def(py::init(&by_smoothness), py::arg("smoothness"), py::arg("l2"))
      .def(
          "draws",
          [](const SmoothnessSampler& self, std::uint64_t seed, std::uint64_t epoch, std::size_t first,
             std::size_t count) {
            const Philox random(seed, epoch);
            return rows_drawn(first, count, [&](std::size_t begin, std::size_t size, Draw* out) {
              self.draw(random, begin, size, out);
            });
          },
          py::arg("seed"), py::arg("epoch"), py::arg("first"), py::arg("count"))
      .def("importance",
           [](const SmoothnessSampler& self) {
             return of_every_row(self.size(), [&](std::size_t i) { return self.importance(i); });
           })
      .def("estimates",
           [](const SmoothnessSampler& self) {
             return of_every_row(self.size(), [&](std::size_t i) { return self.estimate(i); });
           })
      .def(
          "set_estimate",
          [](SmoothnessSampler& self, std::size_t i, double smoothness) {
            if (i >= self.size()) throw py::index_error("there is no such row");
            self.set_estimate(i, smoothness);
          },
          py::arg("i"), py::arg("smoothness"))
      .def("max", &SmoothnessSampler::max)
      .def("mean", &SmoothnessSampler::mean)
      .def("draw_shares", &SmoothnessSampler::draw_shares)
      .def("refresh", &SmoothnessSampler::refresh);
}

}  // namespace

void bind_sampling(py::module_& m) {
  m.def(
      "draws",
      [](std::uint64_t seed, std::uint64_t epoch, std::size_t first, std::size_t count, std::size_t n,
         const std::optional<Array<double>>& smoothness, const std::string& sampling) {
        const RowSampler sampler = make_sampler(seed, n, smoothness, sampling);
        return rows_drawn(first, count, [&](std::size_t begin, std::size_t size, Draw* out) {
          sampler.draw(epoch, begin, size, out);
        });
      },
      py::arg("seed"), py::arg("epoch"), py::arg("first"), py::arg("count"), py::arg("n"), py::arg("smoothness"),
      py::arg("sampling") = "uniform");
  bind_smoothness_sampler(m);
}

}  // namespace finitesum
