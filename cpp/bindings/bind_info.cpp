// What was built, and what it runs on.
#include <pybind11/stl.h>

#include "bindings/bind.hpp"
#include "core/parallel.hpp"
#include "isa/isa.hpp"

namespace finitesum {

void bind_info(pybind11::module_& m) {
  m.def("version", [] { return FINITESUM_VERSION; });
#ifdef __clang__
  m.def("compiler", [] { return __VERSION__; });
#else
  m.def("compiler", [] { return "GCC " __VERSION__; });
#endif
  m.def("isa", [] { return kernels().isa; });
  m.def("available_isas", &available_isas);
  m.def("available_threads", &available_threads);
}

}  // namespace finitesum
