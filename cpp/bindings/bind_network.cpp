// Networks: one class in Python for both types of numbers. Arrays of parameters, gradients and state are views.
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bind.hpp"
#include "bindings/fit_report.hpp"
#include "bindings/matrix_arguments.hpp"
#include "core/parallel.hpp"
#include "network/network.hpp"

namespace finitesum {

namespace {

namespace py = pybind11;

// SciPy exports the BLAS it brings along to Cython: capsules named by the function's type.
template <class T>
GemmFunction<T> scipy_gemm(const char* name) {
  const py::dict exported = py::module_::import("scipy.linalg.cython_blas").attr("__pyx_capi__");
  const auto capsule = py::reinterpret_borrow<py::capsule>(exported[name]);
  const char* type = capsule.name();
  if (type == nullptr || std::strncmp(type, "void (char *, char *, int *", 27) != 0) {
    throw py::import_error(std::string("scipy.linalg.cython_blas.") + name + " has an unknown type");
  }
  return reinterpret_cast<GemmFunction<T>>(static_cast<void*>(capsule));
}

const Blas& scipy_blas() {
  static const Blas blas{scipy_gemm<float>("sgemm"), scipy_gemm<double>("dgemm")};
  return blas;
}

using AnyNetwork = std::variant<std::unique_ptr<Network<float>>, std::unique_ptr<Network<double>>>;

struct Handle {
  AnyNetwork network;
  std::unique_ptr<std::mutex> computing = std::make_unique<std::mutex>();
};

// While it lives the caller runs without the interpreter's lock, and alone: computations share the network's buffers.
class Computation {
 public:
  explicit Computation(const Handle& handle) : alone_(*handle.computing) {}

 private:
  py::gil_scoped_release unlocked_;  // first: who waits for the mutex must not hold the interpreter's lock
  std::lock_guard<std::mutex> alone_;
};

template <class Visit>
decltype(auto) visit(Handle& handle, const Visit& visitor) {
  return std::visit([&](auto& network) -> decltype(auto) { return visitor(*network); }, handle.network);
}

Handle make_network(bool is_single, const std::vector<std::size_t>& inputs,
                    const std::vector<std::pair<std::string, std::map<std::string, double>>>& layers,
                    const std::string& head, double label_smoothing, std::uint64_t seed, const std::string& isa) {
  if (inputs.empty() || inputs.size() > 3) throw std::invalid_argument("inputs must be 1 to 3 sizes");
  PlaneShape shape{inputs[0], inputs.size() > 1 ? inputs[1] : 1, inputs.size() > 2 ? inputs[2] : 1};
  if (shape.size() == 0 || shape.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw std::invalid_argument("inputs must be positive, and no more than 2^31 in all");
  }
  std::vector<LayerSpec> specs;
  for (const auto& [kind, options] : layers) specs.push_back({kind, options});
  const KernelTable& table = isa.empty() ? kernels() : kernels(isa);
  if (is_single) {
    return {std::make_unique<Network<float>>(shape, specs, head, label_smoothing, seed, table, scipy_blas())};
  }
  return {std::make_unique<Network<double>>(shape, specs, head, label_smoothing, seed, table, scipy_blas())};
}

// A view that keeps the network alive.
template <class T>
py::array view_of(const py::object& self, T* values, const std::vector<std::size_t>& shape) {
  return py::array_t<T>(shape, values, self);
}

py::list arrays_of(const py::object& self, bool gradients) {
  return visit(self.cast<Handle&>(), [&](auto& network) {
    py::list out;
    for (std::size_t l = 0; l < network.layers().size(); ++l) {
      for (const auto& p : network.layers()[l]->parameters()) {
        out.append(py::make_tuple(l, p.name, view_of(self, gradients ? p.gradient : p.values, p.shape)));
      }
    }
    return out;
  });
}

py::list state_of(const py::object& self) {
  return visit(self.cast<Handle&>(), [&](auto& network) {
    py::list out;
    for (std::size_t l = 0; l < network.layers().size(); ++l) {
      for (StateArray& state : network.layers()[l]->state()) {
        out.append(py::make_tuple(l, state.name, view_of(self, state.values.data(), {state.values.size()})));
      }
    }
    return out;
  });
}

py::array flat(const py::object& self, bool gradient) {
  return visit(self.cast<Handle&>(), [&](auto& network) {
    auto& values = gradient ? network.gradient() : network.parameters();
    return view_of(self, values.data(), {values.size()});
  });
}

py::list slots_of(const py::object& self) {
  return visit(self.cast<Handle&>(), [&](auto& network) {
    py::list out;
    for (auto& slot : network.slots()) out.append(view_of(self, slot.data(), {slot.size()}));
    return out;
  });
}

// Of layers that whiten their inputs, array by array.
py::list whitening_of(const py::object& self) {
  return visit(self.cast<Handle&>(), [&](auto& network) {
    py::list out;
    for (auto& layer : network.layers()) {
      if (layer->whitening() == nullptr) continue;
      for (auto& values : layer->whitening()->coordinates().state()) {
        out.append(view_of(self, values.data(), {values.size()}));
      }
    }
    return out;
  });
}

NetworkData data_of_call(Handle& handle, const py::object& X, const py::object& targets,
                         const py::object& sample_weight, const Array<std::int64_t>& rows) {
  NetworkData data{matrix_view(X), {}, nullptr, rows.data(), static_cast<std::size_t>(rows.size())};
  const auto n = static_cast<py::ssize_t>(n_rows_of(data.X));
  const std::int64_t* end = rows.data() + rows.size();
  if (std::any_of(rows.data(), end, [&](std::int64_t i) { return i < 0 || i >= n; })) {
    throw std::invalid_argument("rows must be indices of rows of X");
  }
  if (!sample_weight.is_none()) data.weight = finitesum::data_of<double>(sample_weight, n, "sample_weight");
  if (targets.is_none()) return data;
  const auto [head, n_outputs] = visit(
      handle, [](auto& network) { return std::pair{network.head(), static_cast<py::ssize_t>(network.n_outputs())}; });
  if (head == HeadKind::softmax) {
    data.targets.classes = finitesum::data_of<std::int32_t>(targets, n, "targets");
    const std::int32_t* classes = data.targets.classes;
    if (std::any_of(classes, classes + n, [&](std::int32_t k) { return k < 0 || k >= n_outputs; })) {
      throw std::invalid_argument("targets must be classes of the network's");
    }
  } else {
    data.targets.values = finitesum::data_of<double>(targets, n * n_outputs, "targets");
  }
  return data;
}

int used_threads(int n_threads) { return std::min(n_threads > 0 ? n_threads : available_threads(), most_threads()); }

// Asked after every batch; looks every 20 ms, as it may have to wait for the interpreter.
class InterruptCheck {
 public:
  bool operator()() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(20)) return pressed_;
    last_ = now;
    pressed_ = pressed_ || keyboard_interrupt_pending();
    return pressed_;
  }
  bool pressed() const { return pressed_; }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  bool pressed_ = false;
};

