"""The core's layers and losses: gradients against finite differences, values, random masks."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.signal import correlate2d

from finitesum import _core
from finitesum.neural._initialization import initialize
from finitesum.neural._network import Network
from network_data import (
    HEADS,
    LAYERS,
    NOT_SPARSE,
    ROWS,
    WEIGHT_NOISE,
    K,
    N,
    P,
    design,
    network,
    targets_of,
)


def numerical_gradient(made: Network, *data: Any) -> NDArray[np.float64]:
    """Central differences; running statistics move with each evaluation, but nothing uses them."""
    w, step = made.core.flat_parameters, 1e-6
    result = np.empty_like(w)
    for j in range(w.size):
        kept = w[j]
        w[j] = kept + step
        above = made.core.differentiate(*data)
        w[j] = kept - step
        result[j] = (above - made.core.differentiate(*data)) / (2 * step)
        w[j] = kept
    return result


@pytest.mark.parametrize(
    ("kind", "sparse"),
    [(kind, False) for kind in LAYERS]
    + [(kind, True) for kind in LAYERS if kind not in NOT_SPARSE],
)
def test_gradient(kind: str, sparse: bool) -> None:
    X = design()
    X[np.random.default_rng(4).random(X.shape) < 0.4] = 0.0
    made = network(LAYERS[kind])
    csr = sp.csr_array(X)
    matrix = (csr.data, csr.indices, csr.indptr, P) if sparse else X
    weight = np.linspace(0.0, 2.0, N)
    data = (matrix, targets_of("softmax"), weight, ROWS)
    made.core.differentiate(*data)
    found = made.core.flat_gradient.copy()
    np.testing.assert_allclose(found, numerical_gradient(made, *data), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"bias": 0, "padding": 2}])
def test_gradient_of_convolution_and_pooling(options: dict[str, float]) -> None:
    layers: list[tuple[str, dict[str, float]]] = [
        ("conv2d", {"n_outputs": 3, "kernel_size": 2, **options}),
        ("batch_norm", {}),
        ("tanh", {}),
        ("conv2d", {"n_outputs": 2, "kernel_size": 2}),
        ("max_pool2d", {"size": 2, "stride": 1}),
        ("dense", {"n_outputs": K}),
    ]
    made = Network((2, 6, 7), layers, "softmax", ("sgd", {}))
    initialize(made, "he_normal", 0, "tanh")
    X = np.random.default_rng(0).standard_normal((N, 2 * 6 * 7))
    data = (X, targets_of("softmax"), None, ROWS)
    made.core.differentiate(*data)
    found = made.core.flat_gradient.copy()
    np.testing.assert_allclose(found, numerical_gradient(made, *data), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 2)])
def test_convolution_and_pooling_are_scipys(stride: int, padding: int) -> None:
    made = Network(
        (2, 8, 9),
        [("conv2d", {"n_outputs": 3, "kernel_size": 3, "stride": stride, "padding": padding})],
        "squared",
        ("sgd", {}),
    )
    initialize(made, "auto", 0, "relu")
    X = np.random.default_rng(0).standard_normal((2, 2, 8, 9))
    weights, bias = (array for _, _, array in made.core.parameters)
    kernels = weights.T.reshape(3, 2, 3, 3)
    padded = np.pad(X, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    expected = np.array(
        [
            [sum(correlate2d(x, k, "valid") for x, k in zip(sample, kernel, strict=True)) + b
             for kernel, b in zip(kernels, bias, strict=True)]
            for sample in padded
        ]
    )[:, :, ::stride, ::stride]  # fmt: skip
    found = made.predict(X.reshape(2, -1), 2).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    pool = Network((2, 8, 9), [("max_pool2d", {"size": 2})], "squared", ("sgd", {}))
    windows = X[:, :, :8, :8].reshape(2, 2, 4, 2, 4, 2)
    found = pool.predict(X.reshape(2, -1), 2).reshape(2, 2, 4, 4)
    assert np.array_equal(found, windows.max(axis=(3, 5)))


def test_recurrent_layer_step_by_step() -> None:
    n_steps, zoneout = 4, 0.3
    made = Network(
        (n_steps * 2,), [("recurrent", {"n_outputs": 3, "n_steps": n_steps, "zoneout": zoneout})],
        "squared", ("sgd", {}),
    )  # fmt: skip
    initialize(made, "auto", 0, "relu")
    U, W, b = (array for _, _, array in made.core.parameters)
    X = np.random.default_rng(0).standard_normal((5, n_steps, 2))
    h = np.zeros((5, 3))
    for t in range(n_steps):
        h = zoneout * h + (1 - zoneout) * np.tanh(X[:, t] @ U + h @ W + b)  # the mean
    np.testing.assert_allclose(made.predict(X.reshape(5, -1), 5), h, rtol=1e-12)


@pytest.mark.parametrize("kind", WEIGHT_NOISE)
def test_noisy_weights_have_their_mean(kind: str) -> None:
    ((_, options),) = LAYERS[kind]
    made = Network((2,), [(kind, {**options, "n_outputs": 1.0, "bias": 0})], "squared", ("sgd", {}))
    (weights,) = made.weights()
    weights[:, 0] = 0.7, -0.4
    X, y = np.eye(2), np.zeros(2)
    draws = []
    for step in range(4000):  # the loss of a row is half the square of the weight that it meets
        made.core.n_steps = step
        losses = [made.core.differentiate(X, y, None, np.array([j])) for j in (0, 1)]
        draws.append(np.sqrt(2 * np.array(losses)))
    found = np.array(draws)
    if kind == "drop_connect":
        expected = [[0, 0.7 / 0.6], [0, 0.4 / 0.6]]
    elif kind == "shakeout":  # reduces to dropout at c = 0
        expected = [[0.2, (0.7 + 0.4 * 0.2) / 0.6], [0.2, (0.4 + 0.4 * 0.2) / 0.6]]
    else:
        sizes = np.array([0.7, 0.4])
        deviation = sizes * np.sqrt(0.3**2 * sizes**-0.8 + 0.1)
        np.testing.assert_allclose((found**2).mean(0), sizes**2 + deviation**2, rtol=0.1)
        return
    for j in (0, 1):
        values, counts = np.unique(found[:, j].round(3), return_counts=True)
        np.testing.assert_allclose(values, expected[j], atol=1e-3)
        assert abs(counts[0] / 4000 - 0.4) < 0.04
    assert made.predict(X, 2).tolist() == [[0.7], [-0.4]]  # the mean


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("head", HEADS)
def test_gradient_of_heads(head: str, smoothing: float) -> None:
    if smoothing and head in ("squared", "poisson"):
        with pytest.raises(ValueError, match="label_smoothing is for classes"):
            network([], head, label_smoothing=smoothing)
        return
    made = network([("dense", {"n_outputs": 4}), ("tanh", {})], head, label_smoothing=smoothing)
    data = (design(), targets_of(head), None, ROWS)
    made.core.differentiate(*data)
    found = made.core.flat_gradient.copy()
    np.testing.assert_allclose(found, numerical_gradient(made, *data), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("head", HEADS)
def test_losses_and_predictions(head: str) -> None:
    made = network([], head)
    X, t = design(), targets_of(head)
    z = X @ made.core.parameters[0][2] + made.core.parameters[1][2]
    wide = t.reshape(N, -1)
    if head == "softmax":
        means = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        loss = -np.log(means[ROWS, t]).sum()
    elif head == "logistic":
        means = 1 / (1 + np.exp(-z))
        loss = -(wide * np.log(means) + (1 - wide) * np.log(1 - means)).sum()
    elif head == "squared":
        means, loss = z, 0.5 * ((z - wide) ** 2).sum()
    else:
        means = np.exp(z)
        loss = (means - wide + wide * np.log(wide / means)).sum()
    found, total = made.core.evaluate(X, t, None, ROWS)
    np.testing.assert_allclose(found, means, rtol=1e-12)
    np.testing.assert_allclose(total, loss, rtol=1e-12)
    np.testing.assert_allclose(made.predict(X, N, raw=True), z, rtol=1e-12)


def test_dropout_keeps_the_expectation_and_evaluates_without() -> None:
    made = Network((1,), [("dropout", {"rate": 0.3}), ("dense", {"n_outputs": 1})], "squared",
                   ("sgd", {}))  # fmt: skip
    weights, bias = (array for _, _, array in made.core.parameters)
    weights[...], bias[...] = 1.0, 0.0
    n = 40000
    X, y = np.ones((n, 1)), np.zeros(n)
    assert np.all(made.predict(X, n) == 1.0)
    loss = made.core.differentiate(X, y, None, np.arange(n))
    keep = 0.7  # E (m / keep)^2 / 2 = 1 / (2 keep); the gradient in w is that of the same mean
    assert abs(2 * loss * keep - 1) < 0.02
    assert abs(made.core.gradients[1][2][0] - 1) < 0.02  # the mean of the masked inputs


def test_dropped_units_have_no_gradient() -> None:
    layers = [("dense", {"n_outputs": 64.0}), ("dropout", {"rate": 0.5})]
    made = network(layers)
    made.core.differentiate(design()[:1], targets_of("softmax")[:1], None, ROWS[:1])
    into = made.core.gradients[1][2] == 0
    out = np.all(made.core.gradients[2][2] == 0, axis=1)
    assert np.array_equal(into, out)
    assert 10 < into.sum() < 54


@pytest.mark.parametrize("isa", _core.available_isas())
def test_masks_depend_on_seed_step_and_layer_alone(isa: str) -> None:
    def masked(seed: int, step: int, isa: str) -> NDArray[Any]:
        core = _core.Network(
            is_single=False, inputs=[200], head="squared", seed=seed, isa=isa,
            layers=[("dropout", {"rate": 0.5}), ("dense", {"n_outputs": 1.0})],
        )  # fmt: skip
        core.n_steps = step
        core.differentiate(np.ones((3, 200)), np.ones(3), None, np.arange(3))
        return core.gradients[0][2].copy()

    first = masked(1, 5, isa)
    assert np.array_equal(first, masked(1, 5, _core.available_isas()[0]))
    assert not np.array_equal(first, masked(1, 6, isa))
    assert not np.array_equal(first, masked(2, 5, isa))


def test_batch_norm_runs_averages_and_collects_the_population() -> None:
    made = network([("batch_norm", {"momentum": 0.25})])
    X = np.random.default_rng(0).standard_normal((12, P)) * 3 + 1
    y, rows = np.zeros(12, dtype=np.int32), np.arange(12)
    state = {name: array for _, name, array in made.core.state}
    made.core.differentiate(X, y, None, rows)
    np.testing.assert_allclose(state["running_mean"], 0.25 * X.mean(0), rtol=1e-12)
    np.testing.assert_allclose(
        state["running_variance"], 0.75 + 0.25 * X.var(0, ddof=1), rtol=1e-12
    )
    made.core.collect(X, rows, 4)  # Algorithm 2: means over batches of mean and unbiased variance
    batches = X.reshape(3, 4, P)
    np.testing.assert_allclose(state["running_mean"], batches.mean(1).mean(0), rtol=1e-12)
    np.testing.assert_allclose(
        state["running_variance"], batches.var(1, ddof=1).mean(0), rtol=1e-12
    )
    with pytest.raises(ValueError, match="more than one row"):
        made.core.differentiate(X[:1], y[:1], None, rows[:1])


def test_unknown_layers_options_and_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown layer 'nothing'; choose from: 'dense'"):
        network([("nothing", {})])
    with pytest.raises(ValueError, match="layer 'tanh' has no option 'n_outputs'"):
        network([("tanh", {"n_outputs": 3})])
    with pytest.raises(ValueError, match=r"rate must be in \[0, 0.95\]"):
        network([("dropout", {"rate": 0.99})])
    with pytest.raises(ValueError, match="n_outputs must be a whole number of at least 1"):
        network([("dense", {"n_outputs": 2.5})])
    with pytest.raises(ValueError, match="padding must be a whole number of at least 0"):
        network([("conv2d", {"n_outputs": 2, "kernel_size": 1, "padding": 0.5})])
    with pytest.raises(ValueError, match="unknown head 'hinge'"):
        network([], "hinge")
    with pytest.raises(ValueError, match="wrong number of columns"):
        network([]).predict(design()[:, :2].copy(), N)
    with pytest.raises(ValueError, match="must be classes"):
        network([]).core.differentiate(design(), np.full(N, K, dtype=np.int32), None, ROWS)
    with pytest.raises(ValueError, match="indices of rows"):
        network([]).core.evaluate(design(), None, None, ROWS + 1)


@pytest.mark.parametrize("head", HEADS)
def test_rows_of_weight_zero_count_as_absent(head: str) -> None:
    X, weight = design(), np.ones(N)
    X[0], X[1], weight[:2] = 1e6, -1e6, 0.0  # their exponentials overflow
    made = network([], head)
    losses, gradients = [], []
    for rows in (ROWS, ROWS[2:]):
        losses.append(made.core.differentiate(X, targets_of(head), weight, rows))
        gradients.append(made.core.flat_gradient.copy())
    np.testing.assert_allclose(*losses, rtol=1e-12)
    np.testing.assert_allclose(*gradients, rtol=1e-12, atol=1e-15)
