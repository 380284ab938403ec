"""Each penalty against its definition, and k lazy steps against k steps."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from finitesum import _core

NAMES = _core.penalty_names()
L1_PART = {"none": 0.0, "l2": 0.0, "l1": 1.0, "elastic_net": 0.4}  # of alpha, at l1_ratio = 0.4
L2_PART = {"none": 0.0, "l2": 1.0, "l1": 0.0, "elastic_net": 0.6}
ALPHA, RATIO = 0.7, 0.4
each_penalty = pytest.mark.parametrize("name", NAMES)
RNG = np.random.default_rng(0)


def test_every_penalty_is_covered():
    assert set(NAMES) == set(L1_PART)


@each_penalty
def test_value_is_the_definition(name):
    w = RNG.normal(size=100)
    l1, l2 = ALPHA * L1_PART[name], ALPHA * L2_PART[name]
    actual = _core.penalty_value(name, ALPHA, RATIO, w)
    assert_allclose(actual, l2 / 2 * w**2 + l1 * np.abs(w), rtol=1e-14)


@each_penalty
@pytest.mark.parametrize("step", [1e-3, 0.5, 20.0])
def test_prox_is_optimal(name, step):
    """0 lies in w - v + step * subdifferential(w)."""
    v = np.concatenate([RNG.normal(size=200), [0.0, 1e-300, 1e6]])
    w = _core.penalty_prox(name, ALPHA, RATIO, v, step)
    l1, l2 = ALPHA * L1_PART[name], ALPHA * L2_PART[name]
    residual = (v - w) / step - l2 * w  # must equal l1 * sign(w), or lie in [-l1, l1] at zero
    scale = 1e-13 * (1 + np.abs(v)) * (1 + 1 / step)
    zero = w == 0
    assert np.all(np.abs(residual[~zero] - l1 * np.sign(w[~zero])) <= scale[~zero])
    assert np.all(np.abs(residual[zero]) <= l1 + scale[zero])


@each_penalty
def test_fenchel_young(name):
    w, v = RNG.normal(size=(2, 500))
    value = _core.penalty_value(name, ALPHA, RATIO, w)
    assert np.all(value + _core.penalty_conjugate(name, ALPHA, RATIO, v) >= v * w - 1e-14)
    # equality at a subgradient, where the multiple of l1 at w = 0 is free
    l1, l2 = ALPHA * L1_PART[name], ALPHA * L2_PART[name]
    subgradient = np.clip(l2 * w + l1 * np.sign(w), -1e300, 1e300)
    conjugate = _core.penalty_conjugate(name, ALPHA, RATIO, subgradient)
    assert_allclose(value + conjugate, subgradient * w, rtol=1e-13, atol=1e-14)
    assert _core.penalty_conjugate(name, ALPHA, RATIO, np.array([0.0]))[0] == 0


@each_penalty
def test_conjugate_domain(name):
    l1 = ALPHA * L1_PART[name]
    conjugate = _core.penalty_conjugate(name, ALPHA, RATIO, np.array([l1, -l1, 1.01, -1.01]))
    assert_allclose(conjugate[:2], 0, atol=1e-15 if l1 else 0)
    assert np.all(np.isfinite(conjugate[2:]) == (L2_PART[name] > 0))
    assert np.all(conjugate[2:] > 0)


def loop(name, alpha, w, drift, step, k):
    """K steps one by one, in extended precision where there is one: 10,000 roundings add up."""
    w, drift, step, alpha = map(np.longdouble, (w, drift, step, alpha))
    tau = step * alpha * np.longdouble(L1_PART[name])
    divisor = 1 + step * alpha * np.longdouble(L2_PART[name])
    for _ in range(k):
        v = w - drift
        w = (max(v - tau, 0) + min(v + tau, 0)) / divisor
    return float(w)


def loop_path(name, alpha, w, drift, step, k):
    path = []
    for _ in range(k):
        w = loop(name, alpha, w, drift, step, 1)
        path.append(w)
    return path


def lazy(name, alpha, w, drift, step, k, function=_core.penalty_lazy_prox):
    arrays = np.array([w]), np.array([drift])
    return float(function(name, alpha, RATIO, *arrays, step, np.array([k], dtype=np.int64))[0])


def check_lazy_equals_loop(name, alpha, w, drift, step, k):
    scale = max(abs(w), k * abs(drift))
    path = loop_path(name, alpha, w, drift, step, k)
    actual = lazy(name, alpha, w, drift, step, k)
    assert actual == pytest.approx(path[-1] if path else w, rel=0, abs=1e-12 * scale)
    total = lazy(name, alpha, w, drift, step, k, _core.penalty_lazy_path_sum)
    assert total == pytest.approx(math.fsum(path), rel=0, abs=1e-12 * scale * max(k, 1))


magnitudes = st.one_of(st.just(0.0), st.floats(1e-6, 10.0), st.floats(1e-3, 0.1))
signed = st.tuples(magnitudes, st.sampled_from([-1, 1])).map(lambda pair: pair[0] * pair[1])


@given(
    name=st.sampled_from(NAMES),
    alpha=magnitudes,
    w=signed,
    drift=signed,
    step=st.floats(1e-6, 1.0),
    k=st.integers(0, 300),
)
@example(name="l2", alpha=1.0, w=0.0, drift=-1.0, step=1.0, k=1)  # alpha step k is not small
@example(name="l2", alpha=0.5, w=1.0, drift=-1.0, step=1.0, k=2)
@settings(max_examples=400, deadline=None)
def test_lazy_equals_loop(name, alpha, w, drift, step, k):
    check_lazy_equals_loop(name, alpha, w, drift, step, k)


# alpha * step = 0.1: with l1 alone tau = 0.1; the drift decides the path.
REGIMES = {
    "shrinks to zero and stays": (1.0, 0.0),
    "pushed to zero and stays": (1.0, 0.05),
    "crosses zero": (1.0, 0.3),
    "jumps over zero": (0.25, 0.4),
    "grows from zero": (0.0, -0.3),
    "stays at zero": (0.0, 0.09),
    "grows away": (1.0, -0.3),
    "balanced": (1.0, -0.1),
    "held at the threshold": (0.0, 0.1),
    "negative, crosses": (-1.0, -0.3),
    "negative, to zero": (-1.0, -0.02),
    "lands on zero": (0.5, 0.025),
}


@each_penalty
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("k", [1, 2, 3, 5, 9, 10, 11, 200])
def test_lazy_equals_loop_in_every_regime(name, regime, k):
    check_lazy_equals_loop(name, 1.0, *REGIMES[regime], 0.1, k)


@each_penalty
@pytest.mark.parametrize("w", [3.0, -0.02, 0.0])
@pytest.mark.parametrize("drift", [1e-4, -3e-4, 7e-7])
@pytest.mark.parametrize("step", [1e-2, 1e-4, 1e-9])
def test_lazy_equals_a_long_loop(name, w, drift, step):
    check_lazy_equals_loop(name, 0.1, w, drift, step, 10_000)


@each_penalty
@pytest.mark.parametrize("drift", [0.0, 1e-15, -0.2])
@pytest.mark.parametrize("step", [1e-18, 1e-5, 0.3])
def test_lazy_with_very_many_steps(name, drift, step):
    """Too many for a loop: n steps and then m steps are n + m steps."""
    n, m = 10**15, 3 * 10**14
    together = lazy(name, 1.0, 2.0, drift, step, n + m)
    in_turn = lazy(name, 1.0, lazy(name, 1.0, 2.0, drift, step, n), drift, step, m)
    scale = max(2.0, abs(drift) * (n + m))
    assert together == pytest.approx(in_turn, rel=0, abs=1e-12 * scale)
    if step == 0.3 and name in ("l2", "elastic_net"):  # settled at the fixed point of one step
        assert together == pytest.approx(loop(name, 1.0, together, drift, step, 1), abs=1e-15)


def test_lazy_decay_keeps_its_relative_accuracy():
    assert lazy("l2", 1.0, 1.0, 0.0, 0.5, 200) == pytest.approx(1.5**-200.0, rel=1e-13)


def test_lazy_crossings_far_from_unit_scale():
    """Zero is reached in about w / tau steps, however the scales of w and tau compare."""
    for w, tau in [(1.0, 1e-12), (1e-12, 1.0), (1e200, 1e-200), (1e-200, 1e200)]:
        steps = w / tau
        for factor in (0.5, 2.0):
            k = int(min(factor * steps, 2**62))
            expected = max(0.0, w - k * tau)
            assert lazy("l1", tau, w, 0.0, 1.0, k) == pytest.approx(expected, abs=1e-12 * w)


def test_bad_arguments_are_refused():
    one = np.ones(1)
    with pytest.raises(ValueError, match=r"choose from.*'elastic_net'"):
        _core.penalty_value("ridge", 1.0, 0.5, one)
    for alpha in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="alpha must be"):
            _core.penalty_value("l2", alpha, 0.5, one)
    for l1_ratio in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="l1_ratio must"):
            _core.penalty_value("l2", 1.0, l1_ratio, one)
