"""Descent in whitened coordinates: networks against its definition, plain steps and themselves."""

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from finitesum import MLPClassifier, MLPRegressor
from finitesum._validation import core_matrix
from finitesum.neural._initialization import initialize
from finitesum.neural._network import Network
from mlp_data import ESTIMATORS, design, small, target
from network_data import HEADS, LAYERS, ROWS, WEIGHT_NOISE, N, P, network, targets_of
from network_data import design as rows_of
from reference.whitening import Whitening

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
Options = dict[str, Any]
CONV = ([("conv2d", {"n_outputs": 3, "kernel_size": 2, "padding": 1}), ("tanh", {})], (1, 2, 3))


def whitened(layers: Any, head: str = "softmax", **options: Any) -> Network:
    return network(layers, head, ("whitening", options))


def on_planes(layers: Any, head: str, rule: Any, inputs: tuple[int, ...]) -> Network:
    if inputs == (P,):
        return network(layers, head, rule)
    net = Network(inputs, [*layers, ("dense", {"n_outputs": 3})], head, rule)
    initialize(net, "auto", 3, "relu")
    return net


def train(
    net: Network, X: Any, targets: NDArray[Any], rates: Any, batch_size: int = N, **options: Any
) -> None:
    n = X.shape[0]
    order = np.tile(np.arange(n), len(rates) * batch_size // n + 1)[: len(rates) * batch_size]
    rates = np.asarray(rates, dtype=np.float64)
    net.core.train(core_matrix(X), targets, None, order, rates, batch_size=batch_size, **options)


class Twin:
    """A network of one hidden layer of tanh units and squared errors, in numpy."""

    def __init__(self, net: Network, **options: Any) -> None:
        self.places = [net.arrays(0), net.arrays(len(net.layers) - 1)]
        self.weights = [{name: a.copy() for name, a in arrays.items()} for arrays in self.places]
        sizes = [len(each["weights"]) for each in self.weights]
        self.whitening = [Whitening(size, **options) for size in sizes]
        self.velocity: list[Any] = [(0.0, 0.0), (0.0, 0.0)]
        self.owed = 0.0

    def step(self, X: Any, y: Any, rate: float, momentum: float = 0.0, l2: float = 0.0) -> None:
        first, second = self.weights
        hidden = np.tanh(X @ first["weights"] + first["bias"])
        g2 = hidden @ second["weights"] + second["bias"] - y
        g1 = (g2 @ second["weights"].T) * (1 - hidden**2)
        self.owed += rate * l2 / len(X)
        for k, (x, g) in enumerate([(X, g1), (hidden, g2)]):
            self.whitening[k].observe(x)
            moves = self.whitening[k].direction(x, g)
            moves = tuple(momentum * m + d for m, d in zip(self.velocity[k], moves, strict=True))
            self.weights[k]["weights"] -= rate * moves[0]
            self.weights[k]["bias"] -= rate * moves[1]
            self.velocity[k] = moves
        if self.whitening[0].is_due():
            self.pay()
            for each in self.whitening:
                each.refresh()

    def pay(self) -> None:
        for weights, each in zip(self.weights, self.whitening, strict=True):
            before = weights["weights"].copy()
            strength = self.owed * each.beta2 * each.alpha**2
            weights["weights"] /= 1 + strength[:, None]
            weights["bias"] += each.mu @ (before - weights["weights"])
        self.owed = 0.0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"averaging": 0.3, "interval": 4.0},
        {"momentum": 0.8, "eps": 0.0},
        {"normalize": "layer", "damping": 1e-3},
    ],
)
@pytest.mark.parametrize("l2", [0.0, 0.7])
@pytest.mark.parametrize("sparse", [False, True])
def test_steps_are_those_of_the_definition(options: Options, l2: float, sparse: bool) -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((40, P)) * [1, 5, 0.2, 1, 2] + 1
    X[rng.random(X.shape) < 0.4] = 0
    y = rng.standard_normal((40, 3))
    net = whitened([("dense", {"n_outputs": 4}), ("tanh", {})], "squared", **options)
    known = {k: v for k, v in options.items() if k in ("averaging", "interval", "eps", "damping")}
    twin = Twin(net, **known)
    rates = np.linspace(0.5, 0.2, 15)
    if "normalize" in options and l2 > 0:
        pytest.skip("the twin knows no penalty of normalized steps")
    train(net, sp.csr_array(X) if sparse else X, y.ravel(), rates, 8, l2=l2)
    for k, rate in enumerate(rates):
        rows = np.arange(8 * k, 8 * k + 8) % 40
        twin.step(X[rows], y[rows], rate, options.get("momentum", 0.0), l2)
    twin.pay()
    for arrays, weights in zip(twin.places, twin.weights, strict=True):
        for name, values in weights.items():
            np.testing.assert_allclose(arrays[name], values, rtol=1e-11, atol=1e-12)


