"""Every layer there is: training against evaluation, what a state holds, what decays."""

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from finitesum import _core
from finitesum.neural._architecture import RANDOM
from finitesum.neural._initialization import initialize
from finitesum.neural._network import Network
from network_data import LAYERS, ROWS, K, N, P, design, network, targets_of, train

PLANES: dict[str, list[tuple[str, dict[str, float]]]] = {
    "conv2d": [("conv2d", {"n_outputs": 2, "kernel_size": 2, "padding": 1}), ("batch_norm", {})],
    "max_pool2d": [("max_pool2d", {"size": 2, "stride": 1}), ("tanh", {})],
}
each_kind = pytest.mark.parametrize("kind", [*LAYERS, *PLANES])


def made_of(kind: str, optimizer: str = "adam", **options: Any) -> tuple[Network, NDArray[Any]]:
    """A network with layers of the kind, and rows for it."""
    if kind in LAYERS:
        return network(LAYERS[kind], optimizer=(optimizer, {}), **options), design()
    layers = [*PLANES[kind], ("dense", {"n_outputs": K})]
    made = Network((1, 4, 5), layers, "softmax", (optimizer, {}), **options)
    initialize(made, "he_normal", 3, "relu")
    return made, np.random.default_rng(0).standard_normal((N, 20))


def is_random(made: Network) -> bool:
    return any(
        kind in RANDOM and (kind != "recurrent" or options.get("zoneout", 0.0) > 0)
        for kind, options in made.layers
    )


def test_no_layer_is_left_out() -> None:
    stacks = [*LAYERS.values(), *PLANES.values()]
    assert {kind for stack in stacks for kind, _ in stack} == set(_core.layer_names())


@each_kind
def test_evaluation_draws_nothing_moves_nothing_and_mixes_no_rows(kind: str) -> None:
    made, X = made_of(kind)
    train(made, X)
    before = made.snapshot()
    first = made.predict(X, N)
    made.core.n_steps += 7
    np.testing.assert_array_equal(made.predict(X, N), first)
    for array, kept in zip(made.snapshot(), before, strict=True):
        np.testing.assert_array_equal(array, kept)
    for i in range(N):
        np.testing.assert_allclose(made.predict(X[i : i + 1].copy(), 1)[0], first[i], rtol=1e-12)


@each_kind
def test_training_draws_if_there_is_something_to_draw(kind: str) -> None:
    made, X = made_of(kind)
    losses = []
    for step in (1, 2, 1):
        made.core.n_steps = step
        losses.append(made.core.differentiate(X, targets_of("softmax"), None, ROWS))
    assert losses[0] == losses[2]
    assert (losses[0] != losses[1]) == is_random(made)
    if not is_random(made) and not made.places("batch_norm"):
        _, total = made.core.evaluate(X, targets_of("softmax"), None, ROWS)
        assert losses[0] == pytest.approx(total / N, rel=1e-12)


@each_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pickle_goes_on_to_the_bit(kind: str, dtype: Any) -> None:
    made, X = made_of(kind, dtype=dtype)
    train(made, X)
    copy = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(copy.predict(X, N), made.predict(X, N))
    assert train(copy, X) == train(made, X)
    np.testing.assert_array_equal(copy.core.flat_parameters, made.core.flat_parameters)


@pytest.mark.parametrize("rule", _core.optimizer_names())
def test_a_pickle_holds_the_state_of_every_rule(rule: str) -> None:
    made, X = made_of("batch_norm", rule)
    train(made, X)
    copy = pickle.loads(pickle.dumps(made))
    assert train(copy, X) == train(made, X)
    np.testing.assert_array_equal(copy.core.flat_parameters, made.core.flat_parameters)


@each_kind
def test_weights_decay_and_nothing_else(kind: str) -> None:
    """One step from the same place, with penalties and without: they differ by the penalties'."""
    stepped = []
    for decay in ({}, {"l2": 0.7}, {"l1": 1e-4}):
        made, X = made_of(kind, "sgd")
        before = {(i, name): array.copy() for i, name, array in made.core.parameters}
        made.core.train(
            X, targets_of("softmax"), None, ROWS, np.array([0.1]), batch_size=N, **decay
        )
        stepped.append({(i, name): array for i, name, array in made.core.parameters})
    plain, l2, l1 = stepped
    for (place, name), array in plain.items():
        decays = name.endswith("weights")
        shrunk = 0.1 * 0.7 / N * before[place, name] if decays else 0.0
        np.testing.assert_allclose(l2[place, name], array - shrunk, rtol=1e-12, atol=1e-15)
        soft = np.sign(array) * np.maximum(np.abs(array) - 0.1 * 1e-4 / N, 0.0) if decays else array
        np.testing.assert_allclose(l1[place, name], soft, rtol=1e-12, atol=1e-15)


