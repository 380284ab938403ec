"""Fitted estimators, this package's and scikit-learn's, are certified for what they minimize."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn import linear_model as sk
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import finitesum as fs
from finitesum import certify
from linear_data import N, P, counts, design, labels, margins, three_classes

X, Y = design(), margins()
WEIGHT = np.random.default_rng(6).exponential(size=N)


TIGHT = {"tol": 1e-10, "max_iter": 10000}
FITTED = [  # converged as far as they go, hence certified only if their objective is read right
    (sk.LogisticRegression(solver="newton-cholesky", C=0.3, **TIGHT), labels),
    (sk.LogisticRegression(solver="lbfgs", fit_intercept=False, **TIGHT), labels),
    (sk.LogisticRegression(solver="newton-cholesky", class_weight="balanced", **TIGHT), labels),
    (
        sk.LogisticRegression(
            solver="newton-cholesky", class_weight={"yes": 3.0, "no": 0.5}, **TIGHT
        ),
        labels,
    ),
    (sk.LogisticRegression(solver="liblinear", fit_intercept=False, l1_ratio=1.0, **TIGHT), labels),
    (sk.LogisticRegression(solver="liblinear", intercept_scaling=3.0, **TIGHT), labels),
    (LinearSVC(fit_intercept=False, C=0.5, **TIGHT), labels),
    (LinearSVC(C=0.5, dual=False, **TIGHT), labels),
    (LinearSVC(intercept_scaling=0.2, dual=False, penalty="l1", **TIGHT), labels),
    (LinearSVC(fit_intercept=False, class_weight="balanced", dual=False, **TIGHT), labels),
    (
        LinearSVC(
            fit_intercept=False, class_weight={"yes": 4.0}, dual=False, penalty="l1", **TIGHT
        ),
        labels,
    ),
    (LinearSVC(fit_intercept=False, dual=False, **TIGHT), three_classes),
    (sk.Ridge(alpha=3.0), margins),
    (sk.Ridge(alpha=3.0, fit_intercept=False), lambda: np.column_stack([Y, -2 * Y, Y**2])),
    (sk.LinearRegression(), lambda: np.column_stack([Y, Y**2])),
    (sk.Lasso(alpha=0.1, **TIGHT), margins),
    (sk.ElasticNet(alpha=0.1, l1_ratio=0.3, **TIGHT), margins),
    (sk.ElasticNet(alpha=0.1, l1_ratio=0.3, **TIGHT), lambda: np.column_stack([Y, Y**2])),
    (sk.PoissonRegressor(alpha=0.01, solver="newton-cholesky", **TIGHT), counts),
    (fs.LogisticRegression(C=0.3, l1_ratio=0.5, class_weight="balanced", **TIGHT), labels),
    (fs.LinearSVC(loss="smoothed_hinge", gamma=0.4, **TIGHT), labels),
    (fs.LinearSVC(C=0.2, class_weight={"low": 2.0}, **TIGHT), three_classes),
    (fs.Ridge(alpha=2.0, **TIGHT), lambda: np.column_stack([Y, Y**2])),
    (fs.Lasso(alpha=0.05, **TIGHT), margins),
    (fs.ElasticNet(alpha=0.05, **TIGHT), margins),
    (fs.RobustRegressor(delta=0.5, alpha=0.01, l1_ratio=0.2, **TIGHT), margins),
    (fs.PoissonRegressor(alpha=0.01, **TIGHT), counts),
]


def title(value):
    return str(value).replace("\n", "") if hasattr(value, "fit") else ""


@pytest.mark.parametrize(("estimator", "target"), FITTED, ids=title)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_converged_estimators_are_certified(estimator, target, weight):
    """A wrong reading of alpha, weights, classes or intercept would leave a gap."""
    y = target()
    estimator.fit(X, y, sample_weight=weight)
    found = certify(estimator, X, y, sample_weight=weight)
    assert found.relative_gap <= 1e-7
    if not isinstance(estimator, sk.LinearRegression):
        one_pass = certify(estimator, X, y, sample_weight=weight, max_iter=0)
        assert one_pass.relative_gap <= 1e-4
    # the same wherever the coefficients lie, and as wide as it has to be elsewhere
    sparse = certify(estimator, sp.csr_array(X), y, sample_weight=weight)
    assert_allclose(sparse.objective, found.objective, rtol=1e-10)
    estimator.coef_ = 1.1 * estimator.coef_
    moved = certify(estimator, X, y, sample_weight=weight)
    assert moved.relative_gap > 1e-4
    assert (
        moved.objective - found.objective
        <= moved.gap
        <= 1.11 * (moved.objective - found.lower_bound)
    )


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_objective_is_that_of_the_estimator(weight):
    """In scikit-learn's units, from its documentation."""
    s = np.ones(N) if weight is None else weight
    total = s.sum()
    y = margins()
    ridge = sk.Ridge(alpha=5.0).fit(X, y, weight)
    sum_form = s @ (y - ridge.predict(X)) ** 2 + 5.0 * ridge.coef_ @ ridge.coef_
    found = certify(ridge, X, y, sample_weight=weight)
    assert_allclose(found.objective * 2 * total, sum_form, rtol=1e-12)
    assert (found.loss, found.l1_ratio) == ("squared", 0.0)
    assert_allclose(found.alpha, 5.0 / total)

    model = sk.LogisticRegression(C=0.7).fit(X, labels(), weight)
    sign = np.where(labels() == "yes", 1, -1)
    w = model.coef_[0]
    losses = np.logaddexp(0, -sign * model.decision_function(X))
    found = certify(model, X, labels(), sample_weight=weight)
    assert_allclose(found.objective * 0.7 * total, 0.7 * s @ losses + w @ w / 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("penalty", "expected"), [("l2", 0.0), ("l1", 1.0), ("elasticnet", 0.3), (None, None)]
)
def test_penalty_of_older_scikit_learn(penalty, expected):
    ratio = 0.3 if penalty == "elasticnet" else 0.0
    model = sk.LogisticRegression(penalty=penalty, l1_ratio=ratio, solver="saga", max_iter=5000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, labels())
    found = certify(model, X, labels())
    if expected is None:
        assert found.alpha == 0
        assert found.distance is None
    else:
        assert found.l1_ratio == expected
        assert found.relative_gap < 1e-4


