"""Several outputs of a separable loss, step by step as the slow twins."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from output_problems import EPOCHS, LOSSES, SOLVERS, assert_same, core, each, random_outputs, twin
from reference import problem as single
from reference.problem import LAYOUTS
from reference.random_problems import PENALTIES

each_solver = pytest.mark.parametrize("solver", SOLVERS)
each_loss = pytest.mark.parametrize("loss", LOSSES)


@each_solver
@each_loss
@pytest.mark.parametrize("penalty", PENALTIES)
def test_iterates_are_the_twins(solver, loss, penalty):
    cases = product([False, True], ["uniform", "lipschitz"], [False, True])
    for case, (intercept, sampling, warm) in enumerate(cases):
        problem = random_outputs(
            loss, penalty, K=2 + case, intercept=intercept, weighted=case % 3 > 0, seed=case
        )
        if case % 4 in (1, 2):
            problem = replace(problem, intercept_scaling=2.0)
        step = 0.0005 if loss == "poisson" else 0.02
        options = {"sampling": sampling, "step_size": step, "seed": 3, "warm": warm}
        for sparse, layout in [(False, "dense float64"), (True, "csr int32 float32")]:
            path = twin(problem, solver, sparse=sparse, **options)
            for k in EPOCHS:
                result = core(problem, solver, LAYOUTS[layout](problem.X), max_iter=k, **options)
                assert result["sampling"] == sampling
                # twins of SVRG find the best intercept by bracketing
                assert_same(result, *path[k - 1], rtol=1e-11 if solver == "svrg" else 1e-12)


@each_solver
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("p", [3, 8, 13, 24, 37])
def test_dense_rows_of_every_length(solver, penalty, p):
    """Four rows at a time, often one of them twice; sums of eight lanes and of what is left."""
    for n, K in [(6, 5), (31, 2)]:
        problem = random_outputs("huber", penalty, n=n, p=p, K=K, weighted=True, seed=p)
        path = twin(problem, solver, sparse=False, step_size=0.02)
        for k, layout in product(EPOCHS, ["dense float64", "dense float32"]):
            X = LAYOUTS[layout](problem.X)
            result = core(problem, solver, X, max_iter=k, sampling="uniform", step_size=0.02)
            assert_same(result, *path[k - 1], rtol=1e-11 if solver == "svrg" else 1e-12)


@each_loss
@pytest.mark.parametrize("iterate", ["last", "random", "average"])
@pytest.mark.parametrize("batch_size", [1, 4, 30])
def test_options_of_svrg_are_the_twins(loss, iterate, batch_size):
    for case, (penalty, sampling) in enumerate(product(PENALTIES, ["uniform", "lipschitz"])):
        problem = random_outputs(loss, penalty, K=2 + case, weighted=True, seed=case)
        scaling = 2.0 if case % 2 else np.inf
        problem = replace(problem, intercept=case % 3 > 0, intercept_scaling=scaling)
        options = {
            "sampling": sampling,
            "step_size": 0.0005 if loss == "poisson" else 0.02,
            "seed": 3,
            "solver_options": {
                "inner_length": [2.0, 0.77][case % 2], "iterate": iterate, "batch_size": batch_size,
            },
        }  # fmt: skip
        path = twin(problem, "svrg", sparse=False, **options)
        for layout, k in product(["dense float64", "csr int32 float32"], EPOCHS):
            result = core(problem, "svrg", LAYOUTS[layout](problem.X), max_iter=k, **options)
            assert_same(result, *path[k - 1], rtol=1e-11)


@pytest.mark.parametrize("iterate", ["last", "average"])
def test_strong_penalties_and_steps_that_grow_with_the_batch(iterate):
    """Averages of coefficients that go to zero, and of a representation that is folded."""
    for penalty, alpha in product(["l2", "elastic_net", "l1"], [1.0, 10.0]):
        problem = random_outputs("squared", penalty, n=200, density=0.3, seed=5)
        problem.X[:, 0] = 0
        problem.X[17, 0] = 2.0
        problem = replace(problem, alpha=alpha * problem.alpha)
        options = {"solver_options": {"iterate": iterate, "batch_size": 3, "inner_length": 3.0}}
        path = twin(problem, "svrg", sparse=True, **options)
        for layout, k in product(["dense float64", "csr int32 float64"], EPOCHS):
            X = LAYOUTS[layout](problem.X)
            result = core(problem, "svrg", X, max_iter=k, sampling="uniform", **options)
            assert_same(result, *path[k - 1], rtol=1e-11)


@each_solver
@pytest.mark.parametrize("sampling", ["uniform", "lipschitz"])
def test_default_steps_are_those_of_one_output(solver, sampling):
    for loss in ("squared", "squared_hinge"):
        problem = random_outputs(loss, "elastic_net", weighted=True, seed=2)
        path = twin(problem, solver, sparse=False, sampling=sampling)
        for k in EPOCHS:
            result = core(problem, solver, problem.X, sampling=sampling, max_iter=k)
            assert_same(result, *path[k - 1], rtol=1e-11)
        alone = single.fit(problem.output(1), solver=solver, sampling=sampling, max_iter=5, tol=0.0)
        steps = each(result, "history")[1]["step_size"]
        assert_allclose(steps[-1], alone["history"]["step_size"][-1], rtol=1e-13)
