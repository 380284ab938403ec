// Every loss there is. A new one is a header and a line here; kernels, names and bindings follow from the list.
// dual_step(z, u, q, y) = argmin_v l*(v, y) - v (z + q u) + q v^2 / 2 is dual coordinate ascent's: l'(t, y) where
// t + q l'(t, y) = z + q u.
#pragma once

#include "core/type_list.hpp"
#include "losses/huber.hpp"
#include "losses/logistic.hpp"
#include "losses/poisson.hpp"
#include "losses/smoothed_hinge.hpp"
#include "losses/squared.hpp"
#include "losses/squared_hinge.hpp"

namespace finitesum {

using Losses = TypeList<Squared, Logistic, SquaredHinge, SmoothedHinge, Huber, Poisson>;

}  // namespace finitesum
