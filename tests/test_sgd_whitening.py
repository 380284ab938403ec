"""Descent in whitened coordinates: linear models."""

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from finitesum import Ridge, SGDClassifier, SGDRegressor
from reference.whitening import Whitening

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
Options = dict[str, Any]
N, P = 60, 7


def design(share: float = 0.5) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, P)) * [1, 20, 0.1, 3, 1, 0.5, 2] + 1
    X[rng.random(X.shape) < share] = 0
    return X


def targets(X: NDArray[np.float64]) -> NDArray[np.float64]:
    rng = np.random.default_rng(1)
    return X @ rng.standard_normal(X.shape[1]) + rng.standard_normal(len(X))


def regressor(**options: Any) -> SGDRegressor:
    return SGDRegressor(
        **{
            "optimizer": "whitening", "learning_rate": "constant", "eta0": 0.05, "tol": None,
            "max_iter": 4, "random_state": 0, "batch_size": 1, "penalty": None, "shuffle": False,
        }
        | options
    )  # fmt: skip


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize(("momentum", "alpha"), [(0.0, 0.0), (0.7, 0.0), (0.0, 0.3)])
@pytest.mark.parametrize("rows", [np.asarray, sp.csr_array])
def test_steps_are_those_of_the_definition(
    rows: Any, momentum: float, alpha: float, batch_size: int
) -> None:
    X = design()
    y = targets(X)
    model = regressor(
        optimizer_options={"momentum": momentum}, batch_size=batch_size, alpha=alpha,
        penalty="l2" if alpha else None,
    ).fit(rows(X), y)  # fmt: skip
    twin = Whitening(P, averaging=0.0, interval=1024, eps=0.0)
    w, b, velocity, owed = np.zeros((P, 1)), np.zeros(1), (0.0, 0.0), 0.0

    def pay() -> None:
        nonlocal w, b, owed
        shrunk = w / (1 + owed * twin.beta2 * twin.alpha[:, None] ** 2)
        w, b, owed = shrunk, b + twin.mu @ (w - shrunk), 0.0

    for _ in range(4):
        for first in range(0, N, batch_size):
            x, t = X[first : first + batch_size], y[first : first + batch_size, None]
            twin.observe(x)
            moves = twin.direction(x, x @ w + b - t)
            moves = tuple(momentum * m + d for m, d in zip(velocity, moves, strict=True))
            w, b, velocity = w - 0.05 * moves[0], b - 0.05 * moves[1], moves
            owed += 0.05 * alpha
            if twin.is_due():
                pay()
                twin.refresh()
        pay()
    np.testing.assert_allclose(model.coef_, w[:, 0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.intercept_, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 7, "clip": ("norm", 0.5)},
        {"penalty": "elasticnet", "alpha": 0.1, "average": True},
        {"optimizer_options": {"momentum": 0.9, "interval": 5, "averaging": 0.1}},
        {"optimizer_options": {"normalize": "layer"}, "fit_intercept": False},
        {"optimizer_options": {"whiten": False}, "eta0": 1e-3},
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_are_dense_rows(options: Options, dtype: Any) -> None:
    X = design().astype(dtype)
    y = targets(X)
    dense, sparse = (regressor(**options).fit(each, y) for each in (X, sp.csr_array(X)))
    np.testing.assert_allclose(dense.coef_, sparse.coef_, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(dense.intercept_, sparse.intercept_, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_affine_maps_of_the_columns_change_nothing(momentum: float) -> None:
    X = design(0.0)
    y = targets(X)
    factor, offset = np.geomspace(1e-2, 1e3, P), np.linspace(-5, 40, P)
    options = {"optimizer_options": {"eps": 0.0, "momentum": momentum}, "batch_size": 10}
    first = regressor(**options).fit(X, y)
    second = regressor(**options).fit(X * factor + offset, y)
    np.testing.assert_allclose(second.coef_ * factor, first.coef_, rtol=1e-7)
    np.testing.assert_allclose(second.predict(X * factor + offset), first.predict(X), rtol=1e-7)


def test_the_optimum_is_that_of_the_penalized_objective() -> None:
    X = design()
    y = targets(X)
    model = regressor(
        alpha=0.1, penalty="l2", max_iter=4000, batch_size=N, eta0=0.3, shuffle=False
    ).fit(X, y)
    exact = Ridge(alpha=0.1 * N, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=2e-3)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=2e-3, atol=2e-3)


def test_badly_scaled_columns_that_plain_steps_cannot_follow() -> None:
    X = design(0.0) * np.geomspace(1e-2, 1e2, P)
    y = targets(X / np.geomspace(1e-2, 1e2, P))
    A = np.column_stack([X, np.ones(N)])
    least = np.mean((y - A @ np.linalg.lstsq(A, y, rcond=None)[0]) ** 2)
    excess = {
        rule: min(
            np.mean((y - regressor(optimizer=rule, eta0=eta, **options).fit(X, y).predict(X)) ** 2)
            for eta in (1e-7, 1e-5, 1e-3, 0.1, 1.0)
            for options in [{"max_iter": 300, "batch_size": N}]
        )
        / least
        - 1
        for rule in ("sgd", "whitening")
    }
    assert excess["whitening"] < 1e-6
    assert excess["sgd"] > 0.1


@pytest.mark.parametrize("rows", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("multi", [False, True])
def test_fits_go_on_to_the_bit(rows: Any, multi: bool) -> None:
    X = design()
    y = np.digitize(targets(X), [-2, 2] if multi else [0])
    options: Options = {"loss": "log_loss", "optimizer": "whitening", "tol": None, "eta0": 0.1}
    options |= {"learning_rate": "invscaling", "random_state": 0, "batch_size": 4}
    options |= {"optimizer_options": {"momentum": 0.6, "interval": 7, "normalize": "layer"}}
    whole = SGDClassifier(**options, max_iter=5).fit(rows(X), y)
    pieces = SGDClassifier(**options)
    for _ in range(5):
        pieces = pickle.loads(pickle.dumps(pieces.partial_fit(rows(X), y, classes=np.unique(y))))
    assert np.array_equal(whole.coef_, pieces.coef_)
    assert np.array_equal(whole.intercept_, pieces.intercept_)


def test_what_goes_on_with_the_other_kind_of_rows() -> None:
    X = design()
    y = targets(X)
    kinds = [[X, X, X], [X, sp.csr_array(X), X]]
    models = [regressor(optimizer_options={"momentum": 0.5}, penalty="l2") for _ in kinds]
    for model, parts in zip(models, kinds, strict=True):
        for part in parts:
            model.partial_fit(part, y)
    np.testing.assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"projection": ("l2", 1.0)}, "takes no projection"),
        ({"learning_rate": "dog"}, "goes with optimizer='sgd'"),
        ({"optimizer_options": {"gamma": 0.9}}, "no parameter 'gamma'"),
    ],
)
def test_what_it_does_not_take(options: Options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regressor(**options).fit(design(), np.arange(N))
