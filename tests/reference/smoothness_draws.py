"""Draws by smoothness from groups of 16 rows, in buckets by the binary exponent of their sums."""

from math import frexp

import numpy as np

from reference.philox import philox_words


def rounded(smoothness):
    """As the sampler holds them: three leading bits, rounded up, from 23 octaves below the power
    of two at the largest to 41 above it."""
    smoothness = np.asarray(smoothness, float)
    unit = 2.0 ** (frexp(max(smoothness))[1] - 1)
    fraction, exponent = np.frexp(np.clip(smoothness / unit, 2.0**-23, 1.5 * 2.0**40))
    return np.where(smoothness > 0, unit * np.ldexp(np.ceil(8 * fraction) / 8, exponent), 0.0)


def unit_interval(bits):
    return (bits >> 11) * 2.0**-53


def smoothness_draws(estimates, l2, seed, epoch, count):
    """`count` draws, half even and half proportional to the estimates."""
    n, total = len(estimates), float(sum(estimates))
    groups = [[float(e) for e in estimates[i : i + 16]] for i in range(0, n, 16)]
    share = 0.5 * total / (total + n * l2)
    exponents = sorted({frexp(sum(group))[1] for group in groups if sum(group) > 0}, reverse=True)
    buckets = [[g for g in groups if sum(g) > 0 and frexp(sum(g))[1] == e] for e in exponents]
    weights = [2.0**e * len(bucket) for e, bucket in zip(exponents, buckets, strict=True)]

    def draw(k):
        place, bits = philox_words(seed, epoch, k)
        place = unit_interval(place)
        if place >= share:
            return bits * n >> 64
        place, attempt = place / share, 1
        while True:
            b, rest = 0, place * sum(weights)
            while b + 1 < len(weights) and rest >= weights[b]:
                rest, b = rest - weights[b], b + 1
            slot, after = divmod(bits * len(buckets[b]), 2**64)
            level, group = unit_interval(after) * 2.0 ** exponents[b], buckets[b][slot]
            for row, estimate in enumerate(group):
                if level < estimate:
                    first = next(16 * i for i, g in enumerate(groups) if g is group)
                    return first + row
                level -= estimate
            place, bits = philox_words(seed, epoch, k + (attempt << 48))
            place, attempt = unit_interval(place), attempt + 1

    return [draw(k) for k in range(count)]
