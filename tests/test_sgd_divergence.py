"""A fit by stochastic gradient descent does not end where the null model is far better."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from finitesum import SGDClassifier, SGDRegressor
from test_sgd_every_rule import MODELS, RULES, X, of, parts

RATES = 10.0 ** np.arange(-3, 4)
HOPELESS = 10  # times the objective of the null model: above it no epoch stands
HIGH = 2  # for epochs in a row none does

LOSSES = {
    "log_loss": lambda z, y: np.logaddexp(0, -y * z),
    "hinge": lambda z, y: np.maximum(0, 1 - y * z),
    "squared_hinge": lambda z, y: np.maximum(0, 1 - y * z) ** 2,
    "modified_huber": lambda z, y: np.where(y * z < -1, -4 * y * z, np.maximum(0, 1 - y * z) ** 2),
    "squared_error": lambda z, y: (z - y) ** 2 / 2,
    "huber": lambda z, y: np.where(abs(z - y) < 0.1, (z - y) ** 2 / 2, 0.1 * abs(z - y) - 0.005),
}


def excess(model: Any, rows: Any, y: Any) -> float:
    """The largest objective of an output over that of zero coefficients."""
    z = rows @ np.atleast_2d(model.coef_).T + model.intercept_
    targets = np.asarray(y)[:, None]
    if isinstance(model, SGDClassifier):
        labels = model.classes_[1:] if len(model.classes_) == 2 else model.classes_
        targets = np.where(targets == labels, 1.0, -1.0)
    loss = LOSSES[model.loss]
    squares = (np.atleast_2d(model.coef_) ** 2).sum(axis=1)
    ours = loss(z, targets).mean(axis=0)
    ours += 0 if model.penalty is None else model.alpha * squares / 2
    return float((ours / loss(0 * z, targets).mean(axis=0)).max())


@pytest.mark.parametrize(("model", "options", "y"), MODELS, ids=["classifier", "regressor"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scale", [1, 100])
def test_no_rate_ends_far_above_the_null_model(model, options, y, rule, scale):
    for rows in (scale * X, sp.csr_array(scale * X)):
        for eta0 in RATES:
            settings = {"learning_rate": "constant", "eta0": eta0, "penalty": "l2", **options}
            for max_iter in (1, 3, 30):
                fitted = of(model, rule, **settings, max_iter=max_iter).fit(rows, y)
                assert excess(fitted, rows, y) <= HOPELESS, eta0
                of_output = fitted.history_.get("output", np.zeros(len(fitted.history_["epoch"])))
                for k in np.unique(of_output):
                    mine = of_output == k
                    restarts = fitted.history_["restarts"][mine]
                    assert (np.diff(restarts) >= 0).all()
                    assert_allclose(fitted.history_["step_size"][mine] * 2**restarts, eta0)


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("average", [False, True])
def test_nor_does_any_loss_in_steps_of_one_row(loss, average):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 5)) * [1, 1, 3, 10, 30]
    z = rows @ [1, -1, 0.5, 0.1, 0] + rng.normal(size=200)
    model: Any = SGDRegressor if loss in ("squared_error", "huber") else SGDClassifier
    y = z if model is SGDRegressor else np.sign(z)
    moved = 0
    for eta0 in RATES:
        fitted = model(
            loss, learning_rate="constant", eta0=eta0, average=average, batch_size=1,
            random_state=0,
        ).fit(rows, y)  # fmt: skip
        assert fitted.stopping_ == "tol"
        assert excess(fitted, rows, y) <= (HOPELESS if average else HIGH), eta0
        moved += fitted.history_["restarts"][-1] > 0
    assert moved >= 2


def test_partial_fits_with_restarts_are_one_fit():
    for eta0 in (1.0, 30.0, 1e3):
        options: dict[str, Any] = {
            "loss": "hinge", "learning_rate": "constant", "eta0": eta0, "random_state": 0,
            "batch_size": 1,
        }  # fmt: skip
        y = MODELS[0][2] == "top"
        whole = SGDClassifier(max_iter=25, tol=None, **options).fit(X, y)
        pieces = SGDClassifier(**options)
        for _ in range(25):
            pieces.partial_fit(X, y, classes=[False, True])
            assert excess(pieces, X, y) <= HOPELESS
        assert np.array_equal(parts(pieces), parts(whole))
        assert pieces.history_["restarts"][-1] == whole.history_["restarts"][-1]
        if eta0 > 1:
            assert whole.history_["restarts"][-1] > 0


def test_a_fit_does_not_stop_by_tol_where_it_stays_high():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 40))
    y = np.sign(rows[:, 0] + rng.normal(size=3000))
    options: dict[str, Any] = {"learning_rate": "constant", "random_state": 0}
    for eta0 in (1.0, 3.0, 10.0):
        fitted = SGDClassifier("log_loss", eta0=eta0, **options).fit(rows, y)
        assert fitted.stopping_ == "tol"
        assert excess(fitted, rows, y) <= HIGH
        assert fitted.history_["restarts"][-1] > 0


def test_noise_that_is_no_explosion_is_left_alone():
    """The long first steps of a falling rate, a floor below the null model's objective, and losses
    that are zero without a model."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, 20))
    y = np.sign(rows[:, 0] + 0.3 * rng.normal(size=2000))
    for options in (
        {"loss": "hinge"},
        {"loss": "log_loss"},
        {"loss": "hinge", "learning_rate": "constant", "eta0": 0.3},
        {"loss": "perceptron", "penalty": None, "learning_rate": "constant", "eta0": 1.0},
        {"loss": "perceptron", "penalty": None, "learning_rate": "constant", "eta0": 1e3},
    ):
        fitted = SGDClassifier(random_state=0, max_iter=50, tol=None, **options).fit(rows, y)
        assert not fitted.history_["restarts"].any(), options
        assert fitted.score(rows, y) > 0.7


def test_later_rows_are_judged_by_their_own_null_model():
    """Targets grow by a hundred, then change their sign, where the model is worse than none."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3))
    z = rows @ [1.0, 2.0, -1.0] + 0.1 * rng.normal(size=400)
    model = SGDRegressor(learning_rate="constant", eta0=0.01, batch_size=1, random_state=0)
    for target in (z, 100 * z, -100 * z, -z):
        for _ in range(8):
            model.partial_fit(rows, target)
        assert not model.history_["restarts"].any()
        assert model.score(rows, target) > 0.9


def test_a_start_worse_than_the_null_model_is_no_explosion():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3))
    z = rows @ [1.0, 2.0, -1.0]
    model = SGDRegressor(learning_rate="constant", eta0=1e-4, tol=None, max_iter=5, random_state=0)
    model.fit(rows, z, coef_init=[100.0, -100.0, 50.0], intercept_init=[10.0])
    assert not model.history_["restarts"].any()
    assert (np.diff(model.history_["objective"]) < 0).all()
    assert excess(model, rows, z) > HOPELESS
