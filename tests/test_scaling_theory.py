"""What rows and columns of different scales cost, and what cures them.

Seeds are stated where they are drawn; problems and optima are those of test_theory.py.
"""

import itertools

import numpy as np
import pytest

from finitesum import theory
from test_theory import make, optimum, run

pytestmark = pytest.mark.theory


@pytest.mark.parametrize("solver", ["sag", "saga", "svrg"])
def test_sampling_by_smoothness_turns_the_largest_constant_into_the_mean(solver):
    """Rows times lognormal(1.5): the slope per pass is at least three times as steep."""
    problem = make("squared", 1000, 10, alpha=1e-2, row_spread=1.5)
    f_star = optimum(problem)[0]
    norms = (problem.X**2).sum(axis=1)
    assert norms.max() > 100 * norms.mean()
    uniform = theory.rate(run(problem, 25, solver=solver, seed=0), f_star)
    for sampling in ("lipschitz", "adaptive"):
        weighted = run(problem, 25, solver=solver, sampling=sampling, seed=0)
        assert theory.rate(weighted, f_star) < 3 * uniform < 0


def test_order_of_step_rules_on_unscaled_rows():
    """Rows times lognormal(1.5), n=2000, p=20, logistic, alpha=1/n, SAG, 30 passes, seeds 0..2."""
    problem = make("logistic", 2000, 20, row_spread=1.5)
    f_star = optimum(problem)[0]
    rules = {
        "1/16L": {"step_rule": "1/16L"},
        "1/L": {"step_rule": "1/L"},
        "line search": {"step_rule": "line-search"},
        "lipschitz": {"sampling": "lipschitz"},
        "adaptive": {"sampling": "adaptive"},
    }
    gaps = {
        name: [run(problem, 30, solver="sag", seed=s, **rule)["objective"][-1] for s in range(3)]
        for name, rule in rules.items()
    }
    worst_to_best = [np.median(values) - f_star for values in gaps.values()]
    for worse, better in itertools.pairwise(worst_to_best):
        assert better < worse
    assert worst_to_best[-1] < 1e-8 < 1e-2 < worst_to_best[1]


def test_scaled_columns_are_what_unscaled_columns_need():
    """Columns times 1e-2 .. 1e2, n=2000, p=20, logistic, alpha=1/n, SAG, 30 passes, seeds 0..2.

    Neither a searched step nor draws by smoothness help: they cure rows. Columns divided by their
    own scale do, with the user's objective.
    """
    problem = make("logistic", 2000, 20)
    problem.X[:] *= np.logspace(-2, 2, 20)
    f_star = optimum(problem)[0]
    unscaled = {"solver_options": {"scale_columns": False}}

    def last(**options):
        return run(problem, 30, solver="sag", **options)["objective"][-1]

    rules = {
        "1/L": {"step_rule": "1/L"},
        "line search": {"step_rule": "line-search"},
        "adaptive": {"sampling": "adaptive"},
        "scaled": {"sampling": "adaptive", "solver_options": {"scale_columns": True}},
    }
    gaps = {
        name: np.median([last(seed=s, **{**unscaled, **rule}) for s in range(3)]) - f_star
        for name, rule in rules.items()
    }
    assert min(gaps["1/L"], gaps["line search"], gaps["adaptive"]) > 1e-2
    assert gaps["scaled"] < 1e-7
