"""The certificate of several classes: true, tight, and the same for every way to state it."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn import linear_model as sk
from sklearn.exceptions import ConvergenceWarning

import finitesum as fs
from finitesum import certify
from interrupting import ends_early, needs_ctrl_c
from linear_data import N, P, design, labels, three_classes
from reference.random_problems import PENALTIES
from test_multinomial import fit, random_multinomial

X, Y = design(), three_classes()
WEIGHT = np.random.default_rng(6).exponential(size=N)
TIGHT = {"tol": 1e-10, "max_iter": 10000}


def certify_point(problem, W, b, X=None, **options):
    return certify(
        W.T, b, problem.X if X is None else X, problem.y, loss="multinomial", alpha=problem.alpha,
        l1_ratio=problem.l1_ratio, sample_weight=None if np.all(problem.s == 1) else problem.s,
        fit_intercept=problem.intercept, **options,
    )  # fmt: skip


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("chunk", range(4))
def test_gap_holds_and_is_tight(penalty, chunk):
    """Never below the true gap; at most ten times as large near the optimum, with Newton's help."""
    for seed in range(10 * chunk, 10 * chunk + 10):
        rng = np.random.default_rng(seed)
        problem = random_multinomial(
            penalty, n=int(rng.integers(10, 60)), p=int(rng.integers(1, 9)), K=2 + seed % 4,
            intercept=seed % 3 > 0, weighted=seed % 2 > 0, seed=seed,
        )  # fmt: skip
        if problem.alpha > 0:
            problem = replace(problem, alpha=float(10 ** rng.uniform(-4, 0)))
        best = fit(problem, solver="newton", tol=1e-14, max_iter=200)
        W, b, null = best["coef"], best["intercept"], best["null_objective"]
        smallest = problem.objective(W, b)
        for size in [0.0, *10.0 ** rng.uniform(-8, 0.5, size=3), 30.0]:
            at = W + size * rng.normal(size=W.shape)
            at_b = b + size * rng.normal(size=b.shape) * problem.intercept
            objective = problem.objective(at, at_b)
            for max_iter in (0, 20):
                found = certify_point(problem, at, at_b, max_iter=max_iter)
                assert_allclose(found.objective, objective, rtol=1e-10, atol=1e-13)
                assert found.gap >= objective - smallest - 1e-9 * null
                assert 0 <= found.lower_bound <= smallest + 1e-12 * null
                assert_allclose(found.gap / found.relative_gap, null, rtol=1e-12)
                if problem.l2 > 0:
                    slack = math.sqrt(2e-14 * null / problem.l2)
                    assert np.linalg.norm(at - W) <= found.distance + slack
            if problem.alpha == 0:
                assert (found.lower_bound, found.distance) == (0, None)
            else:
                assert found.gap <= 1.2 * (objective - smallest) + 1e-11 * null
            sparse = certify_point(problem, at, at_b, sp.csr_array(problem.X))
            assert_allclose(sparse.objective, found.objective, rtol=1e-12)
            slack = 0.1 * found.gap + 1e-15 * null
            assert_allclose(sparse.lower_bound, found.lower_bound, rtol=0, atol=slack)


def test_without_epochs_the_gap_is_tight_at_convergence():
    for seed in range(20):
        problem = random_multinomial("l2", n=40, K=3, seed=seed)
        best = fit(problem, solver="newton", tol=1e-14, max_iter=200)
        rough = fit(problem, solver="saga", tol=1e-5)
        found = certify_point(problem, rough["coef"], rough["intercept"], max_iter=0)
        excess = found.objective - best["objective"]
        assert 0 < excess <= found.gap
        assert found.relative_gap <= 3e-5  # the fit knows better bounds, of its other iterates


