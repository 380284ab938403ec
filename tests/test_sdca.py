"""Dual coordinate ascent: its steps, its path, its rows left out, and what it refuses."""

from dataclasses import replace
from itertools import islice, pairwise, product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from finitesum import _core
from reference.losses import CONJUGATE, DERIVATIVE
from reference.problem import LAYOUTS, csr_tuple, fit
from reference.random_problems import PARAMETERS, random_problem
from reference.sdca import sdca_epochs

LOSSES = _core.loss_names()
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_penalty = pytest.mark.parametrize("penalty", ["l2", "elastic_net"])
EPOCHS = (1, 2, 5)


@each_loss
@example(z=3.0, start=-13.0, log_q=2.0, target=0)  # Newton alone goes to and fro
@given(
    z=st.floats(-50, 50),
    start=st.floats(-50, 50),
    log_q=st.floats(-12, 6),
    target=st.integers(0, 20),
)
def test_dual_step_is_a_derivative_at_the_prediction_that_it_leads_to(
    loss, z, start, log_q, target
):
    parameter = PARAMETERS.get(loss, 1.0)
    y = float(np.sign(target - 9.5)) if _core.loss_target_domain(loss) == "sign" else float(target)
    q = 10.0**log_q
    u = float(DERIVATIVE[loss](min(start, 10.0), y, parameter))
    new = _core.loss_dual_step(loss, parameter, z, u, q, y)
    assert np.isfinite(CONJUGATE[loss](new, y, parameter))
    t = z + q * (u - new)
    # of t the step determines as much as rounding leaves of q times u
    slack = 1e-14 * (abs(z) + q * (max(abs(u), abs(new)) + abs(y)) + 1)
    low, high = (float(DERIVATIVE[loss](t + move, y, parameter)) for move in (-slack, slack))
    tiny = 1e-13 * (1 + abs(new))
    assert low - tiny <= new <= high + tiny


@each_loss
@each_penalty
def test_iterates_are_the_twins(loss, penalty):
    intercepts = ({"intercept": False}, {}, {"intercept_scaling": 2.0})
    for kind, weighted in product(intercepts, [False, True]):
        problem = replace(random_problem(loss, penalty, seed=len(loss), weighted=weighted), **kind)
        b = 0.2 if problem.has_free_intercept else 0.0
        path = [
            (w, b, problem.dual_objective(u) if not problem.has_free_intercept else None)
            for w, b, u in islice(sdca_epochs(problem, b, seed=3), max(EPOCHS))
        ]
        for layout, k in product(LAYOUTS, EPOCHS):
            X = LAYOUTS[layout](problem.X)
            result = fit(
                problem, X, solver="sdca", seed=3, tol=0.0, max_iter=k, intercept_init=b,
                check_interval=100 if k < max(EPOCHS) else 1,
            )  # fmt: skip
            coef, intercept, bound = path[k - 1]
            scale = max(1.0, np.abs(coef).max())
            assert result["sampling"] == "shuffle"
            assert_allclose(result["coef"], coef, rtol=1e-11, atol=1e-11 * scale)
            assert_allclose(result["intercept"], intercept, rtol=1e-10, atol=1e-10 * scale)
            if bound is not None:
                assert_allclose(result["lower_bound"], bound, rtol=1e-10, atol=1e-12)


@each_loss
def test_rows_that_gain_little_are_left_out_and_looked_at_again(loss):
    """All rows in the first epoch, and after 16 epochs of some rows or n draws at the latest."""
    problem = random_problem(loss, "l2", n=400, p=5, seed=2, intercept=False)
    result = fit(
        problem, csr_tuple(problem.X), solver="sdca", tol=0.0, max_iter=40, check_interval=1
    )
    drawn = np.round(400 * np.diff(result["history"]["passes"], prepend=0.0))
    assert 400 // 128 <= drawn.min() < 300
    whole = np.flatnonzero(drawn == 400)
    assert whole[0] == 0
    for first, last in pairwise(whole):
        some = drawn[first + 1 : last]
        assert len(some) <= 16
        assert some[:-1].sum() < 400
    path = [w for w, _, _ in islice(sdca_epochs(problem, 0.0, seed=0), 10)]
    early = fit(problem, csr_tuple(problem.X), solver="sdca", tol=0.0, max_iter=10)
    assert_allclose(early["coef"], path[-1], rtol=1e-11, atol=1e-12)


@each_loss
def test_every_epoch_raises_the_dual_objective(loss):
    """Shown where no repair of an intercept stands between u and D(u)."""
    for penalty, intercept in product(["l2", "elastic_net"], [False, True]):
        problem = random_problem(loss, penalty, n=80, seed=1, intercept=intercept)
        problem = replace(problem, alpha=1e-3, intercept_scaling=2.0)
        seen = []
        fit(
            problem, solver="sdca", tol=1e-12, max_iter=50, check_interval=1,
            monitor=lambda check, seen=seen: seen.append(check["objective"] - check["gap"]),
        )  # fmt: skip
        assert np.all(np.diff(seen) >= -1e-13 * np.abs(seen[:-1]))


@pytest.mark.parametrize("penalty", ["none", "l1"])
def test_penalties_without_an_l2_part_are_refused(penalty):
    with pytest.raises(ValueError, match=r"'sdca' needs an L2 penalty.*'saga'"):
        fit(random_problem("logistic", penalty), solver="sdca")


def test_large_constant_columns_do_not_slow_the_intercept_down():
    """A free intercept beside columns that are nearly constant."""
    problem = random_problem("logistic", "l2", n=300, p=4, density=1.0, seed=1)
    problem = replace(problem, X=problem.X + 5, alpha=1 / 300)
    result = fit(problem, csr_tuple(problem.X), solver="sdca", tol=1e-8, max_iter=2000)
    assert result["converged"]