double train(Handle& handle, const py::object& X, const py::object& targets, const py::object& sample_weight,
             const Array<std::int64_t>& rows, const Array<double>& rates, std::size_t batch_size, double l2, double l1,
             double decoupled, const std::string& clip, double clip_limit, int n_threads) {
  if (batch_size == 0) throw std::invalid_argument("batch_size must be at least 1");
  if (targets.is_none()) throw std::invalid_argument("targets are needed");
  const NetworkData data = data_of_call(handle, X, targets, sample_weight, rows);
  check_decay({l2, decoupled, l1});
  for (py::ssize_t k = 0; k < rates.size(); ++k) check_rate(rates.data()[k]);
  const std::size_t n_batches = Network<double>::n_batches(data.n_rows, batch_size);
  if (static_cast<std::size_t>(rates.size()) < n_batches) throw std::invalid_argument("a rate per batch is needed");
  TrainingOptions options{batch_size, l2, l1, decoupled, GradientClip::none, clip_limit, used_threads(n_threads)};
  if (clip == "value") options.clip = GradientClip::value;
  if (clip == "norm") options.clip = GradientClip::norm;
  InterruptCheck interrupted;
  const double loss = visit(handle, [&](auto& network) {
    const Computation computation(handle);
    return network.train(data, options, rates.data(), [&] { return interrupted(); });
  });
  if (interrupted.pressed()) {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw py::error_already_set();
  }
  return loss;
}

