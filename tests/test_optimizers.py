"""The per-coordinate rules against their definitions, dense and sparse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from finitesum import _core
from tests.reference import optimizers as reference

NAMES = _core.optimizer_names()
each_rule = pytest.mark.parametrize("name", NAMES)
OPTIONS = {
    "momentum": [{"dampening": 0.3}],
    "adagrad": [{"eps_mode": "outside"}, {"eps": 1e-2}],
    "rmsprop": [{"eps_mode": "outside"}, {"gamma": 0.99, "eps": 1e-2}],
    "adam": [{"eps_mode": "inside"}, {"bias_correction": False}, {"beta1": 0.0, "beta2": 0.5}],
}
VARIANTS = [(name, options) for name in NAMES for options in [{}, *OPTIONS.get(name, [])]]
DECAYS = [{}, {"l2": 0.1}, {"decoupled": 0.1}, {"l2": 0.05, "decoupled": 0.05}]
L1 = {"l1": 0.02}
LENGTH = {  # of the 30th step per unit of gradient, by the slots after it
    "sgd": lambda lr: np.full(50, lr),
    "momentum": lambda lr, m: np.full(50, lr),
    "nesterov": lambda lr, m: np.full(50, lr),
    "adagrad": lambda lr, v: lr / np.sqrt(v + 1e-8),
    "rmsprop": lambda lr, v: lr / np.sqrt(v + 1e-8),
    "adam": lambda lr, m, v: lr / (1 - 0.9**30) / (np.sqrt(v / (1 - 0.999**30)) + 1e-8),
}


def gradients(n_steps, n, seed=0, density=1.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_steps, n)) * rng.exponential(size=n)
    return (values * (rng.random((n_steps, n)) < density)).astype(dtype)


def rates(n_steps):
    return 0.05 / (1 + 0.1 * np.arange(n_steps))


def dense_path(name, options, w, g, learning_rates, isa="", **decay):
    rule = _core.Optimizer(name, options, **decay)
    w = w.astype(g.dtype)
    slots = [np.zeros_like(w) for _ in range(rule.n_slots)]
    path = []
    for k, (g_k, rate) in enumerate(zip(g, learning_rates, strict=True), 1):
        rule.update(rate, k, g_k, w, slots, isa)
        path.append(w.copy())
    return np.array(path), slots


def sparse_end(name, options, w, g, learning_rates, capacity, **decay):
    rows = [np.flatnonzero(g_k) for g_k in g]
    offsets = np.cumsum([0, *map(len, rows)])
    indices = np.concatenate(rows)
    values = np.concatenate([g_k[row] for g_k, row in zip(g, rows, strict=True)])
    rule = _core.Optimizer(name, options, **decay)
    return rule.sparse_steps(learning_rates, offsets, indices, values, w, capacity)


def test_every_rule_has_a_twin():
    assert set(NAMES) == set(reference.RULES)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
@pytest.mark.parametrize("decay", DECAYS)
def test_dense_steps_are_the_definition(name, options, decay):
    g, w = gradients(40, 13), np.linspace(-1, 1, 13)
    expected = reference.run(name, w, g, rates(40), options, **decay)
    actual, _ = dense_path(name, options, w, g, rates(40), **decay)
    assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@each_rule
@pytest.mark.parametrize("decay", [*DECAYS, L1])
def test_single_precision_is_close(name, decay):
    g, w = gradients(40, 13), np.linspace(-1, 1, 13)
    exact, _ = dense_path(name, {}, w, g, rates(40), **decay)
    rounded, _ = dense_path(name, {}, w, g.astype(np.float32), rates(40), **decay)
    assert rounded.dtype == np.float32
    assert_allclose(rounded, exact, rtol=1e-4, atol=1e-5)


@each_rule
@pytest.mark.parametrize("decay", [{"l2": 0.1}, L1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_bits_on_every_instruction_set(name, decay, dtype):
    g, w = gradients(20, 37, dtype=dtype), np.linspace(-1, 1, 37)
    first, *others = (
        dense_path(name, {}, w, g, rates(20), isa, **decay) for isa in _core.available_isas()
    )
    for path, slots in others:
        assert_array_equal(path, first[0])
        assert_array_equal(slots, first[1])


@pytest.mark.parametrize(("name", "options"), VARIANTS)
@pytest.mark.parametrize("decay", [*DECAYS, L1, {"l1": 0.02, "decoupled": 0.1}])
@pytest.mark.parametrize("capacity", [8, 512])
def test_sparse_steps_are_the_dense_ones(name, options, decay, capacity):
    """Coordinates 0 and 1 never and rarely have a gradient; the rate changes with each step."""
    g, w = gradients(300, 20, density=0.1), np.linspace(-1, 1, 20)
    g[:, 0] = 0
    g[:, 1] *= np.arange(300) % 100 == 0
    path, slots = dense_path(name, options, w, g, rates(300), **decay)
    actual = sparse_end(name, options, w, g, rates(300), capacity, **decay)
    assert_allclose(actual, np.array([path[-1], *slots]), rtol=1e-10, atol=1e-12)


@each_rule
def test_l1_step_is_the_prox_in_the_metric_of_the_step(name):
    """The threshold is l1 times the step's length per unit of gradient."""
    g, w = gradients(30, 50), np.linspace(-1, 1, 50)
    before, slots = dense_path(name, {}, w, g[:-1], rates(29))
    smooth, prox = before[-1].copy(), before[-1].copy()
    _core.Optimizer(name, {}).update(0.05, 30, g[-1], smooth, [s.copy() for s in slots])
    after = [s.copy() for s in slots]
    _core.Optimizer(name, {}, l1=3.0).update(0.05, 30, g[-1], prox, after)
    length = LENGTH[name](0.05, *after)
    assert_allclose(
        prox, np.sign(smooth) * np.maximum(np.abs(smooth) - 3.0 * length, 0), atol=1e-14
    )
    assert np.any(prox == 0)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adam", {"beta1": 1.0}, r"beta1 must be a number in \[0, 1\), got 1.0"),
        ("adam", {"eps": -1e-8}, "eps must be a finite number, not negative"),
        ("adam", {"eps": float("nan")}, "eps must be a finite number"),
        ("adam", {"eps_mode": "both"}, "eps_mode must be 'inside' or 'outside'"),
        ("adam", {"bias_correction": 1.0}, "bias_correction must be True or False"),
        ("sgd", {"beta1": 0.9}, "optimizer 'sgd' has no parameter 'beta1'"),
        ("sam", {}, "unknown optimizer 'sam'; choose from: 'sgd' 'momentum'"),
    ],
)
def test_bad_parameters_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        _core.Optimizer(name, options)


@pytest.mark.parametrize("decay", ["l2", "decoupled", "l1"])
@pytest.mark.parametrize("value", [-1.0, np.inf, np.nan])
def test_bad_decay_is_refused(decay, value):
    with pytest.raises(ValueError, match=f"{decay} must be a finite number, not negative"):
        _core.Optimizer("sgd", {}, **{decay: value})
