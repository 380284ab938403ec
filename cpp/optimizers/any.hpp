// Every per-coordinate rule there is. A new one is a header and a line here; kernels, names and bindings follow from
// the list. A rule is a struct of hyper-parameters with
//   n_slots                        numbers of state per coordinate, at first 0
//   step<T>(rate, k)               the scalars of step number k = 1, 2, ...
//   update(step, g, w, slots)      one step of one coordinate; returns the step's length per unit of gradient
//   parameters(visit)              its hyper-parameters by name
// and, where steps without a gradient can be taken together (optimizers/idle.hpp),
//   Idle, can_idle(decay), idle(rate, k, decay), catch_up(missed, decay, w, slots).
#pragma once

#include "core/type_list.hpp"
#include "optimizers/adadelta.hpp"
#include "optimizers/adagrad.hpp"
#include "optimizers/adam.hpp"
#include "optimizers/adamax.hpp"
#include "optimizers/adamw.hpp"
#include "optimizers/amsgrad.hpp"
#include "optimizers/irprop.hpp"
#include "optimizers/momentum.hpp"
#include "optimizers/nadam.hpp"
#include "optimizers/nesterov.hpp"
#include "optimizers/quickprop.hpp"
#include "optimizers/rmsprop.hpp"
#include "optimizers/rmsprop_centered.hpp"
#include "optimizers/rprop.hpp"
#include "optimizers/sgd.hpp"

namespace finitesum {

using Optimizers = TypeList<Sgd, Momentum, Nesterov, Adagrad, Rmsprop, RmspropCentered, Adam, Adamw, Adamax, Nadam,
                            Amsgrad, Adadelta, Rprop, Irprop, Quickprop>;
inline constexpr std::size_t most_slots = 3;

}  // namespace finitesum
