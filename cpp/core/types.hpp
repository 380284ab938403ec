// The vocabulary shared by every layer; free of the standard library's templates, so that kernels may include it.
#pragma once

#include <cstddef>
#include <cstdint>

// Inlined even at -O0: a shared function left out of line in one instruction set's object file could be
// merged into baseline code by the linker and crash an older processor.
#define FINITESUM_INLINE [[gnu::always_inline]] inline
