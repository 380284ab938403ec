"""The estimators behave as scikit-learn's do: pickle, clone, names, seeds, warm starts."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import finitesum
from finitesum import ElasticNet, Lasso, LogisticRegression, Ridge, _core
from linear_data import ALL, P, design, labels, skip_unless_solvable, solvers_of, target_of


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("Estimator", ALL)
def test_sparsify(Estimator: Any, sparse: bool) -> None:
    X = design(sparse)
    estimator = Estimator()
    estimator.fit(X, target_of(estimator))
    coef, predictions = estimator.coef_, estimator.predict(X)
    assert estimator.sparsify() is estimator
    assert sp.issparse(estimator.coef_)
    if predictions.dtype.kind == "f":
        np.testing.assert_allclose(estimator.predict(X), predictions, rtol=1e-12)
    else:
        assert np.array_equal(estimator.predict(X), predictions)
    assert estimator.sparsify().densify() is estimator
    assert np.array_equal(estimator.coef_, coef)
    assert estimator.coef_.shape == coef.shape


@pytest.mark.parametrize("Estimator", ALL)
def test_pickle_and_clone(Estimator: Any) -> None:
    estimator = Estimator(tol=1e-6, random_state=3)
    X, y = design(), target_of(estimator)
    estimator.fit(X, y)
    copy = pickle.loads(pickle.dumps(estimator))
    assert np.array_equal(copy.predict(X), estimator.predict(X))
    assert copy.dual_gap_ == estimator.dual_gap_
    fresh = clone(estimator)
    assert fresh.get_params() == estimator.get_params()
    assert not hasattr(fresh, "coef_")


@pytest.mark.parametrize(
    ("Estimator", "solver"), [(each, solver) for each in ALL for solver in solvers_of(each())]
)
def test_same_seed_same_bits(Estimator: Any, solver: str) -> None:
    estimator = Estimator(solver=solver, random_state=5, tol=1e-3, max_iter=5000)
    skip_unless_solvable(estimator, solver)
    X, y = design(), target_of(estimator)
    first, second = (clone(estimator).fit(X, y) for _ in range(2))
    assert first.coef_.tobytes() == second.coef_.tobytes()
    assert first.n_iter_ == second.n_iter_


def test_seed_reaches_the_stochastic_solvers() -> None:
    X, y = design(), labels()
    coefs = [LogisticRegression(solver="sag", random_state=seed).fit(X, y).coef_ for seed in (0, 1)]
    assert not np.array_equal(*coefs)


def test_random_state_instance_advances() -> None:
    state = np.random.RandomState(0)
    X, y = design(), labels()
    coefs = [LogisticRegression(solver="sag", random_state=state).fit(X, y).coef_ for _ in "ab"]
    assert not np.array_equal(*coefs)


@pytest.mark.parametrize(
    ("Estimator", "solver"),
    [
        (each, solver)
        for each in (ElasticNet, Lasso, LogisticRegression, Ridge)
        for solver in solvers_of(each())
    ],
)
def test_warm_start_at_the_optimum_ends_at_once(Estimator: Any, solver: str) -> None:
    estimator = Estimator(tol=1e-8, solver=solver, random_state=0, max_iter=5000)
    skip_unless_solvable(estimator, solver)
    X, y = design(), target_of(estimator)
    optimum = estimator.fit(X, y).objective_
    estimator.set_params(warm_start=True, tol=1e-6).fit(X, y)
    assert np.max(estimator.n_iter_) <= 2
    assert estimator.objective_ <= optimum * (1 + 1e-6)
    assert estimator.converged_


@pytest.mark.parametrize("Estimator", ALL)
def test_warm_start_with_another_shape_starts_afresh(Estimator: Any) -> None:
    estimator = Estimator(warm_start=True, random_state=0)
    X, y = design(), target_of(estimator)
    estimator.fit(X, y).fit(X[:, :3], y)
    assert np.array_equal(estimator.coef_, Estimator(random_state=0).fit(X[:, :3], y).coef_)


def test_warm_start_from_sparsified_coefficients() -> None:
    X, y = design(), labels()
    estimator = LogisticRegression(warm_start=True, tol=1e-6, solver="svrg", random_state=0)
    cold = estimator.fit(X, y).n_iter_
    assert estimator.sparsify().fit(X, y).n_iter_ < cold
    assert isinstance(estimator.coef_, np.ndarray)


def test_warm_start_with_other_classes_starts_afresh() -> None:
    X, y = design(), labels()
    estimator = LogisticRegression(warm_start=True, solver="saga", random_state=0).fit(X, y)
    estimator.fit(X, np.where(y == "yes", "a", "b"))
    fresh = LogisticRegression(solver="saga", random_state=0).fit(X, np.where(y == "yes", "a", "b"))
    assert np.array_equal(estimator.coef_, fresh.coef_)


@pytest.mark.parametrize("Estimator", ALL)
def test_feature_names(Estimator: Any) -> None:
    names = [f"f{j}" for j in range(P)]
    frame = pd.DataFrame(design(), columns=names)
    estimator = Estimator()
    y = target_of(estimator)
    estimator.fit(frame, y)
    assert list(estimator.feature_names_in_) == names
    assert estimator.n_features_in_ == P
    estimator.predict(frame)
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(frame[names[::-1]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        estimator.predict(frame.to_numpy())


def test_public_names() -> None:
    searches = {"ElasticNetCV", "LassoCV", "LogisticRegressionCV", "RidgeCV"}
    assert set(finitesum.linear.__all__) == {E.__name__ for E in ALL} | searches
    assert set(finitesum.linear.__all__) < set(finitesum.__all__)
    assert _core.version() == finitesum.__version__


def test_not_converged_warns_with_advice() -> None:
    X, y = design(), labels()
    model = LogisticRegression(solver="sag", max_iter=1, tol=1e-10, random_state=0)
    with pytest.warns(
        ConvergenceWarning, match=r"'sag' reached a relative duality gap of .*1 epoch"
    ):
        model.fit(X, y)
    assert model.converged_ is False
    assert model.stopping_ == "max_iter"
    assert model.relative_gap_ > 1e-10
    assert model.n_iter_ == 1
