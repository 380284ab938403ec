"""Training of the core's networks: steps of every rule, sparse input, state, initialization."""

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from finitesum import _core
from finitesum.neural._initialization import SCHEMES, check_scheme, initialize
from finitesum.neural._network import Network
from network_data import (
    LAYERS,
    ROWS,
    N,
    P,
    design,
    network,
    targets_of,
    train,
)


@pytest.mark.parametrize("rule", _core.optimizer_names())
def test_any_rule_takes_the_steps_of_the_rule(rule: str) -> None:
    made, twin = (network([("dense", {"n_outputs": 4}), ("tanh", {})], optimizer=(rule, {}))
                  for _ in "ab")  # fmt: skip
    has_l1 = rule not in ("rprop", "irprop", "quickprop")
    decay = {"l2": 0.3, "l1": 0.02 if has_l1 else 0.0, "decoupled": 0.1}
    X, y = design(), targets_of("softmax")
    w, gradient = twin.core.flat_parameters, twin.core.flat_gradient
    n_weights = sum(array.size for array in twin.weights())
    slots = [np.zeros_like(w) for _ in twin.core.slots]
    per_batch = _core.Optimizer(rule, {}, decay["l2"] / 3, decay["decoupled"], decay["l1"] / 3)
    plain = _core.Optimizer(rule, {})
    for k in range(1, 5):
        rows = ROWS[(k - 1) % 2 * 3 :][:3].copy()
        made.core.train(X, y, None, rows, np.array([0.05]), batch_size=3, **decay)
        twin.core.differentiate(X, y, None, rows)
        for part, optimizer in ((slice(n_weights), per_batch), (slice(n_weights, None), plain)):
            optimizer.update(0.05, k, gradient[part], w[part], [slot[part] for slot in slots])
    np.testing.assert_allclose(made.core.flat_parameters, w, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("rule", _core.optimizer_names())
def test_sparse_steps_are_dense_steps(rule: str, l2: float) -> None:
    X = design()
    X[X < 0.3] = 0.0  # most batches of two rows lack some column
    csr = sp.csr_array(X)
    matrix = (csr.data, csr.indices, csr.indptr, P)
    made, dense = (network(LAYERS["tanh"], optimizer=(rule, {})) for _ in "ab")
    for _ in range(3):
        losses = [train(each, A, l2=l2, decoupled=0.2) for each, A in ((made, matrix), (dense, X))]
        np.testing.assert_allclose(*losses, rtol=1e-10)
    np.testing.assert_allclose(
        made.core.flat_parameters, dense.core.flat_parameters, rtol=1e-9, atol=1e-13
    )
    for ours, theirs in zip(made.core.slots, dense.core.slots, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(made.predict(matrix, N), dense.predict(X, N), rtol=1e-9)


def test_dropped_entries_of_full_sparse_rows_are_dropped_inputs() -> None:
    X = design()  # masks are per stored entry: the same for a full matrix
    csr = sp.csr_array(X)
    made, dense = (network(LAYERS["dropout first"]) for _ in "ab")
    for _ in range(3):
        losses = train(made, (csr.data, csr.indices, csr.indptr, P)), train(dense, X)
        np.testing.assert_allclose(*losses, rtol=1e-12)
    np.testing.assert_allclose(made.core.flat_parameters, dense.core.flat_parameters, rtol=1e-10)


def test_sparse_input_needs_a_layer_that_multiplies() -> None:
    csr = sp.csr_array(design())
    with pytest.raises(ValueError, match="sparse X needs a first layer"):
        network([("batch_norm", {})]).predict((csr.data, csr.indices, csr.indptr, P), N)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_copies_and_pickles_go_on_to_the_bit(dtype: Any) -> None:
    layers = [("dense", {"n_outputs": 8}), ("batch_norm", {}), ("relu", {}),
              ("dropout", {"rate": 0.2})]  # fmt: skip
    made = network(layers, dtype=dtype)
    train(made, design())
    copy = pickle.loads(pickle.dumps(made))
    losses = [train(each, design()) for each in (made, copy)]
    assert losses[0] == losses[1]
    assert np.array_equal(made.core.flat_parameters, copy.core.flat_parameters)
    assert made.predict(design(), N).dtype == dtype


def test_another_rule_begins_with_its_first_step() -> None:
    before = network(LAYERS["tanh"], optimizer=("sgd", {}))
    train(before, design())
    changed, fresh = (network(LAYERS["tanh"], optimizer=("adam", {})) for _ in "ab")
    changed.take_over(before)
    fresh.restore(before.snapshot())
    assert changed.core.n_steps == before.core.n_steps > 0  # masks and schedules go on
    for made in (changed, fresh):
        train(made, design())
    assert np.array_equal(changed.core.flat_parameters, fresh.core.flat_parameters)


def test_single_precision_is_double_precision_rounded() -> None:
    single, double = (network(LAYERS["batch_norm"], dtype=d) for d in (np.float32, np.float64))
    for made in (single, double):
        train(made, design(), 1)
    np.testing.assert_allclose(
        single.predict(design(), N), double.predict(design(), N), rtol=2e-3, atol=2e-4
    )


@pytest.mark.parametrize("isa", _core.available_isas())
def test_same_bits_on_every_instruction_set(isa: str) -> None:
    def trained(isa: str) -> NDArray[Any]:
        layers: list[tuple[str, dict[str, float]]] = [
            ("dense", {"n_outputs": 9}),
            ("batch_norm", {"relu": 1}),
            ("dropout", {"rate": 0.2}),
            *((name, {}) for name in ("tanh", "sigmoid", "softplus")),
            ("shakeout", {"n_outputs": 5}),
        ]
        made = network(layers, isa=isa)
        train(made, design(), l2=0.1, l1=0.01)
        return made.core.flat_parameters.copy()

    assert np.array_equal(trained(isa), trained(_core.available_isas()[0]))


def test_clipping() -> None:
    def moved(clip: str, limit: float) -> NDArray[Any]:
        made = network([], optimizer=("sgd", {}))
        before = made.core.flat_parameters.copy()
        train(made, design(), 1, clip=clip, clip_limit=limit)
        return made.core.flat_parameters - before

    made = network([], optimizer=("sgd", {}))
    made.core.differentiate(design(), targets_of("softmax"), None, ROWS)
    gradient = made.core.flat_gradient.copy()
    before = made.core.flat_parameters.copy()
    limits = {"value": np.abs(gradient).mean(), "norm": np.linalg.norm(gradient) / 2}
    expected = {
        "value": np.clip(gradient, -limits["value"], limits["value"]),  # large negatives, too
        "norm": gradient / 2,
    }
    for clip, limit in limits.items():
        made.core.flat_parameters[...] = before
        made.core.train(
            design(), targets_of("softmax"), None, ROWS, np.ones(1), batch_size=N, clip=clip,
            clip_limit=limit,
        )  # fmt: skip
        np.testing.assert_allclose(made.core.flat_parameters, before - expected[clip], rtol=1e-10)
    assert np.array_equal(moved("none", 0.0), moved("norm", 1e9))


def test_max_norm_holds_after_each_step() -> None:
    made = network([("dense", {"n_outputs": 4, "max_norm": 0.5})])
    train(made, design())
    norms = np.linalg.norm(made.core.parameters[0][2], axis=0)
    assert np.all(norms <= 0.5 * (1 + 1e-12))
    assert np.any(np.isclose(norms, 0.5))
    assert np.any(np.linalg.norm(made.core.parameters[2][2], axis=0) > 0.5)  # not asked for


def test_weights_are_repeated_rows() -> None:
    X, y = design(), targets_of("softmax")
    counts = np.array([0, 1, 2, 3, 1, 0, 2])
    repeated = np.repeat(ROWS, counts)
    made, twin = (network([("dense", {"n_outputs": 4}), ("relu", {})]) for _ in "ab")
    for _ in range(5):
        rate = np.array([0.05])
        made.core.train(X, y, counts.astype(float), ROWS, rate, batch_size=N, l2=0.1)
        twin.core.train(X, y, None, repeated, rate, batch_size=len(repeated), l2=0.1)
    np.testing.assert_allclose(made.core.flat_parameters, twin.core.flat_parameters, rtol=1e-10)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_initialization_has_its_variance(scheme: str) -> None:
    made = Network((300,), [("dense", {"n_outputs": 200})], "squared", ("sgd", {}))
    initialize(made, scheme, 0, "relu")
    weights = made.weights()[0]
    expected = {"lecun": 1 / 300, "xavier": 2 / 500, "he": 2 / 300}[scheme.split("_")[0]]
    assert abs(weights.var() / expected - 1) < 0.03
    bounded = np.abs(weights).max() <= np.sqrt(3 * expected)
    assert bounded == scheme.endswith("uniform")


def test_he_keeps_the_scale_of_a_deep_relu_network() -> None:
    layers = [("dense", {"n_outputs": 200.0}), ("relu", {})] * 20
    made = Network((200,), [*layers, ("dense", {"n_outputs": 200.0})], "squared", ("sgd", {}))
    X = np.random.default_rng(0).standard_normal((50, 200))
    initialize(made, "he_normal", 0, "relu")
    assert 0.2 < made.predict(X, 50).var() < 5 * 2
    initialize(made, "xavier_normal", 0, "relu")  # halves the variance in each layer
    assert made.predict(X, 50).var() < 1e-4


def test_zero_weights_stay_of_rank_one_and_are_refused() -> None:
    made = network([("dense", {"n_outputs": 4}), ("sigmoid", {})])
    made.core.flat_parameters[...] = 0.0
    train(made, design())
    assert np.linalg.matrix_rank(made.weights()[0], tol=1e-12) == 1
    with pytest.raises(ValueError, match="stay equal for ever"):
        check_scheme("zeros")
    with pytest.raises(ValueError, match="must be 'auto' or one of lecun_normal"):
        check_scheme("orthogonal")
