// SDCA, dual coordinate ascent: S. Shalev-Shwartz, T. Zhang, "Stochastic dual coordinate ascent methods for regularized
// loss minimization", JMLR 14 (2013); with L1 "Accelerated proximal SDCA", Math. Programming 155 (2016), section 3.
// D(u) of dual_gap.hpp is maximized in one u_i after the other, in a new random order each epoch. With
//     v = -X^T (s o u) / (S l2),   w = soft(v, l1 / l2),   z = x_i.w + b,   q_i = s_i |x_i|^2 / (S l2)
// the step is u_i <- argmin_u l*(u, y_i) - u (z + q_i u_i) + q_i u^2 / 2, exact without L1, and a step along an upper
// bound of R* with it. A loss knows it as dual_step: u_i <- l'(t) where t + q_i l'(t) = z + q_i u_i. Every u is a dual
// point, and -l2 v its image: certificates are those of SAG's table. No step size, and nothing to diverge.
//
// - A free intercept asks for sum_i s_i u_i = 0. Its Lagrangian is augmented (R. Rockafellar's method of
//   multipliers, Math. of OR 1, 1976): b is a coefficient with the penalty kappa/2 (b - c)^2, and c moves to b after
//   each epoch. kappa, 8 sup l'' / n, is small beside the curvature of min_w F in b, so that c settles fast, and adds
//   to q_i an eighth of 1 / sup l'', which hardly shortens a step. Losses without that bound take l'' at the null
//   model.
// - Rows whose last step raised D by less than 0.3 of the mean over all rows are left out until the others have had
//   16 epochs or as many draws as there are rows, or are fewer than n / 128: the shrinking of C.-J. Hsieh et al.,
//   "A dual coordinate descent method for large-scale linear SVM", ICML 2008, by gains in place of projected gradients,
//   which serves smooth losses, too. A step by c raises S D by at least s_i c^2 (q_i + 1 / sup l'') / 2. The
//   certificate is always that of all rows.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "solvers/any.hpp"
#include "solvers/intercept.hpp"
#include "solvers/row_loop.hpp"
#include "solvers/table_check.hpp"

namespace finitesum {
namespace {

// v, and w as its image.
template <class View>
class DualImage {
 public:
  explicit DualImage(const Problem<View>& problem)
      : threshold_(problem.l1() / problem.l2()),
        rows_(row_kernels(problem.kernels, problem.X)),
        v_(problem.n_columns()),
        w_(!View::is_sparse && threshold_ > 0 ? problem.n_columns() : 0) {}

  double& v(std::size_t j) { return v_[j]; }
  double coefficient(std::size_t j) const { return math::soft_threshold(v_[j], threshold_); }
  const double* coefficients() const { return threshold_ == 0 ? v_.data() : w_.data(); }  // of dense rows

  template <class Row>
  double predict(const Row& row) const {
    if (threshold_ == 0) return dot(rows_, row, v_.data());
    if constexpr (View::is_sparse) {
      double even = 0;
      double odd = 0;
      const auto term = [&](std::size_t k) {
        return double{row.values[k]} * coefficient(static_cast<std::size_t>(row.indices[k]));
      };
      std::size_t k = 0;
      for (; k + 2 <= row.size; k += 2) {
        even += term(k);
        odd += term(k + 1);
      }
      return k < row.size ? even + term(k) + odd : even + odd;
    } else {
      return dot(rows_, row, w_.data());
    }
  }
  template <class Row>
  void add(double factor, const Row& row) {
    axpy(rows_, factor, row, v_.data());
    follow();
  }
  // After changes of v.
  void follow() {
    for (std::size_t j = 0; j < w_.size(); ++j) w_[j] = coefficient(j);
  }
  template <class Row>
  void prefetch(const Row& row) const {
    constexpr std::size_t cached = std::size_t{1} << 19;  // columns: nearer than memory, waiting costs less than asking
    if constexpr (View::is_sparse) {
      if (v_.size() <= cached) return;
      for (std::size_t k = 0; k < row.size; ++k) __builtin_prefetch(&v_[static_cast<std::size_t>(row.indices[k])], 1);
    }
  }

 private:
  double threshold_;
  decltype(row_kernels(std::declval<const KernelTable&>(), std::declval<const View&>())) rows_;
  std::vector<double> v_;
  std::vector<double> w_;  // dense rows read it whole; for sparse ones it is computed where they have entries
};

// The sweep of a check: without L1 no thresholds.
template <class T, class I>
double settled_dot(const SparseKernels<T, I>& /*kernels*/, DualImage<CsrView<T, I>>& image, SparseRow<T, I> x) {
  return image.predict(x);
}

template <class View>
class Sdca final : public Solver {
 public:
  Sdca(const Problem<View>& problem, const SolverSetup& setup)
      : problem_(problem),
        coef_(setup.coef),
        order_(setup.seed, problem.n_rows()),
        image_(problem),
        u_(problem.n_rows()),
        q_(problem.n_rows()),
        gains_(problem.n_rows()),
        intercept_(setup.intercept),
        draws_of_some_(problem.n_rows()) {
    measure_rows();
    if (!copy_unless_zero(coef_, problem.n_columns()).empty()) start_from_coefficients();
  }

