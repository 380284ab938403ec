"""Ctrl-C and callbacks end a fit by stochastic gradient descent with a usable estimator."""

import time
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from finitesum import SGDClassifier, SGDRegressor
from interrupting import ctrl_c, needs_ctrl_c

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5000, 20)).astype(np.float32)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
ENDLESS: dict[str, Any] = {"tol": None, "max_iter": 10**9, "random_state": 0}


@needs_ctrl_c
@pytest.mark.parametrize("rows", [X, sp.csr_matrix(X)], ids=["dense", "sparse"])
@pytest.mark.parametrize("model", [SGDClassifier, SGDRegressor])
def test_ctrl_c_gives_a_usable_estimator(model: Any, rows: Any) -> None:
    with ctrl_c() as press:

        def in_the_second_epoch(epoch: dict[str, float]) -> None:
            if epoch["epoch"] == 1:
                press(0.05)

        fitted = model(average=True, callback=in_the_second_epoch, **ENDLESS)
        started = time.perf_counter()
        with pytest.warns(ConvergenceWarning, match="The fit was interrupted"):
            fitted.fit(rows, CLASSES)
    assert time.perf_counter() - started < 20  # not for ever, nor once for each class
    assert set(np.atleast_1d(fitted.stopping_)) == {"interrupted"}
    assert np.isfinite(fitted.coef_).all()
    assert fitted.coef_.any()
    assert fitted.predict(rows).shape == CLASSES.shape
    goes_on = fitted.n_iter_
    fitted.set_params(max_iter=1, warm_start=True, callback=None).fit(rows, CLASSES)
    assert fitted.n_iter_ == 1 <= goes_on


@needs_ctrl_c
def test_ctrl_c_ends_the_loop_around_partial_fit() -> None:
    rows = np.tile(X, (20, 1))
    model = SGDRegressor(random_state=0).partial_fit(rows, rows[:, 0])

    def stream() -> None:
        while True:
            model.partial_fit(rows, rows[:, 0])

    with ctrl_c() as press:
        press(0.1)
        with pytest.raises(KeyboardInterrupt):
            stream()
    assert (model.t_ - 1) % len(rows) == 0  # what was half an epoch is as if it had not begun
    assert np.isfinite(model.coef_).all()


def test_a_callback_stops_the_classes_that_come_after() -> None:
    model = SGDClassifier(callback=lambda epoch: epoch["output"] == 1, **ENDLESS | {"max_iter": 3})
    model.fit(X, CLASSES)
    assert model.stopping_.tolist() == ["max_iter", "callback", "callback"]
    assert model.coef_[:2].any(axis=1).all()
    assert not model.coef_[2].any()


def test_a_callback_keeps_no_class_from_a_chunk() -> None:
    told, plain = (
        SGDClassifier(callback=callback, random_state=0).partial_fit(X, CLASSES, [0, 1, 2])
        for callback in (lambda epoch: True, None)
    )
    assert told.stopping_.tolist() == ["callback"] * 3
    assert np.array_equal(told.coef_, plain.coef_)
    assert told.coef_.any(axis=1).all()
