"""SVRG's options held to their theorems. Means over seeds 0..9 of F - min F."""

import numpy as np
import pytest

from finitesum import theory
from reference.problem import Problem, fit

pytestmark = pytest.mark.theory

SEEDS = range(10)


def ridge(n=1000, p=5, alpha=0.5, seed=0):
    """Gaussian rows, no intercept."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = X @ rng.normal(size=p) / np.sqrt(p) + rng.normal(size=n)
    return Problem(X, y, np.ones(n), "squared", 1.0, alpha, 0.0, intercept=False)


def mean_gap(problem, epochs, options, **control):
    f_star = fit(problem, solver="newton", tol=1e-14)["objective"]
    gaps = []
    for seed in SEEDS:
        result = fit(
            problem, solver="svrg", sampling="uniform", tol=0.0, max_iter=epochs, seed=seed,
            solver_options=options, **control,
        )  # fmt: skip
        objective = result["history"]["objective"]  # ends early once the gap is zero
        gaps.append(np.pad(objective, (0, epochs - len(objective)), mode="edge") - f_star)
    return np.mean(gaps, axis=0), problem.objective(np.zeros(problem.X.shape[1]), 0.0) - f_star


def largest_smoothness(problem):
    return (problem.X**2).sum(axis=1).max() + problem.l2


@pytest.mark.parametrize("iterate", ["random", "average"])
@pytest.mark.parametrize("inner_length", [2, 5])
def test_random_and_average_anchors_keep_johnsons_and_zhangs_bound(iterate, inner_length):
    """factor^s of the start, with m = 2 n and 5 n and step 0.1/L."""
    problem = ridge()
    L = largest_smoothness(problem)
    factor = theory.svrg_factor(L, problem.l2, inner_length * problem.n, 0.1 / L)
    assert factor < 0.9
    options = {"iterate": iterate, "inner_length": inner_length}
    gap, start = mean_gap(problem, 8, options, step_size=0.1 / L)
    assert np.all(gap <= factor ** np.arange(1, 9) * start)


def test_batches_afford_longer_steps():
    """1/(2 L_b), L_b = L/b + (1 - 1/b) L_mean; every epoch gains, also one of two long steps."""
    rng = np.random.default_rng(0)
    problem = ridge(n=500, p=20, alpha=0.02)
    problem.X[:] *= np.exp(rng.normal(size=(500, 1)))
    squares = (problem.X**2).sum(axis=1)
    for batch_size in (1, 2, 4, 8, 500):
        options = {"batch_size": batch_size}
        result = fit(problem, solver="svrg", sampling="uniform", solver_options=options)
        L_b = squares.max() / batch_size + (1 - 1 / batch_size) * squares.mean()
        assert result["history"]["step_size"][0] == pytest.approx(1 / (2 * L_b), rel=1e-12)
        gap, start = mean_gap(problem, 10, options)
        assert np.all(np.diff(gap, prepend=start) < 0)
        assert gap[-1] < (0.02 if batch_size <= 8 else 0.5) * start


@pytest.mark.parametrize("iterate", ["last", "random", "average"])
def test_a_constant_step_has_no_noise_floor(iterate):
    """L. Bottou, F. Curtis, J. Nocedal, "Optimization methods for large-scale machine learning",
    SIAM Review 2018, theorem 4.6: with a constant step the gap of SGD stays near step L M / (2 mu).
    The variance of SVRG's estimates vanishes with the gap, so nothing stays, at any step."""
    problem = ridge(n=300)
    L = largest_smoothness(problem)
    for step in (0.4 / L, 0.1 / L):
        gap, start = mean_gap(problem, 40, {"iterate": iterate}, step_size=step)
        assert gap[-1] <= 1e-13 * start


def test_without_noise_the_theorem_is_gradient_descents():
    """Theorem 4.6 with M = 0: the gap falls by 1 - step mu per step, for batches of all rows."""
    problem = ridge(n=100)
    L = np.linalg.eigvalsh(problem.X.T @ problem.X / problem.n).max() + problem.l2
    f_star = fit(problem, solver="newton", tol=1e-14)["objective"]
    step = 1 / L
    result = fit(
        problem, solver="svrg", sampling="cyclic", step_size=step, tol=0.0, max_iter=25,
        solver_options={"batch_size": problem.n, "inner_length": 1},
    )  # fmt: skip
    gap = result["history"]["objective"] - f_star
    start = problem.objective(np.zeros(5), 0.0) - f_star
    assert np.all(gap <= (1 - step * problem.l2) ** np.arange(1, 1 + len(gap)) * start + 1e-14)
    assert gap[-1] < 1e-2 * start


@pytest.mark.parametrize("batch_size", [4, 16])
def test_batches_with_so_much_longer_steps_overlay_single_rows(batch_size):
    """Bottou, Curtis, Nocedal, section 4.2: batches of b at step b alpha and single rows at step
    alpha cost the same per draw and come as far, while b alpha is below the largest stable step.
    Here b alpha L_b <= 0.02."""
    problem = ridge(n=400)
    alpha = 0.02 / (16 * largest_smoothness(problem))
    single, start = mean_gap(problem, 10, {}, step_size=alpha)
    batches, _ = mean_gap(problem, 10, {"batch_size": batch_size}, step_size=batch_size * alpha)
    assert single[-1] < 0.5 * start
    np.testing.assert_allclose(batches, single, rtol=0.02)
