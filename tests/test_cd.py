"""Coordinate descent: optima, working sets, screening, and columns that sweeps alone dislike."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn import linear_model

import finitesum
from finitesum import _core
from reference.coordinate_descent import cd_optimum
from reference.problem import LAYOUTS, csr_tuple, fit
from reference.random_problems import random_problem

BOUNDED = [loss for loss in _core.loss_names() if loss != "poisson"]  # curvatures
INTERCEPTS = ({"intercept": False}, {}, {"intercept_scaling": 2.0})


def cd(problem, X=None, **options):
    return fit(problem, X, solver="cd", **{"tol": 1e-12, "max_iter": 300, **options})


@pytest.mark.parametrize("loss", BOUNDED)
@pytest.mark.parametrize("penalty", ["l2", "elastic_net"])
def test_optimum_is_the_twins(loss, penalty):
    for kind in INTERCEPTS:
        problem = random_problem(loss, penalty, n=40, p=6, density=0.8, weighted=True, seed=3)
        problem = replace(problem, **kind)
        w, b = cd_optimum(problem)
        for layout in LAYOUTS.values():
            result = cd(problem, layout(problem.X), tol=0.0)
            assert_allclose(result["coef"], w, rtol=1e-7, atol=1e-8)
            assert_allclose(result["intercept"], b, rtol=1e-7, atol=1e-8)
            assert_allclose(result["objective"], problem.objective(w, b), rtol=1e-12)


def assert_optimal(problem, result, accuracy):
    """Minus the gradient of the smooth part lies in the subdifferential of the penalty."""
    w = result["coef"]
    in_w, in_b = problem.gradient(w, result["intercept"])
    norms = np.sqrt(problem.s @ problem.X**2 / problem.S)
    residual = in_w + problem.l2 * w
    excess = np.where(
        w != 0, np.abs(residual + problem.l1 * np.sign(w)), np.abs(residual) - problem.l1
    )
    assert np.all(excess <= accuracy * norms)
    if problem.has_free_intercept:
        assert abs(in_b) <= accuracy


@pytest.mark.parametrize("loss", _core.loss_names())
@pytest.mark.parametrize("penalty", ["l2", "l1", "elastic_net"])
def test_working_sets_smaller_than_the_columns(loss, penalty):
    """From sparse optima to dense ones, where the sets grow over several epochs."""
    for kind, share in zip(INTERCEPTS, (0.5, 0.2, 0.1), strict=True):
        problem = random_problem(loss, penalty, n=60, p=400, density=0.3, weighted=True, seed=2)
        problem = replace(problem, alpha=share * problem.alpha, **kind)
        results = [cd(problem, X, tol=1e-10) for X in (problem.X, csr_tuple(problem.X))]
        for result in results:
            assert result["converged"]
            assert result["objective"] <= results[0]["objective"] + 1e-9 * result["null_objective"]
            assert_optimal(problem, result, 1e-4)


def candidates(problem, result):
    """The columns that screening has left, as the saved state lists them at its end."""
    n, p = problem.X.shape
    begin = 1 + p + 2 * (1 + p) + (1 + n) + 10
    state = result["state"]
    assert len(state) == begin + 1 + state[begin]
    return state[begin + 1 :].astype(int)


@settings(deadline=None, max_examples=15, derandomize=True)
@given(seed=st.integers(0, 10**6), part=st.floats(1.1, 200), data=st.data())
def test_no_column_of_an_optimum_is_screened(seed, part, data):
    loss = data.draw(st.sampled_from(BOUNDED))
    kind = data.draw(st.sampled_from(INTERCEPTS))
    problem = random_problem(
        loss, "l1", n=30, p=150, density=0.5, weighted=seed % 2 == 0, seed=seed
    )
    problem = replace(problem, l1_ratio=data.draw(st.sampled_from([1.0, 0.7])), **kind)
    at_zero = problem.gradient(np.zeros(150), problem.best_intercept(np.zeros(150)))[0]
    problem = replace(problem, alpha=np.abs(at_zero).max() / part)
    exact = fit(problem, solver="newton", tol=1e-14, max_iter=300)
    u = problem.derivatives(problem.X @ exact["coef"] + exact["intercept"])
    slack = problem.l1 - np.abs(problem.X.T @ (problem.s * u)) / problem.S
    needed = np.flatnonzero((exact["coef"] != 0) & (slack < 1e-7 * problem.l1))
    for epochs in (1, 2, 3, 30):
        result = cd(problem, tol=0.0, max_iter=epochs, keep_state=True)
        assert np.isin(needed, candidates(problem, result)).all()


def test_screening_leaves_little_more_than_the_support():
    problem = random_problem("squared", "l1", n=200, p=1000, density=1.0, seed=1)
    problem = replace(problem, alpha=2.0)
    result = cd(problem, tol=1e-9, keep_state=True)
    support = np.count_nonzero(result["coef"])
    assert 0 < support < 200
    assert len(candidates(problem, result)) < support + 20


@pytest.mark.parametrize("solver", ["cd", "newton"])
@pytest.mark.parametrize("loss", _core.loss_names())
def test_badly_scaled_and_correlated_columns(solver, loss):
    """Sweeps alone would take for ever: the nonzeros are solved for together."""
    rng = np.random.default_rng(0)
    for seed in range(10):
        base = random_problem(loss, "l1", n=80, p=12, density=1.0, seed=seed)
        X = base.X @ (np.eye(12) + 0.95) * 10 ** rng.uniform(-3, 3, size=12)
        for l1_ratio, alpha in ((1.0, 1e-3), (0.5, 1e-5)):
            problem = replace(base, X=X, alpha=alpha, l1_ratio=l1_ratio)
            result = fit(problem, solver=solver, tol=1e-8, max_iter=100)
            assert result["converged"], (seed, l1_ratio)


@pytest.mark.parametrize("intercept", [True, False])
def test_weak_penalties_take_few_passes(intercept):
    """Extrapolation, and the Gram matrix of the nonzeros: sweeps alone need some 10^4 passes."""
    rng = np.random.default_rng(0)
    problem = random_problem("squared", "l1", n=300, p=80, density=1.0, seed=0, intercept=intercept)
    X = problem.X @ np.linalg.qr(rng.normal(size=(80, 80)))[0] * np.logspace(0, -2, 80)
    X = X @ np.linalg.qr(rng.normal(size=(80, 80)))[0]
    result = cd(replace(problem, X=X, alpha=1e-5), tol=1e-9)
    assert result["converged"]
    assert result["history"]["passes"][-1] < 500


@pytest.mark.parametrize("penalty", ["l1", "elastic_net"])
def test_constant_columns(penalty):
    problem = random_problem("logistic", penalty, n=100, p=5, density=1.0, seed=2)
    X = np.column_stack([problem.X, np.full(100, 1e3), np.zeros(100), problem.X[:, 0]])
    result = cd(replace(problem, X=X))
    assert result["converged"]
    assert result["coef"][5] == 0
    assert result["coef"][6] == 0


def regression(sparse):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 300)) * (rng.random((100, 300)) < 0.3)
    y = X[:, :5] @ np.array([3.0, -2.0, 1.0, 1.0, 0.5]) + 0.1 * rng.normal(size=100) + 2
    return (sp.csr_array(X) if sparse else X), y, rng.exponential(size=100)


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_regressors_are_scikit_learns(sparse, fit_intercept):
    X, y, s = regression(sparse)
    for alpha, l1_ratio in ((0.1, 1.0), (0.01, 1.0), (0.1, 0.3)):
        shared = {"alpha": alpha, "fit_intercept": fit_intercept, "l1_ratio": l1_ratio}
        theirs = linear_model.ElasticNet(tol=1e-10, max_iter=100_000, **shared)
        theirs.fit(X, y, sample_weight=s)
        ours = finitesum.ElasticNet(tol=1e-10, solver="cd", **shared).fit(X, y, sample_weight=s)
        assert ours.converged_
        assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
        assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)


@pytest.mark.parametrize("sparse", [True, False])
def test_classifiers_are_scikit_learns(sparse):
    X, y, _ = regression(sparse)
    y = (y > 2).astype(int)
    for C in (0.3, 3.0):
        shared = {"C": C, "l1_ratio": 1.0, "fit_intercept": False, "max_iter": 10_000}
        theirs = linear_model.LogisticRegression(solver="liblinear", tol=1e-7, **shared)
        theirs.fit(X, y)
        ours = finitesum.LogisticRegression(solver="cd", tol=1e-10, **shared).fit(X, y)
        assert ours.converged_
        assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