  void run_epoch(std::size_t number, Control& control) override {
    choose_rows();
    if (problem_.has_free_intercept() && number > 0) move_center();
    const auto prefetch_row = [&](std::size_t i) {
      __builtin_prefetch(&u_[i], 1);
      __builtin_prefetch(&q_[i]);
      problem_.y.prefetch(i);
    };
    draws_ += for_each_draw_within(
        problem_.X, image_, order_, number, 0, order_.size(), control, prefetch_row,
        [&](const Draw& draw) { visit(draw.row); }, 1);
    if (control.stopped()) draws_of_some_ = problem_.n_rows();  // what is left of an epoch comes with all rows
  }

  Certificate check(Control& control) override {
    const auto gradient_of = [&, l2 = problem_.l2()](std::size_t j) { return -l2 * image_.v(j); };
    return check_iterate(problem_, image_, intercept(), u_.data(), gradient_of, coef_, control);
  }
  std::size_t check_work() const override { return problem_.X.n_stored() + problem_.n_rows(); }
  bool checks_are_free() const override { return false; }
  double passes() const override { return static_cast<double>(draws_) / static_cast<double>(problem_.n_rows()); }
  const char* sampling() const override { return "shuffle"; }
  double step_size() const override { return 1; }
  void restart_with_half_step() override {}  // every step raises D, whatever F does far from the optimum

  void transfer(Archive& archive) override {
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) archive(image_.v(j));
    image_.follow();
    archive(u_);
    for (float& gain : gains_) {
      double value{gain};
      archive(value);
      gain = static_cast<float>(value);
    }
    for (double* number : {&intercept_, &intercept_sum_}) archive(*number);
    for (std::size_t* number : {&draws_, &epochs_of_some_, &draws_of_some_}) archive.integer(*number);
  }

  double finish() override {
    copy_coefficients(image_, problem_.n_columns(), coef_);
    return intercept();
  }

 private:
  // The rows of an epoch, shuffled.
  class Order {
   public:
    Order(std::uint64_t seed, std::size_t n) : seed_(seed), rows_(n), size_(n) {}

    template <class IsChosen>
    void choose(const IsChosen& is_chosen) {
      size_ = 0;
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        rows_[size_] = i;
        size_ += is_chosen(i) ? 1 : 0;
      }
    }
    std::size_t size() const { return size_; }
    std::size_t max_draws() const { return RowSampler::max_draws; }
    void draw(std::uint64_t epoch, std::size_t first, std::size_t count, Draw* out) const {
      RowSampler(seed_, size_, Sampling::shuffle).draw(epoch, first, count, out);
      for (std::size_t k = 0; k < count; ++k) out[k].row = rows_[out[k].row];
    }

   private:
    std::uint64_t seed_;
    std::vector<std::size_t> rows_;
    std::size_t size_;
  };

  void measure_rows() {
    double mean = 0;
    visit_rows(problem_, [&](std::size_t i) {
      const auto row = problem_.X.row(i);
      const double share = problem_.weight(i) / problem_.total_weight;
      q_[i] = share == 0 ? 0 : share * squared_norm(problem_.kernels, row.values, row.size);
      mean += q_[i];
    });
    if (problem_.has_penalized_intercept()) {
      intercept_l2_ = problem_.intercept_penalty.l2();
      intercept_threshold_ = problem_.intercept_penalty.l1() / intercept_l2_;
      intercept_ = 0;
    } else {
      const double n = static_cast<double>(problem_.n_rows());
      intercept_l2_ = 8 * curvature() / n;
    }
    if (!std::isfinite(mean / problem_.l2()))
      throw std::invalid_argument("X has rows whose squared norm over the L2 penalty overflows; scale its columns.");
    for (std::size_t i = 0; i < problem_.n_rows(); ++i) {
      q_[i] /= problem_.l2();
      if (problem_.fit_intercept) q_[i] += problem_.weight(i) / problem_.total_weight / intercept_l2_;
    }
    conjugate_bend_ = 1 / problem_.loss.smoothness();
  }

  // sup l'', or l'' at the null model where there is no bound.
  double curvature() const {
    if (std::isfinite(problem_.loss.smoothness())) return problem_.loss.smoothness();
    const double b = fit_null_model(problem_.loss, problem_.y, problem_.s, problem_.n_rows(), problem_.total_weight,
                                    true, problem_.n_threads)
                         .intercept;
    const double y = problem_.y[0];
    double at_null = 0;
    problem_.loss.curvatures(&b, &y, &at_null, 1);
    return std::max(at_null, 1e-3);
  }

