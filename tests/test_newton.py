"""Proximal Newton: closed forms, optimality conditions, and data that stochastic steps dislike."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from finitesum import _core
from reference.problem import Problem, csr_tuple, fit
from reference.random_problems import PENALTIES, random_matrix, random_problem, random_targets

each_loss = pytest.mark.parametrize("loss", _core.loss_names())


def newton(problem, X=None, **options):
    return fit(problem, X, solver="newton", **{"tol": 1e-12, "max_iter": 300, **options})


def ridge(problem):
    """(X~^T S X~ / S + alpha I) w = X~^T S y~ / S with centered X~ and y~."""
    share = problem.s / problem.S
    x_mean, y_mean = (
        (share @ problem.X, share @ problem.y) if problem.intercept else (0 * problem.X[0], 0.0)
    )
    X, y = problem.X - x_mean, problem.y - y_mean
    w = np.linalg.solve(X.T * share @ X + problem.alpha * np.eye(X.shape[1]), X.T * share @ y)
    return w, y_mean - x_mean @ w


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", [(200, 10), (30, 30), (20, 60), (1, 1), (2, 40)])
def test_ridge_in_closed_form(shape, weighted, intercept):
    for alpha in (1e-3, 1.0, 1e3):
        n, p = shape
        problem = random_problem(n=n, p=p, weighted=weighted, intercept=intercept, seed=1)
        problem = replace(problem, alpha=alpha)
        for X in (problem.X, csr_tuple(problem.X)):
            result = newton(problem, X)
            w, b = ridge(problem)
            assert_allclose(result["coef"], w, rtol=1e-9, atol=1e-10 * np.abs(w).max())
            assert_allclose(result["intercept"], b, rtol=1e-9, atol=1e-10)
            assert result["converged"]
            assert result["n_iter"] <= 2


def assert_optimal(problem, result, accuracy=1e-8):
    """Minus the gradient of the smooth part lies in the subdifferential of the penalty."""
    w = result["coef"]
    in_w, in_b = problem.gradient(w, result["intercept"])
    null_intercept = problem.best_intercept(0 * w) if problem.intercept else 0.0
    at_zero = problem.gradient(0 * w, null_intercept)[0]
    scale = accuracy * max(1.0, np.abs(at_zero).max())
    residual = in_w + problem.l2 * w
    assert np.all(np.abs(residual + problem.l1 * np.sign(w))[w != 0] <= scale)
    assert np.all(np.abs(residual[w == 0]) <= problem.l1 + scale)
    if problem.intercept:
        assert abs(in_b) <= scale


@each_loss
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("intercept", [True, False])
def test_optimality_conditions(loss, penalty, intercept):
    for alpha_scale in (1.0, 0.01):
        problem = random_problem(
            loss, penalty, n=150, p=12, weighted=True, intercept=intercept, seed=8
        )
        problem = replace(problem, alpha=alpha_scale * problem.alpha)
        for X in (problem.X, csr_tuple(problem.X)):
            result = newton(problem, X, tol=1e-15)
            assert_optimal(problem, result, 1e-8)


@each_loss
@pytest.mark.parametrize("penalty", ["l2", "elastic_net"])
def test_badly_scaled_columns(loss, penalty):
    """Columns from 1e-6 to 1e6 in size, each of which matters."""
    scales = np.logspace(-6, 6, 13)
    problem = random_problem(loss, penalty, n=200, p=13, density=1.0, seed=3)
    X = problem.X * scales
    w = np.random.default_rng(0).normal(size=13) / scales
    y = random_targets(np.random.default_rng(1), loss, X @ w)
    problem = replace(problem, X=X, y=y, alpha=1e-3)
    result = newton(problem, tol=1e-9)
    assert result["converged"]
    assert result["dual_gap"] <= 1.001e-9 * result["null_objective"]


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "smoothed_hinge"])
@pytest.mark.parametrize("penalty", ["l2", "l1", "elastic_net"])
def test_separable_classes(loss, penalty):
    problem = random_problem(loss, penalty, n=100, p=5, density=1.0, seed=2)
    y = np.where(problem.X[:, 0] > 0, 1.0, -1.0)
    X = problem.X + np.outer(y, np.eye(5)[0])
    for alpha in (1e-2, 1e-5, 1e-8):
        result = newton(replace(problem, X=X, y=y, alpha=alpha), tol=1e-8)
        assert result["converged"]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_huber_with_huge_outliers(penalty):
    """Nearly every row starts beyond delta, where the loss has no curvature."""
    problem = random_problem("huber", penalty, n=300, p=6, density=1.0, seed=4)
    rng = np.random.default_rng(0)
    clean = problem.X @ rng.normal(size=6) + 1
    for spread in (10.0, 1e3, 1e6):
        y = clean + spread * rng.standard_cauchy(size=300) * (rng.random(300) < 0.4)
        for parameter in (1.35, 0.1):
            result = newton(replace(problem, y=y, parameter=parameter), tol=1e-9)
            assert result["converged"], (spread, parameter)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_huber_with_every_row_far_away(penalty):
    problem = random_problem("huber", penalty, n=100, p=4, density=1.0, seed=4)
    y = 100 * problem.X @ np.arange(1.0, 5.0) + np.where(np.arange(100) % 2 == 0, 1e3, -1e3)
    result = newton(replace(problem, y=y), tol=1e-6)
    assert result["converged"]


@pytest.mark.parametrize("penalty", ["l2", "l1", "elastic_net"])
@pytest.mark.parametrize("loss", ["squared_hinge", "smoothed_hinge"])
@pytest.mark.parametrize("intercept", [True, False])
def test_starting_without_active_rows(loss, penalty, intercept):
    """No row has curvature at the start: margins all met, or all in the linear part."""
    problem = random_problem(loss, penalty, n=60, p=4, density=1.0, intercept=intercept, seed=2)
    y = np.where(problem.X[:, 0] > 0, 1.0, -1.0)
    X = problem.X + np.outer(y, 2 * np.eye(4)[0])
    for sign in (1, -1):
        result = newton(
            replace(problem, X=X, y=y), coef_init=sign * 50 * np.eye(4)[0], intercept_init=0.0
        )
        assert result["converged"]


def test_one_row_in_the_linear_part_of_the_smoothed_hinge():
    problem = Problem(
        np.ones((1, 1)), np.ones(1), np.ones(1), "smoothed_hinge", 1.0, 0.1, 1.0, intercept=False
    )
    result = newton(problem)
    assert result["converged"]
    assert_allclose(result["coef"], [0.9], rtol=1e-6)  # w - 1 + alpha = 0


@pytest.mark.parametrize("penalty", ["l2", "elastic_net"])
def test_poisson_with_large_counts(penalty):
    problem = random_problem("poisson", penalty, n=200, p=5, density=1.0, seed=5)
    rng = np.random.default_rng(0)
    for size in (1.0, 1e2, 1e4):
        z = problem.X @ rng.normal(scale=0.5, size=5) + np.log(size)
        y = rng.poisson(np.exp(np.minimum(z, np.log(size) + 2))).astype(float)
        for intercept in (True, False):
            case = replace(problem, y=y, alpha=1e-3, intercept=intercept)
            result = newton(case, tol=1e-9)
            assert result["converged"], (size, intercept)


def test_poisson_without_any_count():
    problem = random_problem("poisson", "l2", n=50, p=3)
    result = newton(replace(problem, y=np.zeros(50)), tol=1e-4)
    assert np.all(np.isfinite(result["coef"]))
    assert result["objective"] < 1e-4


@each_loss
@pytest.mark.parametrize("penalty", ["l2", "l1", "elastic_net"])
def test_more_columns_than_rows(loss, penalty):
    problem = random_problem(loss, penalty, n=20, p=80, seed=6)
    result = newton(replace(problem, alpha=0.01), tol=1e-8)
    assert result["converged"]


@each_loss
@pytest.mark.parametrize("penalty", PENALTIES)
def test_constant_and_collinear_columns(loss, penalty):
    rng = np.random.default_rng(0)
    X = random_matrix(rng, 200, 4)
    X = np.column_stack([X, np.full(200, 3.0), np.zeros(200), X[:, 0], X[:, 1] - 2 * X[:, 2]])
    y = random_targets(rng, loss, 0.5 * X[:, 0] - X[:, 3])
    alpha, l1_ratio = PENALTIES[penalty]
    problem = Problem(X, y, np.ones(200), loss, 1.0, alpha / 10, l1_ratio)
    result = newton(problem, tol=1e-6)
    assert result["converged"]
    assert_optimal(problem, result, 1e-2)
    assert result["coef"][5] == 0


@each_loss
def test_newton_agrees_with_the_stochastic_solvers(loss):
    for penalty in ("l2", "l1", "elastic_net"):
        problem = random_problem(loss, penalty, n=100, p=6, weighted=True, seed=5)
        expected = newton(problem, tol=1e-13)
        for solver in ("sag", "saga", "svrg", "katyusha", "cd"):
            result = fit(problem, solver=solver, tol=1e-12, max_iter=20000)
            assert_allclose(result["objective"], expected["objective"], rtol=1e-11)


@pytest.mark.parametrize(("l1_ratio", "epochs"), [(0.5, 8), (1.0, 11)])
def test_one_hot_columns_with_a_weak_penalty(l1_ratio, epochs):
    """Their sums are equal: among the optima of a flat model the penalty decides, and that takes
    many changes of sign. Steps that stopped at the first of them needed 11 and 14 epochs."""
    rng = np.random.default_rng(0)
    sizes = [5, 8, 16, 7, 14, 6, 5, 2, 41, 2, 2, 5]
    groups = [np.minimum(rng.geometric(0.25, 3000) - 1, size - 1) for size in sizes]
    X = np.hstack([np.eye(size)[group] for size, group in zip(sizes, groups, strict=True)])
    y = np.where(X @ rng.normal(size=X.shape[1]) + rng.logistic(size=3000) > 0, 1.0, -1.0)
    problem = Problem(
        X, y, np.ones(3000), "logistic", alpha=0.01 / 3000, l1_ratio=l1_ratio, intercept=False
    )
    result = newton(problem, tol=1e-10)
    assert result["converged"]
    assert result["n_iter"] <= epochs
