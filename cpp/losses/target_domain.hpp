// Which targets a loss is defined for.
#pragma once

namespace finitesum {

enum class TargetDomain { real, sign, nonnegative };

}  // namespace finitesum
