"""Small networks and their data, for the tests of the core's networks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from finitesum.neural._initialization import initialize
from finitesum.neural._network import Network

N, P, K = 7, 5, 3
ROWS = np.arange(N)
LAYERS: dict[str, list[tuple[str, dict[str, float]]]] = {
    "dense": [],
    "dense without bias": [("dense", {"n_outputs": 4, "bias": 0})],
    "batch_norm": [("dense", {"n_outputs": 4, "bias": 0}), ("batch_norm", {})],
    "batch_norm, relu": [("dense", {"n_outputs": 4}), ("batch_norm", {"relu": 1, "eps": 1e-3})],
    "batch_norm first": [("batch_norm", {"momentum": 0.3})],
    "dropout": [("dense", {"n_outputs": 6}), ("dropout", {"rate": 0.4})],
    "dropout first": [("dropout", {"rate": 0.3}), ("dense", {"n_outputs": 6})],
    "gaussian_noise": [("dense", {"n_outputs": 6}), ("gaussian_noise", {"deviation": 0.5})],
    "recurrent": [("dense", {"n_outputs": 6}), ("recurrent", {"n_outputs": 3, "n_steps": 3})],
    "zoneout": [
        ("dense", {"n_outputs": 8}),
        ("recurrent", {"n_outputs": 3, "n_steps": 4, "zoneout": 0.4}),
    ],
    "recurrent first": [("recurrent", {"n_outputs": 4, "n_steps": P})],
    "drop_connect": [("drop_connect", {"n_outputs": 4, "rate": 0.4})],
    "shakeout": [("shakeout", {"n_outputs": 4, "rate": 0.4, "c": 0.2})],
    "whiteout": [("whiteout", {"n_outputs": 4, "sigma": 0.3, "gamma": 0.8, "lambda": 0.1})],
    **{
        name: [("dense", {"n_outputs": 4}), (name, {})]
        for name in ("relu", "tanh", "sigmoid", "softplus", "identity")
    },
}
# Before these a batch would have to become dense.
NOT_SPARSE = {"batch_norm first", "recurrent first", "drop_connect", "shakeout", "whiteout"}
WEIGHT_NOISE = ["drop_connect", "shakeout", "whiteout"]
HEADS = ["softmax", "logistic", "squared", "poisson"]


def design(seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((N, P))


def targets_of(head: str) -> NDArray[Any]:
    rng = np.random.default_rng(1)
    if head == "softmax":
        return rng.integers(0, K, N).astype(np.int32)
    return {"logistic": rng.random, "squared": rng.standard_normal, "poisson": rng.random}[head](
        N * K
    )


def network(
    layers: list[tuple[str, dict[str, float]]],
    head: str = "softmax",
    optimizer: tuple[str, dict[str, Any]] = ("adam", {}),
    **options: Any,
) -> Network:
    made = Network((P,), [*layers, ("dense", {"n_outputs": K})], head, optimizer, **options)
    initialize(made, "auto", 3, "relu")
    rng = np.random.default_rng(2)
    for _, name, array in made.core.parameters:
        if name in ("gamma", "beta"):
            array[...] += 0.3 * rng.standard_normal(array.shape)
    return made


def train(made: Network, X: Any, n_calls: int = 3, **options: Any) -> float:
    loss = 0.0
    for _ in range(n_calls):
        loss = made.core.train(
            X, targets_of("softmax"), None, ROWS, np.full(4, 0.05), batch_size=2, **options
        )
    return loss
