"""The estimators reach scikit-learn's optimum, keep its shapes and its conventions."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn import linear_model, svm
from sklearn.base import clone

from finitesum import (
    ElasticNet,
    Lasso,
    LinearSVC,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RobustRegressor,
    _core,
)
from linear_data import (
    ALL,
    SOLVERS,
    TIGHT,
    N,
    P,
    counts,
    design,
    labels,
    margins,
    skip_unless_solvable,
    solvers_of,
    target_of,
    three_classes,
)


@dataclass(frozen=True)
class Case:
    """An estimator and scikit-learn's of the same optimum, both run to rounding."""

    name: str
    ours: Any
    theirs: Any
    target: Any = field(repr=False)


def logistic(**kwargs: Any) -> Any:
    return linear_model.LogisticRegression(
        solver="newton-cholesky", tol=1e-12, max_iter=1000, **kwargs
    )


def logistic_saga(**kwargs: Any) -> Any:
    return linear_model.LogisticRegression(
        solver="saga", tol=1e-12, max_iter=50000, random_state=0, **kwargs
    )


def liblinear(**kwargs: Any) -> Any:
    options = {"dual": False, "tol": 1e-9, "max_iter": 100000, **kwargs}
    return svm.LinearSVC(**options)


CASES = [
    Case("logistic l2", LogisticRegression(), logistic(), labels),
    Case("logistic weak", LogisticRegression(C=20.0), logistic(C=20.0), labels),
    Case(
        "logistic without intercept",
        LogisticRegression(fit_intercept=False),
        logistic(fit_intercept=False),
        labels,
    ),
    Case(
        "logistic balanced",
        LogisticRegression(class_weight="balanced"),
        logistic(class_weight="balanced"),
        labels,
    ),
    Case(
        "logistic class weights",
        LogisticRegression(class_weight={"yes": 0.3, "no": 2.0}),
        logistic(class_weight={"yes": 0.3, "no": 2.0}),
        labels,
    ),
    Case(
        "logistic l1",
        LogisticRegression(C=0.2, l1_ratio=1.0),
        logistic_saga(C=0.2, l1_ratio=1.0),
        labels,
    ),
    Case(
        "logistic elastic net",
        LogisticRegression(C=0.3, l1_ratio=0.6),
        logistic_saga(C=0.3, l1_ratio=0.6),
        labels,
    ),
    Case("svc l2", LinearSVC(), liblinear(), labels),
    Case(
        "svc without intercept",
        LinearSVC(fit_intercept=False),
        liblinear(fit_intercept=False),
        labels,
    ),
    Case(
        "svc with another constant feature",
        LinearSVC(C=0.1, intercept_scaling=0.3),
        liblinear(C=0.1, intercept_scaling=0.3),
        labels,
    ),
    Case(
        "svc l1",
        LinearSVC(penalty="l1", C=0.1),
        liblinear(penalty="l1", C=0.1),
        labels,
    ),
    Case(
        "svc l1 with another constant feature",
        LinearSVC(penalty="l1", C=0.1, intercept_scaling=5.0),
        liblinear(penalty="l1", C=0.1, intercept_scaling=5.0),
        labels,
    ),
    Case("ridge", Ridge(alpha=2.0), linear_model.Ridge(alpha=2.0), margins),
    Case(
        "ridge without intercept",
        Ridge(fit_intercept=False),
        linear_model.Ridge(fit_intercept=False),
        margins,
    ),
    Case(
        "lasso", Lasso(alpha=0.1), linear_model.Lasso(alpha=0.1, tol=1e-14, max_iter=9999), margins
    ),
    Case(
        "elastic net",
        ElasticNet(alpha=0.1, l1_ratio=0.3),
        linear_model.ElasticNet(alpha=0.1, l1_ratio=0.3, tol=1e-14, max_iter=9999),
        margins,
    ),
    Case(
        "poisson",
        PoissonRegressor(alpha=0.1),
        linear_model.PoissonRegressor(
            alpha=0.1, solver="newton-cholesky", tol=1e-12, max_iter=1000
        ),
        counts,
    ),
]


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize(
    ("case", "solver"),
    [
        pytest.param(case, solver, id=f"{case.name.replace(' ', '-')}-{solver}")
        for case in CASES
        for solver in solvers_of(case.ours)
    ],
)
def test_same_optimum_as_scikit_learn(case: Case, solver: str, sparse: bool) -> None:
    skip_unless_solvable(case.ours, solver)
    X, y = design(sparse), case.target()
    # a fit may stop above tol by the rounding of F, which showed with these
    tol = {"tol": 0.9e-12} if solver in ("katyusha", "gradient_descent") else {}
    ours = clone(case.ours).set_params(solver=solver, **{**TIGHT, **tol}).fit(X, y)
    theirs = clone(case.theirs).fit(X, y)
    # A relative gap of 1e-12 on problems of curvature 1e-3 and more bounds the coefficients' error
    # by sqrt(2 gap / curvature), 5e-5; scikit-learn's own error adds to it.
    assert ours.converged_
    assert ours.relative_gap_ <= 1e-12
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-4, atol=1e-4)
    assert ours.coef_.shape == theirs.coef_.shape
    assert np.shape(ours.predict(X)) == np.shape(theirs.predict(X))
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-4)
    assert ours.solver_ == solver


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "estimator",
    [
        LinearSVC(loss="smoothed_hinge", gamma=0.5, C=0.5, intercept_scaling=np.inf),
        LinearSVC(C=0.5, intercept_scaling=np.inf),
        RobustRegressor(delta=0.4, alpha=0.05),
    ],
    ids=["smoothed-hinge", "squared-hinge", "huber"],
)
def test_same_optimum_as_direct_minimization(estimator: Any, solver: str) -> None:
    """Losses that scikit-learn lacks (or, for the hinge, with an unpenalized intercept)."""
    X, y = design(), target_of(estimator)
    model = clone(estimator).set_params(solver=solver, **TIGHT).fit(X, y)
    if isinstance(estimator, LinearSVC):
        y = np.where(y == "yes", 1.0, -1.0)
        name, parameter, alpha = estimator.loss, estimator.gamma, 1.0 / (estimator.C * N)
    else:
        name, parameter, alpha = "huber", estimator.delta, estimator.alpha

    def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = X @ w[:-1] + w[-1]
        residual = _core.loss_derivative(name, parameter, z, y) / N
        value = _core.loss_value(name, parameter, z, y).mean() + 0.5 * alpha * w[:-1] @ w[:-1]
        return value, np.append(X.T @ residual + alpha * w[:-1], residual.sum())

    best = minimize(objective, np.zeros(P + 1), jac=True, options={"gtol": 1e-9, "maxiter": 5000})
    found = np.append(model.coef_, model.intercept_)
    assert objective(found)[0] <= best.fun + 1e-10
    np.testing.assert_allclose(found, best.x, rtol=1e-3, atol=1e-4)
    assert model.objective_ == pytest.approx(objective(found)[0], rel=1e-12)


