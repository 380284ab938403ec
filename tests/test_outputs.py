"""Several outputs of a separable loss in one pass: optima, certificates, and each on its own."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from finitesum import _core
from output_problems import LOSSES, SOLVERS, assert_same, best, each, fit, random_outputs
from reference import problem as single
from reference.problem import LAYOUTS
from reference.random_problems import PENALTIES

each_solver = pytest.mark.parametrize("solver", SOLVERS)
each_loss = pytest.mark.parametrize("loss", LOSSES)


@each_solver
@each_loss
@pytest.mark.parametrize("penalty", ["l2", "l1", "elastic_net"])
def test_each_output_is_at_its_own_optimum(solver, loss, penalty):
    problem = random_outputs(loss, penalty, n=60, K=5, weighted=True, seed=4)
    for layout, scaling in [("dense float64", np.inf), ("csr int64 float64", 2.0)]:
        problem = replace(problem, intercept_scaling=scaling)
        alone = best(problem)
        result = fit(
            problem, LAYOUTS[layout](problem.X), solver=solver, tol=1e-11, max_iter=50000
        )  # fmt: skip
        assert each(result, "converged").all()
        assert set(each(result, "stopping")) == {"duality gap"}
        null = [a["null_objective"] for a in alone]
        assert_allclose(each(result, "null_objective"), null, rtol=1e-13)
        assert np.all(each(result, "dual_gap") <= 1e-11 * np.array(null) + 1e-14)
        assert_allclose(each(result, "objective"), [a["objective"] for a in alone], rtol=1e-9)
        assert_allclose(result["coef"].T, [a["coef"] for a in alone], atol=2e-5)
        assert_allclose(result["intercept"], [a["intercept"] for a in alone], atol=2e-5)


def any_outputs(seed):
    rng = np.random.default_rng(seed)
    problem = random_outputs(
        LOSSES[seed % len(LOSSES)],
        ["l2", "l1", "elastic_net"][seed % 3],
        n=int(rng.integers(12, 300)),
        p=int(rng.integers(1, 12)),
        K=int(rng.integers(2, 12)),
        density=rng.uniform(0.2, 1),
        intercept=bool(rng.random() < 0.7),
        weighted=bool(rng.random() < 0.5),
        seed=seed,
    )
    scaling = [np.inf, 0.5, 3.0][seed % 5 % 3]
    return replace(problem, alpha=float(10 ** rng.uniform(-4, 0.5)), intercept_scaling=scaling)


@pytest.mark.parametrize("seed", range(36))
def test_gaps_bound_the_distance_to_the_optimum(seed):
    """At every check, of every output, and their objectives are those of the definition."""
    problem = any_outputs(seed)
    smallest = [a["objective"] for a in best(problem)]
    X = LAYOUTS[list(LAYOUTS)[seed % len(LAYOUTS)]](problem.X)
    for solver, max_iter in product(SOLVERS, (1, 2, 5, 30)):
        result = fit(problem, X, solver=solver, max_iter=max_iter, tol=0.0, seed=seed)
        objectives = problem.objectives(result["coef"], result["intercept"])
        for k, outcome in enumerate(result["outputs"]):
            scale = 1 + outcome["null_objective"]
            assert_allclose(outcome["objective"], objectives[k], rtol=1e-11, atol=1e-14)
            assert outcome["lower_bound"] <= smallest[k] + 1e-10 * scale
            history = outcome["history"]
            assert np.all(history["gap"] >= history["objective"] - smallest[k] - 1e-10 * scale)
            assert history["gap"][-1] == outcome["dual_gap"]
            assert history["nonzeros"][-1] == np.count_nonzero(result["coef"][:, k])


@each_solver
@pytest.mark.parametrize("loss", ["squared", "smoothed_hinge"])
def test_gaps_are_as_tight_as_those_of_one_output(solver, loss):
    problem = random_outputs(loss, n=400, p=10, K=4, seed=5)
    options = {"solver": solver, "sampling": "uniform", "max_iter": 8, "check_interval": 1}
    together = fit(problem, tol=0.0, **options)
    for k, outcome in enumerate(together["outputs"]):
        alone = single.fit(problem.output(k), tol=0.0, **options)
        assert_allclose(together["coef"][:, k], alone["coef"], rtol=1e-10, atol=1e-12)
        gaps = outcome["history"]["gap"], alone["history"]["gap"]
        assert_allclose(outcome["history"]["objective"], alone["history"]["objective"], rtol=1e-12)
        assert np.all(gaps[0] <= 1.5 * gaps[1])


@each_solver
@pytest.mark.parametrize("layout", ["dense float64", "csr int32 float64"])
def test_labels_are_signs(solver, layout):
    """+1 for the output of the label's number, if there is one."""
    problem = random_outputs("squared_hinge", n=50, K=4, weighted=True)
    labels = np.random.default_rng(0).integers(-1, 6, size=50).astype(np.int32)
    problem = replace(problem, y=np.where(labels[:, None] == np.arange(4), 1.0, -1.0))
    X = LAYOUTS[layout](problem.X)
    signs = fit(problem, X, solver=solver)
    assert np.array_equal(fit(problem, X, solver=solver, y=labels)["coef"], signs["coef"])


