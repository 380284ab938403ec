#include "synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace finitesum::bench {
namespace {

using Random = std::mt19937_64;

double uniform(Random& random) { return std::uniform_real_distribution<double>()(random); }

// `count` different columns in increasing order. The higher the skew, the more often the first columns come.
void draw_columns(Random& random, std::size_t count, std::size_t n_columns, double skew,
                  std::vector<std::int32_t>& columns) {
  columns.clear();
  while (columns.size() < count) {
    while (columns.size() < count) {
      const double position = static_cast<double>(n_columns) * std::pow(uniform(random), skew);
      columns.push_back(static_cast<std::int32_t>(position));
    }
    std::sort(columns.begin(), columns.end());
    columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
  }
}

// Row sizes are log-normal around `median` with the given spread (0: all equal).
template <class T>
void fill_sparse(Data<T>& data, double median, double spread, double skew, bool ones, Random& random) {
  std::normal_distribution<double> normal;
  std::vector<std::int32_t> columns;
  data.row_pointers.push_back(0);
  for (std::size_t i = 0; i < data.n_rows; ++i) {
    const double size = std::round(median * std::exp(spread * normal(random)));
    const double most = static_cast<double>(data.n_columns) / 2;
    draw_columns(random, static_cast<std::size_t>(std::clamp(size, 1.0, most)), data.n_columns, skew, columns);
    const double value = ones ? 1 : 1 / std::sqrt(static_cast<double>(columns.size()));
    data.indices.insert(data.indices.end(), columns.begin(), columns.end());
    data.values.insert(data.values.end(), columns.size(), static_cast<T>(value));
    data.row_pointers.push_back(static_cast<std::int32_t>(data.indices.size()));
  }
}

template <class T>
void fill_targets(Data<T>& data, Random& random) {
  std::normal_distribution<double> normal;
  std::vector<double> w(data.n_columns);
  for (double& weight : w) weight = normal(random);
  const bool dense = data.indices.empty();
  for (std::size_t i = 0; i < data.n_rows; ++i) {
    const std::size_t begin = dense ? i * data.n_columns : static_cast<std::size_t>(data.row_pointers[i]);
    const std::size_t end = dense ? begin + data.n_columns : static_cast<std::size_t>(data.row_pointers[i + 1]);
    double z = 0;
    for (std::size_t k = begin; k < end; ++k)
      z += double{data.values[k]} * w[dense ? k - begin : static_cast<std::size_t>(data.indices[k])];
    const bool flipped = uniform(random) < 0.2;
    data.y.push_back((z > 0) != flipped ? 1 : -1);
  }
}

}  // namespace

const char* name_of(Shape shape) {
  switch (shape) {
    case Shape::a9a:
      return "a9a";
    case Shape::news20:
      return "news20";
    case Shape::protein:
      return "protein";
  }
  return "";
}

template <class T>
AnyMatrix Data<T>::view() const {
  if (indices.empty()) return DenseView<T>{values.data(), n_rows, n_columns};
  return CsrView<T, std::int32_t>{values.data(), indices.data(), {row_pointers.data(), nullptr},
                                  n_rows,        n_columns,      values.size()};
}

template <class T>
Data<T> make_data(Shape shape) {
  Data<T> data;
  Random random(1);
  switch (shape) {
    case Shape::a9a:
      data.n_rows = 48842;
      data.n_columns = 123;
      fill_sparse(data, 14, 0, 1.5, true, random);
      break;
    case Shape::news20:
      data.n_rows = 18846;
      data.n_columns = 173762;
      fill_sparse(data, 121, 0.7, 3, false, random);
      break;
    case Shape::protein: {
      data.n_rows = 145751;
      data.n_columns = 74;
      std::normal_distribution<double> normal;
      data.values.resize(data.n_rows * data.n_columns);
      for (T& value : data.values) value = static_cast<T>(normal(random));
      break;
    }
  }
  fill_targets(data, random);
  return data;
}

template struct Data<float>;
template struct Data<double>;
template Data<float> make_data<float>(Shape);
template Data<double> make_data<double>(Shape);

}  // namespace finitesum::bench
