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

// Adam and its kin once the first average no longer moves w: both averages forget.
struct Averages {
  double shrink;
  double keep1;
  double keep2;

  FINITESUM_INLINE Averages then(const Averages& later) const {
    return {later.shrink * shrink, later.keep1 * keep1, later.keep2 * keep2};
  }
  FINITESUM_INLINE void apply(double& w, double& m, double& v) const {
    w *= shrink;
    m *= keep1;
    v *= keep2;
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