def rescaled(gradients: dict[str, Any], state: list[Any], has_bias: bool) -> dict[str, Any]:
    """Give what the formula makes of a layer's plain gradient."""
    mu, scale = state[2], state[3]
    names = [name for name in gradients if name.endswith("weights")]
    G = np.vstack([gradients[name] for name in names])
    out = {}
    if has_bias:
        G = scale[:, None] * (G - np.outer(mu, gradients["bias"]))
        beta2 = 1 / np.sqrt(len(mu) * state[-1])
        out["bias"] = beta2 * gradients["bias"] - mu @ G
    else:
        G = scale[:, None] * G
    first = 0
    for name in names:
        out[name] = G[first : first + len(gradients[name])]
        first += len(gradients[name])
    return out


PLAIN = {name: layers for name, layers in LAYERS.items() if name not in WEIGHT_NOISE}
CASES = {**{name: (layers, (P,)) for name, layers in PLAIN.items()}, "conv2d": CONV}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("case", CASES)
def test_every_layer_rescales_its_own_plain_gradient(case: str, head: str) -> None:
    layers, inputs = CASES[case]
    X = np.random.default_rng(0).standard_normal((N, int(np.prod(inputs)))) + 0.5
    net = on_planes(layers, head, ("whitening", {}), inputs)
    net.core.differentiate(core_matrix(X), targets_of(head), None, ROWS)
    plain = {(place, name): g.copy() for place, name, g in net.core.gradients}
    before = {(place, name): w.copy() for place, name, w in net.core.parameters}
    train(net, X, targets_of(head), [1.0])
    states = iter(np.array_split(np.arange(len(net.core.whitening)), len(net.core.whitening) // 5))
    for place, (kind, options) in enumerate(net.layers):
        names = [name for at, name in plain if at == place]
        if not names:
            continue
        gradients = {name: plain[place, name] for name in names}
        share = {"recurrent": options.get("n_steps", 1), "conv2d": 12}.get(kind, 1)
        if kind == "batch_norm":
            expected = gradients  # one place per channel
        else:
            state = [net.core.whitening[i] for i in next(states)]
            expected = rescaled(gradients, [*state, share], "bias" in names)
        for name in names:
            moved = before[place, name] - net.arrays(place)[name]
            np.testing.assert_allclose(moved, expected[name], rtol=1e-11, atol=1e-13)


def test_steps_per_layer_alone_divide_by_the_root_of_share_times_fan_in() -> None:
    layers, inputs = CONV
    X = np.random.default_rng(0).standard_normal((N, 6))
    nets = [
        on_planes(layers, "squared", rule, inputs)
        for rule in (("whitening", {"whiten": False}), ("sgd", {}))
    ]
    before = [[a.copy() for _, _, a in net.core.parameters] for net in nets]
    for net in nets:
        train(net, X, targets_of("squared"), [0.1])
    steps = [
        [a - b for (_, _, a), b in zip(net.core.parameters, old, strict=True)]
        for net, old in zip(nets, before, strict=True)
    ]
    factors = [1 / np.sqrt(12 * 4)] * 2 + [1 / np.sqrt(36)] * 2
    for factor, mine, plain in zip(factors, *steps, strict=True):
        np.testing.assert_allclose(mine, factor * plain, rtol=1e-11, atol=1e-15)


def test_descent_on_the_explicit_parametrization_is_the_same_function() -> None:
    X, y = rows_of() * [1, 3, 0.5, 1, 2] + 1, targets_of("squared")
    net = whitened([], "squared", interval=1e6)
    train(net, X, y, [0.1])
    _, _, mu, scale, _ = (a.copy() for a in net.core.whitening)
    net.core.rule_steps = 4  # steps 5, 6 and 7 change no coordinates
    beta = P**-0.25
    alpha = np.sqrt(scale) / beta
    W, b = net.arrays(0)["weights"], net.arrays(0)["bias"]
    v = W / (alpha[:, None] * beta)
    Z = beta * alpha * (X - mu)  # y = Z v + beta v_0
    v0 = (b + mu @ W) / beta
    for _ in range(3):
        residual = Z @ v + beta * v0 - y.reshape(N, -1)
        v -= 0.1 * Z.T @ residual / N
        v0 = v0 - 0.1 * beta * residual.mean(axis=0)
    train(net, X, y, [0.1] * 3)
    np.testing.assert_allclose(X @ W + b, Z @ v + beta * v0, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_affine_maps_of_the_inputs_change_nothing(momentum: float) -> None:
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((60, P)), rng.standard_normal((60, 3)).ravel()
    factor, offset = np.array([10.0, 0.1, 1.0, 3.0, 100.0]), np.array([1.0, -5.0, 0.0, 2.0, 30.0])
    nets = [
        whitened([("dense", {"n_outputs": 4}), ("tanh", {})], "squared", eps=0.0, momentum=momentum)
        for _ in range(2)
    ]
    first = nets[1].arrays(0)
    first["weights"] /= factor[:, None]
    first["bias"] -= offset @ first["weights"]
    for net, inputs in zip(nets, (X, X * factor + offset), strict=True):
        train(net, inputs, y, np.full(40, 0.5), 12)
    found = [
        net.predict(core_matrix(x), 60)
        for net, x in zip(nets, (X, X * factor + offset), strict=True)
    ]
    np.testing.assert_allclose(*found, rtol=1e-8, atol=1e-9)


@pytest.mark.theory
@pytest.mark.parametrize("n_inputs", [4, 16])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_longest_step_is_that_of_gradient_descent_on_v(n_inputs: int, share: float) -> None:
    """Inputs that are whitened one by one keep their correlations: plain steps on v are stable up
    to 2 / lambda, lambda = beta^2 max(1, largest eigenvalue of the correlation matrix)."""
    rng = np.random.default_rng(0)
    X = np.sqrt(1 - share) * rng.standard_normal((200, n_inputs)) + np.sqrt(share) * (
        rng.standard_normal((200, 1))
    )
    X = X * 10.0 ** rng.integers(-2, 3, n_inputs) + 3
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(X.T))
    longest = 2 * np.sqrt(n_inputs) / max(1.0, eigenvalues[-1])
    y = rng.standard_normal((200, 3))

    def loss(part: float) -> float:
        net = on_planes([], "squared", ("whitening", {"eps": 0.0}), (n_inputs,))
        train(net, X, y.ravel(), np.full(128, 1e-6), 200)  # averages of many rows
        before = net.core.evaluate(core_matrix(X), y.ravel(), None, np.arange(200))[1]
        train(net, X, y.ravel(), np.full(256, part * longest), 200)
        return float(net.core.evaluate(core_matrix(X), y.ravel(), None, np.arange(200))[1] / before)

    assert loss(0.95) <= 1
    assert loss(1.05) > 1e6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_norm": 0.8, "alpha": 0.5},
        {"input_dropout": 0.3, "l1_ratio": 0.5, "alpha": 0.1},
        {"optimizer_options": {"momentum": 0.9, "interval": 3, "normalize": "layer"}},
        {"optimizer_options": {"normalize": "network"}, "warmup_bn_epochs": 1},
    ],
)
def test_sparse_rows_are_dense_rows(options: Options, dtype: Any) -> None:
    X = design()
    X[np.random.default_rng(0).random(X.shape) < 0.6] = 0
    X = X.astype(dtype)
    options = {"optimizer": "whitening", "learning_rate_init": 0.05, "max_iter": 5, **options}
    if "input_dropout" in options:  # draws stored entries alone
        X[X == 0] = 1
    models = [
        small(MLPRegressor, **options).fit(x, target(MLPRegressor)) for x in (X, sp.csr_array(X))
    ]
    if "input_dropout" in options:
        assert np.isfinite(models[1].loss_)
        return
    tolerance = 1e-9 if dtype == np.float64 else 2e-3
    for dense, sparse in zip(*(m.coefs_ + m.intercepts_ for m in models), strict=True):
        np.testing.assert_allclose(dense, sparse, rtol=tolerance, atol=tolerance)


