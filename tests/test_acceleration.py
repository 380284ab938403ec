"""Catalyst and QNing around SAG, SAGA and SVRG."""

from dataclasses import replace
from itertools import islice, product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from finitesum import LogisticRegression
from reference.column_scaling import column_scaling
from reference.outer_loop import OuterLoop
from reference.problem import LAYOUTS, csr_tuple, fit
from reference.random_problems import random_problem
from reference.step_size import StepRule
from reference.svrg import svrg_epochs
from reference.table import table_epochs

KINDS = ["catalyst", "qning"]
SOLVERS = ["sag", "saga", "svrg"]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_solver = pytest.mark.parametrize("solver", SOLVERS)


def accelerated(problem, kind, solver, X=None, **options):
    given = {} if kind is None else {"acceleration": kind}
    return fit(problem, X, solver=solver, solver_options=given, **options)


def ill_conditioned(n=300, p=12, l1_ratio=0.0, loss="logistic", intercept=True):
    """Correlated columns and little penalty: L / mu is some thousand n."""
    rng = np.random.default_rng(4)
    mixed = rng.normal(size=(n, p)) @ (rng.normal(size=(p, p)) * np.logspace(0, -2, p)[:, None])
    X = np.float32(mixed / mixed.std(axis=0)).astype(float)
    z = X @ rng.normal(size=p)
    y = np.sign(z + z.std() * rng.normal(size=n)) if loss == "logistic" else z + rng.normal(size=n)
    problem = random_problem(loss)
    return replace(
        problem, X=X, y=y, s=np.ones(n), alpha=0.01 / n, l1_ratio=l1_ratio, intercept=intercept
    )


def twin(problem, solver, kind, scaling, sampling, mass_growth):
    """The outer loop and the epochs, whose inner problems take one epoch each."""
    contraction = {"sag": 1.5, "saga": 0.5, "svrg": 1.0}[solver]
    outer = OuterLoop(problem.l2 * np.min(scaling[0]), kind, contraction, solver != "sag")
    rule = StepRule(problem, solver, 0.0, sampling == "lipschitz", scaling=scaling)
    start = np.zeros(problem.X.shape[1])
    if solver != "svrg":
        options = {"seed": 3, "mass_growth": mass_growth, "outer": outer}
        return outer, table_epochs(problem, rule, start, 0.0, **options)
    length = 1.0 if kind == "catalyst" else 2.0
    return outer, svrg_epochs(problem, rule, start, 0.0, seed=3, inner_length=length, outer=outer)


def assert_twins(
    problem, kind, layouts, *, solver="svrg", scaling=(1.0, 0.0), sampling="uniform", epochs=9
):
    """Plain epochs while these are fast, then a center per epoch."""
    is_lagged = problem.l1 > 0 and all("csr" in name for name in layouts)
    outer, twin_epochs = twin(problem, solver, kind, scaling, sampling, is_lagged / 16)
    path = [(w, b) for w, b, _ in islice(twin_epochs, epochs)]
    assert outer.kappa > 0
    values = [problem.objective(w, b) for w, b in path]
    # The core goes back from an anchor whose objective has doubled; the twin does not.
    steady = next((k for k in range(1, epochs) if values[k] > 2 * values[k - 1]), epochs)
    assert steady >= 5
    units = np.sqrt(scaling[0])
    for layout, k in product(layouts, (3, 4, 5, 6, epochs)):
        if k > steady:
            continue
        options = {"acceleration": kind, "scale_columns": not np.isscalar(scaling[0])}
        result = fit(
            problem, LAYOUTS[layout](problem.X), solver=solver, sampling=sampling, seed=3,
            max_iter=k, tol=0.0, intercept_init=0.0 if problem.intercept else None,
            solver_options=options,
        )  # fmt: skip
        assert result["n_iter"] == k
        w, b = path[k - 1]
        scale = max(1.0, np.abs(w / units).max())
        assert_allclose(result["coef"] / units, w / units, rtol=1e-10, atol=1e-12 * scale)
        assert_allclose(result["intercept"], b, rtol=1e-10, atol=1e-11 * scale)
    return outer


@each_kind
@pytest.mark.parametrize("loss", ["logistic", "squared", "huber"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
def test_centers_are_the_twins(kind, loss, l1_ratio):
    base = replace(random_problem(loss, weighted=True, seed=3), alpha=0.005, l1_ratio=l1_ratio)
    for intercept, sampling in product([True, False], ["uniform", "lipschitz"]):
        problem = replace(base, intercept=intercept)
        assert_twins(problem, kind, LAYOUTS, sampling=sampling)


@pytest.mark.parametrize(("solver", "kind"), [("sag", "catalyst"), *product(["saga"], KINDS)])
@pytest.mark.parametrize("loss", ["logistic", "squared"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4])
def test_centers_of_solvers_with_tables_are_the_twins(solver, kind, loss, l1_ratio):
    """SAG under Catalyst goes on from the last solution, with a center beyond the usual one."""
    base = replace(random_problem(loss, weighted=True, seed=3), alpha=0.005, l1_ratio=l1_ratio)
    for intercept, sampling, sparse in product(
        [True, False], ["uniform", "lipschitz"], [False, True]
    ):
        problem = replace(base, intercept=intercept)
        layouts = [name for name in LAYOUTS if ("csr" in name) == sparse]
        assert_twins(problem, kind, layouts, solver=solver, sampling=sampling)


def test_steps_along_which_the_envelope_rises_are_taken_back():
    """Far targets: the steps double where Huber's loss is linear, and overshoot where it is not."""
    problem = random_problem("huber", weighted=True, seed=3)
    problem = replace(problem, y=10 * problem.y, alpha=1e-4, l1_ratio=0.0, intercept=True)
    assert assert_twins(problem, "qning", LAYOUTS, epochs=12).taken_back > 0


@pytest.mark.parametrize(
    ("solver", "kind"), [("sag", "catalyst"), *product(["saga", "svrg"], KINDS)]
)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4])
@pytest.mark.parametrize("intercept", [True, False])
def test_centers_are_the_twins_in_the_units_of_the_columns(solver, kind, l1_ratio, intercept):
    problem = random_problem("logistic", weighted=True, seed=3, density=0.6)
    X = np.float32((problem.X + 1.0) * 2.0 ** np.arange(-3, 5)).astype(float)
    problem = replace(problem, X=X, alpha=1e-4, l1_ratio=l1_ratio, intercept=intercept)
    for sparse in (False, True):
        layouts = [name for name in LAYOUTS if ("csr" in name) == sparse]
        scaling = column_scaling(problem, sparse)
        assert_twins(problem, kind, layouts, solver=solver, scaling=scaling)