@pytest.mark.parametrize(
    "model",
    [
        sk.LogisticRegression(C=0.3, **TIGHT),
        sk.LogisticRegression(solver="newton-cholesky", class_weight="balanced", **TIGHT),
        sk.LogisticRegression(fit_intercept=False, class_weight={"low": 3.0}, **TIGHT),
        sk.LogisticRegression(solver="saga", C=0.1, l1_ratio=1.0, **TIGHT),
        sk.LogisticRegression(solver="saga", C=0.1, l1_ratio=0.4, **TIGHT),
        fs.LogisticRegression(C=0.3, l1_ratio=0.5, class_weight="balanced", **TIGHT),
        fs.LogisticRegression(fit_intercept=False, **TIGHT),
    ],
    ids=str,
)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_converged_estimators_are_certified(model, weight):
    with warnings.catch_warnings():
        # older scikit-learn reads l1_ratio with penalty="elasticnet" alone, and says so
        warnings.simplefilter("ignore", FutureWarning)
        # scikit-learn's saga stops at the change of the coefficients, not at any gap
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y, sample_weight=weight)
    found = certify(model, X, Y, sample_weight=weight)
    assert found.loss == "multinomial"
    assert found.relative_gap <= 1e-7
    sparse = certify(model, sp.csr_array(X), Y, sample_weight=weight)
    assert_allclose(sparse.objective, found.objective, rtol=1e-12)
    model.coef_ = 1.1 * model.coef_
    moved = certify(model, X, Y, sample_weight=weight)
    excess = moved.objective - found.objective
    assert moved.relative_gap > 1e-4
    assert excess <= moved.gap <= 1.11 * (moved.objective - found.lower_bound)


def test_objective_is_that_of_the_estimator():
    """In scikit-learn's units, from its documentation; the same by coefficients."""
    model = sk.LogisticRegression(C=0.7).fit(X, Y, WEIGHT)
    of_label = np.searchsorted(model.classes_, Y)
    losses = -model.predict_log_proba(X)[np.arange(N), of_label]
    found = certify(model, X, Y, sample_weight=WEIGHT)
    sum_form = 0.7 * WEIGHT @ losses + np.sum(model.coef_**2) / 2
    assert_allclose(found.objective * 0.7 * WEIGHT.sum(), sum_form, rtol=1e-12)
    stated = certify(
        model.coef_, model.intercept_, X, Y, loss="multinomial", alpha=found.alpha,
        sample_weight=WEIGHT,
    )  # fmt: skip
    assert stated == found
    single = certify(model, X.astype(np.float32), Y, sample_weight=WEIGHT)
    assert_allclose(single.objective, found.objective, rtol=1e-6)


def test_samples_and_classes_without_weight_are_absent():
    model = fs.LogisticRegression(**TIGHT)
    y = np.r_[Y, ["none"] * 5]
    A = np.r_[X, 100 * X[:5]]
    weight = np.r_[WEIGHT, np.zeros(5)]
    model.fit(A, y, weight)
    found = certify(model, A, y, sample_weight=weight)
    expected = certify(model, X, Y, sample_weight=WEIGHT)
    assert found.relative_gap < 1e-9
    assert_allclose(found.objective, expected.objective, rtol=1e-12)


def test_classes_one_against_the_rest_are_other_objectives():
    model = fs.LinearSVC(**TIGHT).fit(X, Y)
    assert certify(model, X, Y).loss == "squared_hinge"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coef": np.zeros(P)}, r"coef must have shape \(n_classes, n_features\)"),
        ({"coef": np.zeros((3, P + 1))}, f"X has {P} features, but coef has {P + 1}"),
        ({"coef": np.zeros((2, P))}, "y has 3 classes of positive weight, but coef has 2 rows"),
        ({"intercept": [0.0, 1.0]}, "intercept must be one number or 3"),
        ({"intercept": [0.0, 0.0, 1.0], "fit_intercept": False}, "intercept must be 0"),
        ({"y": labels()}, "y has 2 classes of positive weight, but coef has 3 rows"),
        ({"coef": np.zeros((1, P)), "y": np.ones(N)}, "two classes at least"),
    ],
)
def test_bad_points_are_refused(changes, message):
    arguments = {"coef": np.zeros((3, P)), "intercept": 0.0, "X": X, "y": Y, **changes}
    with pytest.raises(ValueError, match=message):
        certify(arguments.pop("coef"), **arguments, loss="multinomial", alpha=0.1)


def test_points_far_out_are_bounded_too():
    found = certify(np.full((3, P), 1e200), 0.0, X, Y, loss="multinomial", alpha=0.1)
    assert found.gap == math.inf
    null = certify(np.zeros((3, P)), 0.0, X, Y, loss="multinomial", alpha=0.1)
    assert 0 < found.lower_bound <= null.lower_bound


@needs_ctrl_c
def test_ctrl_c_ends_the_search_for_a_better_bound():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4000, 800)) * np.geomspace(0.1, 10, 800)
    y = rng.integers(3, size=4000)
    options = {"loss": "multinomial", "alpha": 1e-9, "max_iter": 10**6}
    assert ends_early(lambda: certify(np.zeros((3, 800)), 0.0, A, y, **options))
