// Each bind_*.cpp adds its functions to the module; module.cpp calls them all.
#pragma once

#include <pybind11/pybind11.h>

namespace finitesum {

void bind_certify(pybind11::module_& m);
void bind_fit(pybind11::module_& m);
void bind_fit_multi(pybind11::module_& m);
void bind_info(pybind11::module_& m);
void bind_kernels(pybind11::module_& m);
void bind_layers(pybind11::module_& m);
void bind_losses(pybind11::module_& m);
void bind_network(pybind11::module_& m);
void bind_optimizers(pybind11::module_& m);
void bind_penalties(pybind11::module_& m);
void bind_sampling(pybind11::module_& m);
void bind_sgd(pybind11::module_& m);

}  // namespace finitesum
