"""SVRG's options, step for step against the slow twin, and whatever they are combined with."""

from dataclasses import replace
from itertools import islice, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from finitesum import _core
from reference.problem import LAYOUTS, fit
from reference.random_problems import PENALTIES, random_problem
from reference.step_size import StepRule
from reference.svrg import svrg_epochs

EPOCHS = (1, 2, 5)
ITERATES = ("last", "random", "average")
INTERCEPTS = ({}, {"intercept": False}, {"intercept_scaling": 2.0})
LAYOUT_CHOICES = ("dense float64", "csr int32 float32")


def assert_twins(problem, *, inner_length=2.0, iterate="last", batch_size=1, rtol=1e-12, **given):
    """The core's (w, b) after some epochs, with and without stored derivatives, in two layouts."""
    options = {"sampling": "uniform", "step_size": 0.0, "seed": 3, **given}
    lipschitz = options["sampling"] == "lipschitz"
    w, b = np.zeros(problem.X.shape[1]), 0.2 * problem.intercept
    rule = StepRule(problem, "svrg", options["step_size"], lipschitz, batch_size)
    epochs = svrg_epochs(problem, rule, w, b, seed=3, inner_length=inner_length, iterate=iterate)
    path = [(w, b) for w, b, _ in islice(epochs, max(EPOCHS))]
    for layout, k, store in product(LAYOUT_CHOICES, EPOCHS, (True, False)):
        result = fit(
            problem, LAYOUTS[layout](problem.X), solver="svrg", tol=0.0, max_iter=k,
            coef_init=w, intercept_init=b, **options,
            solver_options={
                "inner_length": inner_length, "iterate": iterate, "batch_size": batch_size,
                "store_derivatives": store,
            },
        )  # fmt: skip
        coef, intercept = path[result["n_iter"] - 1]  # fewer where the gap is zero
        assert result["n_iter"] == k or result["dual_gap"] <= 1e-14 * result["null_objective"]
        scale = max(1.0, np.abs(coef).max())
        assert_allclose(result["coef"], coef, rtol=rtol, atol=rtol * scale)
        assert_allclose(result["intercept"], intercept, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("loss", _core.loss_names())
@pytest.mark.parametrize("iterate", ITERATES)
@pytest.mark.parametrize("batch_size", [1, 4, 30])
def test_iterates_are_the_twins(loss, iterate, batch_size):
    options = {
        "step_size": 0.002 if loss == "poisson" else 0.02,
        "iterate": iterate,
        "batch_size": batch_size,
    }
    for penalty, sampling in product(PENALTIES, ["uniform", "lipschitz"]):
        problem = random_problem(loss, penalty, weighted=True, seed=5)
        assert_twins(problem, sampling=sampling, **options)
        for intercept in ({"intercept": False}, {"intercept_scaling": 2.0}):
            other = replace(random_problem(loss, penalty, seed=5), **intercept)
            assert_twins(other, sampling=sampling, inner_length=0.77, **options)


@pytest.mark.parametrize("loss", _core.loss_names())
@pytest.mark.parametrize("inner_length", [0.01, 0.7, 1, 3.4])
def test_default_steps_are_the_twins(loss, inner_length):
    """Including the search of the poisson loss, and the steps that grow with the batch."""
    for penalty, sampling in product(["l2", "elastic_net"], ["uniform", "lipschitz"]):
        problem = random_problem(loss, penalty, weighted=True, seed=5)
        for iterate, batch_size in zip(ITERATES, (1, 3, 7), strict=True):
            assert_twins(
                problem, sampling=sampling, inner_length=inner_length, iterate=iterate,
                batch_size=batch_size, rtol=1e-11,
            )  # fmt: skip


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("iterate", ["last", "average"])
def test_a_column_named_once_is_averaged_over_every_step(penalty, iterate):
    """A strong penalty takes coefficients to zero and makes the scaled representation fold."""
    problem = random_problem("squared", penalty, n=200, p=6, density=0.3, seed=5)
    problem.X[:, 0] = 0
    problem.X[17, 0] = 2.0
    for alpha in (problem.alpha, 10 * problem.alpha):
        strong = replace(problem, alpha=alpha)
        assert_twins(strong, step_size=0.1, iterate=iterate, inner_length=3.0, rtol=1e-11)


combinations = st.fixed_dictionaries(
    {
        "inner_length": st.sampled_from([0.5, 1.0, 2.0, 4.0]),
        "iterate": st.sampled_from(ITERATES),
        "batch_size": st.sampled_from([1, 2, 5, 40]),
        "store_derivatives": st.booleans(),
    }
)


@given(
    options=combinations,
    loss=st.sampled_from(_core.loss_names()),
    penalty=st.sampled_from(["l2", "l1", "elastic_net"]),
    sampling=st.sampled_from(_core.sampling_choices()),
    rule=st.sampled_from(["auto", "line-search"]),
    layout=st.sampled_from(LAYOUT_CHOICES),
    intercept=st.sampled_from(INTERCEPTS),
    seed=st.integers(0, 20),
)
@settings(max_examples=150, deadline=None)
def test_every_combination_reaches_a_certified_optimum(
    options, loss, penalty, sampling, rule, layout, intercept, seed
):
    base = random_problem(loss, penalty, n=40, p=5, density=0.8, seed=seed)
    problem = replace(base, **intercept)
    optimum = fit(problem, solver="newton", tol=1e-13)
    result = fit(
        problem, LAYOUTS[layout](problem.X), solver="svrg", sampling=sampling, step_rule=rule,
        tol=1e-6, max_iter=20_000, seed=seed, solver_options=options,
    )  # fmt: skip
    rounding = 1e-12 * result["null_objective"]
    assert result["converged"]
    assert result["dual_gap"] <= 1e-6 * result["null_objective"] + rounding
    assert result["lower_bound"] <= optimum["objective"] + rounding
    assert result["objective"] >= optimum["objective"] - rounding
    exact = problem.objective(result["coef"], result["intercept"])
    assert_allclose(result["objective"], exact, rtol=1e-12)


@given(
    options=combinations,
    penalty=st.sampled_from(list(PENALTIES)),
    intercept=st.sampled_from(INTERCEPTS),
)
@settings(max_examples=40, deadline=None)
def test_storing_derivatives_changes_no_bit(options, penalty, intercept):
    problem = random_problem("logistic", penalty, n=300, p=7, weighted=True)
    problem = replace(problem, **intercept)
    for layout in LAYOUT_CHOICES:
        first, second = (
            fit(
                problem, LAYOUTS[layout](problem.X), solver="svrg", tol=0.0, max_iter=4,
                solver_options={**options, "store_derivatives": store},
            )
            for store in (True, False)
        )  # fmt: skip
        assert np.array_equal(first["coef"], second["coef"])
        assert first["intercept"] == second["intercept"]
        assert np.array_equal(first["history"]["gap"], second["history"]["gap"])


@given(
    options=combinations,
    sampling=st.sampled_from(_core.sampling_choices()),
    rule=st.sampled_from(["auto", "line-search"]),
    layout=st.sampled_from(LAYOUT_CHOICES),
    penalty=st.sampled_from(["l2", "elastic_net"]),
    intercept=st.sampled_from(INTERCEPTS),
)
@settings(max_examples=80, deadline=None)
def test_resumed_is_uninterrupted(options, sampling, rule, layout, penalty, intercept):
    problem = random_problem("logistic", penalty, n=60, p=7, weighted=True, seed=2)
    problem = replace(problem, **intercept)
    X = LAYOUTS[layout](problem.X)
    given = {
        "solver": "svrg", "sampling": sampling, "step_rule": rule, "tol": 0.0, "seed": 1,
        "solver_options": options, "keep_state": True,
    }  # fmt: skip
    whole = fit(problem, X, max_iter=7, **given)
    cut = fit(problem, X, max_iter=3, **given)
    cut = fit(problem, X, max_iter=4, state=cut["state"], **given)
    assert np.array_equal(whole["coef"], cut["coef"])
    assert whole["intercept"] == cut["intercept"]
    assert whole["history"]["passes"][-1] == cut["history"]["passes"][-1]


def passes(problem, **options):
    result = fit(problem, solver="svrg", tol=0.0, max_iter=6, solver_options=options)
    return result["history"]["passes"]


def test_passes_count_gradients():
    problem = random_problem("logistic", n=50, intercept=False)
    epochs = np.arange(1, 7)
    assert_allclose(passes(problem), 1 + 3 * epochs)
    assert_allclose(passes(problem, inner_length=0.5), 1 + 1.5 * epochs)
    assert_allclose(passes(problem, batch_size=30), 1 + (1 + 120 / 50) * epochs)
    # Two gradients per draw; an anchor takes a sweep each for F, for its gradient and for D.
    assert_allclose(passes(problem, store_derivatives=False), 3 + 7 * epochs)


def test_a_random_stop_is_even_over_the_steps():
    """Of 4000 epochs of 5 steps each stop is within 4 standard deviations of its share."""
    problem = random_problem("squared", n=10, p=2, intercept=False)
    result = fit(
        problem, solver="svrg", tol=0.0, max_iter=4000, seed=1, step_size=1e-9,
        solver_options={"iterate": "random", "inner_length": 0.5},
    )  # fmt: skip
    taken = np.round(10 * (np.diff(result["history"]["passes"], prepend=1.0) - 1)).astype(int)
    counts = np.bincount(taken, minlength=6)
    assert counts[0] == 0
    assert len(counts) == 6
    assert np.all(np.abs(counts[1:] - 800) <= 4 * np.sqrt(4000 * 0.2 * 0.8))


def test_a_batch_of_all_rows_is_gradient_descent():
    """In a cyclic order: one step along the mean gradient, whatever the anchor."""
    problem = random_problem("squared", "l2", n=30, p=4)
    step = 0.05
    result = fit(
        problem, solver="svrg", sampling="cyclic", step_size=step, tol=0.0, max_iter=1,
        solver_options={"batch_size": 30, "inner_length": 1},
    )  # fmt: skip
    b = problem.best_intercept(np.zeros(4))
    w = problem.prox(-step * problem.gradient(np.zeros(4), b)[0], step)
    assert_allclose(result["coef"], w, rtol=1e-13)
    assert_allclose(result["intercept"], problem.best_intercept(w, b), rtol=1e-12)


def test_a_batch_beyond_the_data_is_refused():
    for size in (31, 2**30):
        with pytest.raises(ValueError, match=f"'batch_size' must be at most .* 30, got {size}"):
            fit(random_problem(n=30), solver="svrg", solver_options={"batch_size": size})
