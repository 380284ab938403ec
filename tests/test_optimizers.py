"""The per-coordinate rules against their definitions, dense and sparse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from finitesum import _core
from tests.reference import optimizers as reference

NAMES = _core.optimizer_names()
each_rule = pytest.mark.parametrize("name", NAMES)
FULL_BATCH = {name for name in NAMES if _core.optimizer_defaults(name)["full_batch"]}
OPTIONS = {
    "momentum": [{"dampening": 0.3}],
    "adagrad": [{"eps_mode": "outside"}, {"eps": 1e-2}],
    "rmsprop": [{"eps_mode": "outside"}, {"gamma": 0.99, "eps": 1e-2}],
    "rmsprop_centered": [{"eps_mode": "outside"}, {"gamma": 0.99, "eps": 1e-2}],
    "adam": [
        {"eps_mode": "inside"},
        {"bias_correction": False},
        {"beta1": 0.0, "beta2": 0.5},
        {"beta1": 0.5, "beta2": 0.9},
    ],
    "adamax": [{"beta1": 0.5, "eps": 1e-2}],
    "nadam": [{"eps_mode": "inside", "momentum_decay": 0.1}],
    "amsgrad": [{"eps_mode": "inside"}, {"bias_correction": False}],
    "adadelta": [{"rho": 0.99, "eps": 1e-3}],
    "rprop": [{"growth": 1.5, "shrinkage": 0.3, "smallest": 0.01, "largest": 0.3}],
    "irprop": [{"growth": 1.5, "shrinkage": 0.3, "smallest": 0.01, "largest": 0.3}],
    "quickprop": [{"growth": 1.2}],
}
VARIANTS = [(name, options) for name in NAMES for options in [{}, *OPTIONS.get(name, [])]]
DECAYS = [{}, {"l2": 0.1}, {"decoupled": 0.1}, {"l2": 0.05, "decoupled": 0.05}]
L1 = {"l1": 0.02}
RULES_AND_DECAYS = [
    (name, decay)
    for name in NAMES
    for decay in [{"l2": 0.05, "decoupled": 0.05}, L1]
    if name not in FULL_BATCH or decay is not L1
]
STOCHASTIC = [(name, options) for name, options in VARIANTS if name not in FULL_BATCH]


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


@pytest.mark.parametrize(("name", "decay"), RULES_AND_DECAYS)
def test_single_precision_is_close(name, decay):
    g, w = gradients(40, 13), np.linspace(-1, 1, 13)
    exact, _ = dense_path(name, {}, w, g, rates(40), **decay)
    rounded, _ = dense_path(name, {}, w, g.astype(np.float32), rates(40), **decay)
    assert rounded.dtype == np.float32
    assert_allclose(rounded, exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "decay"), RULES_AND_DECAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_bits_on_every_instruction_set(name, decay, dtype):
    g, w = gradients(20, 37, dtype=dtype), np.linspace(-1, 1, 37)
    first, *others = (
        dense_path(name, {}, w, g, rates(20), isa, **decay) for isa in _core.available_isas()
    )
    for path, slots in others:
        assert_array_equal(path, first[0])
        assert_array_equal(slots, first[1])


@pytest.mark.parametrize(("name", "options"), STOCHASTIC)
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


def nadam_momenta(k):
    return 0.9 * (1 - 0.5 * 0.96 ** (0.004 * np.arange(1, k + 1)))


def length_of_step(name, k, lr, g, move, slots):
    """The length of a rule's step, k = 30, per unit of gradient, by the slots after it."""
    if name in ("sgd", "momentum", "nesterov"):
        return lr
    if name == "rmsprop_centered":
        return lr / np.sqrt(slots[0] - slots[1] ** 2 + 1e-8)
    if name in ("adagrad", "rmsprop"):
        return lr / np.sqrt(slots[0] + 1e-8)
    if name == "adamax":
        return lr / (1 - 0.9**k) / slots[1]
    if name == "adadelta":
        return -move / g
    denominator = np.sqrt(slots[-1] / (1 - 0.999**k)) + 1e-8
    if name == "nadam":
        mu = nadam_momenta(k)
        return lr * (1 - mu[-1]) / (1 - mu.prod()) / denominator
    return lr / (1 - 0.9**k) / denominator


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FULL_BATCH])
def test_l1_step_is_the_prox_in_the_metric_of_the_step(name):
    """The threshold is l1 times the step's length per unit of gradient."""
    g, w = gradients(30, 50), np.linspace(-1, 1, 50)
    before, slots = dense_path(name, {}, w, g[:-1], rates(29))
    smooth, prox = before[-1].copy(), before[-1].copy()
    _core.Optimizer(name, {}).update(0.05, 30, g[-1], smooth, [s.copy() for s in slots])
    _core.Optimizer(name, {}, l1=4.0).update(0.05, 30, g[-1], prox, slots)
    length = length_of_step(name, 30, 0.05, g[-1], smooth - before[-1], slots)
    expected = np.sign(smooth) * np.maximum(np.abs(smooth) - 4.0 * length, 0)
    assert_allclose(prox, expected, atol=1e-12)
    assert not np.array_equal(prox, smooth)


