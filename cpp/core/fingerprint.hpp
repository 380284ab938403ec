// A 64-bit fingerprint of some bytes, to tell whether a resumed fit sees the data that it left. Not cryptographic.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace finitesum {

inline std::uint64_t fingerprint(const void* data, std::size_t bytes) {
  constexpr std::uint64_t odd = 0x9E3779B97F4A7C15u;
  const auto mix = [](std::uint64_t h, std::uint64_t word) {
    h = (h ^ word) * odd;
    return h ^ (h >> 29);
  };
  const auto* next = static_cast<const unsigned char*>(data);
  // Four chains, so that the multiplications overlap.
  std::array<std::uint64_t, 4> chains{1, 2, 3, 4};
  std::array<std::uint64_t, 4> words{};
  std::size_t rest = bytes;
  for (; rest >= sizeof words; rest -= sizeof words, next += sizeof words) {
    std::memcpy(words.data(), next, sizeof words);
    for (std::size_t k = 0; k < 4; ++k) chains[k] = mix(chains[k], words[k]);
  }
  words = {};
  if (rest > 0) std::memcpy(words.data(), next, rest);
  std::uint64_t h = bytes;
  for (std::size_t k = 0; k < 4; ++k) h = mix(h, mix(chains[k], words[k]));
  return mix(h, odd);
}

}  // namespace finitesum
