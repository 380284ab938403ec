// The losses and the elementary functions they are made of, elementwise.
#include <pybind11/stl.h>

#include <string>
#include <variant>

#include "bindings/arrays.hpp"
#include "bindings/bind.hpp"
#include "losses/visit.hpp"

namespace finitesum {

namespace {

const char* text(TargetDomain domain) {
  switch (domain) {
    case TargetDomain::real:
      return "real";
    case TargetDomain::sign:
      return "sign";
    case TargetDomain::nonnegative:
      break;
  }
  return "nonnegative";
}

// Binds name(loss, parameter, a, y) -> method(a_i, y_i).
template <class Method>
void bind_elementwise(pybind11::module_& m, const char* name, const Method& method) {
  m.def(
      name,
      [method](const std::string& loss, double parameter, const Array<double>& a, const Array<double>& y) {
        return std::visit(
            [&](const auto& l) {
              return map_elements([&](double a_i, double y_i) { return method(l, a_i, y_i); }, a, y);
            },
            make_loss(loss, parameter));
      },
      pybind11::arg("name"), pybind11::arg("parameter"), pybind11::arg("a"), pybind11::arg("y"));
}

template <class Function>
void bind_elementary(pybind11::module_& m, const char* name, const Function& function) {
  m.def(name, [function](const Array<double>& x) { return map_elements(function, x); });
}

}  // namespace

void bind_losses(pybind11::module_& m) {
  m.def("loss_names", &loss_names);
  bind_elementwise(m, "loss_value", [](const auto& l, double z, double y) { return l.value(z, y); });
  bind_elementwise(m, "loss_derivative", [](const auto& l, double z, double y) { return l.derivative(z, y); });
  bind_elementwise(m, "loss_curvature", [](const auto& l, double z, double y) { return l.curvature(z, y); });
  bind_elementwise(m, "loss_conjugate", [](const auto& l, double u, double y) { return l.conjugate(u, y); });
  m.def(
      "loss_dual_step",
      [](const std::string& loss, double parameter, double z, double u, double q, double y) {
        return std::visit([&](const auto& l) { return l.dual_step(z, u, q, y); }, make_loss(loss, parameter));
      },
      pybind11::arg("name"), pybind11::arg("parameter"), pybind11::arg("z"), pybind11::arg("u"), pybind11::arg("q"),
      pybind11::arg("y"));
  m.def("loss_smoothness", [](const std::string& loss, double parameter) {
    return std::visit([](const auto& l) { return l.smoothness(); }, make_loss(loss, parameter));
  });
  m.def("loss_target_domain", [](const std::string& loss) {
    return std::visit([](const auto& l) { return text(l.target_domain); }, make_loss(loss, 1.0));
  });

  bind_elementary(m, "math_exp", [](double x) { return math::exp(x); });
  bind_elementary(m, "math_expm1_of_negative", [](double x) { return math::expm1_of_negative(x); });
  bind_elementary(m, "math_log", [](double x) { return math::log(x); });
  bind_elementary(m, "math_log1p", [](double x) { return math::log1p(x); });
}

}  // namespace finitesum
