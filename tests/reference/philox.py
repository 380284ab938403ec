"""Philox4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, SC 2011, section 4.3."""

MASK = 2**32 - 1


def philox_block(counter, key):
    """Four 32-bit words from a counter of four and a key of two."""
    x, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(p1 >> 32) ^ x[1] ^ k0, p1 & MASK, (p0 >> 32) ^ x[3] ^ k1, p0 & MASK]
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return x


def philox_words(seed, stream, counter):
    """Two 64-bit words: key = seed, counter and stream = the two halves of the block's counter."""
    halves = [number >> shift & MASK for number in (counter, stream) for shift in (0, 32)]
    x = philox_block(halves, (seed & MASK, seed >> 32))
    return x[1] << 32 | x[0], x[3] << 32 | x[2]
