"""Cross-validated estimators choose what scikit-learn's choose, whatever the threads."""

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.preprocessing import StandardScaler

from finitesum import (
    ElasticNetCV,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    RidgeCV,
    certify,
)

CLASSES = [ElasticNetCV, LassoCV, LogisticRegressionCV, RidgeCV]


def regression(weighted: bool = False) -> tuple[Any, Any, Any]:
    X, y = load_diabetes(return_X_y=True)
    weight = np.random.default_rng(0).integers(0, 3, len(y)) + 0.5 if weighted else None
    return X, y, weight


def classification(n_classes: int) -> tuple[Any, Any]:
    X, y = (load_breast_cancer if n_classes == 2 else load_iris)(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("LassoCV", {}),
        ("LassoCV", {"alphas": [0.01, 1.0, 0.1], "fit_intercept": False}),
        ("LassoCV", {"alphas": 7, "eps": 1e-2, "cv": KFold(3, shuffle=True, random_state=0)}),
        ("ElasticNetCV", {"l1_ratio": [0.2, 0.9], "alphas": 20}),
        ("ElasticNetCV", {"l1_ratio": 0.5, "alphas": [0.1, 0.01, 0.001]}),
    ],
)
def test_least_squares_paths_are_scikit_learns(
    name: str, options: dict[str, Any], weighted: bool
) -> None:
    X, y, weight = regression(weighted)
    ours = {"LassoCV": LassoCV, "ElasticNetCV": ElasticNetCV}[name](tol=1e-9, **options)
    theirs = getattr(linear_model, name)(tol=1e-9, max_iter=100_000, **options)
    ours.fit(X, y, sample_weight=weight)
    theirs.fit(X, y, sample_weight=weight)
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-12)
    assert getattr(ours, "l1_ratio_", 1.0) == getattr(theirs, "l1_ratio_", 1.0)
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-12)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-7)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-5)


@pytest.mark.parametrize("cv", [None, 4])
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_ridge_chooses_as_scikit_learn(cv: int | None, weighted: bool, scoring: Any) -> None:
    X, y, weight = regression(weighted)
    options: dict[str, Any] = {"alphas": [1.0, 1e-3, 1e-1, 10.0], "cv": cv, "scoring": scoring}
    ours = RidgeCV(tol=1e-13, **options).fit(X, y, sample_weight=weight)
    theirs = linear_model.RidgeCV(**options).fit(X, y, sample_weight=weight)
    assert ours.alpha_ == theirs.alpha_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, rel=1e-9)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6)


def test_ridge_with_an_alpha_per_target() -> None:
    X, y, _ = regression()
    Y = np.column_stack([y, np.roll(y, 3)])
    options: dict[str, Any] = {"alpha_per_target": True, "store_cv_results": True}
    ours = RidgeCV(tol=1e-13, **options).fit(X, Y)
    theirs = linear_model.RidgeCV(**options).fit(X, Y)
    np.testing.assert_array_equal(ours.alpha_, theirs.alpha_)
    np.testing.assert_array_equal(ours.cv_results_, theirs.cv_results_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scoring": "neg_log_loss", "Cs": [1.0, 0.01, 10.0]},
        {"refit": False, "class_weight": "balanced", "Cs": 4, "fit_intercept": False},
    ],
    ids=["default", "scoring", "average"],
)
def test_logistic_regression_chooses_as_scikit_learn(
    n_classes: int, options: dict[str, Any]
) -> None:
    X, y = classification(n_classes)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    ours = LogisticRegressionCV(tol=1e-11, **options).fit(X, y, sample_weight=weight)
    theirs = linear_model.LogisticRegressionCV(
        solver="newton-cholesky",
        tol=1e-10,
        max_iter=1000,
        **{"l1_ratios": (0.0,), "use_legacy_attributes": False, "scoring": None, **options},
    ).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.C_, theirs.C_, rtol=1e-12)
    assert ours.l1_ratio_ == theirs.l1_ratio_
    np.testing.assert_allclose(ours.scores_, theirs.scores_, rtol=1e-5)
    # at C = 1e4 the optimum is flat: 1e-11 of the objective is 1e-3 of these coefficients
    np.testing.assert_allclose(ours.coefs_paths_, theirs.coefs_paths_, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-3, atol=1e-3)
    assert ours.n_iter_.shape == theirs.n_iter_.shape
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-5)


def test_shares_of_l1_are_searched() -> None:
    X, y = classification(2)
    model = LogisticRegressionCV(Cs=[0.1, 1.0], l1_ratios=(0.0, 0.5, 1.0), cv=3, max_iter=5000)
    model.fit(X, y)
    assert model.scores_.shape == (3, 3, 2)
    assert (model.coefs_paths_[:, 2, 0, 0, :-1] == 0.0).any()
    single = LogisticRegression(C=model.C_, l1_ratio=model.l1_ratio_, max_iter=5000).fit(X, y)
    assert model.objective_ == pytest.approx(single.objective_, abs=2e-4 * model.null_objective_)