WAITING = [
    *[
        ("adam", {"eps_mode": mode, "eps": eps})
        for mode in ("inside", "outside")
        for eps in (0.0, 1e-8, 1e-2)
    ],
    ("adam", {"bias_correction": False}),
    ("adam", {"beta1": 0.5, "beta2": 0.9}),
    (
        "adam",
        {"beta1": 0.99, "beta2": 0.9},
    ),  # the momentum outlives the root: nothing is ever spent
    *[(name, {}) for name in ("adamw", "amsgrad", "nadam", "adamax")],
    ("amsgrad", {"eps_mode": "inside", "eps": 1e-3}),
    ("nadam", {"eps_mode": "inside", "eps": 1e-3}),
    ("adamax", {"eps": 0.5}),  # reached while u decays
]


@pytest.mark.parametrize(("name", "options"), WAITING)
@pytest.mark.parametrize("decoupled", [0.0, 0.1])
def test_long_waits_of_adam_and_kin_end_where_dense_steps_do(name, options, decoupled):
    """Waits from one step to thousands, early and late, while the rate changes or not."""
    n_steps, n = 3000, 12
    g = gradients(n_steps, n, density=0.002)
    g[:3], g[:, 0] = gradients(3, n, seed=1), 0.0
    g[::7, 1] = 1.0
    learning_rates = np.where(
        np.arange(n_steps) < 1000, 0.05 / np.sqrt(1 + np.arange(n_steps)), 1e-3
    )
    path, slots = dense_path(name, options, np.ones(n), g, learning_rates, decoupled=decoupled)
    actual = sparse_end(name, options, np.ones(n), g, learning_rates, 4096, decoupled=decoupled)
    assert_allclose(actual, np.array([path[-1], *slots]), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_nesterov_is_the_look_ahead_recurrence(momentum):
    """dW <- momentum dW - lr grad(W + momentum dW), W <- W + dW on a quadratic; what is kept is
    W + momentum dW, and W is that + lr momentum m."""
    curvature = np.array([0.1, 1.0, 3.0])
    W, move, kept = np.ones(3), np.zeros(3), np.ones(3)
    rule, m = _core.Optimizer("nesterov", {"momentum": momentum}), [np.zeros(3)]
    for k in range(1, 60):
        move = momentum * move - 0.2 * curvature * (W + momentum * move)
        W = W + move
        rule.update(0.2, k, curvature * kept, kept, m)
        assert_allclose(kept, W + momentum * move, rtol=1e-12, atol=1e-14)
        assert_allclose(kept + 0.2 * momentum * m[0], W, rtol=1e-12, atol=1e-14)


@pytest.mark.theory
def test_terminal_velocity_of_momentum():
    path, _ = dense_path("momentum", {"momentum": 0.8}, np.zeros(1), np.ones((200, 1)), [0.1] * 200)
    assert_allclose(path[-2] - path[-1], 0.1 / (1 - 0.8), rtol=1e-12)


def test_quickprop_solves_a_parabola_in_one_jump():
    """Slope 2 (w + 1/2) from w = 0: the gradient step goes beyond the minimum, the jump hits it."""
    w, slots = np.zeros(1), [np.zeros(1), np.zeros(1)]
    rule = _core.Optimizer("quickprop", {})
    rule.update(0.8, 1, 2 * (w + 0.5), w, slots)
    assert w < -0.5
    rule.update(0.8, 2, 2 * (w + 0.5), w, slots)
    assert_allclose(w, -0.5, rtol=1e-15)


@pytest.mark.parametrize("name", ["rprop", "irprop", "quickprop"])
def test_full_batch_rules_reach_the_minimum(name):
    curvature, w = np.array([1e-3, 1.0, 1e3]), np.ones(3)
    rule = _core.Optimizer(name, {})
    slots = [np.zeros(3) for _ in range(rule.n_slots)]
    for k in range(1, 400):
        rule.update(1e-4 if name == "quickprop" else 0.1, k, curvature * w, w, slots)
    assert np.all(np.abs(w) < 1e-4)


@pytest.mark.parametrize("name", sorted(FULL_BATCH))
def test_full_batch_rules_refuse_sparse_steps_and_l1(name):
    with pytest.raises(ValueError, match=f"{name} takes full batches only"):
        sparse_end(name, {}, np.ones(3), gradients(4, 3), rates(4), 8)
    with pytest.raises(ValueError, match=f"optimizer '{name}' has no L1 prox"):
        _core.Optimizer(name, {}, l1=0.1)


@each_rule
def test_coordinates_without_gradient_stay_finite_without_eps(name):
    options = {"eps": 0.0} if "eps" in _core.optimizer_parameters(name) else {}
    options = {} if name == "adadelta" else options
    path, _ = dense_path(name, options, np.ones(4), np.zeros((5, 4)), rates(5))
    assert_array_equal(path, 1.0)


@each_rule
def test_nan_gradients_are_not_hidden(name):
    g = np.array([[1.0], [np.nan], [1.0]])
    path, _ = dense_path(name, {}, np.ones(1), g, rates(3))
    assert np.isnan(path[1:]).all()


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