@pytest.mark.parametrize("Estimator", ALL)
def test_integer_weights_are_repeated_rows(Estimator: Any) -> None:
    X, estimator = design(), Estimator(**TIGHT)
    y = target_of(estimator)
    weight = np.random.default_rng(6).integers(0, 4, N)
    weighted = clone(estimator).fit(X, y, sample_weight=weight)
    repeated = clone(estimator).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("Estimator", ALL)
def test_report(Estimator: Any) -> None:
    estimator = Estimator(random_state=0)
    X, y = design(), target_of(estimator)
    estimator.fit(X, y)
    assert estimator.converged_ is True
    assert estimator.stopping_ == "duality gap"
    assert estimator.solver_ in SOLVERS
    assert estimator.sampling_ in {"uniform", "lipschitz", "none"}
    assert 0.0 <= estimator.relative_gap_ <= estimator.tol
    gap = estimator.relative_gap_ * estimator.null_objective_
    assert estimator.dual_gap_ == pytest.approx(gap)
    columns = {"epoch", "passes", "seconds", "objective", "gap", "step_size", "nonzeros"}
    assert set(estimator.history_) == columns
    assert {len(column) for column in estimator.history_.values()} == {
        len(estimator.history_["epoch"])
    }
    assert np.all(np.diff(estimator.history_["epoch"]) >= 0)
    assert estimator.history_["objective"][-1] == pytest.approx(estimator.objective_)
    assert estimator.history_["gap"][-1] == pytest.approx(estimator.dual_gap_)


