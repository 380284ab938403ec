// Rows of the caller's matrix, gathered in the network's type: the next batch.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "core/matrix_view.hpp"
#include "layers/layer.hpp"

namespace finitesum {

template <class T>
class Batch {
 public:
  void gather(const AnyMatrix& X, const std::int64_t* rows, std::size_t n) {
    std::visit([&](const auto& view) { gather_from(view, rows, n); }, X);
  }
  bool is_sparse() const { return is_sparse_; }
  const T* dense() const { return dense_.data(); }
  SparseBatch<T>& sparse() { return sparse_; }

 private:
  template <class View>
  void gather_from(const View& X, const std::int64_t* rows, std::size_t n) {
    is_sparse_ = View::is_sparse;
    if constexpr (View::is_sparse) {
      sparse_.values.clear();
      sparse_.indices.clear();
      sparse_.offsets.assign(1, 0);
      for (std::size_t i = 0; i < n; ++i) {
        const auto row = X.row(static_cast<std::size_t>(rows[i]));
        for (std::size_t k = 0; k < row.size; ++k) {
          sparse_.values.push_back(static_cast<T>(row.values[k]));
          sparse_.indices.push_back(static_cast<std::size_t>(row.indices[k]));
        }
        sparse_.offsets.push_back(sparse_.values.size());
      }
    } else {
      dense_.resize(n * X.n_columns);
      T* out = dense_.data();
      for (std::size_t i = 0; i < n; ++i) {
        const auto row = X.row(static_cast<std::size_t>(rows[i]));
        for (std::size_t j = 0; j < row.size; ++j) *out++ = static_cast<T>(row.values[j]);
      }
    }
  }

  bool is_sparse_ = false;
  std::vector<T> dense_;
  SparseBatch<T> sparse_;
};

}  // namespace finitesum
