// A run's state as one array of doubles, for lossless resume: one function per class lists its members, and serves both
// to save and to load.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <vector>

namespace finitesum {

class Archive {
 public:
  // Saves.
  Archive() = default;
  // Loads what another archive saved.
  Archive(const double* data, std::size_t size) : data_(data, data + size), is_loading_(true) {}

  bool is_loading() const { return is_loading_; }
  std::vector<double> release() { return std::move(data_); }

  void operator()(double& value) {
    if (!is_loading_) {
      data_.push_back(value);
    } else {
      if (next_ == data_.size()) throw std::invalid_argument("The saved state of the solver is incomplete.");
      value = data_[next_++];
    }
  }
  // Integers below 2^53 are exact as doubles.
  template <class Integer>
  void integer(Integer& value) {
    auto number = static_cast<double>(value);
    (*this)(number);
    value = static_cast<Integer>(number);
  }
  // Vectors keep the length that they have: a state of another problem's size is refused.
  void operator()(std::vector<double>& values) {
    auto size = values.size();
    integer(size);
    if (size != values.size()) throw std::invalid_argument("The saved state belongs to a problem of another size.");
    for (double& value : values) (*this)(value);
  }

 private:
  std::vector<double> data_;
  bool is_loading_ = false;
  std::size_t next_ = 0;
};

}  // namespace finitesum
