// Every kernel of every instruction set, so that one machine can test and time them all: kernels(isa).dense_dot(x,
// w)... Arrays named w, d and out are changed in place.
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <variant>

#include "bindings/arrays.hpp"
#include "bindings/bind.hpp"
#include "isa/isa.hpp"
#include "losses/visit.hpp"

namespace finitesum {

namespace {

namespace py = pybind11;

using Doubles = Array<double>;
using Class = py::class_<KernelTable>;

template <class T>
void bind_dense(Class& c) {
  const auto x = py::arg("x").noconvert();
  const auto w = py::arg("w").noconvert();
  const auto d = py::arg("d").noconvert();
  c.def(
      "dense_dot",
      [](const KernelTable& k, const Array<T>& x, const Doubles& w) {
        return dense<T>(k).dot(x.data(), w.data(), common_length(x, w));
      },
      x, w);
  c.def(
      "squared_norm",
      [](const KernelTable& k, const Array<T>& x) { return dense<T>(k).squared_norm(x.data(), common_length(x)); }, x);
  c.def(
      "dense_axpy",
      [](const KernelTable& k, double a, const Array<T>& x, Doubles& w) {
        dense<T>(k).axpy(a, x.data(), w.mutable_data(), common_length(x, w));
      },
      py::arg("a"), x, w);
  c.def(
      "dense_axpy_squares",
      [](const KernelTable& k, double a, const Array<T>& x, Doubles& w) {
        dense<T>(k).axpy_squares(a, x.data(), w.mutable_data(), common_length(x, w));
      },
      py::arg("a"), x, w);
  c.def(
      "pack_row",
      [](const KernelTable& k, double a, const Array<T>& x, Doubles& strips) {
        const std::size_t n = common_length(x);
        if (common_length(strips) < (n + strip_width - 1) / strip_width * strip_width)
          throw std::invalid_argument("the strips are too short");
        dense<T>(k).pack_row(a, x.data(), n, strips.mutable_data(), strip_width);
      },
      py::arg("a"), x, py::arg("strips").noconvert());
  const auto bind_step = [&](const char* name, auto member) {
    c.def(
        name,
        [member](const KernelTable& k, const Array<T>& x, Doubles& w, Doubles& d, double direction, double fresh,
                 double change, double threshold, double shrink) {
          const StepCoefficients coefficients = {direction, fresh, change, threshold, shrink};
          (dense<T>(k).*member)(x.data(), w.mutable_data(), d.mutable_data(), common_length(x, w, d), &coefficients);
        },
        x, w, d, py::arg("direction"), py::arg("fresh"), py::arg("change"), py::arg("threshold"), py::arg("shrink"));
  };
  bind_step("dense_step", &DenseKernels<T>::step);
  bind_step("dense_step_l1", &DenseKernels<T>::step_l1);
}

template <class T>
void bind_scaled_dense(Class& c) {
  const auto x = py::arg("x").noconvert();
  const auto centers = py::arg("centers").noconvert();
  const auto factors = py::arg("factors").noconvert();
  const auto w = py::arg("w").noconvert();
  const auto d = py::arg("d").noconvert();
  c.def(
      "centered_dot",
      [](const KernelTable& k, const Array<T>& x, const Doubles& centers, const Doubles& w) {
        return dense<T>(k).centered_dot(x.data(), centers.data(), w.data(), common_length(x, centers, w));
      },
      x, centers, w);
  c.def(
      "scaled_squared_norm",
      [](const KernelTable& k, const Array<T>& x, const Doubles& centers, const Doubles& factors) {
        const std::size_t n = common_length(x, centers, factors);
        return dense<T>(k).scaled_squared_norm(x.data(), centers.data(), factors.data(), n);
      },
      x, centers, factors);
  const auto bind_step = [&](const char* name, auto member) {
    c.def(
        name,
        [member](const KernelTable& k, const Array<T>& x, Doubles& w, Doubles& d, const Doubles& centers,
                 const Doubles& factors, double direction, double fresh, double change, double threshold, double decay,
                 double base) {
          const std::size_t n = common_length(x, w, d, centers, factors);
          const ScaledStep step = {direction, fresh, change, threshold, decay, base, centers.data(), factors.data()};
          (dense<T>(k).*member)(x.data(), w.mutable_data(), d.mutable_data(), n, &step);
        },
        x, w, d, centers, factors, py::arg("direction"), py::arg("fresh"), py::arg("change"), py::arg("threshold"),
        py::arg("decay"), py::arg("base"));
  };
  bind_step("scaled_step", &DenseKernels<T>::scaled_step);
  bind_step("scaled_step_l1", &DenseKernels<T>::scaled_step_l1);
}

template <class I>
void check_indices(const Array<I>& indices, const Doubles& w) {
  for (py::ssize_t i = 0; i < indices.size(); ++i) {
    if (indices.data()[i] < 0 || indices.data()[i] >= w.size()) throw std::invalid_argument("index out of range");
  }
}

template <class T, class I>
void bind_sparse(Class& c) {
  const auto values = py::arg("values").noconvert();
  const auto indices = py::arg("indices").noconvert();
  const auto w = py::arg("w").noconvert();
  c.def(
      "sparse_dot",
      [](const KernelTable& k, const Array<T>& values, const Array<I>& indices, const Doubles& w) {
        check_indices(indices, w);
        return sparse<T, I>(k).dot(values.data(), indices.data(), common_length(values, indices), w.data());
      },
      values, indices, w);
  c.def(
      "sparse_axpy",
      [](const KernelTable& k, double a, const Array<T>& values, const Array<I>& indices, Doubles& w) {
        check_indices(indices, w);
        sparse<T, I>(k).axpy(a, values.data(), indices.data(), common_length(values, indices), w.mutable_data());
      },
      py::arg("a"), values, indices, w);
}

// Calls use(kernels of the named loss, address of its struct).
template <class Use>
auto with_loss(const KernelTable& table, const std::string& name, double parameter, const Use& use) {
  const AnyLoss any = make_loss(name, parameter);
  return std::visit([&](const auto& loss) { return use(table.losses[loss_index(any)], &loss); }, any);
}

const double* weights_data(const std::optional<Doubles>& s, std::size_t n) {
  if (!s.has_value()) return nullptr;
  if (common_length(*s) != n) throw std::invalid_argument("the arrays must have the same length");
  return s->data();
}

void bind_loss_kernels(Class& c) {
  c.def("value_sum", [](const KernelTable& table, const std::string& name, double parameter, const Doubles& z,
                        const Doubles& y, const std::optional<Doubles>& s) {
    const std::size_t n = common_length(z, y);
    return with_loss(table, name, parameter, [&](const LossKernels& k, const void* loss) {
      return k.value_sum(loss, z.data(), y.data(), weights_data(s, n), n);
    });
  });
  c.def("conjugate_sum", [](const KernelTable& table, const std::string& name, double parameter, double scale,
                            const Doubles& u, const Doubles& y, const std::optional<Doubles>& s) {
    const std::size_t n = common_length(u, y);
    return with_loss(table, name, parameter, [&](const LossKernels& k, const void* loss) {
      return k.conjugate_sum(loss, scale, u.data(), y.data(), weights_data(s, n), n);
    });
  });
  const auto bind_elementwise = [&](const char* method, auto member) {
    c.def(method, [member](const KernelTable& table, const std::string& name, double parameter, const Doubles& z,
                           const Doubles& y) {
      const std::size_t n = common_length(z, y);
      Doubles out(static_cast<py::ssize_t>(n));
      with_loss(table, name, parameter, [&](const LossKernels& k, const void* loss) {
        (k.*member)(loss, z.data(), y.data(), out.mutable_data(), n);
      });
      return out;
    });
  };
  bind_elementwise("derivatives", &LossKernels::derivatives);
  bind_elementwise("curvatures", &LossKernels::curvatures);
}

}  // namespace

void bind_kernels(py::module_& m) {
  Class c(m, "Kernels");
  c.def_readonly("isa", &KernelTable::isa);
  bind_dense<float>(c);
  bind_dense<double>(c);
  bind_scaled_dense<float>(c);
  bind_scaled_dense<double>(c);
  bind_sparse<float, std::int32_t>(c);
  bind_sparse<float, std::int64_t>(c);
  bind_sparse<double, std::int32_t>(c);
  bind_sparse<double, std::int64_t>(c);
  bind_loss_kernels(c);
  c.def("multiply_strips", [](const KernelTable& k, const Doubles& a, const Doubles& b, Doubles& out) {
    const std::size_t size = common_length(a, b);
    if (size % strip_width != 0 || common_length(out) != strip_width * strip_width)
      throw std::invalid_argument("the arrays must be strips and a tile");
    k.multiply_strips(a.data(), b.data(), size / strip_width, out.mutable_data());
  });
  m.def(
      "kernels", [](const std::string& isa) -> const KernelTable& { return kernels(isa); },
      py::return_value_policy::reference);
}

}  // namespace finitesum