py::tuple evaluate(Handle& handle, const py::object& X, const py::object& targets, const py::object& sample_weight,
                   const Array<std::int64_t>& rows, bool raw, int n_threads) {
  const NetworkData data = data_of_call(handle, X, targets, sample_weight, rows);
  return visit(handle, [&](auto& network) -> py::tuple {
    using T = typename std::decay_t<decltype(network.parameters())>::value_type;
    py::array_t<T> out({data.n_rows, network.n_outputs()});
    T* const values = out.mutable_data();
    double loss = 0;
    {
      const Computation computation(handle);
      loss = network.evaluate(data, raw, values, used_threads(n_threads));
    }
    return py::make_tuple(std::move(out), loss);
  });
}

}  // namespace

void bind_network(py::module_& m) {
  m.def("layer_names", &layer_names);
  py::class_<Handle> c(m, "Network");
  c.def(py::init(&make_network), py::kw_only(), py::arg("is_single"), py::arg("inputs"), py::arg("layers"),
        py::arg("head"), py::arg("label_smoothing") = 0.0, py::arg("seed") = 0, py::arg("isa") = "");
  c.def_property_readonly("parameters", [](const py::object& self) { return arrays_of(self, false); });
  c.def_property_readonly("gradients", [](const py::object& self) { return arrays_of(self, true); });
  c.def_property_readonly("state", &state_of);
  c.def_property_readonly("slots", &slots_of);
  c.def_property_readonly("whitening", &whitening_of);
  c.def_property_readonly("flat_parameters", [](const py::object& self) { return flat(self, false); });
  c.def_property_readonly("flat_gradient", [](const py::object& self) { return flat(self, true); });
  c.def_property_readonly("n_outputs", [](Handle& h) { return visit(h, [](auto& n) { return n.n_outputs(); }); });
  c.def_property(
      "n_steps", [](Handle& h) { return visit(h, [](auto& n) { return std::int64_t{n.n_steps()}; }); },
      [](Handle& h, std::int64_t k) { visit(h, [&](auto& n) { n.n_steps() = k; }); });
  c.def_property(
      "rule_steps", [](Handle& h) { return visit(h, [](auto& n) { return std::int64_t{n.rule_steps()}; }); },
      [](Handle& h, std::int64_t k) { visit(h, [&](auto& n) { n.rule_steps() = k; }); });
  c.def(
      "set_optimizer",
      [](Handle& h, const std::string& name, const OptimizerParameters& options) {
        visit(h, [&](auto& n) { n.set_optimizer(make_descent_rule(name, options)); });
      },
      py::arg("name"), py::arg("options") = OptimizerParameters{});
  c.def_static("n_batches", &Network<double>::n_batches, py::arg("n_rows"), py::arg("batch_size"));
  c.def("train", &train, py::arg("X"), py::arg("targets"), py::arg("sample_weight"), py::arg("rows").noconvert(),
        py::arg("rates").noconvert(), py::kw_only(), py::arg("batch_size"), py::arg("l2") = 0.0, py::arg("l1") = 0.0,
        py::arg("decoupled") = 0.0, py::arg("clip") = "none", py::arg("clip_limit") = 0.0, py::arg("n_threads") = 1);
  c.def(
      "differentiate",
      [](Handle& h, const py::object& X, const py::object& targets, const py::object& sample_weight,
         const Array<std::int64_t>& rows, int n_threads) {
        const NetworkData data = data_of_call(h, X, targets, sample_weight, rows);
        if (targets.is_none()) throw std::invalid_argument("targets are needed");
        return visit(h, [&](auto& n) {
          const Computation computation(h);
          return n.differentiate(data, used_threads(n_threads));
        });
      },
      py::arg("X"), py::arg("targets"), py::arg("sample_weight"), py::arg("rows").noconvert(), py::kw_only(),
      py::arg("n_threads") = 1);
  c.def(
      "collect",
      [](Handle& h, const py::object& X, const Array<std::int64_t>& rows, std::size_t batch_size, int n_threads) {
        if (batch_size == 0) throw std::invalid_argument("batch_size must be at least 1");
        const NetworkData data = data_of_call(h, X, py::none(), py::none(), rows);
        visit(h, [&](auto& n) {
          const Computation computation(h);
          n.collect(data, batch_size, used_threads(n_threads));
        });
      },
      py::arg("X"), py::arg("rows").noconvert(), py::arg("batch_size"), py::kw_only(), py::arg("n_threads") = 1);
  c.def("evaluate", &evaluate, py::arg("X"), py::arg("targets"), py::arg("sample_weight"), py::arg("rows").noconvert(),
        py::kw_only(), py::arg("raw") = false, py::arg("n_threads") = 1);
}

}  // namespace finitesum