def test_a_sparse_step_writes_no_gradient_into_rows_that_no_batch_names() -> None:
    X = np.zeros((N, P))
    X[:, 1] = np.arange(N)
    net = whitened([("dense", {"n_outputs": 4}), ("tanh", {})], "squared")
    full = np.random.default_rng(0).standard_normal((N, P)) + 1
    train(net, sp.csr_array(full), targets_of("squared"), [0.1])
    before = net.arrays(0)["weights"].copy()
    train(net, sp.csr_array(X), targets_of("squared"), [0.1])
    gradient = net.core.gradients[0][2]
    assert np.flatnonzero(gradient.any(axis=1)).tolist() == [1]
    assert (net.arrays(0)["weights"] != before).all()  # what all rows have in common comes last


def test_what_a_layer_remembers_grows_with_its_inputs_alone() -> None:
    sizes = [
        sum(a.size for a in whitened([("dense", {"n_outputs": m})]).core.whitening)
        for m in (10, 1000)
    ]
    assert sizes[0] - 4 * 10 == sizes[1] - 4 * 1000  # four numbers per input of the next layer
    assert sizes[0] == 4 * (P + 10) + 2 * 6


@pytest.mark.parametrize(
    "options", [{}, {"alpha": 1.0}, {"optimizer_options": {"momentum": 0.9}}, {"batch_norm": True}]
)
@pytest.mark.parametrize("warmup", [0, 2])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_fits_go_on_to_the_bit(Estimator: Any, warmup: int, options: Options) -> None:
    if warmup and "batch_norm" in options:
        options = {}
    X, y = design(), target(Estimator)
    options = {"optimizer": "whitening", "learning_rate_init": 0.1, "n_threads": 1, **options}
    options |= {"warmup_bn_epochs": warmup, "n_iter_no_change": 100, "bn_stats": "population"}
    whole = small(Estimator, max_iter=6, **options).fit(X, y)
    halves = small(Estimator, max_iter=3, warm_start=True, **options).fit(X, y)
    halves = pickle.loads(pickle.dumps(halves)).fit(X, y)
    pieces = small(Estimator, **options)
    kwargs = {"classes": np.unique(y)} if Estimator is MLPClassifier else {}
    for _ in range(6):
        pieces = pickle.loads(pickle.dumps(pieces.partial_fit(X, y, **kwargs)))
    for other in (halves, pieces):
        assert all(np.array_equal(*pair) for pair in zip(whole.coefs_, other.coefs_, strict=True))
        assert whole.loss_curve_ == other.loss_curve_


