"""Which rows are drawn: a permutation first, then independent draws of given probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import chisquare

from finitesum import _core
from reference.philox import philox_block, philox_words
from reference.smoothness_draws import rounded, smoothness_draws

SIZES = [1, 2, 3, 4, 5, 7, 16, 17, 63, 100, 1023, 1024, 1025, 4097, 100_003]
SMOOTHNESS = np.random.default_rng(0).exponential(size=50) ** 3
LUCK = 1e-4  # how improbable a fair stream may look


def draws(seed, epoch, n, *, first=0, count=None, smoothness=None):
    return _core.draws(seed, epoch, first, n if count is None else count, n, smoothness)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        # Known answers of the authors' Random123 library (kat_vectors).
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([2**32 - 1] * 4, [2**32 - 1] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_twin_gives_the_known_answers(counter, key, expected):
    assert philox_block(counter, key) == expected


@pytest.mark.parametrize("seed", [0, 1, 2**32 + 5, 2**64 - 1])
def test_uniform_draws_are_the_twins(seed):
    n = 1000
    for epoch in (1, 2, 2**33):
        expected = [philox_words(seed, epoch, k // 2)[k % 2] * n >> 64 for k in range(300)]
        assert draws(seed, epoch, n, count=300).tolist() == expected


@pytest.mark.parametrize("smoothness", [None, SMOOTHNESS], ids=["uniform", "lipschitz"])
@pytest.mark.parametrize("n", SIZES)
def test_first_epoch_visits_every_row_once(n, smoothness):
    smoothness = None if smoothness is None else np.resize(smoothness, n)
    for seed in range(5):
        assert np.array_equal(np.sort(draws(seed, 0, n, smoothness=smoothness)), np.arange(n))


@pytest.mark.parametrize("smoothness", [None, SMOOTHNESS], ids=["uniform", "lipschitz"])
@pytest.mark.parametrize("epoch", [0, 1, 9])
def test_draws_do_not_depend_on_how_they_are_cut(epoch, smoothness):
    whole = draws(3, epoch, 50, smoothness=smoothness)
    for first in range(50):
        for count in {0, 1, min(2, 50 - first), min(7, 50 - first), 50 - first}:
            part = draws(3, epoch, 50, first=first, count=count, smoothness=smoothness)
            assert np.array_equal(part, whole[first : first + count])


@pytest.mark.parametrize("smoothness", [None, SMOOTHNESS], ids=["uniform", "lipschitz"])
def test_other_seeds_and_epochs_give_other_draws(smoothness):
    streams = [
        tuple(draws(seed, epoch, 50, smoothness=smoothness))
        for seed in (0, 1, 2, 2**32, 2**63)
        for epoch in (0, 1, 2, 3)
    ]
    assert len(set(streams)) == len(streams)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 13, 50])
def test_every_row_is_as_likely_at_every_place_of_the_first_epoch(n):
    orders = np.array([draws(seed, 0, n) for seed in range(4000)])
    for place in {0, 1, n // 2, n - 1}:
        counts = np.bincount(orders[:, place], minlength=n)
        assert chisquare(counts).pvalue > LUCK


def test_neighbors_in_the_first_epoch_are_independent():
    """Row k + 1 follows row k no more often than by chance, 1/n of the time."""
    n = 1000
    followed = sum(np.sum(np.diff(draws(seed, 0, n)) == 1) for seed in range(200))
    assert abs(followed - 200) < 5 * np.sqrt(200)


@pytest.mark.parametrize("n", [2, 3, 50])
def test_uniform_frequencies(n):
    counts = np.bincount(draws(11, 1, n, count=200_000), minlength=n)
    assert chisquare(counts).pvalue > LUCK


def probabilities(smoothness):
    estimates = rounded(smoothness)
    return 0.5 / len(estimates) + 0.5 * estimates / estimates.sum()


CONSTANTS = {
    "spread": SMOOTHNESS,
    "equal": np.ones(50),
    "one row stands out": np.where(np.arange(50) == 17, 1e6, 1.0),
    "some zero": np.where(np.arange(50) % 2 == 0, 0.0, 1.0),
    "groups of zeros": np.where(np.arange(70) // 16 % 2 == 0, 0.0, 1.0 + np.arange(70) % 7),
    "two rows": np.array([1.0, 3.0]),
    "many groups": np.random.default_rng(1).exponential(size=1003) ** 6,
    "huge": 1e300 * SMOOTHNESS,
    "tiny": 1e-300 * SMOOTHNESS,
}


@pytest.mark.parametrize("constants", CONSTANTS)
def test_lipschitz_frequencies(constants):
    """Half uniform, half proportional to the rows' smoothness, rounded."""
    smoothness = CONSTANTS[constants]
    count = 400_000
    drawn = draws(11, 1, len(smoothness), count=count, smoothness=smoothness)
    counts = np.bincount(drawn, minlength=len(smoothness))
    assert chisquare(counts, count * probabilities(smoothness)).pvalue > LUCK


@pytest.mark.parametrize("constants", CONSTANTS)
def test_importance_makes_estimates_unbiased(constants):
    smoothness = CONSTANTS[constants]
    importance = _core.SmoothnessSampler(smoothness, 0.0).importance()
    expected = 1 / (len(smoothness) * probabilities(smoothness))
    assert_allclose(importance, expected, rtol=1e-12)
    assert_allclose(probabilities(smoothness) @ importance, 1, rtol=1e-12)


