"""Networks against PyTorch's: the same start and batches, the same losses and weights."""

import warnings
from typing import Any

import numpy as np
import pytest

from finitesum.neural._initialization import initialize
from finitesum.neural._network import Network

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")

N, P, K, BATCH = 120, 9, 4, 30


def pair(n_outputs: int, activation: str) -> tuple[Network, Any]:
    """A network of each kind, with the same parameters."""
    layers: list[tuple[str, dict[str, float]]] = []
    modules: list[Any] = []
    for before, size in ((P, 16), (16, 8)):
        layers += [("dense", {"n_outputs": size, "bias": 0}), ("batch_norm", {}), (activation, {})]
        modules += [torch.nn.Linear(before, size, bias=False), torch.nn.BatchNorm1d(size)]
        modules.append({"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[activation]())
    head = "softmax" if n_outputs > 1 else "squared"
    ours = Network((P,), [*layers, ("dense", {"n_outputs": n_outputs})], head, ("adam", {}))
    initialize(ours, "xavier_uniform", 0, activation)
    theirs = torch.nn.Sequential(*modules, torch.nn.Linear(8, n_outputs)).double()
    with torch.no_grad():
        for (_, _, array), tensor in zip(ours.core.parameters, theirs.parameters(), strict=True):
            tensor.copy_(torch.tensor(array.T.copy()))
    return ours, theirs


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("n_outputs", [1, K])
def test_same_curve_as_pytorch(n_outputs: int, activation: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, P))
    y = rng.integers(0, K, N).astype(np.int32) if n_outputs > 1 else rng.standard_normal(N)
    ours, theirs = pair(n_outputs, activation)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01)
    for epoch in range(15):
        loss = ours.core.train(
            X, y, None, np.arange(N), np.full(N // BATCH, 0.01), batch_size=BATCH
        )
        total = 0.0
        for begin in range(0, N, BATCH):
            batch = slice(begin, begin + BATCH)
            found, wanted = theirs(torch.tensor(X[batch])), torch.tensor(y[batch])
            if n_outputs > 1:
                value = torch.nn.functional.cross_entropy(found, wanted.long())
            else:
                value = 0.5 * torch.mean((found[:, 0] - wanted) ** 2)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += BATCH * value.item()
        assert loss == pytest.approx(total, rel=1e-7), epoch
    theirs.eval()
    with torch.no_grad():
        expected = theirs(torch.tensor(X)).numpy()
    np.testing.assert_allclose(ours.predict(X, N, raw=True), expected, rtol=1e-5, atol=1e-6)
