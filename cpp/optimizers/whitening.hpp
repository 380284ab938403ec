// Descent in whitened coordinates. A linear map with inputs x, x_0 = 1, is written
//     y_j = beta (v_0j + sum_i alpha_i (x_i - mu_i) v_ij),  w_ij = alpha_i beta v_ij,  b_j = beta v_0j - sum_i mu_i
//     w_ij,
// and plain steps on v are, with g_j = dE/dy_j and <> the mean over a batch, the steps on (w, b) along
//     dw_ij = <beta^2 g_j alpha_i^2 (x_i - mu_i)>,   db_j = <beta^2 g_j> - sum_{i >= 1} mu_i dw_ij
// (J. Lafond, N. Vasilache and L. Bottou, "Diagonal rescaling for neural networks", 2017). mu_i = E x_i, alpha_i^2 =
// 1 / var x_i are running averages and beta^2 = 1 / sqrt(share fanin), share being how often a row of a batch uses the
// weights. A batch costs its rows times (inputs + outputs) more than a plain step, never inputs times outputs.
//
// The averages move on with every batch; mu and alpha follow after steps 1, 2, 4, 8, ... and then after every
// `interval`-th, so that between two such steps all coordinates stand still: what rows of sparse batches have in
// common, -beta^2 alpha_i^2 mu_i sum g_j, then is one coefficient per input times one number per output.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/math.hpp"
#include "optimizers/visit.hpp"

namespace finitesum {

struct WhiteningOptions {
  static constexpr const char* name = "whitening";
  static constexpr double default_rate = 0.01;

  double momentum = 0.0;  // of the rescaled gradients
  bool whiten = true;     // or mu = 0 and alpha = 1: steps per layer alone
  double averaging =
      0.05;              // least share of a batch in the averages, which count all rows alike as long as it is larger
  double interval = 64;  // steps
  double eps = 0.01;     // least variance, in mean variances of the layer's inputs
  // Whether eta is a step's length in the metric G = D^-1 of the coordinates: it is divided by sqrt(damping + R), R a
  // running average of E[g' D g], g the gradient of a single row, with this least share of a batch.
  LengthOver normalize = LengthOver::none;
  double smoothing = 0.05;
  double damping = 1e-8;

  // The inputs of a linear model are the data, which do not change.
  static WhiteningOptions of_data() {
    WhiteningOptions options;
    options.averaging = 0;
    options.interval = 1024;
    options.eps = 0;
    return options;
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("momentum", momentum, Range::fraction);
    visit("whiten", whiten);
    visit("averaging", averaging, Range::fraction);
    visit("interval", interval, Range::positive);
    visit("eps", eps, Range::nonnegative);
    visit("normalize", normalize);
    visit("smoothing", smoothing, Range::fraction);
    visit("damping", damping, Range::nonnegative);
  }
};

// Whether mu and alpha are to follow the averages after step k.
inline bool is_due(const WhiteningOptions& options, std::int64_t k) {
  const auto interval = static_cast<std::int64_t>(options.interval);
  return k < interval ? (k & (k - 1)) == 0 : k % interval == 0;
}

// A rule by name, and the rescaling that precedes it, if any.
struct DescentRule {
  AnyOptimizer rule;
  std::optional<WhiteningOptions> whitening;
};

inline DescentRule make_descent_rule(const std::string& name, const OptimizerParameters& given,
                                     const WhiteningOptions& defaults = {}) {
  if (name != WhiteningOptions::name) return {make_optimizer(name, given), std::nullopt};
  const WhiteningOptions options = with_parameters(defaults, given);
  if (!(options.interval >= 1 && options.interval == std::floor(options.interval))) {
    throw std::invalid_argument("interval must be a whole number of at least 1, got " +
                                std::to_string(options.interval));
  }
  if (options.momentum == 0) return {Sgd{}, options};
  Momentum rule;
  rule.momentum = options.momentum;
  return {rule, options};
}

// The coordinates of one linear map: statistics of its inputs and what follows from them.
class Whitening {
 public:
  Whitening(const WhiteningOptions& options, std::size_t n_inputs, double share, bool has_bias)
      : options_(options),
        has_bias_(has_bias),
        beta2_(1 / std::sqrt(share * static_cast<double>(n_inputs))),
        state_{std::vector<double>(n_inputs), std::vector<double>(n_inputs), std::vector<double>(n_inputs),
               std::vector<double>(n_inputs), std::vector<double>(n_scalars)} {}

  std::size_t n_inputs() const { return mean().size(); }
  const WhiteningOptions& options() const { return options_; }
  double beta2() const { return beta2_; }
  const std::vector<double>& mean() const { return state_[2]; }   // mu_i
  const std::vector<double>& scale() const { return state_[3]; }  // beta^2 alpha_i^2
  double pull(std::size_t i) const { return scale()[i] * mean()[i]; }
  double mean_length() const { return scalar(length); }  // sum_i beta^2 alpha_i^2 mu_i^2
  // All that a later run goes on with.
  std::vector<std::vector<double>>& state() { return state_; }

