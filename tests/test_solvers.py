"""SAG, SAGA, SVRG and Katyusha step for step against their slow twins, in every layout of X."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import islice, pairwise, product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from finitesum import _core
from reference.katyusha import katyusha_epochs
from reference.problem import LAYOUTS, Problem, can_solve, csr_tuple, fit
from reference.random_problems import PENALTIES, random_problem, solvers_for
from reference.step_size import StepRule
from reference.svrg import svrg_epochs
from reference.table import table_epochs

LOSSES = _core.loss_names()
STOCHASTIC = ["sag", "saga", "svrg", "katyusha"]
each_solver = pytest.mark.parametrize("solver", STOCHASTIC)
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES)
EPOCHS = (1, 2, 5)


def start(problem, warm=False):
    rng = np.random.default_rng(7)
    w = rng.normal(scale=0.3 * warm, size=problem.X.shape[1])
    return w, 0.2 if problem.intercept else 0.0


def twin(
    problem, solver, *, sparse, warm=False, step_size=0.0, sampling="uniform", seed=0, **options
):
    """(w, b) after each of the first epochs, from the same start as `core`."""
    rule = StepRule(problem, solver, step_size, sampling == "lipschitz")
    w, b = start(problem, warm)
    if solver == "svrg":
        epochs = svrg_epochs(problem, rule, w, b, seed=seed)
    elif solver == "katyusha":
        epochs = katyusha_epochs(problem, rule, w, b, seed=seed, **options)
    else:
        jumps = 1 / 16 if sparse and problem.l1 > 0 else 0.0
        epochs = table_epochs(problem, rule, w, b, seed=seed, mass_growth=jumps)
    return [(w, b) for w, b, _ in islice(epochs, max(EPOCHS))]


def core(problem, solver, X, *, warm=False, **options):
    w, b = start(problem, warm)
    return fit(problem, X, solver=solver, coef_init=w, intercept_init=b, tol=0.0, **options)


def assert_same(result, coef, intercept, rtol=1e-12):
    scale = max(1.0, np.abs(coef).max())
    assert_allclose(result["coef"], coef, rtol=rtol, atol=rtol * scale)
    assert_allclose(result["intercept"], intercept, rtol=rtol, atol=rtol * scale)


@each_solver
@each_loss
@each_penalty
def test_iterates_are_the_twins(solver, loss, penalty):
    step_size = 0.002 if loss == "poisson" else 0.02
    intercepts = ({"intercept": False}, {}, {"intercept_scaling": 2.0})
    for kind, weighted, sampling in product(intercepts, [False, True], ["uniform", "lipschitz"]):
        problem = random_problem(loss, penalty, seed=len(loss), weighted=weighted)
        problem = replace(problem, **kind)
        options = {"sampling": sampling, "step_size": step_size, "seed": 3}
        paths = [twin(problem, solver, sparse=sparse, **options) for sparse in (False, True)]
        for layout, k in product(LAYOUTS, EPOCHS):
            result = core(problem, solver, LAYOUTS[layout](problem.X), max_iter=k, **options)
            assert result["n_iter"] == k
            assert result["sampling"] == sampling
            assert_same(result, *paths["csr" in layout][k - 1])


@each_solver
@each_loss
@each_penalty
def test_iterates_from_a_warm_start_are_the_twins(solver, loss, penalty):
    """The table then starts with the derivatives there."""
    problem = random_problem(loss, penalty, weighted=True, seed=len(penalty))
    options = {"sampling": "lipschitz", "step_size": 0.002, "warm": True}
    path = twin(problem, solver, sparse=False, **options)
    for layout, k in product(["dense float64", "csr int32 float32"], EPOCHS):
        X = LAYOUTS[layout](problem.X)
        assert_same(core(problem, solver, X, max_iter=k, **options), *path[k - 1])


@each_solver
@each_loss
@pytest.mark.parametrize("sampling", ["uniform", "lipschitz"])
def test_default_steps_are_the_twins(solver, loss, sampling):
    """Including the search of the poisson loss, whose curvature has no bound."""
    for (penalty, weighted), warm in product([("l2", False), ("elastic_net", True)], [False, True]):
        problem = random_problem(loss, penalty, weighted=weighted, seed=2)
        options = {"sampling": sampling, "warm": warm}
        for sparse in (False, True):
            X = csr_tuple(problem.X) if sparse else problem.X
            path = twin(problem, solver, sparse=sparse, **options)
            for k in EPOCHS:
                assert_same(
                    core(problem, solver, X, max_iter=k, **options), *path[k - 1], rtol=1e-11
                )
        result = core(problem, solver, X, max_iter=5, **options)
        rule = StepRule(problem, solver, 0.0, sampling == "lipschitz")
        if not rule.searches:
            assert_allclose(result["history"]["step_size"][-1], rule.step(True), rtol=1e-13)


@each_loss
@pytest.mark.parametrize("inner_length", [0.01, 0.7, 3.4])
def test_katyushas_inner_lengths_are_the_twins(loss, inner_length):
    for penalty, sampling in product(["l2", "elastic_net"], ["uniform", "lipschitz"]):
        problem = random_problem(loss, penalty, weighted=True, seed=5)
        options = {"sampling": sampling, "seed": 3}
        path = twin(problem, "katyusha", sparse=False, inner_length=inner_length, **options)
        for layout, k in product(["dense float64", "csr int32 float64"], EPOCHS):
            result = core(
                problem, "katyusha", LAYOUTS[layout](problem.X), max_iter=k,
                solver_options={"inner_length": inner_length}, **options,
            )  # fmt: skip
            assert_same(result, *path[k - 1], rtol=1e-11)


def ill_conditioned():
    """Standardized columns whose singular values span four decades."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(400, 20)) * np.logspace(0, -4, 20)
    X = factors @ rng.normal(size=(20, 20))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = np.where(X @ rng.normal(size=20) + rng.normal(size=400) > 0, 1.0, -1.0)
    return Problem(X, y, np.ones(400), "logistic", alpha=0.01 / 400)


