"""Rows of weight zero are as good as absent, in every solver."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from finitesum import _core
from reference.problem import LAYOUTS, fit
from reference.random_problems import random_problem, solvers_for

INTERCEPTS = ({}, {"intercept": False}, {"intercept_scaling": 2.0})


def options_of(case, n):
    """A fit ends where its gap is rounding, with coefficients to the square root of that: going on
    beyond takes checks that are not due."""
    if case == "svrg, all rows":
        options = {"batch_size": n, "inner_length": 20_000}
        return {"solver": "svrg", "sampling": "cyclic", "max_iter": 3, "solver_options": options}
    few = case in ("newton", "newton-cg", "cd")
    return {"solver": case, "max_iter": 100 if few else 4000, "check_interval": 10_000}


@pytest.mark.parametrize(
    ("case", "penalty"),
    [
        *solvers_for("l2", "elastic_net"),
        ("svrg, all rows", "l2"),
        ("svrg, all rows", "elastic_net"),
    ],
)
@pytest.mark.parametrize("loss", _core.loss_names())
def test_rows_of_weight_zero_equal_removed_rows(case, loss, penalty):
    """Wild rows among them; equal optima, and a certificate of either problem holds for both."""
    for intercept in INTERCEPTS:
        base = replace(random_problem(loss, penalty, n=60, p=5, density=0.8, seed=4), **intercept)
        s = np.where(np.arange(60) % 3 == 0, 0.0, 1.0 + np.arange(60) % 2)
        kept = replace(base, X=base.X[s > 0], y=base.y[s > 0], s=s[s > 0])
        wild = replace(base, X=np.where(s[:, None] > 0, base.X, 1e3 * base.X + 7), s=s)
        results = [
            fit(problem, LAYOUTS[layout](problem.X), tol=0.0, **options_of(case, problem.n))
            for problem in (kept, wild)
            for layout in ("dense float64", "csr int32 float64")
        ]
        first, null = results[0], results[0]["null_objective"]
        scale = max(1.0, np.abs(first["coef"]).max())
        for one in results:
            assert_allclose(one["coef"], first["coef"], rtol=1e-10, atol=1e-10 * scale)
            assert_allclose(one["intercept"], first["intercept"], rtol=1e-10, atol=1e-10 * scale)
            assert_allclose(one["objective"], first["objective"], rtol=1e-12)
            assert_allclose(one["null_objective"], null, rtol=1e-12)
            assert one["dual_gap"] <= 1e-10 * null
            for other in results:
                assert one["lower_bound"] <= other["objective"] + 1e-12 * null
