#include "network/heads.hpp"

#include <algorithm>
#include <stdexcept>

#include "core/math.hpp"

namespace finitesum {

namespace {

constexpr const char* head_names[] = {"softmax", "logistic", "squared", "poisson"};

HeadKind kind_of(const std::string& name) {
  for (std::size_t i = 0; i < 4; ++i) {
    if (name == head_names[i]) return static_cast<HeadKind>(i);
  }
  throw std::invalid_argument("unknown head '" + name + "'; choose from: 'softmax' 'logistic' 'squared' 'poisson'");
}

double sigmoid(double z) {
  const double e = math::exp_of_negative(-math::abs(z));
  return (z < 0.0 ? e : 1.0) / (1.0 + e);
}

}  // namespace

Head::Head(const std::string& name, std::size_t n_outputs, double smoothing)
    : kind_(kind_of(name)), n_outputs_(n_outputs), smoothing_(smoothing) {
  if (!(smoothing >= 0 && smoothing < 1)) throw std::invalid_argument("label_smoothing must be in [0, 1)");
  if (smoothing > 0 && kind_ != HeadKind::softmax && kind_ != HeadKind::logistic) {
    throw std::invalid_argument("label_smoothing is for classes");
  }
  if (kind_ == HeadKind::softmax) {
    const std::size_t padded = (n_outputs + 3) / 4 * 4;
    z_.assign(padded, -math::infinity);
    p_.resize(padded);
  }
}

// With lse - z_label from the kernel and sum_k q_k = 1 the loss is lse - sum_k q_k z_k, and its gradient p - q.
template <class T>
double Head::softmax_loss(const KernelTable& table, const T* z, std::int32_t label, double share, T* dz) {
  double mean = 0;
  for (std::size_t k = 0; k < n_outputs_; ++k) {
    z_[k] = static_cast<double>(z[k]);
    mean += z_[k] / static_cast<double>(n_outputs_);
  }
  const auto own = static_cast<std::size_t>(label);
  double loss = table.columns.softmax.softmax(z_.data(), z_.size(), own, p_.data());
  if (smoothing_ > 0) loss += smoothing_ * (z_[own] - mean);
  if (dz == nullptr) return loss;
  const double floor = smoothing_ / static_cast<double>(n_outputs_);
  for (std::size_t k = 0; k < n_outputs_; ++k) {
    const double q = floor + (k == own ? 1 - smoothing_ : 0.0);
    dz[k] = static_cast<T>(share * (p_[k] - q));
  }
  return loss;
}

template <class T>
double Head::loss_of_outputs(const T* z, const double* targets, double share, T* dz) const {
  double sum = 0;
  for (std::size_t k = 0; k < n_outputs_; ++k) {
    const double value = static_cast<double>(z[k]);
    double t = targets[k];
    double mean = value;
    switch (kind_) {
      case HeadKind::logistic:
        t = (1 - smoothing_) * t + smoothing_ / 2;
        sum += math::max(value, 0.0) + math::log1p(math::exp_of_negative(-math::abs(value))) - t * value;
        mean = sigmoid(value);
        break;
      case HeadKind::poisson:
        mean = math::exp(value);
        sum += (mean - t) + (math::x_log_x(t) - t * value);
        break;
      default:
        sum += 0.5 * (value - t) * (value - t);
        break;
    }
    if (dz != nullptr) dz[k] = static_cast<T>(share * (mean - t));
  }
  return sum;
}

template <class T>
double Head::loss(const KernelTable& table, const T* z, const NetworkTargets& targets, const double* weight,
                  const std::int64_t* rows, std::size_t n, double share, T* dz) {
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = static_cast<std::size_t>(rows[i]);
    const double s = weight != nullptr ? weight[row] : 1.0;
    const T* z_i = z + i * n_outputs_;
    T* dz_i = dz != nullptr ? dz + i * n_outputs_ : nullptr;
    if (!(s > 0)) {  // absent, even where its loss overflows
      if (dz_i != nullptr) std::fill_n(dz_i, n_outputs_, T{0});
      continue;
    }
    const double loss = kind_ == HeadKind::softmax
                            ? softmax_loss(table, z_i, targets.classes[row], s * share, dz_i)
                            : loss_of_outputs(z_i, targets.values + row * n_outputs_, s * share, dz_i);
    total += s * loss;
  }
  return total;
}

template <class T>
void Head::predict(const KernelTable& table, T* z, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    T* z_i = z + i * n_outputs_;
    if (kind_ == HeadKind::softmax) {
      for (std::size_t k = 0; k < n_outputs_; ++k) z_[k] = static_cast<double>(z_i[k]);
      table.columns.softmax.softmax(z_.data(), z_.size(), 0, p_.data());
      for (std::size_t k = 0; k < n_outputs_; ++k) z_i[k] = static_cast<T>(p_[k]);
    } else if (kind_ == HeadKind::logistic) {
      for (std::size_t k = 0; k < n_outputs_; ++k) z_i[k] = static_cast<T>(sigmoid(static_cast<double>(z_i[k])));
    } else if (kind_ == HeadKind::poisson) {
      for (std::size_t k = 0; k < n_outputs_; ++k) z_i[k] = static_cast<T>(math::exp(static_cast<double>(z_i[k])));
    }
  }
}

#define FINITESUM_HEAD(T)                                                                           \
  template double Head::loss<T>(const KernelTable&, const T*, const NetworkTargets&, const double*, \
                                const std::int64_t*, std::size_t, double, T*);                      \
  template void Head::predict<T>(const KernelTable&, T*, std::size_t);
FINITESUM_HEAD(float)
FINITESUM_HEAD(double)

}  // namespace finitesum
