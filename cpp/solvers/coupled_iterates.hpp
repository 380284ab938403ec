// The three coupled sequences of Katyusha (Z. Allen-Zhu, STOC 2017, Algorithm 1 with y's update of option II) around an
// anchor w with gradient d:
//     z <- prox_{step R}(z - step d - fresh x),   y <- theta z + w / 2 + kappa y,   kappa = 1/2 - theta,
// and rows are met at the point theta z + w / 2 + kappa y. (The paper's y = point + theta (z_new - z_old) is the same.)
//
// Dense rows touch every coordinate at each step. Sparse rows move their own coordinates only; each coordinate carries
// the number of the step up to which it is current, and the steps it missed are made up for in closed form.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "penalties/lazy_prox.hpp"
#include "solvers/problem.hpp"

namespace finitesum {

struct Coupling {
  static constexpr double of_anchor = 0.5;

  double theta = 0.5;
  double kappa() const { return 1 - of_anchor - theta; }
  double operator()(double z, double y, double w) const { return theta * z + of_anchor * w + kappa() * y; }
};

template <class T>
class DenseCoupled {
 public:
  static constexpr double step_tolerance = 0;

  DenseCoupled(const Problem<DenseView<T>>& problem, double* /*lent*/)
      : kernels_(dense<T>(problem.kernels)),
        l1_(problem.l1()),
        l2_(problem.l2()),
        z_(problem.n_columns()),
        y_(problem.n_columns()),
        w_(problem.n_columns()),
        d_(problem.n_columns()),
        point_(problem.n_columns()) {}

  double predict(DenseRow<T> x) const { return kernels_.dot(x.values, point_.data(), x.size); }

  double step_size() const { return coefficients_.direction; }
  void set_step(double step) {
    coefficients_.direction = step;
    coefficients_.threshold = step * l1_;
    coefficients_.shrink = 1 / (1 + step * l2_);
  }
  // Between settle() and wake().
  void set_coupling(Coupling coupling) {
    coefficients_.theta = coupling.theta;
    coefficients_.kappa = coupling.kappa();
    for (std::size_t j = 0; j < point_.size(); ++j) point_[j] = coupling(z_[j], y_[j], w_[j]);
  }
  void step(DenseRow<T> x, double fresh) {
    coefficients_.fresh = fresh;
    kernels_.coupled_step(x.values, z_.data(), y_.data(), w_.data(), d_.data(), point_.data(), x.size, &coefficients_);
  }

  void prefetch(DenseRow<T>) const {}
  void settle() {}
  void wake() {}
  double& z(std::size_t j) { return z_[j]; }
  double& y(std::size_t j) { return y_[j]; }
  double& anchor(std::size_t j) { return w_[j]; }
  double& gradient(std::size_t j) { return d_[j]; }

 private:
  const DenseKernels<T>& kernels_;
  double l1_;
  double l2_;
  CoupledCoefficients coefficients_{};
  std::vector<double> z_;
  std::vector<double> y_;
  std::vector<double> w_;
  std::vector<double> d_;
  std::vector<double> point_;
};

// A missed step is z <- rho (z - e), e = step d + sign(z) step l1, while z keeps its sign. Along it
//     y = beta z + gamma e + w / (2 (1 - kappa)) + h,   beta = theta / (1 - kappa / rho),   gamma = kappa beta / (1 -
//     kappa),
// where h <- kappa h: two geometric sequences instead of coupled ones. They never meet: theta >= sqrt(m l2 step theta)
// unless theta = 1/2, so where kappa > 0, step l2 <= theta / m and kappa / rho < 1/2.
template <class T, class I>
class LaggedCoupled {
 public:
  static constexpr double step_tolerance = 1.0 / 16;

  // The caller lends p doubles for the numbers of the steps (exact up to 2^53).
  LaggedCoupled(const Problem<CsrView<T, I>>& problem, double* lent)
      : l1_(problem.l1()), l2_(problem.l2()), entries_(problem.n_columns()), current_to_(lent) {}

  double predict(SparseRow<T, I> x) {
    double sum = 0;
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      catch_up(j);
      const Entry& entry = entries_[j];
      sum += double{x.values[k]} * coupling_(entry.z, entry.y, entry.w);
    }
    return sum;
  }