@pytest.mark.parametrize("layout", ["dense float64", "csr int32 float64"])
def test_katyusha_needs_a_third_of_svrgs_passes_where_conditions_are_bad(layout):
    problem = ill_conditioned()
    passes = {}
    for solver in ("svrg", "katyusha"):
        result = fit(
            problem, LAYOUTS[layout](problem.X), solver=solver, tol=1e-6, max_iter=20000, seed=1
        )
        assert result["converged"]
        passes[solver] = result["history"]["passes"][-1]
    assert 3 * passes["katyusha"] < passes["svrg"]


@each_solver
def test_automatic_sampling_follows_the_spread_of_the_rows(solver):
    problem = random_problem("logistic", n=40, density=1.0)
    assert fit(problem, solver=solver, max_iter=1)["sampling"] == "uniform"
    wide = problem.X.copy()
    wide[0] *= 100
    assert fit(replace(problem, X=wide), solver=solver, max_iter=1)["sampling"] == (
        "lipschitz" if solver in ("svrg", "katyusha") else "adaptive"
    )


def with_empty_row(X):
    return np.where(np.arange(len(X))[:, None] % 3 == 0, 0.0, X)


SHAPES = {
    "empty rows": with_empty_row,
    "empty columns": lambda X: X * (np.arange(X.shape[1]) % 2),
    "one row": lambda X: X[:1],
    "one column": lambda X: X[:, :1].copy(),
    "one row, one column": lambda X: np.ones((1, 1)),
    "nothing but zeros": lambda X: 0 * X,
    "more columns than rows": lambda X: X[:5],
    "long rows": lambda X: np.tile(X, (1, 5)),
}


