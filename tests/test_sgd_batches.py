"""batch_size="auto": exact gradients on few rows, where weights are the same as repetition."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from finitesum import SGDClassifier, SGDRegressor
from tests.reference.sgd import sgd

RNG = np.random.default_rng(0)
N, P = 40, 6
X = RNG.normal(size=(N, P)) * (RNG.random((N, P)) < 0.6)
Z = X @ RNG.normal(size=P) + 0.5 * RNG.normal(size=N)
CLASSES = np.digitize(Z, [-0.5, 0.8])
COUNTS = RNG.integers(0, 3, N)
QUIET: dict[str, Any] = {"tol": None, "max_iter": 5, "random_state": 0}

OPTIONS: list[dict[str, Any]] = [
    {},
    {"loss": "log_loss", "multi_class": "multinomial", "class_weight": "balanced"},
    {"class_weight": {0: 1, 1: 2, 2: 1}, "average": ("weighted", 2), "penalty": "elasticnet"},
    {"loss": "log_loss", "learning_rate": "bottou", "alpha": 0.1, "average": "suffix"},
    {"loss": "log_loss", "learning_rate": "minimax", "clip": ("norm", 0.1)},
    {"learning_rate": "plateau", "eta0": 0.1, "penalty": "l1", "tol": 1e-3, "max_iter": 300},
    {"optimizer": "adam", "learning_rate": "constant", "projection": None},
    {"optimizer": "momentum", "learning_rate": "invscaling", "average": True},
    {"optimizer": "rprop", "learning_rate": "constant", "loss": "log_loss"},
    {"projection": ("l2", 1.0), "monitor": "objective", "fit_intercept": False},
]


def same(one: Any, other: Any) -> None:
    assert_allclose(one.coef_, other.coef_, rtol=1e-9, atol=1e-11)
    assert_allclose(one.intercept_, other.intercept_, rtol=1e-9, atol=1e-11)
    assert_allclose(one.history_["objective"], other.history_["objective"], rtol=1e-9)
    assert one.t_ == other.t_
    assert one.n_iter_ == other.n_iter_


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_weights_are_repeated_rows_in_another_order(options: dict[str, Any], layout: Any) -> None:
    order = RNG.permutation(COUNTS.sum())
    repeated, y = X.repeat(COUNTS, axis=0)[order], CLASSES.repeat(COUNTS)[order]
    options = QUIET | options
    weighted = SGDClassifier(**options).fit(layout(X), CLASSES, sample_weight=COUNTS)
    same(weighted, SGDClassifier(**options).fit(layout(repeated), y))


@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile"])
def test_so_are_those_of_regressions(loss: str) -> None:
    model = SGDRegressor(loss, eta0=0.1, **QUIET)
    weighted = model.fit(X, Z, sample_weight=COUNTS)
    assert weighted.t_ == 1 + 5 * COUNTS.sum()
    repeated = SGDRegressor(loss, eta0=0.1, **QUIET)
    same(weighted, repeated.fit(X.repeat(COUNTS, axis=0), Z.repeat(COUNTS)))


def test_an_epoch_is_as_many_exact_steps_as_rows() -> None:
    options: dict[str, Any] = {"learning_rate": "constant", "eta0": 0.2, "alpha": 0.01}
    ours = SGDRegressor(**options, **QUIET).fit(X, Z)
    twin = sgd(X, Z, lambda z, y: z - y, lambda t: 0.2, l2=0.01, batch=N, epochs=5 * N)
    assert_allclose(np.append(ours.coef_, ours.intercept_), twin, atol=1e-12)
    whole = SGDRegressor(**options, batch_size=N, max_iter=5 * N, tol=None).fit(X, Z)
    assert_allclose(ours.coef_, whole.coef_, atol=1e-14)
    of_steps = whole.history_["loss"].reshape(5, N).mean(axis=1)
    assert_allclose(ours.history_["loss"], of_steps, rtol=1e-13)


def test_partial_fits_are_one_fit() -> None:
    whole = SGDClassifier("log_loss", average=True, **QUIET).fit(X, CLASSES)
    parts = SGDClassifier("log_loss", average=True, random_state=0)
    for _ in range(QUIET["max_iter"]):
        parts.partial_fit(X, CLASSES, classes=[0, 1, 2])
    assert np.array_equal(parts.coef_, whole.coef_)
    assert parts.t_ == whole.t_ == 1 + 5 * N


@pytest.mark.parametrize(
    ("rows", "options"), [(100, {}), (20, {"shuffle": "iid"})], ids=["many rows", "iid"]
)
def test_else_a_step_takes_one_row(rows: int, options: dict[str, Any]) -> None:
    A = np.tile(X, (3, 2))[:rows]
    z = np.tile(Z, 3)[:rows]
    auto, single = (
        SGDRegressor(batch_size=size, **options, **QUIET).fit(A, z) for size in ("auto", 1)
    )
    assert np.array_equal(auto.coef_, single.coef_)
    assert auto.t_ == single.t_


def test_a_fit_that_explodes_begins_again() -> None:
    model = SGDRegressor(learning_rate="constant", eta0=1e3, **QUIET).fit(X, Z)
    assert model.history_["restarts"][-1] > 5
    assert model.score(X, Z) > 0.5
