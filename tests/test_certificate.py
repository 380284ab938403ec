"""The duality gap bounds the distance to the optimum, at every check of every kind of fit."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from finitesum import _core
from reference.dual_point import feasible
from reference.problem import LAYOUTS, can_solve, csr_tuple, fit
from reference.random_problems import PARAMETERS, random_problem, solvers_for
from reference.step_size import StepRule
from reference.svrg import svrg_epochs
from reference.table import table_epochs

LOSSES = _core.loss_names()
SOLVERS = _core.solver_names()
PENALIZED = ["l2", "l1", "elastic_net"]
ROUNDING = 1e-10
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_penalty = pytest.mark.parametrize("penalty", PENALIZED)


def any_problem(seed):
    """A small problem of a kind drawn by the seed: every loss with every penalty comes up."""
    rng = np.random.default_rng(seed)
    problem = random_problem(
        LOSSES[seed % len(LOSSES)],
        PENALIZED[seed // len(LOSSES) % len(PENALIZED)],
        n=int(rng.integers(1, 60)),
        p=int(rng.integers(1, 15)),
        density=rng.uniform(0.2, 1),
        intercept=bool(rng.random() < 0.7),
        weighted=bool(rng.random() < 0.5),
        seed=seed,
    )
    parameter = float(rng.uniform(0.2, 3)) if problem.loss in PARAMETERS else 1.0
    s = problem.s if problem.S > 0 else np.ones(problem.n)
    alpha = float(10 ** rng.uniform(-4, 0.5))
    scaling = float(rng.choice([np.inf, 0.3, 2.0], p=[0.6, 0.2, 0.2]))
    return replace(problem, s=s, parameter=parameter, alpha=alpha, intercept_scaling=scaling)


def smallest_known(problem):
    """(w, b) of newton's optimum; whether it is one is for the tests to judge."""
    best = fit(problem, solver="newton", tol=1e-14, max_iter=200)
    return best["coef"], best["intercept"]


def check_certificate(problem, result, smallest):
    """The numbers of a fit against their definitions, and the bound against any known value."""
    objective = problem.objective(result["coef"], result["intercept"])
    scale = 1 + result["null_objective"]
    assert_allclose(result["objective"], objective, rtol=1e-12, atol=1e-13 * scale)
    assert result["lower_bound"] <= smallest + ROUNDING * scale
    assert_allclose(
        result["dual_gap"], max(objective - result["lower_bound"], 0), rtol=1e-9, atol=1e-13 * scale
    )
    history = result["history"]
    assert np.all(history["gap"] >= history["objective"] - smallest - ROUNDING * scale)
    assert history["objective"][-1] == result["objective"]
    assert history["gap"][-1] == result["dual_gap"]


@pytest.mark.parametrize("seed", range(198))
def test_gap_bounds_the_distance_to_the_optimum(seed):
    problem = any_problem(seed)
    w, b = smallest_known(problem)
    smallest = problem.objective(w, b)
    X = LAYOUTS[list(LAYOUTS)[seed % len(LAYOUTS)]](problem.X)
    for solver in filter(lambda solver: can_solve(solver, problem), SOLVERS):
        for max_iter in (1, 2, 5, 30):
            result = fit(problem, X, solver=solver, max_iter=max_iter, tol=0.0, seed=seed)
            check_certificate(problem, result, smallest)


@pytest.mark.parametrize("seed", range(0, 198, 3))
def test_newton_finds_what_scipy_finds(seed):
    """Or something smaller; where L1 is present, w = w_plus - w_minus makes the problem smooth."""
    problem = any_problem(seed)
    smallest = problem.objective(*smallest_known(problem))
    if problem.intercept and not problem.has_free_intercept:
        problem = problem.with_intercept_as_column()
    p = problem.X.shape[1]

    def split(v):
        return v[:p] - v[p : 2 * p], v[-1] * problem.intercept

    def objective(v):
        w, b = split(v)
        return problem.objective(w, b) + problem.l1 * (v[: 2 * p].sum() - np.abs(w).sum())

    def gradient(v):
        w, b = split(v)
        in_w, in_b = problem.gradient(w, b)
        in_w = in_w + problem.l2 * w
        return np.concatenate([in_w + problem.l1, -in_w + problem.l1, [in_b * problem.intercept]])

    found = minimize(
        objective,
        np.zeros(2 * p + 1),
        jac=gradient,
        method="L-BFGS-B",
        bounds=[(0, None)] * (2 * p) + [(-30, 30)],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000, "maxfun": 50000},
    )
    assert smallest <= found.fun + 1e-9 * (1 + abs(found.fun))


