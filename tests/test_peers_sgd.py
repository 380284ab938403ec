"""The held-out loss of one pass is that of a model fitted by hand."""

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier as SklearnSGDClassifier
from sklearn.metrics import log_loss

import finitesum
from bench.peers import sgd
from bench.peers.data import load_dataset


@pytest.mark.parametrize("estimator", [finitesum.SGDClassifier, SklearnSGDClassifier])
def test_mean_over_seeds(estimator):
    data = load_dataset("breast_cancer", np.float64)
    X, y, X_test, y_test = data.X[::2], data.y[::2], data.X[1::2], data.y[1::2]
    options = {"learning_rate": "constant", "eta0": 0.1, "alpha": 1e-3}
    by_hand = [
        log_loss(
            y_test,
            estimator(loss="log_loss", max_iter=1, tol=None, random_state=seed, **options)
            .fit(X, y)
            .predict_proba(X_test),
        )
        for seed in (0, 1)
    ]
    found = sgd.held_out_loss(estimator, (X, y, X_test, y_test), 2, **options)
    assert found == pytest.approx(np.mean(by_hand), rel=1e-12)


def test_every_setting_is_one():
    for options in sgd.SETTINGS.values():
        finitesum.SGDClassifier(loss="log_loss", max_iter=1, tol=None, **options).fit(
            np.eye(2), [0, 1]
        )
