// Counter-based random numbers: the k-th draw of an epoch is a function of (seed, epoch, k), so a run can be cut and
// resumed anywhere and does not depend on who draws, or in which order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace finitesum {

// Philox4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
// section 4.3.
class Philox {
 public:
  using Block = std::array<std::uint32_t, 4>;

  Philox(std::uint64_t seed, std::uint64_t stream)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}, stream_(stream) {}

  Block block(std::uint64_t counter) const {
    Block x{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
            static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)};
    std::uint32_t k0 = key_[0];
    std::uint32_t k1 = key_[1];
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * x[0];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * x[2];
      x = {static_cast<std::uint32_t>(p1 >> 32) ^ x[1] ^ k0, static_cast<std::uint32_t>(p1),
           static_cast<std::uint32_t>(p0 >> 32) ^ x[3] ^ k1, static_cast<std::uint32_t>(p0)};
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return x;
  }

  // Two 64-bit words per block.
  std::array<std::uint64_t, 2> words(std::uint64_t counter) const {
    const Block x = block(counter);
    return {(std::uint64_t{x[1]} << 32) | x[0], (std::uint64_t{x[3]} << 32) | x[2]};
  }

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint64_t stream_;
};

// An integer in [0, n) from 64 random bits; the bias, below n / 2^64, is out of reach of any test.
inline std::size_t below(std::uint64_t bits, std::size_t n) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>((Wide{bits} * n) >> 64);
}

// A pseudo-random permutation of [0, n) in O(1) memory: a Feistel network on the smallest number of bits that holds n,
// walked along its cycle until it falls inside [0, n) (J. Black, P. Rogaway, "Ciphers with arbitrary finite domains",
// CT-RSA 2002). Narrow halves mix slowly and get more rounds.
class Permutation {
 public:
  Permutation(const Philox& random, std::size_t n) : n_(n) {
    unsigned bits = 2;
    while (bits < 64 && (std::uint64_t{1} << bits) < n) ++bits;
    right_bits_ = (bits + 1) / 2;
    left_mask_ = (std::uint64_t{1} << (bits - right_bits_)) - 1;
    right_mask_ = (std::uint64_t{1} << right_bits_) - 1;
    n_rounds_ = bits < 15 ? max_rounds : 6;
    for (std::size_t round = 0; round < max_rounds; round += 2) {
      const auto words = random.words(round / 2);
      keys_[round] = words[0];
      keys_[round + 1] = words[1];
    }
  }

  std::size_t operator()(std::size_t k) const {
    std::uint64_t x = k;
    do {
      x = encrypt(x);
    } while (x >= n_);
    return static_cast<std::size_t>(x);
  }

 private:
  static constexpr std::size_t max_rounds = 16;

  std::uint64_t encrypt(std::uint64_t x) const {
    std::uint64_t left = x >> right_bits_;
    std::uint64_t right = x & right_mask_;
    for (std::size_t round = 0; round < n_rounds_; round += 2) {
      left ^= mix(right + keys_[round]) & left_mask_;
      right ^= mix(left + keys_[round + 1]) & right_mask_;
    }
    return (left << right_bits_) | right;
  }
  static std::uint64_t mix(std::uint64_t x) {
    x *= 0x9E3779B97F4A7C15u;
    return ((x ^ (x >> 32)) * 0xD6E8FEB86659FD93u) >> 32;
  }

  std::uint64_t n_;
  unsigned right_bits_ = 0;
  std::uint64_t left_mask_ = 0;
  std::uint64_t right_mask_ = 0;
  std::size_t n_rounds_ = 0;
  std::array<std::uint64_t, max_rounds> keys_{};
};

}  // namespace finitesum
