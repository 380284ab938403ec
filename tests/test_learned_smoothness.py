"""Adaptive sampling and the line search step for step against their slow twins, in every solver.

The twins follow the papers draw by draw; `tests/test_solvers.py` holds steps that stand.
"""

from dataclasses import replace
from itertools import islice, product

import numpy as np
import pytest
from numpy.testing import assert_allclose

import output_problems as outputs
import test_multinomial as multinomial
from finitesum import LogisticRegression, _core
from reference import multinomial as several
from reference.adaptive import rule_for
from reference.column_scaling import column_scaling
from reference.katyusha import katyusha_epochs
from reference.problem import LAYOUTS, fit
from reference.random_problems import random_problem
from reference.svrg import svrg_epochs
from reference.table import table_epochs

EPOCHS = (1, 2, 5)
CHOICES = [("adaptive", "auto"), ("uniform", "line-search"), ("lipschitz", "line-search")]
OUTPUT_SOLVERS = ["sag", "saga", "svrg"]
each_choice = pytest.mark.parametrize(("sampling", "step_rule"), CHOICES)


# A search on a quadratic ends in a tie where L is that of the row: rounding decides.
CASES = [
    (loss, *choice)
    for loss, choice in product(_core.loss_names(), CHOICES)
    if choice[1] == "auto" or loss in ("logistic", "poisson")
]


def uneven(problem, seed=1):
    """Rows of very different length; exact in float32, like the factors of the targets."""
    scale = 2.0 ** np.random.default_rng(seed).integers(-3, 3, size=(problem.n, 1))
    return replace(problem, X=problem.X * scale)


def twin(problem, solver, rule, *, sparse, one=(svrg_epochs, table_epochs), start):
    jumps = 1 / 16 if sparse and problem.l1 > 0 else 0.0
    if solver == "svrg":
        epochs = one[0](problem, rule, *start, seed=3, step_jumps=jumps)
    elif solver == "katyusha":
        epochs = katyusha_epochs(problem, rule, *start, seed=3)
    else:
        epochs = one[1](problem, rule, *start, seed=3, mass_growth=jumps)
    return [(w, b) for w, b, _ in islice(epochs, max(EPOCHS))]


def assert_same(result, w, b, rtol=1e-10):
    scale = max(1.0, np.abs(w).max())
    assert_allclose(result["coef"], w, rtol=rtol, atol=rtol * scale)
    assert_allclose(result["intercept"], b, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize(("loss", "sampling", "step_rule"), CASES)
@pytest.mark.parametrize("solver", [*OUTPUT_SOLVERS, "katyusha"])
def test_one_output(solver, loss, sampling, step_rule):
    given = 0.002 if loss == "poisson" else 0.02
    cases = [("l2", False, 0.0), ("elastic_net", True, 0.0), ("l2", True, given)]
    for (penalty, weighted, step_size), sparse in product(cases, (False, True)):
        if solver == "katyusha" and sampling == "adaptive" and sparse:
            continue  # whose steps wait until they have changed by a sixteenth
        problem = uneven(random_problem(loss, penalty, n=45, weighted=weighted, seed=2))
        rule = rule_for(problem, solver, sampling, step_rule, given=step_size)
        start = np.zeros(problem.X.shape[1]), 0.2
        path = twin(problem, solver, rule, sparse=sparse, start=start)
        for k in EPOCHS:
            result = fit(
                problem, LAYOUTS["csr int32 float64" if sparse else "dense float32"](problem.X),
                solver=solver, sampling=sampling, step_rule=step_rule, step_size=step_size,
                coef_init=start[0], intercept_init=start[1], tol=0.0, max_iter=k, seed=3,
                check_interval=100,
            )  # fmt: skip
            assert_same(result, *path[k - 1])


@each_choice
@pytest.mark.parametrize("solver", ["sag", "saga", "svrg"])
def test_one_output_with_scaled_columns(solver, sampling, step_rule):
    """As the default has it on data that need both."""
    for penalty, sparse in product(["l2", "elastic_net"], (False, True)):
        problem = uneven(random_problem("logistic", penalty, n=45, seed=2))
        problem = replace(problem, X=problem.X * 2.0 ** np.arange(-4, 4))
        rule = rule_for(
            problem, solver, sampling, step_rule, scaling=column_scaling(problem, sparse)
        )
        start = np.zeros(problem.X.shape[1]), 0.2
        path = twin(problem, solver, rule, sparse=sparse, start=start)
        for k in EPOCHS:
            result = fit(
                problem, LAYOUTS["csr int32 float64" if sparse else "dense float64"](problem.X),
                solver=solver, sampling=sampling, step_rule=step_rule, coef_init=start[0],
                intercept_init=start[1], tol=0.0, max_iter=k, seed=3, check_interval=100,
                solver_options={"scale_columns": True},
            )  # fmt: skip
            assert_same(result, *path[k - 1])


@each_choice
@pytest.mark.parametrize("solver", OUTPUT_SOLVERS)
@pytest.mark.parametrize("loss", ["multinomial", "logistic"])
def test_several_outputs(solver, loss, sampling, step_rule):
    """Of separable losses the output that asks for the largest L decides."""
    is_joint = loss == "multinomial"
    module = multinomial if is_joint else outputs
    for penalty, sparse in product(["l2", "elastic_net"], (False, True)):
        options = {"n": 45, "weighted": sparse, "seed": 2}
        problem = uneven(
            multinomial.random_multinomial(penalty, **options)
            if is_joint
            else outputs.random_outputs(loss, penalty, **options)
        )
        rule = rule_for(problem, solver, sampling, step_rule)
        start = module.start(problem)
        one = (several.svrg_epochs, several.table_epochs)
        path = twin(problem, solver, rule, sparse=sparse, one=one, start=start)
        layout = LAYOUTS["csr int32 float64" if sparse else "dense float64"]
        for k in EPOCHS:
            result = module.core(
                problem, solver, layout(problem.X), sampling=sampling, step_rule=step_rule,
                max_iter=k, seed=3, check_interval=100,
            )  # fmt: skip
            assert_same(result, *path[k - 1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_learned_constants_stay_within_twice_the_true_ones():
    """Doubling ends below twice the least L that suffices, which sup l'' |x_i|^2 bounds. Estimates
    begin at that bound, rounded up to five quarters of it at most."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 6)) * rng.lognormal(0, 1, size=(500, 1))
    y = X @ rng.normal(size=6) + rng.logistic(size=500) > 0
    L = 0.25 * ((X**2).sum(axis=1) + 1)
    options = {"tol": 0.0, "max_iter": 40, "check_interval": 1, "random_state": 0, "solver": "sag"}
    options["solver_options"] = {"scale_columns": False}
    adaptive = LogisticRegression(sampling="adaptive", C=0.1, **options).fit(X, y)
    searched = LogisticRegression(sampling="uniform", step_size="line-search", C=0.1, **options)
    shortest = 0.5 / (2.5 * L.max()) + 0.5 / (2.5 * L.mean())
    assert np.all(adaptive.history_["step_size"] >= shortest)
    assert adaptive.history_["step_size"][-1] > 2 * (0.5 / L.max() + 0.5 / L.mean())
    assert np.all(searched.fit(X, y).history_["step_size"] >= 1 / (2 * L.max()))
    assert searched.history_["step_size"][-1] > 2 / L.max()