@pytest.mark.parametrize("Estimator", CLASSES)
def test_threads_and_layout_do_not_show(Estimator: Any) -> None:
    X, y, _ = regression()
    y = (y > 140).astype(int) if Estimator is LogisticRegressionCV else y
    options = {"cv": 3, "random_state": 0, "tol": 1e-8}
    first, threads, sparse = (
        Estimator(n_jobs=n_jobs, **options).fit(data, y)
        for n_jobs, data in ((1, X), (2, X), (1, sp.csr_array(X)))
    )
    assert first.coef_.tobytes() == threads.coef_.tobytes()
    chosen = "C_" if Estimator is LogisticRegressionCV else "alpha_"
    assert getattr(first, chosen) == pytest.approx(getattr(sparse, chosen), rel=1e-12)
    np.testing.assert_allclose(first.predict(X), sparse.predict(sp.csr_array(X)), rtol=1e-4)


@pytest.mark.parametrize("Estimator", [LassoCV, LogisticRegressionCV])
def test_a_row_named_twice_counts_twice(Estimator: Any) -> None:
    X, y, _ = regression()
    y = (y > 140).astype(int) if Estimator is LogisticRegressionCV else y
    rng = np.random.default_rng(1)
    train, test = rng.integers(0, 300, 300), np.arange(300, len(y))
    grid = {"Cs": [1.0, 100.0]} if Estimator is LogisticRegressionCV else {"alphas": [1.0, 0.1]}
    bootstrap = Estimator(cv=[(train, test)], tol=1e-12, **grid).fit(X, y)
    rows = np.concatenate([train, test])
    copied = Estimator(cv=[(np.arange(300), np.arange(300, len(rows)))], tol=1e-12, **grid)
    copied.fit(X[rows], y[rows])
    scores = "scores_" if Estimator is LogisticRegressionCV else "mse_path_"
    np.testing.assert_allclose(getattr(bootstrap, scores), getattr(copied, scores), rtol=1e-9)


@pytest.mark.parametrize("Estimator", [ElasticNetCV, LassoCV, LogisticRegressionCV, RidgeCV])
def test_the_certificate_is_that_of_the_last_fit(Estimator: Any) -> None:
    X, y, _ = regression()
    y = (y > 140).astype(int) if Estimator is LogisticRegressionCV else y
    model = Estimator(cv=ShuffleSplit(2, random_state=0)).fit(X, y)
    assert model.converged_
    assert model.relative_gap_ <= model.tol
    certificate = certify(model, X, y)
    rounding = 1e-13 * model.null_objective_
    assert certificate.gap <= 1.01 * model.dual_gap_ + rounding
    assert certificate.objective == pytest.approx(model.objective_, rel=1e-12)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_fits_that_do_not_converge_are_counted() -> None:
    X, y, _ = regression()
    model = LassoCV(solver="saga", alphas=[1e3, 1e-3], max_iter=1, tol=1e-12, cv=2)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, y)
    messages = [str(warning.message) for warning in caught]
    assert any("LassoCV: 4 of 4 fits along the paths did not" in message for message in messages)
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (ElasticNetCV(l1_ratio=[0.0, 0.5]), "not supported for l1_ratio=0"),
        (ElasticNetCV(l1_ratio=[0.5, 1.5]), "l1_ratio must be between 0 and 1"),
        (LassoCV(alphas=[1.0, -1.0]), "Negative values in data passed to LassoCV"),
        (LassoCV(alphas=[1.0, np.nan]), "alphas contains NaN"),
        (LassoCV(alphas=0), "The 'alphas' parameter of LassoCV must be"),
        (LassoCV(eps=0.0), "The 'eps' parameter of LassoCV must be"),
        (LassoCV(cv=1000), "Cannot have number of splits n_splits=1000"),
        (RidgeCV(cv=3, alpha_per_target=True), "alpha_per_target=True are incompatible"),
        (RidgeCV(alphas=[0.0, 1.0]), "alphas must be positive"),
        (RidgeCV(scoring="nonsense"), "The 'scoring' parameter of RidgeCV must be"),
        (LogisticRegressionCV(Cs=[0.0, 1.0]), "Cs must be positive"),
        (LogisticRegressionCV(l1_ratios=(2.0,)), "l1_ratios must be an array-like of numbers"),
        (LogisticRegressionCV(n_jobs=1.5), "The 'n_jobs' parameter of LogisticRegressionCV"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_bad_parameters(estimator: Any, message: str) -> None:
    X, y, _ = regression()
    y = (y > 140).astype(int) if isinstance(estimator, LogisticRegressionCV) else y
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, y)
    assert not hasattr(estimator, "coef_")
