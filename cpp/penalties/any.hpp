// Every penalty there is. A new one is a header and a line here; names and bindings follow from the list.
#pragma once

#include "core/type_list.hpp"
#include "penalties/elastic_net.hpp"
#include "penalties/l1.hpp"
#include "penalties/l2.hpp"
#include "penalties/none.hpp"

namespace finitesum {

using Penalties = TypeList<None, L2, L1, ElasticNet>;

}  // namespace finitesum
