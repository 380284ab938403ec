// Outer loops over SAG, SAGA and SVRG for badly conditioned problems. An inner problem is
//     min_w F(w, b) + kappa/2 |D (w - y_k)|^2
// with a center y_k, in the units D of the columns (column_scaling.hpp); the outer loop knows v = D w alone. To a
// solver that keeps w and the gradient sum d this is an L2 strength larger by kappa D^2 and the constant -kappa S D^2
// y_k in d, so that table, sampling and lazy updates carry over from one center to the next, and d without that
// constant remains the image of the dual point: the certificate is that of F itself.
//
// The intercept has no proximal term: G(w) = min_b F(w, b) is convex, strongly so with L2, and the outer loops see G.
//
//     Catalyst  y_k = w_k + beta_k (w_k - w_{k-1}), w_k the inner solution
//               H. Lin, J. Mairal, Z. Harchaoui, "Catalyst acceleration for first-order convex optimization: from
//               theory to practice", JMLR 18 (2018), algorithm 2. Begun anew when e_k - w_{k+1} and w_{k+1} - w_k form
//               an acute angle, e_k = y_k but for what follows below: B. O'Donoghue, E. Candes, "Adaptive restart for
//               accelerated gradient schemes", Found. Comput. Math. 15 (2015), section 3.2. mu, which is all the
//               penalty's, would else keep beta too large; another reason to do so is in extrapolate()
//     QNing     L-BFGS on the Moreau envelope of G, whose gradient at y_k is kappa (y_k - w_k)
//               same authors, "An inexact quasi-Newton algorithm", SIAM J. Optim. 29 (2019), algorithm 1. Where the
//               paper compares values of the envelope, each a sweep, its gradients decide
//
// An inner problem takes one epoch (the papers' rule of thumb), more where the solver says so. With steps that add up
// to T an epoch shrinks the error along a direction of no curvature by exp(-kappa T), and kappa = contraction / T - mu.
// The papers balance worst cases, kappa = (L - mu)/(n + 1) - mu; for n steps of 1/L that is a contraction of one.
//
// A solver that cannot jump goes on from w_k, and along a direction of no curvature an epoch takes it only the share 1
// - exp(-contraction) of the way to the center. What Catalyst extrapolates to is then where that leads, e_k = w_k +
// beta_k (w_k - w_{k-1}), and the center lies beyond it, y_k = w_k + (e_k - w_k) / share: momentum is beta_k, as if it
// had jumped.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "solvers/archive.hpp"
#include "solvers/solver_options.hpp"

namespace finitesum {

// The inverse Hessian of a function by its last gradient differences: J. Nocedal, "Updating quasi-Newton matrices with
// limited storage", Math. Comp. 35 (1980), algorithm 7.4 in J. Nocedal, S. Wright, "Numerical Optimization" (2006).
class LimitedMemory {
 public:
  explicit LimitedMemory(std::size_t n_columns);

  // Learns from a step and the change along it of a gradient whose Lipschitz constant is 1 / `inverse`. Of a convex
  // function step . change >= inverse |change|^2: pairs that fall short of that are errors of the gradients.
  void learn(const double* step, const double* change, double inverse);
  void forget_all() { size_ = 0; }
  // v <- H v, where H begins as `scale` times the identity.
  void multiply(double* v, double scale);
  bool empty() const { return size_ == 0; }

  void transfer(Archive& archive);

 private:
  static constexpr std::size_t capacity = 20;

  // Pair number k, counted from the latest.
  std::size_t place(std::size_t k) const { return (next_ + 2 * capacity - 1 - k) % capacity; }
  double* step(std::size_t place) { return steps_.data() + place * n_columns_; }
  double* change(std::size_t place) { return changes_.data() + place * n_columns_; }

  std::size_t n_columns_;
  std::size_t size_ = 0;
  std::size_t next_ = 0;
  std::vector<double> steps_;
  std::vector<double> changes_;
  std::vector<double> products_;  // step . change
};

// How a solver wants its inner problems solved.
struct InnerRule {
  double contraction;  // kappa times the length of an epoch
  double accuracy;     // an inner problem goes on while its residual exceeds so many |kappa (w - y)|
  bool jumps;          // it begins at its center; else where the last one ended, and takes one epoch
};

class OuterLoop {
 public:
  // `mu` is the strong convexity in the columns' units. Nothing is allocated without an acceleration.
  OuterLoop(std::optional<Acceleration> kind, const InnerRule& rule, double mu, std::size_t n_columns);

  void reset();
  // Counts an epoch of the plain solver; true once those are over.
  bool is_due();
  // At the end of an epoch with iterate w: true if kappa or the center has changed. `length` is the sum of an epoch's
  // steps; when it has doubled, the outer loop begins anew with its kappa. `residual` is the norm of the inner
  // problem's gradient at w.
  bool advance(const double* w, double length, double residual);

  double kappa() const { return kappa_; }
  bool jumps() const { return rule_.jumps; }
  // kappa y, entry j
  double pull(std::size_t j) const { return kappa_ == 0 ? 0 : kappa_ * center_[j]; }
  double center(std::size_t j) const { return center_[j]; }

  void transfer(Archive& archive);

 private:
  bool is_fast(const double* w);
  void begin(const double* w, double length);
  void extrapolate(const double* w);
  void step_by_envelope(const double* w);

  std::optional<Acceleration> kind_;
  InnerRule rule_;
  double mu_;
  double length_ = 0;  // of an epoch when kappa was chosen
  double kappa_ = 0;   // 0: no center yet
  std::size_t plain_epochs_ = 0;
  std::size_t inner_epochs_ = 0;
  bool is_trial_ = false;  // the center is a quasi-Newton step, to be judged
  bool has_gradient_ = false;
  double momentum_ = 0;      // Catalyst's alpha_k
  double squared_move_ = 0;  // of the last plain epoch; then Catalyst's |e_k - w_{k+1}|^2 where momentum began
  std::vector<double> center_;
  std::vector<double> solution_;  // of the last inner problem: w_{k-1}
  std::vector<double> gradient_;  // of the envelope, like the next
  std::vector<double> last_gradient_;
  std::vector<double> last_center_;
  std::vector<LimitedMemory> memory_;  // none, or one
};

}  // namespace finitesum
