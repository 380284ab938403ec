"""Steps on the rows of W that sparse batches name, beside steps on all of W."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from finitesum.neural._network import Network
from network_data import K

P = 14
UNDER_ROOTS = ["adam", "adamw", "amsgrad", "nadam", "adamax"]


def waits(n_batches: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Rows of a column each, and an order in which column j comes back after some 2^j batches."""
    X = np.zeros((P, P))
    X[:, 0] = 0.3  # in every batch
    X[np.arange(P), np.arange(P)] = np.random.default_rng(0).uniform(0.5, 1.5, P)
    order = np.random.default_rng(1).geometric(0.5, 2 * n_batches).clip(1, 10).astype(np.intp)
    order[:4] = [10, 11, 12, 3]  # 11 comes back at the very end, 12 never, 13 has no step at all
    order[-1] = 11
    return X, order


def trained(
    X: Any, order: NDArray[np.intp], rule: str, options: dict[str, Any], dtype: Any, **decay: float
) -> Network:
    layers: list[tuple[str, dict[str, float]]] = [("dense", {"n_outputs": 9}), ("tanh", {})]
    made = Network(
        (P,), [*layers, ("dense", {"n_outputs": K})], "softmax", (rule, options), dtype=dtype
    )
    rng = np.random.default_rng(2)
    made.core.flat_parameters[...] = rng.normal(0.0, 0.5, made.core.flat_parameters.size)
    targets = np.arange(P, dtype=np.int32) % K
    n_batches = len(order) // 2
    rates = 0.02 / (1.0 + np.arange(n_batches) / 300)
    for part in np.array_split(np.arange(n_batches), 3):  # all of W is current between calls
        rows = order[2 * part[0] : 2 * part[-1] + 2].copy()
        made.core.train(X, targets, None, rows, rates[part], batch_size=2, **decay)
    return made


@pytest.mark.parametrize("options", [{}, {"eps": 1e-3}, {"eps": 0.0}], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rule", UNDER_ROOTS)
def test_rows_make_up_for_any_wait(rule: str, dtype: Any, options: dict[str, Any]) -> None:
    X, order = waits(1500)
    X = X.astype(dtype)
    csr = sp.csr_array(X)
    matrix = (csr.data, csr.indices, csr.indptr, P)
    made, dense = (trained(A, order, rule, options, dtype, decoupled=0.02) for A in (matrix, X))
    # The series leaves out 1e-13 or, in single precision, 1e-8 of a row's way; each then rounds.
    tolerance = 1e-9 if dtype == np.float64 else 2e-4
    np.testing.assert_allclose(
        made.core.flat_parameters, dense.core.flat_parameters, rtol=tolerance, atol=tolerance
    )
    for ours, theirs in zip(made.core.slots, dense.core.slots, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("options", [{"beta1": 0.0}, {"beta1": 0.999, "beta2": 0.9}], ids=str)
def test_momentum_that_outlives_its_root(options: dict[str, Any]) -> None:
    X, order = waits(300)
    csr = sp.csr_array(X)
    matrix = (csr.data, csr.indices, csr.indptr, P)
    made, dense = (trained(A, order, "adam", options, np.float64) for A in (matrix, X))
    np.testing.assert_allclose(
        made.core.flat_parameters, dense.core.flat_parameters, rtol=1e-8, atol=1e-8
    )


def test_rows_without_a_step_stay_as_they_are() -> None:
    X, order = waits(40)
    csr = sp.csr_array(X)
    matrix = (csr.data, csr.indices, csr.indptr, P)
    made = trained(matrix, order, "adam", {}, np.float64)
    start = np.random.default_rng(2).normal(0.0, 0.5, made.core.flat_parameters.size)
    width = 9
    rows = made.core.flat_parameters[: P * width].reshape(P, width)
    before = start[: P * width].reshape(P, width)
    np.testing.assert_array_equal(rows[13], before[13])
    assert np.all(rows[:4] != before[:4])