@each_loss
@each_penalty
@pytest.mark.parametrize("intercept", ["free", "penalized", None])
def test_lower_bound_is_the_dual_objective_of_the_table(loss, penalty, intercept):
    """D(u) from its definition, u the repaired table of the slow twin after one epoch."""
    for weighted in (False, True):
        options = {"intercept": intercept is not None, "weighted": weighted}
        problem = random_problem(loss, penalty, n=50, seed=9, **options)
        if intercept == "penalized":
            problem = replace(problem, intercept_scaling=1.5)
        for solver in ("sag", "saga"):
            rule = StepRule(problem, solver, 0.002)
            epochs = table_epochs(problem, rule, np.zeros(8), 0.1 * problem.intercept, seed=4)
            _, _, table = next(epochs)
            u = feasible(problem, table)
            if intercept == "free":
                assert abs(problem.s @ u) <= 1e-12 * (problem.s @ np.abs(u))
            result = fit(
                problem, solver=solver, step_size=0.002, seed=4, max_iter=1, sampling="uniform",
                intercept_init=0.1,
            )  # fmt: skip
            expected = problem.dual_objective(u)
            assert_allclose(result["lower_bound"], expected, rtol=1e-11, atol=1e-13)


@each_loss
@each_penalty
def test_lower_bound_is_the_dual_objective_of_the_anchor(loss, penalty):
    problem = random_problem(loss, penalty, n=50, weighted=True, seed=9)
    rule = StepRule(problem, "svrg", 0.002)
    for solver in ("svrg", "katyusha", "newton"):
        result = fit(
            problem, solver=solver, step_size=0.002, seed=4, max_iter=1, sampling="uniform",
            intercept_init=0.1,
        )  # fmt: skip
        if solver == "svrg":
            w, b, u = next(svrg_epochs(problem, rule, np.zeros(8), 0.1, seed=4))
            assert_allclose(result["coef"], w, rtol=1e-10, atol=1e-12)
            assert_allclose(result["intercept"], b, rtol=1e-10)
        else:
            u = problem.derivatives(problem.X @ result["coef"] + result["intercept"])
        expected = problem.dual_objective(feasible(problem, u))
        assert_allclose(result["lower_bound"], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("solver", "penalty"), solvers_for(*PENALIZED))
@each_loss
def test_gap_closes(solver, loss, penalty):
    """Down to rounding, so a small tol can be met; on the way it is a fair estimate."""
    problem = random_problem(loss, penalty, n=60, p=10, weighted=True, seed=3)
    if not can_solve(solver, problem):
        pytest.skip("sdca needs an L2 penalty")
    result = fit(problem, csr_tuple(problem.X), solver=solver, tol=1e-12, max_iter=30000)
    assert result["converged"]
    assert result["stopping"] == "duality gap"
    assert result["dual_gap"] <= 1.01e-12 * result["null_objective"]


@pytest.mark.parametrize("solver", SOLVERS)
@each_loss
def test_gap_is_a_fair_estimate_of_the_true_distance(solver, loss):
    """Measured near the optimum: a few times too large; stale entries of a table cost more."""
    ratios = []
    for seed in range(8):
        problem = random_problem(loss, "l2", n=60, p=10, seed=seed)
        smallest = problem.objective(*smallest_known(problem))
        history = fit(problem, solver=solver, tol=1e-9, max_iter=5000)["history"]
        distance = history["objective"] - smallest
        near = (distance < 1e-2 * smallest) & (distance > 1e-9 * smallest)
        ratios.extend(history["gap"][near] / distance[near])
    if (solver, loss) == ("newton", "squared"):
        assert not ratios  # exact after one step
    else:
        assert np.median(ratios) < 60


@each_loss
@each_penalty
def test_lower_bounds_are_valid_away_from_any_optimum(loss, penalty):
    """From far and useless starting points, where the dual point needs the largest repairs."""
    rng = np.random.default_rng(1)
    problem = random_problem(loss, penalty, n=40, p=6, weighted=True, seed=6)
    smallest = problem.objective(*smallest_known(problem))
    for spread in (0.1, 1.0, 3.0):
        start = spread * rng.normal(size=6)
        for solver in filter(lambda solver: can_solve(solver, problem), SOLVERS):
            result = fit(
                problem, solver=solver, max_iter=1, coef_init=start, intercept_init=spread,
                step_size=1e-6, tol=0.0,
            )  # fmt: skip
            check_certificate(problem, result, smallest)


def test_rows_and_columns_of_zeros():
    """All coefficients stay zero, the optimum is the null model, and the gap says so."""
    problem = random_problem("logistic", "l2", n=20, p=4)
    problem = replace(problem, X=np.zeros_like(problem.X))
    for solver in SOLVERS:
        result = fit(problem, solver=solver, tol=1e-10, max_iter=5000)
        assert result["converged"]
        assert np.all(result["coef"] == 0)
        assert_allclose(result["objective"], result["null_objective"], rtol=1e-9)