@pytest.mark.parametrize("shape", SHAPES)
@each_penalty
def test_sparse_equals_dense(shape, penalty):
    base = random_problem("squared", penalty, n=40, p=9, seed=1)
    X = SHAPES[shape](base.X)
    problem = replace(base, X=X, y=base.y[: len(X)], s=base.s[: len(X)])
    layouts = [csr_tuple(X, pointer_dtype=np.int64), LAYOUTS["csr int64 float64"](X)]
    for solver in STOCHASTIC:
        # With L1 the masses differ in the first epoch, hence the twins; see LaggedIterate.
        path = twin(problem, solver, sparse=True, step_size=0.01)
        for k, sparse in product(EPOCHS, layouts):
            result = core(problem, solver, sparse, step_size=0.01, sampling="uniform", max_iter=k)
            assert_same(result, *path[k - 1])
            if problem.l1 == 0:
                dense = core(problem, solver, X, step_size=0.01, sampling="uniform", max_iter=k)
                assert_same(result, dense["coef"], dense["intercept"])
    for solver in filter(lambda solver: can_solve(solver, problem), _core.solver_names()):
        optima = [core(problem, solver, layout, max_iter=300) for layout in [X, *layouts]]
        assert all(np.isfinite(optimum["coef"]).all() for optimum in optima)
        if problem.alpha > 0:
            objectives = [optimum["objective"] for optimum in optima]
            assert_allclose(objectives, objectives[0], rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize(("solver", "penalty"), solvers_for("l2", "elastic_net"))
def test_order_of_a_rows_indices_does_not_matter(solver, penalty):
    problem = random_problem("logistic", penalty, n=40, p=9, seed=1)
    data, indices, indptr, p = csr_tuple(problem.X)
    rng = np.random.default_rng(0)
    order = np.concatenate([a + rng.permutation(b - a) for a, b in pairwise(indptr)])
    shuffled = (data[order], indices[order], indptr, p)
    assert np.any(indices[order] != indices)
    first = core(problem, solver, (data, indices, indptr, p), max_iter=5)
    second = core(problem, solver, shuffled, max_iter=5)
    assert_same(second, first["coef"], first["intercept"])


@each_solver
@each_penalty
def test_lazy_coefficients_outlive_many_steps(solver, penalty):
    """A column named once is moved by every step of the other rows; a strong penalty makes the
    scaled representation fold many times."""
    problem = random_problem("squared", penalty, n=200, p=6, density=0.3, seed=5)
    problem.X[:, 0] = 0
    problem.X[17, 0] = 2.0
    problem = replace(problem, alpha=10 * problem.alpha)
    path = twin(problem, solver, sparse=True, step_size=0.1)
    for k in EPOCHS:
        result = core(
            problem, solver, csr_tuple(problem.X), step_size=0.1, sampling="uniform", max_iter=k
        )
        assert_same(result, *path[k - 1])


# Without looking: a gap at the level of rounding leaves its square root to the coefficients.
BEYOND = {"tol": 0.0, "check_interval": 10_000}
FEW = ("newton", "newton-cg", "cd")  # epochs are enough for these, and they cost more
INTERCEPTS = ({}, {"intercept": False}, {"intercept_scaling": 2.0})


@pytest.mark.parametrize(("solver", "penalty"), solvers_for("l2", "elastic_net"))
@each_loss
def test_integer_weights_are_repeated_rows(solver, loss, penalty):
    base = random_problem(loss, penalty, n=40, p=5, density=0.8, seed=4)
    repeats = np.random.default_rng(0).integers(0, 4, size=base.n)
    weighted = replace(base, s=repeats.astype(float))
    rows = np.repeat(np.arange(base.n), repeats)
    repeated = replace(base, X=base.X[rows], y=base.y[rows], s=np.ones(len(rows)))
    max_iter = 100 if solver in FEW else 3000
    for intercept, layout in product(INTERCEPTS, ("dense float64", "csr int32 float64")):
        first, second = (
            fit(
                replace(each, **intercept),
                LAYOUTS[layout](each.X),
                solver=solver,
                max_iter=max_iter,
                **BEYOND,
            )
            for each in (weighted, repeated)
        )
        for each in (first, second):
            assert each["dual_gap"] <= 1e-13 * each["null_objective"]
        assert_allclose(first["objective"], second["objective"], rtol=1e-12)
        assert_same(first, second["coef"], second["intercept"], rtol=1e-10)


@pytest.mark.parametrize("solver", _core.solver_names())
def test_rows_of_weight_zero_do_not_count(solver):
    problem = random_problem("logistic", "l2", n=40, p=5, seed=4)
    s = np.where(np.arange(40) % 4 == 0, 0.0, 1.0)
    kept = replace(problem, X=problem.X[s > 0], y=problem.y[s > 0], s=s[s > 0])
    outliers = replace(problem, X=np.where(s[:, None] > 0, problem.X, 1e3), s=s)
    expected = fit(kept, solver=solver, max_iter=3000, **BEYOND)
    result = fit(outliers, solver=solver, max_iter=3000, **BEYOND)
    assert_same(result, expected["coef"], expected["intercept"], rtol=1e-10)
    assert_allclose(result["objective"], expected["objective"], rtol=1e-12)


@pytest.mark.parametrize(("solver", "penalty"), solvers_for("l2", "elastic_net"))
def test_same_seed_same_bits(solver, penalty):
    problem = random_problem("logistic", penalty, weighted=True)
    for X in (problem.X, csr_tuple(problem.X)):
        runs = [core(problem, solver, X, max_iter=3, seed=seed) for seed in (1, 1, 2, 2**63)]
        assert np.array_equal(runs[0]["coef"], runs[1]["coef"])
        assert runs[0]["intercept"] == runs[1]["intercept"]
        others = [np.array_equal(runs[0]["coef"], run["coef"]) for run in runs[2:]]
        assert others == [solver not in (*STOCHASTIC, "sdca")] * 2


BITS = """
import hashlib
from itertools import product
import numpy as np
from reference.problem import LAYOUTS, fit
from reference.random_problems import random_problem, solvers_for
from finitesum import _core

print(_core.isa())
memoryless = {"iterate": "average", "batch_size": 3, "store_derivatives": False}
kinds = [(solver, penalty, {}) for solver, penalty in solvers_for("l2", "elastic_net")]
kinds += [("svrg", penalty, memoryless) for penalty in ("l2", "elastic_net")]
cases = [(loss, *kind, "auto", "auto") for loss, kind in product(_core.loss_names(), kinds)]
others = [{"acceleration": "catalyst"}, {"acceleration": "qning"}, {"scale_columns": True}]
others = [(options, "auto", "auto") for options in others]
others += [({}, sampling, rule) for sampling, rule in product(
    _core.sampling_choices(), ("auto", "line-search"))]
cases += [("logistic", solver, penalty, *other) for solver, penalty, other in product(
    ("sag", "saga", "svrg"), ("l2", "elastic_net"), others)]
for loss, solver, penalty, options, sampling, rule in cases:
    problem = random_problem(loss, penalty, n=70, p=37, weighted=True)
    for layout, X in LAYOUTS.items():
        result = fit(
            problem, X(problem.X), solver=solver, max_iter=8 if "acceleration" in options else 4,
            tol=0.0, solver_options=options, sampling=sampling, step_rule=rule,
        )
        numbers = [result["intercept"], result["objective"], result["lower_bound"]]
        digest = hashlib.sha256(np.append(result["coef"], numbers).tobytes()).hexdigest()
        print(loss, penalty, solver, *options, sampling, rule, layout, digest)
"""


def test_same_bits_on_every_instruction_set():
    outputs = {}
    for isa in _core.available_isas():
        finished = subprocess.run(
            [sys.executable, "-c", BITS],
            env={**os.environ, "FINITESUM_ISA": isa},
            cwd=os.path.dirname(__file__),
            capture_output=True,
            text=True,
            check=True,
        )
        name, *outputs[isa] = finished.stdout.splitlines()
        assert name == isa
    first = outputs[_core.available_isas()[0]]
    defaults = len(LOSSES) * (len(solvers_for("l2", "elastic_net")) + 2)
    others = 3 * 2 * (3 + 2 * len(_core.sampling_choices()))
    assert len(first) == (defaults + others) * len(LAYOUTS)
    for isa, lines in outputs.items():
        assert lines == first, isa
