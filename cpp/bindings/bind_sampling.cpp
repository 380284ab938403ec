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

RowSampler make_sampler(std::uint64_t seed, std::size_t n, const std::optional<Array<double>>& smoothness,
                        const std::string& sampling = "uniform") {
  const auto* const name = std::find(sampling_names.begin(), sampling_names.end(), sampling);
  if (name == sampling_names.end()) throw py::value_error("unknown sampling '" + sampling + "'");
  RowSampler sampler(seed, n, static_cast<Sampling>(name - sampling_names.begin()));
  if (smoothness.has_value()) {
    if (static_cast<std::size_t>(smoothness->size()) != n) throw py::value_error("smoothness must hold n numbers");
    sampler.use_smoothness(std::vector<double>(smoothness->data(), smoothness->data() + n));
  }
  return sampler;
}

}  // namespace

void bind_sampling(py::module_& m) {
  m.def(
      "draws",
      [](std::uint64_t seed, std::uint64_t epoch, std::size_t first, std::size_t count, std::size_t n,
         const std::optional<Array<double>>& smoothness, const std::string& sampling) {
        const RowSampler sampler = make_sampler(seed, n, smoothness, sampling);
        Array<std::int64_t> out(static_cast<py::ssize_t>(count));
        std::int64_t* rows = out.mutable_data();
        std::array<Draw, RowSampler::max_draws> block;
        for (std::size_t done = 0; done < count; done += block.size()) {
          const std::size_t size = std::min(block.size(), count - done);
          sampler.draw(epoch, first + done, size, block.data());
          std::transform(block.begin(), block.begin() + size, rows + done,
                         [](const Draw& draw) { return static_cast<std::int64_t>(draw.row); });
        }
        return out;
      },
      py::arg("seed"), py::arg("epoch"), py::arg("first"), py::arg("count"), py::arg("n"), py::arg("smoothness"),
      py::arg("sampling") = "uniform");
  m.def(
      "importance",
      [](const Array<double>& smoothness) {
        const auto n = static_cast<std::size_t>(smoothness.size());
        const RowSampler sampler = make_sampler(0, n, smoothness);
        Array<double> out(smoothness.size());
        for (std::size_t i = 0; i < n; ++i) out.mutable_data()[i] = sampler.importance(i);
        return out;
      },
      py::arg("smoothness"));
}

}  // namespace finitesum