@each_solver
def test_samples_are_read_once_for_all_outputs(solver):
    """An epoch is n draws (SVRG: 2 n and a full pass) however many outputs there are."""
    for K in (2, 9):
        result = fit(random_outputs(n=40, K=K), solver=solver, max_iter=6, tol=0.0)
        assert each(result, "n_iter").tolist() == [6] * K
        for outcome in result["outputs"]:
            passes = 19.0 if solver == "svrg" else 6.0
            assert outcome["history"]["passes"][-1] == passes


def test_the_slowest_output_ends_the_fit():
    """A constant target is fitted by its intercept at once; its certificate stays true."""
    problem = random_outputs(n=60, seed=6)
    problem.y[:, 1] = 3.0
    result = fit(problem, solver="saga", tol=1e-9)
    assert each(result, "converged").all()
    assert result["outputs"][0]["n_iter"] > 3
    gaps = [outcome["history"]["gap"] for outcome in result["outputs"]]
    assert len({len(gap) for gap in gaps}) == 1
    assert_allclose(result["intercept"][1], 3.0, atol=1e-7)
    stopped = fit(problem, solver="saga", tol=1e-9, max_iter=1)
    assert each(stopped, "stopping").tolist() == ["max_iter", "duality gap", "max_iter"]


@each_solver
@each_loss
@pytest.mark.parametrize("penalty", ["l2", "elastic_net"])
def test_weights_are_repeated_rows(solver, loss, penalty):
    """Those of weight zero are absent, however wild."""
    # without looking: a gap at the level of rounding leaves its square root to the coefficients
    beyond = {"solver": solver, "tol": 0.0, "max_iter": 3000, "check_interval": 3000}
    base = random_outputs(loss, penalty, n=40, p=5, density=0.8, seed=4)
    counts = np.random.default_rng(0).integers(0, 4, size=base.n)
    index = np.repeat(np.arange(base.n), counts)
    wild = np.where(counts[:, None] > 0, base.X, 1e3 * base.X + 7)
    for intercept in ({}, {"intercept": False}, {"intercept_scaling": 2.0}):
        problem = replace(base, X=wild, s=counts.astype(float), **intercept)
        ones = np.ones(len(index))
        repeated = replace(problem, X=base.X[index], y=base.y[index], s=ones)
        again = fit(repeated, **beyond)
        for layout in ("dense float64", "csr int32 float64"):
            weighted = fit(problem, LAYOUTS[layout](wild), **beyond)
            assert_same(weighted, again["coef"], again["intercept"], rtol=1e-10)
            assert_allclose(each(weighted, "objective"), each(again, "objective"), rtol=1e-12)
            gaps = each(weighted, "dual_gap") / each(weighted, "null_objective")
            assert np.all(gaps <= 1e-10)


@pytest.mark.parametrize("sampling", ["cyclic", "shuffle", "adaptive"])
@pytest.mark.parametrize(
    ("solver", "step_rule"),
    [*product(SOLVERS, ["auto", "1/16L", "line-search"]), ("sag", "1/L")],
)
def test_every_sampling_and_step_reaches_the_optimum(solver, sampling, step_rule):
    problem = random_outputs("squared_hinge", "elastic_net", weighted=True, seed=4)
    smallest = [a["objective"] for a in best(problem)]
    for X in (problem.X, LAYOUTS["csr int32 float64"](problem.X)):
        result = fit(
            problem, X, solver=solver, sampling=sampling, step_rule=step_rule, tol=1e-7,
            max_iter=20000,
        )  # fmt: skip
        assert each(result, "converged").all()
        assert result["sampling"] == sampling
        excess = each(result, "objective") - smallest
        assert np.all(excess <= 1.1e-7 * each(result, "null_objective"))