@pytest.mark.parametrize("statistics", ["running", "population"])
def test_warmup_ends_in_a_plain_network_that_predicts_the_same(statistics: str) -> None:
    X, y = design(), target(MLPRegressor)
    options: Options = {"optimizer": "whitening", "learning_rate_init": 0.1, "max_iter": 3}
    options |= {"bn_stats": statistics, "hidden_layer_sizes": (7, 4)}
    during = small(MLPRegressor, warmup_bn_epochs=4, **options).fit(X, y)
    after = small(MLPRegressor, warmup_bn_epochs=3, **options).fit(X, y)
    assert during._network.places("batch_norm")
    assert not after._network.places("batch_norm")
    np.testing.assert_allclose(after.predict(X), during.predict(X), rtol=1e-10)
    assert during.loss_curve_ == after.loss_curve_


def test_warmup_keeps_dropout_and_folds_convolutions() -> None:
    X, y = np.random.default_rng(0).standard_normal((60, 36)), target(MLPRegressor)[:60]
    layers = [
        ("conv2d", {"n_outputs": 3}),
        "relu",
        ("dropout", {"rate": 0.2}),
        ("dense", {"n_outputs": 4}),
    ]
    options: Options = {"layers": layers, "input_shape": (1, 6, 6), "max_iter": 2}
    during, after = (
        MLPRegressor(warmup_bn_epochs=k, batch_size=20, random_state=0, **options).fit(X, y)
        for k in (3, 2)
    )
    np.testing.assert_allclose(after.predict(X), during.predict(X), rtol=1e-9)
    assert [kind for kind, _ in after._network.layers].count("dropout") == 1
    after.set_params(warm_start=True).fit(X, y)
    assert np.isfinite(after.loss_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer_options": {"beta1": 0.9}}, "no parameter 'beta1'"),
        ({"optimizer_options": {"interval": 1.5}}, "interval must be a whole number"),
        ({"optimizer_options": {"averaging": 1.0}}, "averaging must be a number in"),
        ({"optimizer_options": {"normalize": "all"}}, "normalize must be 'none', 'layer' or"),
        ({"drop_connect": 0.2}, "takes no noise on weights"),
        ({"clip": ("norm", 1.0)}, "takes no clip"),
        ({"warmup_bn_epochs": 2, "batch_norm": True}, "no batch_norm of their own"),
        ({"warmup_bn_epochs": 2, "layers": [("dense", {"n_outputs": 3, "bias": 0})]}, "a bias"),
        ({"optimizer": None, "solver": "lbfgs", "warmup_bn_epochs": 1}, "no warmup_bn_epochs"),
    ],
)
def test_what_it_does_not_take(options: Options, message: str) -> None:
    model = small(MLPRegressor, **{"optimizer": "whitening", **options})
    with pytest.raises(ValueError, match=message):
        model.fit(design(), target(MLPRegressor))
    assert not hasattr(model, "coefs_") or not hasattr(model, "_network")
