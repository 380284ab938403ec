// The certificate of a point from anywhere: how far (w, b) can be from the optimum, whoever computed it.
#pragma once

#include "api/fit.hpp"

namespace finitesum {

struct PointCertificate {
  double objective = 0;
  double lower_bound = 0;  // at least zero, as every loss is; less what rounding may have added to it
  double null_objective = 0;
};

// Of the point (coef_init, intercept_init), both present. At most stop.max_iter epochs of the request's solver raise
// the lower bound, 0 for none; the rest of the stop rule is not used. Throws std::invalid_argument, with a message for
// the user, before any work starts.
PointCertificate certify_point(const FitRequest& request);

}  // namespace finitesum