@each_solver
def test_without_a_penalty_the_gradients_stop_the_fit(solver):
    problem = random_outputs(penalty="none", n=200, p=3, density=1.0)
    result = fit(problem, solver=solver, tol=1e-6, max_iter=20000)
    assert set(each(result, "stopping")) == {"gradient norm"}
    null = np.abs(problem.gradient(0 * result["coef"], problem.y.mean(axis=0))[0]).max(axis=0)
    left = np.abs(problem.gradient(result["coef"], result["intercept"])[0]).max(axis=0)
    assert np.all(left <= 1.001e-6 * null)
    assert np.all(each(result, "dual_gap") == np.inf)


@each_solver
@pytest.mark.parametrize("layout", ["dense float64", "csr int32 float64"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_resume_goes_on_to_the_bit(solver, layout, penalty):
    problem = random_outputs("smoothed_hinge", penalty, seed=8)
    problem = replace(problem, intercept_scaling=np.inf if "csr" in layout else 1.0)
    X = LAYOUTS[layout](problem.X)
    options = {"solver": solver, "tol": 0.0, "check_interval": 3}
    whole = fit(problem, X, max_iter=6, **options)
    half = fit(problem, X, max_iter=3, keep_state=True, **options)
    rest = fit(problem, X, max_iter=3, state=half["state"], **options)
    assert np.array_equal(rest["coef"], whole["coef"])
    assert np.array_equal(rest["intercept"], whole["intercept"])


def test_monitor_sees_each_output_until_it_stops_the_fit():
    seen = []
    problem = random_outputs()

    def monitor(check):
        seen.append((check["epoch"], check["output"]))
        return check["epoch"] == 2 and check["output"] == 1

    result = fit(problem, solver="sag", tol=0.0, check_interval=1, monitor=monitor)
    assert seen == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]
    assert set(each(result, "stopping")) == {"callback"}
    assert [len(outcome["history"]["gap"]) for outcome in result["outputs"]] == [2, 2, 2]


BITS = """
import sys, numpy as np
sys.path.insert(0, {tests!r})
from test_outputs import *
bits = []
for K, loss, penalty in [(3, "squared", "l2"), (5, "huber", "elastic_net"), (10, "logistic", "l1")]:
    problem = random_outputs(loss, penalty, n=80, K=K)
    wide = random_outputs(loss, penalty, n=20, p=29, K=K)
    batches = {{"iterate": "average", "batch_size": 3}}
    runs = [("svrg", batches), *((solver, {{}}) for solver in SOLVERS)]
    runs += [("svrg", {{"store_derivatives": False}}), ("saga", {{"scale_columns": True}})]
    for each_problem, (solver, options), layout in product([problem, wide], runs, LAYOUTS):
        result = fit(
            each_problem, LAYOUTS[layout](each_problem.X), solver=solver, max_iter=4, tol=0.0,
            solver_options=options,
        )
        bits += [*result["coef"].ravel(), *result["intercept"]]
        bits += [*each(result, "objective"), *each(result, "dual_gap")]
print(np.array(bits).tobytes().hex())
"""


@pytest.mark.skipif(len(_core.available_isas()) < 2, reason="one instruction set only")
def test_every_instruction_set_gives_the_same_bits():
    script = BITS.format(tests=os.path.dirname(__file__))
    runs = [
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "FINITESUM_ISA": isa},
            capture_output=True, text=True, check=True,
        ).stdout
        for isa in _core.available_isas()
    ]  # fmt: skip
    assert len(runs[0]) > 1000
    assert all(run == runs[0] for run in runs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(60)}, "y has the wrong shape"),
        ({"y": np.zeros(90, dtype=np.float32)}, "y has the wrong dtype"),
        ({"solver": "newton"}, "one at a time"),
        ({"solver": "lbfgs"}, "one at a time"),
        ({"solver": "magic"}, "unknown solver"),
        ({"coef_init": np.zeros(4)}, "coef_init"),
        ({"intercepts_init": np.zeros(2)}, "intercepts_init"),
        ({"state": np.zeros(9)}, "state"),
    ],
)
def test_bad_requests_are_refused(change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit(random_outputs(), **change)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="unknown loss"):
        fit(replace(random_outputs(), loss="magic"))
