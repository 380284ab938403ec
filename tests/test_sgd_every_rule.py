"""Every rule of the registry through both estimators: fit and partial_fit, dense and CSR."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from finitesum import SGDClassifier, SGDRegressor, _core

RULES = _core.optimizer_names()
FULL_BATCH = [name for name in RULES if _core.optimizer_defaults(name)["full_batch"]]
PENALTIES = [None, "l2", "l1", "elasticnet"]
CASES = [
    (rule, penalty)
    for rule in RULES
    for penalty in PENALTIES
    if rule not in FULL_BATCH or penalty in (None, "l2")
]
RNG = np.random.default_rng(0)
N, P = 90, 12
X = (RNG.normal(size=(N, P)) * (RNG.random((N, P)) < 0.4)).astype(np.float32)
Y = X @ RNG.normal(size=P) + 0.3 * RNG.normal(size=N) + 0.5
CLASSES = np.array(["low", "mid", "top"])[np.digitize(Y, [-1, 1.5])]
MODELS = [(SGDClassifier, {"loss": "log_loss"}, CLASSES), (SGDRegressor, {}, Y)]
each_case = pytest.mark.parametrize(("rule", "penalty"), CASES)
each_model = pytest.mark.parametrize(
    ("model", "options", "y"), MODELS, ids=["classifier", "regressor"]
)


def of(model: Any, rule: str, **options: Any) -> Any:
    options = {"max_iter": 10, "tol": None, "random_state": 0, "alpha": 1e-3, **options}
    return model(optimizer=rule, batch_size=N if rule in FULL_BATCH else 7, **options)


def parts(model: Any) -> Any:
    return np.column_stack([np.atleast_2d(model.coef_), model.intercept_])


@each_model
@each_case
def test_fit_and_partial_fit_dense_and_sparse(model, options, y, rule, penalty):
    """By default settings: sparse is dense, ten calls are one fit of ten epochs to the bit, and
    the objective has fallen."""
    ends = []
    for rows in (X, sp.csr_array(X)):
        whole = of(model, rule, penalty=penalty, **options).fit(rows, y)
        pieces = of(model, rule, penalty=penalty, **options)
        first = {"classes": np.unique(y)} if model is SGDClassifier else {}
        for call in range(10):
            pieces.partial_fit(rows, y, **(first if call == 0 else {}))
        assert np.array_equal(parts(pieces), parts(whole))
        assert pieces.t_ == whole.t_
        objective = whole.history_["objective"]
        assert np.isfinite(objective).all()
        assert objective[whole.history_["epoch"] == 10].sum() < (
            objective[whole.history_["epoch"] == 1].sum()
        )
        ends.append(parts(whole))
    assert_allclose(ends[1], ends[0], rtol=1e-8, atol=1e-9)
    assert np.abs(ends[0]).max() > 1e-3


@each_model
@pytest.mark.parametrize("rule", RULES)
def test_no_learning_rate_over_six_decades_ends_in_nan(model, options, y, rule):
    options = options | {"alpha": 0.0, "learning_rate": "constant", "max_iter": 15}
    for rows in (100 * X, sp.csr_array(100 * X)):
        null = np.inf
        for eta0 in 10.0 ** np.arange(-3, 4):
            fitted = of(model, rule, **options, eta0=eta0).fit(rows, y)
            assert np.isfinite(parts(fitted)).all(), eta0
            history = fitted.history_
            assert np.isfinite(history["objective"]).all(), eta0
            assert (history["restarts"] >= 0).all()
            restarted = history["restarts"][-1] > 0
            assert not restarted or history["step_size"][-1] < eta0
            null = min(null, history["objective"].min())
        assert null < np.inf


def test_explosions_are_in_the_history():
    model = of(SGDRegressor, "momentum", learning_rate="constant", eta0=1e3, max_iter=60).fit(X, Y)
    assert model.history_["restarts"][-1] > 5
    assert_allclose(model.history_["step_size"][-1] * 2 ** model.history_["restarts"][-1], 1e3)
    assert model.score(X, Y) > 0


@each_model
def test_auto_is_scikit_learns_rate_for_plain_descent_and_constant_for_rules(model, options, y):
    rate = {SGDClassifier: "optimal", SGDRegressor: "invscaling"}[model]
    named = of(model, "sgd", learning_rate=rate, eta0=0.01, **options).fit(X, y)
    assert np.array_equal(parts(of(model, "sgd", **options).fit(X, y)), parts(named))
    for rule in RULES:
        if rule == "sgd":
            continue
        steps = of(model, rule, **options).fit(X, y).history_["step_size"]
        assert len(np.unique(steps)) == 1
        assert steps[0] > 0
    given = of(model, "adam", eta0=0.02, **options).fit(X, y)
    assert (given.history_["step_size"] == 0.02).all()


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in FULL_BATCH])
def test_auto_is_a_useful_rate(rule):
    """After ten epochs by default settings the model explains most of what it can."""
    A = RNG.normal(size=(1000, 20))
    y = np.sign(A @ RNG.normal(size=20) + RNG.normal(size=1000))
    model = SGDClassifier("log_loss", optimizer=rule, max_iter=10, tol=None, random_state=0)
    reference = SGDClassifier(
        "log_loss", max_iter=200, tol=None, random_state=0, average="polynomial"
    ).fit(A, y)
    assert model.fit(A, y).score(A, y) > reference.score(A, y) - 0.03
