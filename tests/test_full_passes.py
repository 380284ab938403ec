"""The solvers that take all rows at once: step for step against their twins, and at optima."""

from dataclasses import replace
from itertools import islice, product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from finitesum import LogisticRegression, _core
from reference.descent import LimitedMemory, TruncatedNewton, descent_epochs
from reference.problem import LAYOUTS, csr_tuple, fit
from reference.proximal_gradient import proximal_gradient_epochs
from reference.random_problems import random_problem, solvers_for

SOLVERS = ["newton-cg", "lbfgs", "accelerated", "gradient_descent"]
EPOCHS = (1, 2, 4)
INTERCEPTS = ({"intercept": False}, {}, {"intercept_scaling": 2.0})


def twin(problem, solver, w, b):
    if solver == "newton-cg":
        return descent_epochs(problem, TruncatedNewton(problem), w, b)
    if solver == "lbfgs":
        return descent_epochs(problem, LimitedMemory(problem), w, b)
    return proximal_gradient_epochs(problem, w, b, has_momentum=solver == "accelerated")


@pytest.mark.parametrize(
    ("solver", "penalty", "loss"),
    [
        (solver, penalty, loss)
        for solver, penalty in solvers_for("l2", "l1", "elastic_net")
        for loss in ("squared", "logistic", "squared_hinge", "poisson")
        # whose first, far too long proximal steps overflow in NumPy
        if solver in SOLVERS and (loss != "poisson" or solver in SOLVERS[:2])
    ],
)
def test_iterates_are_the_twins(solver, penalty, loss):
    epochs = EPOCHS[:2] if (solver, loss) == ("newton-cg", "squared") else EPOCHS  # then exact
    for intercept, weighted in product(INTERCEPTS, [False, True]):
        problem = random_problem(loss, penalty, n=40, weighted=weighted, seed=len(loss))
        problem = replace(problem, **intercept)
        start = 0.1 * np.random.default_rng(7).normal(size=8), 0.2 if problem.intercept else 0.0
        path = list(islice(twin(problem, solver, *start), max(EPOCHS)))
        for layout, k in product(LAYOUTS, epochs):
            result = fit(
                problem, LAYOUTS[layout](problem.X), solver=solver, max_iter=k, tol=0.0,
                coef_init=start[0], intercept_init=start[1],
            )  # fmt: skip
            assert result["n_iter"] == k
            w, b = path[k - 1]
            assert_allclose(result["coef"], w, rtol=1e-9, atol=1e-9)
            assert_allclose(result["intercept"], b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("solver", ["newton-cg", "lbfgs"])
@pytest.mark.parametrize("l1_ratio", [0.1, 1.0])
def test_smooth_solvers_refuse_an_l1_penalty(solver, l1_ratio):
    with pytest.raises(ValueError, match=f"solver '{solver}' takes no L1 penalty"):
        LogisticRegression(solver=solver, l1_ratio=l1_ratio).fit(np.eye(2), [0, 1])
    assert solver not in _core.solver_names(has_l1=True)
    assert solver in _core.solver_names()


@pytest.mark.parametrize("solver", ["newton", "newton-cg"])
@pytest.mark.parametrize("p", [1, 7, 8, 9, 16, 23])
def test_hessians_of_every_width(solver, p):
    """Strips of eight columns and what is left of them, in more rows than a block has."""
    for dtype, intercept in product([np.float32, np.float64], [True, False]):
        problem = random_problem("squared", n=600, p=p, density=1.0, weighted=True, seed=p)
        problem = replace(problem, intercept=intercept)
        result = fit(problem, problem.X.astype(dtype), solver=solver, tol=1e-13)
        share = problem.s / problem.S
        columns = np.column_stack([problem.X, np.full(600, float(intercept))])
        ridge = np.diag(np.append(np.full(p, problem.alpha), float(not intercept)))
        expected = np.linalg.solve(
            columns.T * share @ columns + ridge, columns.T @ (share * problem.y)
        )
        assert_allclose(result["coef"], expected[:-1], rtol=1e-6, atol=1e-7)
        assert_allclose(result["intercept"], expected[-1], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("solver", ["newton-cg", "lbfgs"])
def test_badly_scaled_columns_do_not_slow_the_fit_down(solver):
    """Dense rows; the preconditioner, and the units of L-BFGS, make up for the scales."""
    base = random_problem("logistic", n=300, p=8, density=1.0, seed=2)
    scales = np.logspace(-4, 4, 8)
    epochs = []
    for factor in (np.ones(8), scales):
        problem = replace(base, X=base.X * factor, alpha=1e-12)
        result = fit(problem, solver=solver, tol=1e-6, max_iter=300)
        assert result["converged"]
        epochs.append(result["history"]["passes"][-1])
    assert epochs[1] <= 3 * epochs[0]


def test_accelerated_needs_fewer_epochs():
    problem = random_problem("logistic", "elastic_net", n=200, p=30, density=1.0, seed=5)
    problem = replace(problem, alpha=1e-3)
    epochs = [
        fit(problem, solver=solver, tol=1e-6, max_iter=20000)["n_iter"]
        for solver in ("accelerated", "gradient_descent")
    ]
    assert 2 * epochs[0] < epochs[1]


@pytest.mark.parametrize("layout", ["dense float32", "csr int32 float32"])
def test_wide_rows(layout):
    """Rows so long that a block of them does not fit the cache."""
    problem = random_problem("logistic", n=70, p=3000, weighted=True, seed=1)
    X = LAYOUTS[layout](problem.X)
    best = fit(problem, csr_tuple(problem.X), solver="sag", tol=1e-10, max_iter=5000)
    for solver in SOLVERS:
        result = fit(problem, X, solver=solver, tol=1e-10, max_iter=5000)
        assert result["converged"]
        assert_allclose(result["objective"], best["objective"], rtol=1e-9)


@pytest.mark.parametrize("solver", ["newton-cg", "lbfgs"])
def test_where_models_are_flat_or_steep(solver):
    """Rows without curvature, separable classes with hardly a penalty, scales of 1e-6 to 1e6."""
    huber = random_problem("huber", n=100, p=4, density=1.0, seed=4)
    far = 100 * huber.X @ np.arange(1.0, 5.0) + np.where(np.arange(100) % 2 == 0, 1e3, -1e3)
    logistic = random_problem("logistic", n=100, p=13, density=1.0, seed=2)
    separable = np.where(logistic.X[:, 0] > 0, 1.0, -1.0)
    for problem in (
        replace(huber, y=far),
        replace(logistic, y=separable, alpha=1e-8),
        replace(logistic, X=logistic.X * np.logspace(-6, 6, 13), alpha=1e-3),
    ):
        result = fit(problem, solver=solver, tol=1e-8, max_iter=1000)
        assert result["converged"]
        best = fit(problem, solver="newton", tol=1e-8)
        within = 2e-8 * result["null_objective"]
        assert result["objective"] == pytest.approx(best["objective"], abs=within)