  // u are the derivatives there, times the factor of five with the largest D: 1 to the factor that leaves w where it is
  // although the penalty, on a path, has changed.
  void start_from_coefficients() {
    const auto& rows = row_kernels(problem_.kernels, problem_.X);
    const double b = intercept_;
    visit_rows(problem_, [&](std::size_t i) {
      if (problem_.weight(i) == 0) return;
      u_[i] = problem_.derivative(i, b + dot(rows, problem_.X.row(i), coef_));
      move(i, u_[i]);
    });
    const double factor = best_factor();
    for (double& u : u_) u *= factor;
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) image_.v(j) *= factor;
    image_.follow();
    intercept_sum_ *= factor;
    intercept_ = problem_.has_free_intercept() ? b : factor * intercept_;
    draws_ = problem_.n_rows();
  }

  double best_factor() {
    constexpr int steps = 4;
    double along = 0;
    double square = 0;
    for (std::size_t j = 0; j < problem_.n_columns(); ++j) {
      if (coef_[j] == 0) continue;
      along += image_.v(j) * (coef_[j] + math::copysign(problem_.l1() / problem_.l2(), coef_[j]));
      square += image_.v(j) * image_.v(j);
    }
    if (!(along > 0 && along < square)) return 1;
    double best = 1;
    double largest = -std::numeric_limits<double>::infinity();
    for (int step = 0; step <= steps; ++step) {
      const double factor = std::pow(along / square, static_cast<double>(step) / steps);
      const double penalty = std::visit(
          [&](const auto each) {
            const double scale = factor * problem_.l2();
            return chained_sum(problem_.n_columns(),
                               [&](std::size_t j) { return each.conjugate(scale * image_.v(j)); });
          },
          problem_.penalty);
      const double conjugate = conjugate_sum(problem_, factor, StoredDerivatives{u_.data()});
      const double value = -conjugate / problem_.total_weight - penalty;
      if (value > largest) {
        largest = value;
        best = factor;
      }
    }
    return best;
  }

  void choose_rows() {
    constexpr std::size_t most_epochs = 16;
    constexpr std::size_t fewest = 128;  // one row in so many; an epoch of fewer would be one of max_iter for little
    constexpr double share = 0.3;
    const auto n = problem_.n_rows();
    bool all = epochs_of_some_ == most_epochs || draws_of_some_ >= n;
    const double sum = std::accumulate(gains_.begin(), gains_.end(), 0.0);
    const double least = all ? 0 : share * sum / static_cast<double>(n);
    order_.choose([&](std::size_t i) { return gains_[i] >= least; });
    if (order_.size() < n / fewest) {
      all = true;
      order_.choose([](std::size_t /*i*/) { return true; });
    }
    epochs_of_some_ = all ? 0 : epochs_of_some_ + 1;
    draws_of_some_ = all ? 0 : draws_of_some_ + order_.size();
  }

  // c <- b: what pulled b to the old center goes.
  void move_center() { intercept_ -= intercept_sum_ / (problem_.total_weight * intercept_l2_); }

  double intercept() const { return math::soft_threshold(intercept_, intercept_threshold_); }

  void visit(std::size_t i) {
    if (problem_.weight(i) == 0) return;
    const double z = image_.predict(problem_.X.row(i)) + intercept();
    const double u = problem_.loss.dual_step(z, u_[i], q_[i], problem_.y[i]);
    const double change = u - u_[i];
    constexpr double most = std::numeric_limits<float>::max();  // taken for what is no number, too
    gains_[i] = static_cast<float>(std::min(most, problem_.weight(i) * change * change * (q_[i] + conjugate_bend_)));
    if (change == 0) return;
    u_[i] = u;
    move(i, change);
  }

  // v follows a change of u_i, and the intercept where there is one.
  void move(std::size_t i, double change) {
    const double mass = problem_.weight(i) * change;
    image_.add(-mass / (problem_.total_weight * problem_.l2()), problem_.X.row(i));
    if (!problem_.fit_intercept) return;
    intercept_sum_ += mass;
    intercept_ -= mass / (problem_.total_weight * intercept_l2_);
  }

  const Problem<View>& problem_;
  double* coef_;
  Order order_;
  DualImage<View> image_;
  std::vector<double> u_;
  std::vector<double> q_;
  std::vector<float> gains_;  // twice what D won by the last steps, times S
  double intercept_;          // the intercept's own v
  double intercept_sum_ = 0;  // sum_i s_i u_i
  double intercept_l2_ = 1;
  double intercept_threshold_ = 0;
  double conjugate_bend_ = 0;  // l*'' is at least this
  std::size_t draws_ = 0;
  std::size_t epochs_of_some_ = 0;  // since all rows were visited
  std::size_t draws_of_some_;
};

}  // namespace

template <class View>
std::unique_ptr<Solver> make_sdca(const Problem<View>& problem, const SolverSetup& setup) {
  if (!(problem.l2() > 0))
    throw std::invalid_argument(
        "solver 'sdca' needs an L2 penalty: alpha > 0 and l1_ratio < 1; without one choose 'auto', 'sag', 'saga', "
        "'svrg', 'katyusha' or 'newton'");
  return std::make_unique<Sdca<View>>(problem, setup);
}

FINITESUM_FOR_EACH_VIEW(make_sdca)

}  // namespace finitesum