@each_kind
@each_solver
@pytest.mark.parametrize("loss", ["logistic", "squared"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_the_optimum_is_newtons_and_every_gap_is_true(kind, solver, loss, l1_ratio):
    problem = replace(ill_conditioned(loss=loss), alpha=3e-4, l1_ratio=l1_ratio)
    exact = fit(problem, solver="newton", tol=1e-13)
    for X in (problem.X, np.float32(problem.X), csr_tuple(problem.X)):
        result = accelerated(problem, kind, solver, X, tol=1e-9, max_iter=20000, check_interval=1)
        assert result["converged"]
        history = result["history"]
        slack = 1e-12 * result["null_objective"]
        assert np.all(history["objective"] - exact["objective"] <= history["gap"] + slack)
        assert result["objective"] - exact["objective"] <= 1e-9 * result["null_objective"]
        assert result["lower_bound"] <= exact["objective"] + slack


@each_kind
@each_solver
def test_layouts_agree(kind, solver):
    problem = ill_conditioned(l1_ratio=0.3)
    problem = replace(problem, X=problem.X * (np.abs(problem.X) > 0.7))
    options = {"seed": 1, "max_iter": 12, "tol": 0.0, "step_size": 0.01}
    results = [
        accelerated(problem, kind, solver, LAYOUTS[name](problem.X), **options)["coef"]
        for name in ("csr int32 float64", "csr int64 float64", "csr int32 float32")
    ]
    for other in results[1:]:
        assert np.array_equal(other, results[0])


@each_kind
@pytest.mark.parametrize(("solver", "seeds"), [("sag", 3), ("saga", 3), ("svrg", 3)])
def test_fewer_passes_than_the_base_on_an_ill_conditioned_problem(kind, solver, seeds):
    """At most 0.8 of the base's, in the median of three seeds."""
    problem = ill_conditioned()
    options = {"tol": 1e-6, "max_iter": 30000, "check_interval": 1}

    def passes(kind):
        return np.median(
            [
                accelerated(problem, kind, solver, seed=seed, **options)["history"]["passes"][-1]
                for seed in range(seeds)
            ]
        )

    assert passes(kind) <= 0.8 * passes(None)


@each_solver
def test_none_and_good_conditioning_leave_the_solver_as_it_is(solver):
    problem = replace(random_problem("logistic", n=200, density=1.0), alpha=0.5)  # n > L / mu
    same = {"inner_length": 2.0} if solver == "svrg" else {}
    options = {"solver": solver, "max_iter": 15, "tol": 0.0}
    plain = fit(problem, **options, solver_options=same)
    for kind in (None, *KINDS):
        result = fit(problem, **options, solver_options={"acceleration": kind, **same})
        assert_allclose(result["coef"], plain["coef"], rtol=1e-13, atol=1e-15)
        assert (kind is not None) or np.array_equal(result["coef"], plain["coef"])


@each_kind
@each_solver
@pytest.mark.parametrize("sampling", ["uniform", "lipschitz", "adaptive", "shuffle"])
@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning")
def test_resumed_is_uninterrupted(kind, solver, sampling):
    problem = ill_conditioned()
    for l1_ratio, X in product((0.0, 0.5), (problem.X, np.float32(problem.X))):
        options = {
            "solver": solver, "C": 100.0, "l1_ratio": l1_ratio, "tol": 0.0, "random_state": 3,
            "sampling": sampling, "solver_options": {"acceleration": kind},
        }  # fmt: skip
        whole = LogisticRegression(max_iter=24, **options).fit(X, problem.y)
        cut = LogisticRegression(max_iter=2, warm_start=True, **options).fit(X, problem.y)
        for epochs in (7, 1, 14):
            cut.set_params(max_iter=epochs).fit(X, problem.y)
        assert np.array_equal(whole.coef_, cut.coef_)
        assert np.array_equal(whole.intercept_, cut.intercept_)


@each_kind
@each_solver
def test_steps_far_too_long_are_recovered_from(kind, solver):
    problem = replace(ill_conditioned(loss="squared"), alpha=1e-3)
    result = accelerated(problem, kind, solver, step_size=3.0, tol=1e-5, max_iter=20000)
    assert result["converged"]
    assert result["history"]["step_size"][-1] < 3.0
