#include "isa/isa.hpp"

#include <cstdlib>
#include <stdexcept>

#define FINITESUM_DECLARE_TABLE(isa) \
  namespace finitesum::isa {         \
  extern const KernelTable table;    \
  }
#ifdef FINITESUM_HAVE_base
FINITESUM_DECLARE_TABLE(base)
#else
FINITESUM_DECLARE_TABLE(v2)
FINITESUM_DECLARE_TABLE(v3)
FINITESUM_DECLARE_TABLE(v4)
#endif

namespace finitesum {

namespace {

struct Level {
  const KernelTable* table;
  bool supported;
};

// Lowest first. A level's name stands for the whole feature set, so flags and detection cannot disagree.
std::vector<Level> levels() {
#ifdef FINITESUM_HAVE_base
  return {{&base::table, true}};
#else
  __builtin_cpu_init();
  return {{&v2::table, __builtin_cpu_supports("x86-64-v2") != 0},
          {&v3::table, __builtin_cpu_supports("x86-64-v3") != 0},
          {&v4::table, __builtin_cpu_supports("x86-64-v4") != 0}};
#endif
}

const KernelTable& choose() {
  const char* forced = std::getenv("FINITESUM_ISA");
  return kernels(forced != nullptr && *forced != '\0' ? std::string_view(forced) : available_isas().back());
}

}  // namespace

bool supported_baseline() { return levels().front().supported; }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Level& level : levels()) {
    if (level.supported) names.emplace_back(level.table->isa);
  }
  return names;
}

const KernelTable& kernels() {
  static const KernelTable& active = choose();
  return active;
}

const KernelTable& kernels(std::string_view isa) {
  for (const Level& level : levels()) {
    if (level.supported && level.table->isa == isa) return *level.table;
  }
  std::string message =
      "instruction set '" + std::string(isa) + "' (FINITESUM_ISA) is not available here; choose from:";
  for (const std::string& name : available_isas()) message += " '" + name + "'";
  throw std::runtime_error(message);
}

}  // namespace finitesum
