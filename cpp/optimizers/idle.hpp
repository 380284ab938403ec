// What a step without a gradient does to a coordinate (w, slots), where that is a map which does not depend on the
// coordinate: then any number of missed steps is one map, and catching up costs one application. `then` composes.
#pragma once

#include "core/math.hpp"

namespace finitesum {

// w <- soft(shrink w, threshold): closed under composition, as soft(s soft(x, a), b) = soft(s x, |s| a + b). The sum of
// the thresholds is the cumulative penalty of Tsuruoka, Tsujii and Ananiadou, ACL 2009.
struct Shrinkage {
  double shrink;
  double threshold;

  FINITESUM_INLINE Shrinkage then(const Shrinkage& later) const {
    return {later.shrink * shrink, math::abs(later.shrink) * threshold + later.threshold};
  }
  FINITESUM_INLINE double operator()(double w, double unit = 1.0) const {
    return math::soft_threshold(shrink * w, unit * threshold);
  }
};

// w <- shrink w, and the slots, averages of squares, forget.
struct Forgetting {
  double shrink;
  double keep;

  FINITESUM_INLINE Forgetting then(const Forgetting& later) const { return {later.shrink * shrink, later.keep * keep}; }
};

// Adamax: while u stays above eps, step i moves w by W_i m / (u beta2^i); sum = sum_i W_i / beta2^i.
struct GeometricSteps {
  double shrink;
  double keep1;
  double keep2;
  double sum;

  FINITESUM_INLINE GeometricSteps then(const GeometricSteps& later) const {
    return {later.shrink * shrink, later.keep1 * keep1, later.keep2 * keep2,
            later.shrink * sum + keep1 / keep2 * later.sum};
  }
};

// Adam and its kin: without gradients step i moves w by W_i m f(x_i), f(x) = 1 / (sqrt(v x + inside) + outside), with m
// and v of before all steps and W_i and x_i the same for all coordinates; x_i falls. With e_i = (x_i - x_0) / x_0,
//   sum_i W_i f(x_i) = sum_j f_j mu_j,  mu_j = sum_i W_i e_i^j,  f_j the Taylor coefficients of f(x_0 (1 + e)).
// f is a Stieltjes function (the reciprocal of a complete Bernstein function), an integral of 1 / (x + s) over s >= 0
// with a positive measure; so |f_j| <= f_0, and what terms from J on amount to is at most
//   f_0 sum_i W_i |e_i|^J / (1 - |e_i|) <= f_0 |mu_J| x_0 / x_last.
struct AveragedSteps {
  static constexpr std::size_t n_terms = 10;  // J
  static constexpr double tolerance = 1e-13;  // of that bound, relative to f_0 mu_0

  double shrink;     // of w
  double keep1;      // of m
  double keep2;      // of v
  double keep_root;  // of what stands under the root
  double start;      // x_0
  double spread;     // x_last / x_0
  double moments[n_terms + 1];

  static AveragedSteps one(double shrink, double keep1, double keep2, double keep_root, double weight, double x) {
    return {shrink, keep1, keep2, keep_root, x, 1.0, {weight}};
  }

  // Moments about another point: e = (q - 1) + q e' with q the ratio of the two.
  AveragedSteps then(const AveragedSteps& later) const {
    const double q = keep_root * later.start / start;
    AveragedSteps both{later.shrink * shrink,
                       later.keep1 * keep1,
                       later.keep2 * keep2,
                       later.keep_root * keep_root,
                       start,
                       q * later.spread,
                       {}};
    double scaled[n_terms + 1];
    double power = keep1;
    for (std::size_t j = 0; j <= n_terms; ++j, power *= q) scaled[j] = power * later.moments[j];
    // sum_l C(j, l) (q - 1)^(j - l) scaled_l for all j, by repeated sums as in Pascal's triangle.
    for (std::size_t j = 0; j <= n_terms; ++j) {
      both.moments[j] = later.shrink * moments[j] + scaled[0];
      for (std::size_t l = 0; l + j < n_terms; ++l) scaled[l] = (q - 1.0) * scaled[l] + scaled[l + 1];
    }
    return both;
  }

  bool is_accurate() const { return shrink > 0.0 && math::abs(moments[n_terms]) <= tolerance * spread * moments[0]; }

  // sum_j f_j mu_j: the root's binomial series, then the series of its reciprocal.
  double sum(double v, double inside, double outside) const {
    const double below = v * start + inside;
    if (below == 0.0 && outside == 0.0) return 0.0;  // no gradient yet, m = 0
    const double ratio = below == 0.0 ? 0.0 : v * start / below;
    double root[n_terms];
    double f[n_terms];
    root[0] = math::sqrt(below);
    f[0] = 1.0 / (root[0] + outside);
    double total = f[0] * moments[0];
    for (std::size_t j = 1; j < n_terms; ++j) {
      const double number = static_cast<double>(j);
      root[j] = root[j - 1] * ratio * ((1.5 - number) / number);
      double convolved = 0.0;
      for (std::size_t l = 1; l <= j; ++l) convolved += root[l] * f[j - l];
      f[j] = -f[0] * convolved;
      total += f[j] * moments[j];
    }
    return total;
  }
};

// (w, m) <- A (w, m): momentum carries w on, and the pull of L2 feeds it.
struct LinearMap {
  double ww;
  double wm;
  double mw;
  double mm;

  FINITESUM_INLINE LinearMap then(const LinearMap& later) const {
    return {later.ww * ww + later.wm * mw, later.ww * wm + later.wm * mm, later.mw * ww + later.mm * mw,
            later.mw * wm + later.mm * mm};
  }
  FINITESUM_INLINE void apply(double& w, double& m) const {
    const double w_before = w;
    w = ww * w_before + wm * m;
    m = mw * w_before + mm * m;
  }
};

}  // namespace finitesum
