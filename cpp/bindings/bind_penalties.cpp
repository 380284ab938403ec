// The penalties, coordinate by coordinate.
#include <pybind11/stl.h>

#include <string>
#include <variant>

#include "bindings/arrays.hpp"
#include "bindings/bind.hpp"
#include "penalties/visit.hpp"

namespace finitesum {

void bind_penalties(pybind11::module_& m) {
  using Doubles = Array<double>;
  m.def("penalty_names", &penalty_names);
  m.def("penalty_value", [](const std::string& name, double alpha, double l1_ratio, const Doubles& w) {
    return std::visit([&](const auto& p) { return map_elements([&](double w_j) { return p.value(w_j); }, w); },
                      make_penalty(name, alpha, l1_ratio));
  });
  m.def("penalty_conjugate", [](const std::string& name, double alpha, double l1_ratio, const Doubles& v) {
    return std::visit([&](const auto& p) { return map_elements([&](double v_j) { return p.conjugate(v_j); }, v); },
                      make_penalty(name, alpha, l1_ratio));
  });
  m.def("penalty_prox", [](const std::string& name, double alpha, double l1_ratio, const Doubles& v, double step) {
    return std::visit([&](const auto& p) { return map_elements([&](double v_j) { return p.prox(v_j, step); }, v); },
                      make_penalty(name, alpha, l1_ratio));
  });
  m.def("penalty_lazy_prox", [](const std::string& name, double alpha, double l1_ratio, const Doubles& w,
                                const Doubles& drift, double step, const Array<std::int64_t>& k) {
    return std::visit(
        [&](const auto& p) {
          const LazyProx lazy = p.lazy(step);
          return map_elements(lazy, w, drift, k);
        },
        make_penalty(name, alpha, l1_ratio));
  });
  m.def("penalty_lazy_path_sum", [](const std::string& name, double alpha, double l1_ratio, const Doubles& w,
                                    const Doubles& drift, double step, const Array<std::int64_t>& k) {
    return std::visit(
        [&](const auto& p) {
          const LazyProx lazy = p.lazy(step);
          const auto sum = [&](double w_j, double drift_j, std::int64_t k_j) {
            return lazy.path_sum(w_j, drift_j, k_j);
          };
          return map_elements(sum, w, drift, k);
        },
        make_penalty(name, alpha, l1_ratio));
  });
}

}  // namespace finitesum