@pytest.mark.parametrize("weight", [None, 5.0], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(
    "model",
    [
        sk.SGDRegressor(alpha=0.5),
        sk.SGDRegressor(loss="huber", epsilon=0.7, alpha=0.2, penalty="elasticnet", l1_ratio=0.4),
        sk.SGDClassifier(loss="log_loss", alpha=0.1),
        sk.SGDClassifier(loss="squared_hinge", alpha=0.5, class_weight="balanced"),
        sk.SGDClassifier(loss="squared_error", alpha=0.5, class_weight={"no": 3.0}),
        sk.SGDClassifier(loss="log_loss", alpha=0.1, penalty="l1"),
    ],
    ids=title,
)
def test_stochastic_gradient_estimators(model, weight):
    """Their weights are not normalized: one of 5 for all counts as an alpha of a fifth."""
    y = labels() if isinstance(model, sk.SGDClassifier) else Y
    s = np.full(N, weight or 1.0)
    model.set_params(
        max_iter=3000, tol=None, random_state=0, learning_rate="invscaling", eta0=0.02, power_t=0.5
    )
    model.fit(X, y, sample_weight=s)
    found = certify(model, X, y, sample_weight=s)
    assert found.relative_gap < 1e-3
    sign = np.where(y == "yes", 1.0, -1.0) if isinstance(model, sk.SGDClassifier) else y
    wrong = certify(
        model.coef_.ravel(), model.intercept_, X, sign, loss=found.loss, alpha=found.alpha / 5,
        l1_ratio=found.l1_ratio, loss_parameter=0.7, sample_weight=s,
    )  # fmt: skip
    assert wrong.relative_gap > 10 * found.relative_gap


def test_own_estimators_report_the_same():
    model = fs.LogisticRegression(tol=1e-3, solver="saga", max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, labels())
    found = certify(model, X, labels())
    assert_allclose(found.objective, model.objective_, rtol=1e-12)
    assert_allclose(found.gap / found.relative_gap, model.null_objective_, rtol=1e-12)
    assert found.gap <= model.dual_gap_
    sparse = certify(model.sparsify(), X, labels())
    assert sparse == found


def test_saga_with_weights_is_indicted():
    """scikit-learn's step size ignores the weights: saga ends far above the null model.

    n=500, p=10, 20 rows of weight 1000, C=1, 2000 iterations (scikit-learn issue 31536).
    """
    rng = np.random.default_rng(1)
    A = rng.normal(size=(500, 10))
    y = A @ rng.normal(size=10) + rng.normal(size=500) > 0
    weight = np.ones(500)
    weight[rng.choice(500, 20, replace=False)] = 1000
    model = sk.LogisticRegression(max_iter=2000, random_state=0, tol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        saga = model.set_params(solver="saga").fit(A, y, weight)
    found = certify(saga, A, y, sample_weight=weight)
    newton = model.set_params(solver="newton-cholesky").fit(A, y, weight)
    reference = certify(newton, A, y, sample_weight=weight)
    assert reference.relative_gap < 1e-9
    assert found.relative_gap > 1
    # no artifact of a wide bound: the other's objective proves it
    assert found.objective - reference.objective > 0.99 * found.gap
    repeated = certify(
        newton, np.repeat(A, weight.astype(int), axis=0), np.repeat(y, weight.astype(int))
    )
    assert_allclose(repeated.objective, reference.objective, rtol=1e-12)


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        (LinearSVC(loss="hinge", fit_intercept=False), labels, "loss='squared_hinge'"),
        (sk.Ridge(positive=True), margins, "positive=True"),
        (sk.Lasso(positive=True), margins, "positive=True"),
        (sk.Ridge(alpha=[1.0, 2.0]), lambda: np.column_stack([Y, Y]), "one alpha"),
        (fs.Ridge(alpha=[1.0, 2.0]), lambda: np.column_stack([Y, Y]), "one alpha"),
        (sk.SGDClassifier(loss="hinge"), labels, "loss='hinge'"),
        (sk.SGDClassifier(loss="log_loss", class_weight="balanced"), three_classes, "class_weight"),
        (sk.SGDRegressor(loss="epsilon_insensitive"), margins, "epsilon_insensitive"),
    ],
    ids=title,
)
def test_estimators_with_other_objectives_are_refused(model, y, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y())
    with pytest.raises(ValueError, match=message):
        certify(model, X, y())


def test_unknown_and_unfitted_estimators():
    pipeline = make_pipeline(StandardScaler(), sk.Ridge()).fit(X, Y)
    with pytest.raises(TypeError, match=r"the objective of Pipeline.*Ridge, Lasso"):
        certify(pipeline, X, Y)
    with pytest.raises(TypeError, match="HuberRegressor"):
        certify(sk.HuberRegressor().fit(X, Y), X, Y)
    with pytest.raises(NotFittedError):
        certify(sk.Ridge(), X, Y)
    model = sk.LogisticRegression().fit(X, labels())
    with pytest.raises(ValueError, match=f"expecting {P} features"):
        certify(model, X[:, 1:], labels())
    with pytest.raises(ValueError, match="labels that LogisticRegression was not fitted on"):
        certify(model, X, three_classes())
    with pytest.raises(ValueError, match="'max_iter' parameter"):
        certify(model, X, labels(), max_iter=-1)
    with pytest.raises(ValueError, match="2 outputs, but the estimator has 1"):
        certify(sk.Ridge().fit(X, Y), X, np.column_stack([Y, Y]))