  double step_size() const { return step_; }
  void set_step(double step) {
    if (step == step_) return;
    settle();
    wake();
    step_ = step;
    prox_ = LazyProx(step * l1_, step * l2_);
    set_modes();
  }
  // Between settle() and wake().
  void set_coupling(Coupling coupling) {
    coupling_ = coupling;
    set_modes();
  }

  // Must follow predict(x), which has brought the row's coordinates up to date.
  void step(SparseRow<T, I> x, double fresh) {
    ++clock_;
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      move(entries_[j], fresh * double{x.values[k]});
      current_to_[j] = static_cast<double>(clock_);
    }
  }

  void prefetch(SparseRow<T, I> x) const {
    for (std::size_t k = 0; k < x.size; ++k) {
      const auto j = static_cast<std::size_t>(x.indices[k]);
      __builtin_prefetch(&entries_[j]);
      __builtin_prefetch(&current_to_[j]);
    }
  }

  // Leaves the lent doubles free for other use until wake().
  void settle() {
    if (clock_ == 0) return;
    for (std::size_t j = 0; j < entries_.size(); ++j) catch_up(j);
    clock_ = 0;
  }
  void wake() { std::fill_n(current_to_, entries_.size(), 0.0); }
  double& z(std::size_t j) { return entries_[j].z; }
  double& y(std::size_t j) { return entries_[j].y; }
  double& anchor(std::size_t j) { return entries_[j].w; }
  double& gradient(std::size_t j) { return entries_[j].d; }

 private:
  struct alignas(32) Entry {
    double z = 0;
    double y = 0;
    double w = 0;
    double d = 0;
  };
  // kappa <= 1/2: after so many steps nothing is left of h, or of where y was.
  static constexpr std::int64_t memory = 64;

  void set_modes() {
    const double kappa = coupling_.kappa();
    beta_ = coupling_.theta / (1 - kappa * (1 + step_ * l2_));
    gamma_ = kappa * beta_ / (1 - kappa);
    of_anchor_ = Coupling::of_anchor / (1 - kappa);
    double power = 1;
    for (double& each : powers_) {
      each = power;
      power *= kappa;
    }
  }

  void move(Entry& entry, double fresh) const {
    entry.z = prox_.once(entry.z - step_ * entry.d - fresh);
    entry.y = coupling_(entry.z, entry.y, entry.w);
  }

  void catch_up(std::size_t j) {
    const std::int64_t missed = clock_ - static_cast<std::int64_t>(current_to_[j]);
    if (missed == 0) return;
    current_to_[j] = static_cast<double>(clock_);
    Entry& entry = entries_[j];
    const double drift = step_ * entry.d;
    const double end = prox_(entry.z, drift, missed);
    if (l1_ > 0 && changes_regime(entry.z, end)) return cross(entry, drift, missed);
    // The sign that z has after the first step; zero if it stays there.
    const double e = l1_ > 0 ? (end == 0 ? 0 : drift + math::copysign(step_ * l1_, end)) : drift;
    const double mode = gamma_ * e + of_anchor_ * entry.w;
    const double h = entry.y - beta_ * entry.z - mode;
    entry.z = end;
    entry.y = beta_ * end + mode + (missed < memory ? powers_[static_cast<std::size_t>(missed)] * h : 0);
  }

  // Paths leave a sign once and for all, so that it is enough to look at the ends.
  static bool changes_regime(double z, double end) { return z != 0 && !(z * end > 0); }

  void cross(Entry& entry, double drift, std::int64_t missed) const {
    const std::int64_t looped = std::min(missed, memory);
    entry.z = prox_(entry.z, drift, missed - looped);
    for (std::int64_t k = 0; k < looped; ++k) move(entry, 0);
  }

  double l1_;
  double l2_;
  double step_ = 0;
  LazyProx prox_{0, 0};
  Coupling coupling_;
  double beta_ = 0;
  double gamma_ = 0;
  double of_anchor_ = 0;
  std::array<double, memory> powers_{};
  std::int64_t clock_ = 0;
  std::vector<Entry> entries_;
  double* current_to_;
};

template <class View>
struct CoupledOf;
template <class T>
struct CoupledOf<DenseView<T>> {
  using type = DenseCoupled<T>;
};
template <class T, class I>
struct CoupledOf<CsrView<T, I>> {
  using type = LaggedCoupled<T, I>;
};

}  // namespace finitesum
