// Per-coordinate rules on arrays of the caller's, changed in place.
#include <pybind11/stl.h>

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bind.hpp"
#include "optimizers/dense_update.hpp"
#include "optimizers/sparse_iterate.hpp"
#include "optimizers/visit.hpp"
#include "optimizers/whitening.hpp"

namespace finitesum {

namespace {

namespace py = pybind11;
using Doubles = Array<double>;

struct Optimizer {
  Optimizer(const std::string& name, const OptimizerParameters& parameters, double l2, double decoupled, double l1)
      : rule(make_optimizer(name, parameters)), decay{l2, decoupled, l1} {
    check_decay(decay);
    std::visit(
        [&](const auto& r) {
          if (decay.l1 > 0.0 && !r.has_length) throw std::invalid_argument("optimizer '" + name + "' has no L1 prox");
        },
        rule);
  }

  std::size_t n_slots() const {
    return std::visit([](const auto& r) { return r.n_slots; }, rule);
  }

  AnyOptimizer rule;
  Decay decay;
};

// Step number k of all coordinates.
template <class T>
void update(const Optimizer& optimizer, const KernelTable& table, double rate, std::int64_t k, const Array<T>& g,
            Array<T>& w, std::vector<Array<T>>& slots, int n_threads) {
  check_rate(rate);
  if (slots.size() != optimizer.n_slots()) throw std::invalid_argument("the rule has another number of slots");
  const std::size_t n = common_length(g, w);
  T* places[most_slots] = {};
  for (std::size_t i = 0; i < slots.size(); ++i) {
    common_length(w, slots[i]);
    places[i] = slots[i].mutable_data();
  }
  T* const target = w.mutable_data();
  const int n_used = std::min(n_threads > 0 ? n_threads : available_threads(), most_threads());
  const py::gil_scoped_release unlocked;
  std::visit(
      [&](const auto& rule) {
        dense_update(rule, optimizer.decay, table, rate, k, g.data(), target, places, n, n_used);
      },
      optimizer.rule);
}

// Step s has the gradient values[i] in coordinate indices[i], offsets[s] <= i < offsets[s + 1], and zero elsewhere.
// Returns w and the slots as rows.
py::array_t<double> sparse_steps(const Optimizer& optimizer, const Doubles& rates, const Array<std::int64_t>& offsets,
                                 const Array<std::int64_t>& indices, const Doubles& values, const Doubles& w,
                                 std::size_t capacity) {
  const std::size_t n = common_length(w);
  py::array_t<double> out({optimizer.n_slots() + 1, n});
  std::visit(
      [&](const auto& rule) {
        if (rule.full_batch) throw std::invalid_argument(std::string(rule.name) + " takes full batches only");
        SparseIterate iterate(rule, optimizer.decay, w.data(), n, 0, capacity);
        for (py::ssize_t s = 0; s < rates.size(); ++s) {
          const std::int64_t begin = offsets.at(s);
          const std::int64_t end = offsets.at(s + 1);
          for (std::int64_t i = begin; i < end; ++i) iterate.fetch(static_cast<std::size_t>(indices.at(i)));
          iterate.begin_step(rates.at(s));
          for (std::int64_t i = begin; i < end; ++i) {
            iterate.update(static_cast<std::size_t>(indices.at(i)), values.at(i));
          }
        }
        iterate.settle();
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t i = 0; i <= rule.n_slots; ++i) out.mutable_at(i, j) = iterate.state(j)[i];
        }
      },
      optimizer.rule);
  return out;
}

template <class T>
void bind_update(py::class_<Optimizer>& c) {
  c.def(
      "update",
      [](const Optimizer& optimizer, double rate, std::int64_t k, const Array<T>& g, Array<T> w,
         std::vector<Array<T>> slots, const std::string& isa, int n_threads) {
        update<T>(optimizer, isa.empty() ? kernels() : kernels(isa), rate, k, g, w, slots, n_threads);
      },
      py::arg("learning_rate"), py::arg("k"), py::arg("gradient").noconvert(), py::arg("w").noconvert(),
      py::arg("slots").noconvert(), py::arg("isa") = "", py::arg("n_threads") = 1);
}

}  // namespace

void bind_optimizers(py::module_& m) {
  m.def("optimizer_names", &optimizer_names);
  m.def("optimizer_parameters", [](const std::string& name) {
    return std::visit([](const auto& rule) { return parameters_of(rule); }, make_optimizer(name, {}));
  });
  m.def("optimizer_defaults", [](const std::string& name) {
    return std::visit(
        [](const auto& rule) {
          return py::dict(py::arg("learning_rate") = rule.default_rate, py::arg("decoupled") = rule.default_decoupled,
                          py::arg("full_batch") = rule.full_batch);
        },
        make_optimizer(name, {}));
  });
  m.def(
      "check_optimizer",
      [](const std::string& name, const OptimizerParameters& given) { make_descent_rule(name, given); },
      py::arg("name"), py::arg("parameters"));
  m.def("whitening_parameters", [] { return parameters_of(WhiteningOptions{}); });
  py::class_<Optimizer> c(m, "Optimizer");
  c.def(py::init<const std::string&, const OptimizerParameters&, double, double, double>(), py::arg("name"),
        py::arg("parameters"), py::arg("l2") = 0.0, py::arg("decoupled") = 0.0, py::arg("l1") = 0.0);
  c.def_property_readonly("n_slots", &Optimizer::n_slots);
  bind_update<float>(c);
  bind_update<double>(c);
  c.def("sparse_steps", &sparse_steps, py::arg("learning_rates"), py::arg("offsets"), py::arg("indices"),
        py::arg("values"), py::arg("w"), py::arg("capacity") = 4096);
}

}  // namespace finitesum
