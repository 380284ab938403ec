"""A warm start on the same problem goes on as if the fit had never stopped."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from finitesum import Lasso, LinearSVC, LogisticRegression, Ridge, _core

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning"
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 8)) * RNG.lognormal(1, 1, size=(300, 1))
X[RNG.random(X.shape) < 0.5] = 0
Y = np.sign(X @ RNG.normal(size=8) + RNG.normal(size=300))
LAYOUTS = {"dense": X, "csr": sp.csr_matrix(X)}
OPTIONS = {"random_state": 3, "tol": 0.0, "C": 0.1}


def same(one, other):
    return np.array_equal(one.coef_, other.coef_) and np.array_equal(
        one.intercept_, other.intercept_
    )


@pytest.mark.parametrize("solver", _core.solver_names())
@pytest.mark.parametrize("sampling", _core.sampling_choices())
@pytest.mark.parametrize("layout", LAYOUTS)
def test_resumed_is_uninterrupted(solver, sampling, layout):
    for l1_ratio in (0.0, 0.5) if solver in _core.solver_names(has_l1=True) else (0.0,):
        for step_size in ("auto", "line-search"):
            options = dict(
                OPTIONS, solver=solver, sampling=sampling, l1_ratio=l1_ratio, step_size=step_size
            )
            whole = LogisticRegression(max_iter=7, **options).fit(LAYOUTS[layout], Y)
            cut = LogisticRegression(max_iter=3, warm_start=True, **options).fit(LAYOUTS[layout], Y)
            cut = pickle.loads(pickle.dumps(cut))
            cut.set_params(max_iter=4).fit(LAYOUTS[layout], Y)
            assert same(whole, cut)


@pytest.mark.parametrize("solver", ["sag", "saga", "svrg", "katyusha"])
def test_resumed_many_times(solver):
    options = dict(OPTIONS, solver=solver)
    whole = LogisticRegression(max_iter=6, **options).fit(X, Y)
    cut = LogisticRegression(max_iter=1, warm_start=True, **options)
    for _ in range(6):
        cut.fit(X, Y)
    assert same(whole, cut)


SEVERAL = {
    "multinomial": (LogisticRegression, {"C": 0.1}, np.digitize(Y * X[:, 0], [-1, 1])),
    "one against the rest": (LinearSVC, {"C": 0.1}, np.digitize(Y * X[:, 0], [-1, 1])),
    "targets": (Ridge, {"alpha": 30.0}, np.column_stack([Y, X[:, 0], X[:, 1] - Y])),
}


@pytest.mark.parametrize("solver", ["sag", "saga", "svrg"])
@pytest.mark.parametrize("sampling", _core.sampling_choices())
@pytest.mark.parametrize("name", SEVERAL)
def test_several_outputs_resume(solver, sampling, name):
    """Whatever draws the rows, and through a pickle."""
    estimator, parameters, target = SEVERAL[name]
    for layout, step_size in [("dense", "auto"), ("csr", "line-search"), ("csr", "auto")]:
        options = {
            **parameters, "solver": solver, "sampling": sampling, "step_size": step_size,
            "tol": 0.0, "random_state": 3,
        }  # fmt: skip
        data = LAYOUTS[layout]
        whole = estimator(max_iter=5, **options).fit(data, target)
        cut = estimator(max_iter=2, warm_start=True, **options).fit(data, target)
        cut = pickle.loads(pickle.dumps(cut))
        assert same(whole, cut.set_params(max_iter=3).fit(data, target))


def test_each_class_resumes():
    labels = RNG.integers(3, size=len(Y))
    options = dict(OPTIONS, solver="sag")
    whole = LogisticRegression(max_iter=5, **options).fit(X, labels)
    cut = LogisticRegression(max_iter=2, warm_start=True, **options).fit(X, labels)
    assert same(whole, cut.set_params(max_iter=3).fit(X, labels))


@pytest.mark.parametrize("change", ["data", "targets", "weights", "penalty", "sampling"])
def test_another_problem_starts_from_the_coefficients(change):
    options = dict(OPTIONS, solver="saga", max_iter=4)
    first = LogisticRegression(warm_start=True, **options).fit(X, Y)
    fresh = LogisticRegression(warm_start=True, **options)
    fresh.coef_, fresh.intercept_, fresh.classes_ = first.coef_, first.intercept_, first.classes_
    other, targets, weights = X.copy(), Y.copy(), None
    if change == "data":
        other[5, 3] += 1e-9
    elif change == "targets":
        targets[7] = -targets[7]
    elif change == "weights":
        weights = np.ones(len(Y))
    elif change == "penalty":
        for estimator in (first, fresh):
            estimator.set_params(C=0.2)
    else:
        for estimator in (first, fresh):
            estimator.set_params(sampling="shuffle")
    first.fit(other, targets, sample_weight=weights)
    fresh.fit(other, targets, sample_weight=weights)
    assert same(first, fresh)


def test_without_warm_start_nothing_is_kept():
    estimator = Lasso(alpha=0.1, max_iter=2).fit(X, Y)
    assert not hasattr(estimator, "_saved")
    assert same(estimator, Lasso(alpha=0.1, max_iter=2).fit(X, Y))


def test_a_state_of_another_size_is_refused():
    options = dict.fromkeys(["coef_init", "intercept_init", "monitor"]) | {
        "loss": "logistic",
        "loss_parameter": 1.0,
        "alpha": 0.1,
        "l1_ratio": 0.0,
        "fit_intercept": True,
        "solver": "sag",
        "sampling": "uniform",
        "step_size": 0.0,
        "tol": 0.0,
        "max_iter": 2,
        "check_interval": 0,
        "time_limit": np.inf,
        "seed": 0,
    }
    state = _core.fit(X, Y, None, keep_state=True, **options)["state"]
    with pytest.raises(ValueError, match=r"another size|incomplete"):
        _core.fit(X[:-1], Y[:-1], None, state=state, **options)
    with pytest.raises(ValueError, match="incomplete"):
        _core.fit(X, Y, None, state=state[:-1].copy(), **options)
