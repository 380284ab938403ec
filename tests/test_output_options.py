"""Several outputs: anchors without stored derivatives, and columns in units of their own."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.datasets import load_wine

from finitesum import LogisticRegression, Ridge
from output_problems import LOSSES, SOLVERS, assert_same, each, fit, random_outputs
from reference import problem as single
from reference.problem import LAYOUTS
from reference.random_problems import PENALTIES
from test_multinomial import fit as fit_multinomial
from test_multinomial import random_multinomial
from test_multinomial import start as multinomial_start
from test_multinomial import twin as multinomial_twin

each_solver = pytest.mark.parametrize("solver", SOLVERS)
each_loss = pytest.mark.parametrize("loss", LOSSES)
SCALES = 2.0 ** np.array([0, 5, -4, 9, 1, -7])


def same_bits(one, other):
    keys = ("coef", "intercept")
    outcomes = zip(one["outputs"], other["outputs"], strict=True)
    return all(np.array_equal(one[key], other[key]) for key in keys) and all(
        a[key] == b[key] for a, b in outcomes for key in ("objective", "lower_bound", "n_iter")
    )


@each_loss
@pytest.mark.parametrize("penalty", PENALTIES)
def test_no_bit_depends_on_stored_derivatives(loss, penalty):
    kinds = [{}, {"intercept": False}, {"intercept_scaling": 2.0}]
    for case, (kind, layout) in enumerate(product(kinds, LAYOUTS)):
        problem = random_outputs(loss, penalty, n=37, p=5 + case, K=2 + case, weighted=True)
        problem = replace(problem, **kind)
        options = [{}, {"batch_size": 4, "iterate": "average"}][case % 2]
        stored, computed = (
            fit(
                problem, LAYOUTS[layout](problem.X), solver="svrg", max_iter=6, tol=0.0,
                sampling=["uniform", "lipschitz"][case // 2 % 2],
                solver_options={**options, "store_derivatives": store},
            )
            for store in (True, False)
        )  # fmt: skip
        assert same_bits(stored, computed)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_bit_of_a_multinomial_fit_depends_on_them_either(penalty, layout):
    for case, intercept in enumerate([True, False]):
        problem = random_multinomial(penalty, n=45, K=3 + 4 * case, intercept=intercept)
        stored, computed = (
            fit_multinomial(
                problem, LAYOUTS[layout](problem.X), solver="svrg", max_iter=6, tol=0.0,
                solver_options={"store_derivatives": store},
            )
            for store in (True, False)
        )  # fmt: skip
        assert np.array_equal(stored["coef"], computed["coef"])
        assert np.array_equal(stored["intercept"], computed["intercept"])
        assert stored["objective"] == computed["objective"]
        assert stored["lower_bound"] == computed["lower_bound"]


def test_passes_count_gradients_of_all_outputs_once():
    """Two per draw; an anchor takes a sweep each for F, for its gradient and for D."""
    for K in (2, 7):
        problem = random_outputs("huber", n=50, K=K, intercept=False)
        options = {"store_derivatives": False}
        result = fit(problem, solver="svrg", tol=0.0, max_iter=6, solver_options=options)
        for outcome in result["outputs"]:
            assert_allclose(outcome["history"]["passes"], 3 + 7 * np.arange(1, 7))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_resume_without_stored_derivatives_is_bit_for_bit(layout):
    problem = random_outputs("smoothed_hinge", "elastic_net", seed=8)
    X = LAYOUTS[layout](problem.X)
    options = {"solver": "svrg", "tol": 0.0, "solver_options": {"store_derivatives": False}}
    whole = fit(problem, X, max_iter=6, **options)
    half = fit(problem, X, max_iter=3, keep_state=True, **options)
    rest = fit(problem, X, max_iter=3, state=half["state"], **options)
    assert np.array_equal(rest["coef"], whole["coef"])
    assert np.array_equal(rest["intercept"], whole["intercept"])


def uneven(loss="squared", penalty="l2", **options):
    """Columns in very different units and far from zero; representable in float32."""
    problem = random_outputs(loss, penalty, n=60, p=6, density=0.8, **options)
    X = ((problem.X + 3) * SCALES).astype(np.float32).astype(float)
    return replace(problem, X=X)


SCALED = {"scale_columns": True}
EACH_KIND = ("dense float64", "csr int32 float64")


@each_solver
@pytest.mark.parametrize("loss", ["squared", "smoothed_hinge", "huber"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_scaled_steps_are_those_of_one_output(solver, loss, penalty):
    kinds = [{}, {"intercept": False}, {"intercept_scaling": 2.0}]
    for kind, sampling in product(kinds, ["uniform", "lipschitz"]):
        problem = replace(uneven(loss, penalty, K=3, weighted=True), **kind)
        svrg = {"iterate": "average", "batch_size": 3} if kind and solver == "svrg" else {}
        options = {
            "solver": solver, "sampling": sampling, "tol": 0.0, "max_iter": 5,
            "check_interval": 1, "solver_options": {**SCALED, **svrg},
        }  # fmt: skip
        for layout in ("dense float64", "dense float32", "csr int32 float64", "csr int64 float32"):
            X = LAYOUTS[layout](problem.X)
            together = fit(problem, X, **options)
            for k in range(problem.K):
                alone = single.fit(problem.output(k), X, **options)
                scale = max(1.0, np.abs(alone["coef"] * SCALES).max())
                moved = together["coef"][:, k] * SCALES
                assert_allclose(moved, alone["coef"] * SCALES, rtol=1e-9, atol=1e-9 * scale)
                assert_allclose(
                    together["intercept"][k], alone["intercept"], rtol=1e-9, atol=1e-8 * scale
                )
                assert_allclose(
                    each(together, "objective")[k], alone["objective"], rtol=1e-9, atol=1e-12
                )


@each_solver
@pytest.mark.parametrize("penalty", ["l2", "elastic_net"])
def test_scaled_fits_reach_the_optimum_and_prove_it(solver, penalty):
    problem = uneven("squared_hinge", penalty, K=4, weighted=True)
    best = [single.fit(problem.output(k), solver="newton", tol=1e-12) for k in range(problem.K)]
    smallest = np.array([a["objective"] for a in best])
    for layout in EACH_KIND:
        result = fit(
            problem, LAYOUTS[layout](problem.X), solver=solver, tol=1e-8, max_iter=50000,
            solver_options=SCALED,
        )  # fmt: skip
        assert each(result, "converged").all()
        null = each(result, "null_objective")
        assert np.all(each(result, "objective") <= smallest + 1.1e-8 * null)
        assert np.all(each(result, "lower_bound") <= smallest + 1e-12 * null)


@each_solver
def test_scaled_weights_are_repeated_rows(solver):
    base = uneven("huber", K=3, seed=4)
    counts = np.random.default_rng(0).integers(0, 4, size=base.n)
    index = np.repeat(np.arange(base.n), counts)
    weighted = replace(base, s=counts.astype(float))
    repeated = replace(base, X=base.X[index], y=base.y[index], s=np.ones(len(index)))
    options = {
        "solver": solver, "tol": 0.0, "max_iter": 3000, "check_interval": 3000,
        "solver_options": SCALED,
    }  # fmt: skip
    for layout in EACH_KIND:
        one, other = (
            fit(problem, LAYOUTS[layout](problem.X), **options) for problem in (weighted, repeated)
        )
        one["coef"] *= SCALES[:, None]
        assert_same(one, other["coef"] * SCALES[:, None], other["intercept"], rtol=1e-8)


@each_solver
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("layout", EACH_KIND)
def test_resume_with_scaled_columns_is_bit_for_bit(solver, penalty, layout):
    problem = uneven("smoothed_hinge", penalty, seed=8)
    X = LAYOUTS[layout](problem.X)
    options = {"solver": solver, "tol": 0.0, "check_interval": 3, "solver_options": SCALED}
    whole = fit(problem, X, max_iter=6, **options)
    half = fit(problem, X, max_iter=3, keep_state=True, **options)
    rest = fit(problem, X, max_iter=3, state=half["state"], **options)
    assert np.array_equal(rest["coef"], whole["coef"])
    assert np.array_equal(rest["intercept"], whole["intercept"])


@each_solver
def test_starts_are_those_of_the_rows_as_they_are(solver):
    """A warm start is checked before the first step."""
    problem = uneven("huber", K=3)
    rng = np.random.default_rng(5)
    W, b = rng.normal(size=(6, 3)) / SCALES[:, None], rng.normal(size=3)
    if solver == "svrg":  # whose anchor looks for the best intercepts
        problem = replace(problem, intercept_scaling=1.0)
    for layout in EACH_KIND:
        result = fit(
            problem, LAYOUTS[layout](problem.X), solver=solver, coef_init=W, intercepts_init=b,
            max_iter=1, tol=0.0, solver_options=SCALED,
        )  # fmt: skip
        first = [outcome["history"]["objective"][0] for outcome in result["outputs"]]
        assert_allclose(first, problem.objectives(W, b), rtol=1e-11)


@each_solver
@pytest.mark.parametrize("penalty", ["l2", "elastic_net"])
def test_sparse_and_dense_columns_are_scaled_alike(solver, penalty):
    """Without an intercept, which alone is what dense rows are centered for."""
    problem = replace(uneven("huber", penalty, weighted=True), intercept=False)
    options = {
        "solver": solver, "sampling": "lipschitz", "step_size": 0.02, "max_iter": 40, "tol": 0.0,
        "solver_options": SCALED,
    }  # fmt: skip
    if solver != "svrg" and penalty == "elastic_net":  # whose mass grows in jumps at first
        options["coef_init"] = np.full((6, 3), 0.1) / SCALES[:, None]
    dense, sparse = (fit(problem, LAYOUTS[layout](problem.X), **options) for layout in EACH_KIND)
    sparse["coef"] *= SCALES[:, None]
    assert_same(sparse, dense["coef"] * SCALES[:, None], dense["intercept"], rtol=1e-10)


@each_solver
@pytest.mark.parametrize("penalty", PENALTIES)
def test_multinomial_steps_along_scaled_columns_are_the_twins(solver, penalty):
    kinds = product([False, True], ["uniform", "lipschitz"], [False, True])
    for case, (intercept, sampling, warm) in enumerate(kinds):
        problem = random_multinomial(
            penalty, K=2 + case, intercept=intercept, weighted=case % 3 > 0, seed=case
        )
        problem = replace(problem, X=((problem.X + 1) * SCALES).astype(np.float32).astype(float))
        W, b = multinomial_start(problem, warm)
        W /= SCALES[:, None]
        options = {"sampling": sampling, "step_size": 0.02, "seed": 3}
        for layout in (*EACH_KIND, "csr int64 float32"):
            path = multinomial_twin(
                problem, solver, sparse="csr" in layout, begin=(W, b), scaled=True, **options
            )
            for k in (1, 2, 5):
                result = fit_multinomial(
                    problem, LAYOUTS[layout](problem.X), solver=solver, coef_init=W,
                    intercepts_init=b, tol=0.0, max_iter=k, solver_options=SCALED, **options,
                )  # fmt: skip
                coef, intercept = path[k - 1]
                result["coef"] *= SCALES[:, None]
                assert_same(result, coef * SCALES[:, None], intercept, rtol=1e-11)


@each_solver
@pytest.mark.parametrize("sparse", [False, True])
def test_raw_multinomial_data_reach_the_optimum(solver, sparse):
    """Columns whose spreads are a tenth to some hundreds, far from zero."""
    X, y = load_wine(return_X_y=True)
    data = sp.csr_array(X) if sparse else X
    options = {"C": 0.1, "tol": 1e-6, "random_state": 0, "max_iter": 10000}
    newton = LogisticRegression(solver="newton", C=0.1, tol=1e-12).fit(X, y)
    model = LogisticRegression(solver=solver, **options).fit(data, y)
    assert model.converged_
    assert model.objective_ <= newton.objective_ + 1.1e-6 * newton.null_objective_
    options |= {"max_iter": 1000, "solver_options": {"scale_columns": False}}
    plain = LogisticRegression(solver=solver, **options)
    with pytest.warns(UserWarning, match="did not converge"):
        plain.fit(data, y)
    assert plain.relative_gap_ > 1e-2


@each_solver
def test_auto_is_what_the_data_ask_for(solver):
    """Raw columns are scaled by themselves, alike ones are not."""
    raw = uneven(K=3)
    for problem, is_scaled in [(raw, True), (replace(raw, X=raw.X / SCALES - 3), False)]:
        X = LAYOUTS["csr int32 float64"](problem.X)
        options = {"solver": solver, "max_iter": 3, "tol": 0.0}
        by_itself, on, off = (
            fit(problem, X, solver_options={"scale_columns": choice}, **options)
            for choice in ("auto", True, False)
        )
        assert same_bits(by_itself, on) == is_scaled
        assert same_bits(by_itself, off) != is_scaled


@each_solver
def test_an_estimator_of_sparse_columns_scales_them_for_all_outputs_together(solver):
    problem = uneven(K=3)
    X = sp.csr_array(problem.X)
    options = {"alpha": 0.1, "solver": solver, "solver_options": SCALED, "random_state": 0}
    seen = []
    model = Ridge(max_iter=2000, tol=1e-3, callback=seen.append, **options).fit(X, problem.y)
    assert [check["output"] for check in seen[:3]] == [0, 1, 2]
    assert model.converged_