def test_one_versus_rest_svc() -> None:
    X, y = design(), three_classes()
    ours = LinearSVC(**TIGHT).fit(X, y)
    theirs = liblinear().fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert isinstance(ours.n_iter_, int)
    for name in ("dual_gap_", "relative_gap_", "objective_", "null_objective_"):
        assert getattr(ours, name).shape == (3,), name
    assert set(ours.history_["output"]) == {0, 1, 2}
    assert len(ours.history_["output"]) == len(ours.history_["epoch"])


def test_binary_probabilities() -> None:
    X, y = design(), labels()
    ours, theirs = LogisticRegression(**TIGHT).fit(X, y), logistic().fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), atol=1e-6)


def test_extreme_scores_keep_probabilities_finite() -> None:
    X, y = design(), three_classes()
    model = LogisticRegression().fit(X, y)
    far = -1e6 * np.ones((1, P)) * np.sign(model.coef_.sum(axis=0))
    probabilities = model.predict_proba(far)
    assert probabilities.sum() == pytest.approx(1.0)
    assert np.isfinite(model.predict_log_proba(far)).all()


def test_no_penalty() -> None:
    X, y = design(), labels()
    ours = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, logistic(C=np.inf).fit(X, y).coef_, rtol=1e-3)
    ours = Ridge(alpha=0.0, tol=1e-10, max_iter=5000).fit(X, margins())
    exact = linear_model.LinearRegression().fit(X, margins())
    np.testing.assert_allclose(ours.coef_, exact.coef_, rtol=1e-3)


@pytest.mark.parametrize("alpha", [0.5, [0.1, 10.0]], ids=["scalar", "one-per-target"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_several_ridge_targets(alpha: Any, fit_intercept: bool) -> None:
    X = design()
    Y = np.column_stack([margins(), X @ np.arange(P)])
    ours = Ridge(alpha, fit_intercept=fit_intercept, **TIGHT).fit(X, Y)
    theirs = linear_model.Ridge(np.asarray(alpha), fit_intercept=fit_intercept).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(
        ours.intercept_, np.broadcast_to(theirs.intercept_, 2), rtol=0, atol=1e-5
    )
    assert ours.predict(X).shape == (N, 2)
    assert ours.score(X, Y) == pytest.approx(theirs.score(X, Y))
    assert ours.n_iter_.shape == (2,)
    ours.sparsify()
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-4)
    assert ours.densify().coef_.shape == (2, P)


def test_one_ridge_target_in_a_column() -> None:
    X = design()
    column, flat = Ridge().fit(X, margins()[:, None]), Ridge().fit(X, margins())
    assert np.array_equal(column.coef_, flat.coef_)
    assert column.predict(X).shape == (N,)


def test_poisson_score_is_the_explained_deviance() -> None:
    X, y = design(), counts()
    weight = np.random.default_rng(0).random(N)
    ours = PoissonRegressor(**TIGHT).fit(X, y, sample_weight=weight)
    theirs = linear_model.PoissonRegressor(tol=1e-10, max_iter=1000).fit(X, y, weight)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-6)
    assert ours.score(X, y, weight) == pytest.approx(theirs.score(X, y, weight), abs=1e-6)
    assert (ours.predict(X) > 0).all()
    with pytest.raises(ValueError, match="out of the valid range of the loss"):
        ours.score(X, -y - 1)


def test_class_without_weight_is_absent() -> None:
    X, y = design(), three_classes()
    weight = (y != "mid").astype(float)
    weighted = LogisticRegression(**TIGHT).fit(X, y, sample_weight=weight)
    without = LogisticRegression(**TIGHT).fit(X[y != "mid"], y[y != "mid"])
    assert list(weighted.classes_) == ["low", "top"]
    np.testing.assert_allclose(weighted.coef_, without.coef_, atol=1e-6)


def test_strong_l1_penalty_gives_the_null_model() -> None:
    X, y = design(), margins()
    model = Lasso(alpha=1e3).fit(X, y)
    assert not model.coef_.any()
    assert model.intercept_ == pytest.approx(y.mean())
    assert model.objective_ == pytest.approx(model.null_objective_)
    assert model.converged_


def test_float32_reaches_the_float64_optimum() -> None:
    X, y = design(), labels()
    single = LogisticRegression(**TIGHT).fit(X.astype(np.float32), y)
    double = LogisticRegression(**TIGHT).fit(X.astype(np.float32).astype(float), y)
    assert single.coef_.dtype == np.float64
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-6)
