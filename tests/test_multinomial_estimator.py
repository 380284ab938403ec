"""LogisticRegression with more than two classes: scikit-learn's optimum and its conventions."""

from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn import datasets
from sklearn import linear_model as sklearn_linear
from sklearn.preprocessing import StandardScaler

from finitesum import LogisticRegression

DATA = {
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
}


def scaled(name):
    X, y = DATA[name](return_X_y=True)
    return StandardScaler().fit_transform(X), y


@cache
def scikit_learns(name):
    return sklearn_linear.LogisticRegression(
        C=0.1, solver="newton-cg", tol=1e-10, max_iter=10000
    ).fit(*scaled(name))


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("solver", ["auto", "sag", "saga"])
def test_optimum_is_scikit_learns(name, sparse, solver):
    X, y = scaled(name)
    theirs = scikit_learns(name)
    model = LogisticRegression(C=theirs.C, solver=solver, tol=1e-11, max_iter=20000, random_state=0)
    model.fit(sp.csr_array(X) if sparse else X, y)
    assert model.converged_
    assert model.coef_.shape == theirs.coef_.shape
    assert_allclose(model.coef_, theirs.coef_, atol=1e-4)
    assert_allclose(model.intercept_, theirs.intercept_, atol=1e-4)
    assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    assert np.array_equal(model.predict(X), theirs.predict(X))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_elastic_net_optimum_is_scikit_learns(fit_intercept, l1_ratio):
    X, y = scaled("wine")
    weight = np.random.default_rng(0).exponential(size=len(y))
    options = {"C": 0.2, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "random_state": 0}
    theirs = sklearn_linear.LogisticRegression(
        solver="saga", tol=1e-12, max_iter=100000, **options
    ).fit(X, y, weight)
    ours = LogisticRegression(tol=1e-12, **options).fit(X, y, weight)
    if not fit_intercept:
        assert not ours.intercept_.any()
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)


def test_float32_is_used_in_place():
    X, y = scaled("iris")
    X = X.astype(np.float32)
    single = LogisticRegression(tol=1e-10).fit(X, y)
    double = LogisticRegression(tol=1e-10).fit(X.astype(float), y)
    assert single.coef_.dtype == np.float64
    assert_allclose(single.coef_, double.coef_, rtol=1e-7, atol=1e-9)


def test_report_is_that_of_one_fit():
    X, y = scaled("iris")
    model = LogisticRegression().fit(X, y)
    assert model.converged_
    assert isinstance(model.dual_gap_, float)
    assert model.relative_gap_ <= model.tol
    assert model.n_iter_.shape == (1,)
    assert "output" not in model.history_
    assert model.solver_ == "newton"
    counts = np.bincount(y) / len(y)
    assert model.null_objective_ == pytest.approx(-counts @ np.log(counts))


def test_warm_start_goes_on_from_the_coefficients():
    X, y = scaled("digits")
    model = LogisticRegression(C=1.0, solver="sag", warm_start=True, random_state=0).fit(X, y)
    objective = model.objective_
    model.set_params(C=0.9).fit(X, y)
    again = LogisticRegression(C=0.9, solver="sag", random_state=0).fit(X, y)
    assert model.n_iter_[0] < again.n_iter_[0]
    assert model.history_["epoch"][0] == 0.0
    assert objective == pytest.approx(model.history_["objective"][0], rel=0.2)


def test_balanced_classes_and_labels_of_any_kind():
    X, y = scaled("wine")
    names = np.array(["white", "red", "rose"])[y]
    ours = LogisticRegression(class_weight="balanced", tol=1e-11).fit(X, names)
    theirs = sklearn_linear.LogisticRegression(
        class_weight="balanced", tol=1e-10, max_iter=1000
    ).fit(X, names)
    assert list(ours.classes_) == ["red", "rose", "white"]
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    assert_allclose(np.exp(ours.predict_log_proba(X)), ours.predict_proba(X), rtol=1e-12)