def test_noise_on_inputs_has_its_deviation() -> None:
    layers = [("gaussian_noise", {"deviation": 0.5}), ("dense", {"n_outputs": 1})]
    made = Network((1,), layers, "squared", ("sgd", {}))
    made.core.flat_parameters[...] = 1.0, 0.0
    n = 40000
    loss = made.core.differentiate(np.full((n, 1), 2.0), np.full(n, 2.0), None, np.arange(n))
    assert 2 * loss == pytest.approx(0.25, rel=0.03)  # E e^2
    assert made.core.gradients[1][2][0] == pytest.approx(0.0, abs=0.01)  # E e
    assert made.predict(np.full((1, 1), 2.0), 1) == 2.0


def test_zoneout_keeps_states_at_its_rate() -> None:
    layers = [("recurrent", {"n_outputs": 1, "n_steps": 1, "zoneout": 0.3})]
    made = Network((1,), layers, "squared", ("sgd", {}))
    made.core.flat_parameters[...] = 1.0, 0.0, 0.0
    n, c = 40000, np.tanh(0.5)
    X, y = np.full((n, 1), 0.5), np.zeros(n)
    loss = made.core.differentiate(X, y, None, np.arange(n))  # the state is c, or still zero
    assert 2 * loss / c**2 == pytest.approx(0.7, abs=0.02)
    assert made.predict(X[:1], 1)[0, 0] == pytest.approx(0.7 * c, rel=1e-12)  # the mean


@pytest.mark.parametrize("head", ["softmax", "logistic"])
def test_label_smoothing_mixes_targets_with_the_uniform_distribution(head: str) -> None:
    s, X, t = 0.2, design(), targets_of(head)
    losses = [
        network([], head, label_smoothing=share).core.evaluate(X, t, None, ROWS)[1]
        for share in (0.0, s)
    ]
    z = network([], head).predict(X, N, raw=True)
    if head == "softmax":
        uniform = -(z - np.log(np.exp(z).sum(axis=1, keepdims=True))).mean(axis=1).sum()
    else:
        uniform = 0.5 * (np.log1p(np.exp(z)) + np.log1p(np.exp(-z))).sum()
    assert losses[1] == pytest.approx((1 - s) * losses[0] + s * uniform, rel=1e-12)


def test_batches_beside_their_statistics_come_closer_as_they_grow() -> None:
    """A batch is normalized by its biased variance in training and by the population's later: on
    average (m - 1) / m of it, and the spread falls with m, too."""
    made = network([("batch_norm", {})])
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((4096, P)), rng.integers(0, K, 4096).astype(np.int32)
    gaps = []
    for m in (2, 8, 64, 1024):
        batches = X.reshape(-1, m, P)
        made.core.collect(X, np.arange(len(X)), m)
        state = {name: array for _, name, array in made.core.state}
        np.testing.assert_allclose(
            batches.var(axis=1).mean(axis=0), (m - 1) / m * state["running_variance"], rtol=1e-12
        )
        some = [np.arange(k * m, (k + 1) * m) for k in range(min(len(batches), 100))]
        later = [made.core.evaluate(X, y, None, rows)[1] / m for rows in some]
        training = [made.core.differentiate(X, y, None, rows) for rows in some]
        gaps.append(np.abs(np.subtract(training, later)).mean())
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3]


def test_a_last_batch_of_one_row_joins_the_one_before() -> None:
    rates = np.full(2, 0.05)
    y = targets_of("softmax")
    assert _core.Network.n_batches(N, 3) == 2  # seven rows: three and four
    made, twin = (network(LAYERS["batch_norm"]) for _ in "ab")
    made.core.train(design(), y, None, ROWS, rates, batch_size=3)
    for rows in (ROWS[:3], ROWS[3:].copy()):
        twin.core.train(design(), y, None, rows, rates[:1], batch_size=4)
    np.testing.assert_array_equal(made.core.flat_parameters, twin.core.flat_parameters)