@pytest.mark.parametrize("constants", CONSTANTS)
def test_estimates_are_bounds_of_one_byte(constants):
    """Rounded up, by at most a quarter, to three leading bits; zero is zero."""
    smoothness = CONSTANTS[constants]
    estimates = _core.SmoothnessSampler(smoothness, 0.0).estimates()
    assert np.array_equal(estimates, rounded(smoothness))
    held = np.where(smoothness > 0, np.maximum(smoothness, 2.0**-23 * smoothness.max()), 0)
    assert np.all((smoothness <= estimates) & (estimates <= 1.25 * held))
    assert np.array_equal(estimates == 0, smoothness == 0)
    assert len(np.unique(estimates)) <= 256


def test_nothing_but_zeros_is_drawn_evenly():
    sampler = _core.SmoothnessSampler(np.zeros(40), 0.0)
    assert np.array_equal(sampler.importance(), np.ones(40))
    counts = np.bincount(sampler.draws(3, 1, 0, 100_000), minlength=40)
    assert chisquare(counts).pvalue > LUCK
    assert_allclose(sampler.draw_shares(), 0.1)
    sampler.set_estimate(3, 1.0)
    assert sampler.importance()[3] < 0.1


def test_weights_of_the_wrong_length_are_refused():
    with pytest.raises(ValueError, match="n numbers"):
        _core.draws(0, 1, 0, 3, 3, np.ones(4))


@pytest.mark.parametrize("l2", [0.0, 0.7])
@pytest.mark.parametrize("constants", CONSTANTS)
def test_draws_by_smoothness_are_the_twins(constants, l2):
    sampler = _core.SmoothnessSampler(CONSTANTS[constants], l2 * CONSTANTS[constants].max())
    twins = smoothness_draws(sampler.estimates(), l2 * CONSTANTS[constants].max(), 5, 2, 400)
    assert sampler.draws(5, 2, 0, 400).tolist() == twins


def wandered(start, steps, seed=0):
    """A sampler after updates of its estimates by factors of two, and these estimates."""
    rng = np.random.default_rng(seed)
    sampler, estimates = _core.SmoothnessSampler(start, 0.3), rounded(start)
    lowest = 2.0**-23 * start.max()
    for row, power in zip(
        rng.integers(len(start), size=steps), rng.integers(-6, 5, size=steps), strict=True
    ):
        estimates[row] = np.clip(estimates[row] * 2.0**power, lowest, 2.0**30)
        sampler.set_estimate(row, estimates[row])
    return sampler, estimates


@pytest.mark.parametrize("n", [2, 16, 17, 300])
def test_frequencies_follow_estimates_that_learn(n):
    sampler, estimates = wandered(np.exp2(np.arange(n) % 5), 20 * n)
    np.testing.assert_array_equal(sampler.estimates(), estimates)
    assert_allclose(sampler.mean(), estimates.mean(), rtol=1e-12)
    weight = estimates + estimates.mean() + 2 * 0.3
    assert_allclose(1 / sampler.importance(), n * weight / weight.sum(), rtol=1e-12)
    count = 400_000
    counts = np.bincount(sampler.draws(7, 3, 0, count), minlength=n)
    assert chisquare(counts, count * weight / weight.sum()).pvalue > LUCK


@given(
    start=st.lists(st.integers(-20, 20), min_size=1, max_size=60),
    steps=st.integers(0, 200),
    seed=st.integers(0, 1000),
)
@settings(max_examples=50, deadline=None)
def test_a_refreshed_sampler_depends_on_its_estimates_alone(start, steps, seed):
    """Also: whatever the moves between buckets, the twin of the final estimates draws the same."""
    sampler, estimates = wandered(np.exp2(np.array(start, dtype=float)), steps, seed)
    sampler.refresh()
    assert sampler.draws(1, 4, 0, 50).tolist() == smoothness_draws(estimates, 0.3, 1, 4, 50)


def test_estimates_are_held_within_23_halvings_and_room_for_growth():
    sampler = _core.SmoothnessSampler(np.array([3.0, 1.0, 1e-30]), 0.0)
    sampler.set_estimate(1, 1e200)
    unit = 2.0  # the power of two below the largest
    assert sampler.estimates().tolist() == [3.0, 1.5 * unit * 2.0**40, unit * 2.0**-23]
    assert sampler.max() == 1.5 * unit * 2.0**40
    assert set(sampler.draws(0, 1, 0, 100).tolist()) == {0, 1, 2}
    sampler.set_estimate(2, 0.0)
    assert sampler.estimates()[2] == 0


@given(power=st.integers(-20, 38), fraction=st.floats(1, 2, exclude_max=True))
def test_halving_and_doubling_are_exact(power, fraction):
    """So estimates that learn by factors of two are never rounded again."""
    sampler = _core.SmoothnessSampler(np.array([1.0, fraction / 2]), 0.0)
    start = sampler.estimates()[1]
    sampler.set_estimate(1, start * 2.0**power)
    assert sampler.estimates()[1] == start * 2.0**power


def test_the_largest_estimate_decays_by_one_half_per_pass():
    n = 64
    sampler = _core.SmoothnessSampler(np.ones(n), 0.0)
    for row in range(n):
        sampler.set_estimate(row, 1 / 8)
    assert_allclose(sampler.max(), 0.5, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 7, 10, 1003])
@pytest.mark.parametrize("ties", [False, True])
def test_draw_shares_are_those_of_sorted_rows(n, ties):
    estimates = np.random.default_rng(n).exponential(size=n) ** 3
    if ties:
        estimates = np.exp2(np.round(np.log2(estimates)))
    sampler = _core.SmoothnessSampler(estimates, 0.1)
    estimates = np.sort(rounded(estimates))
    weight = estimates + estimates.mean() + 2 * 0.1
    deciles = 10 * np.arange(n) // n
    expected = np.bincount(deciles, weight / weight.sum(), minlength=10)
    assert_allclose(sampler.draw_shares(), expected, rtol=1e-12)
