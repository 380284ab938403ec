// Which instruction set the kernels run on: detected once per process, or forced by the environment variable
// FINITESUM_ISA. An unknown or unsupported request is an error, never a silent fallback.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/table.hpp"

namespace finitesum {

// Whether this processor can run the library at all.
bool supported_baseline();

// The names of the compiled-in instruction sets that this processor supports, lowest first.
std::vector<std::string> available_isas();

// The active table. Throws std::runtime_error naming the valid choices if FINITESUM_ISA is not one of them.
const KernelTable& kernels();

// One named table. Throws std::runtime_error likewise.
const KernelTable& kernels(std::string_view isa);

}  // namespace finitesum