  // A batch begins, of so many rows of inputs; observe() for each entry that is not zero.
  void begin_batch(double n_rows) {
    const double total = scalar(total_weight);
    const double share = options_.averaging;
    weight_ = math::max(1.0, share * total / (n_rows * (1 - share)));
    scalar(n_rows_seen) += n_rows;
    scalar(total_weight) += n_rows * weight_;
    if (weight_ > 1e100) shrink();
  }
  void observe(std::size_t i, double x) {
    state_[0][i] += weight_ * x;
    state_[1][i] += weight_ * x * x;
  }
  template <class T>
  void observe(const T* x, std::size_t first, std::size_t count) {
    double* sums = state_[0].data() + first;
    double* squares = state_[1].data() + first;
    for (std::size_t i = 0; i < count; ++i) {
      const double weighted = weight_ * static_cast<double>(x[i]);
      sums[i] += weighted;
      squares[i] += weighted * static_cast<double>(x[i]);
    }
  }

  // The first batch is whitened by its own statistics.
  void refresh_if_new() {
    if (scalar(is_set) == 0) refresh();
  }
  void refresh() {
    double total = 0;
    for (std::size_t i = 0; i < n_inputs(); ++i) {
      const double mean = has_bias_ ? state_[0][i] / scalar(total_weight) : 0.0;
      const double square = state_[1][i] / scalar(total_weight);
      const double variance = (square - mean * mean) * (1 + 10 / scalar(n_rows_seen));  // few rows tell little
      state_[2][i] = mean;
      state_[3][i] = variance > 1e-14 * square ? variance : 0.0;  // nothing but rounding in a constant input
      total += state_[3][i];
    }
    const double least = options_.eps * total / static_cast<double>(n_inputs());
    scalar(length) = 0;
    for (std::size_t i = 0; i < n_inputs(); ++i) {
      const double variance = state_[3][i] > 0 ? math::max(state_[3][i], least) : 0.0;
      if (!options_.whiten) state_[2][i] = 0;
      state_[3][i] = !options_.whiten ? beta2_ : variance > 0 ? beta2_ / variance : 0.0;
      scalar(length) += pull(i) * state_[2][i];
    }
    scalar(is_set) = 1;
  }

  // The rescaled entries first, ..., first + count - 1 of a row, into z, and their sums: `pull`, sum mu_i z_i, and
  // `square`, sum (x_i - mu_i) z_i. The row's gradient in b_j is g_j (beta^2 - pull).
  struct Row {
    double pull = 0;
    double square = 0;
    Row& operator+=(const Row& other) {
      pull += other.pull;
      square += other.square;
      return *this;
    }
  };
  template <class T>
  Row rescale(const T* x, std::size_t first, std::size_t count, T* z) const {
    const double* mu = mean().data() + first;
    const double* s = scale().data() + first;
    Row row;
    for (std::size_t i = 0; i < count; ++i) {
      const double centered = static_cast<double>(x[i]) - mu[i];
      const double scaled = s[i] * centered;
      row.pull += mu[i] * scaled;
      row.square += centered * scaled;
      z[i] = static_cast<T>(scaled);
    }
    return row;
  }
  // The batch's mean of g' D g for single rows; returns what the gradient is to be multiplied by, unless that is up to
  // the network.
  double take_square(double batch_square) {
    scalar(n_squares) += 1;
    const double share = math::max(options_.smoothing, 1 / scalar(n_squares));
    scalar(square_average) += share * (batch_square - scalar(square_average));
    return options_.normalize == LengthOver::layer ? length_factor(square()) : 1.0;
  }
  double length_factor(double square) const { return 1 / std::sqrt(options_.damping + square); }
  bool takes_squares() const { return options_.normalize != LengthOver::none; }
  double square() const { return scalar(square_average); }

 private:
  enum Scalar { total_weight, n_rows_seen, n_squares, length, is_set, square_average, n_scalars };

  double& scalar(Scalar which) { return state_[4][which]; }
  double scalar(Scalar which) const { return state_[4][which]; }
  // Weights grow by 1 / (1 - averaging) with every batch, which is how the older ones are forgotten.
  void shrink() {
    for (double& sum : state_[0]) sum /= weight_;
    for (double& square : state_[1]) square /= weight_;
    scalar(total_weight) /= weight_;
    weight_ = 1;
  }

  WhiteningOptions options_;
  bool has_bias_;
  double beta2_;
  double weight_ = 1;                       // of a row of the present batch
  std::vector<std::vector<double>> state_;  // weighted sums of x and x^2, mu, beta^2 alpha^2, scalars
};

}  // namespace finitesum
