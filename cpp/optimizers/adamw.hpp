// Adam whose weight decay stands beside the step, not in the gradient: w <- (1 - rate decay) w, then Adam's step
// (Loshchilov and Hutter, ICLR 2019). The formula is decay.hpp's `decoupled`, which every rule takes; here it is the
// default, 0.01 as in PyTorch.
#pragma once

#include "optimizers/adam.hpp"

namespace finitesum {

struct Adamw : Adam {
  static constexpr const char* name = "adamw";
  static constexpr double default_decoupled = 0.01;
};

}  // namespace finitesum
