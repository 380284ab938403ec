// The compiled half of the package: _core.
#include <exception>

#include "bindings/bind.hpp"
#include "isa/isa.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_core, m) {
  if (!finitesum::supported_baseline()) {
    throw py::import_error("finitesum needs a processor with the x86-64-v2 instruction set (SSE4.2, since about 2009)");
  }
  try {
    finitesum::kernels();
  } catch (const std::exception& error) {
    throw py::import_error(error.what());
  }
  finitesum::bind_info(m);
  finitesum::bind_kernels(m);
  finitesum::bind_layers(m);
  finitesum::bind_losses(m);
  finitesum::bind_network(m);
  finitesum::bind_optimizers(m);
  finitesum::bind_penalties(m);
  finitesum::bind_sampling(m);
  finitesum::bind_fit(m);
  finitesum::bind_fit_multi(m);
  finitesum::bind_certify(m);
  finitesum::bind_sgd(m);
}
