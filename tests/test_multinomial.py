"""Multinomial logistic regression in the core: its slow twin, weak duality, the optimum."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import islice, product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import linear_model as sklearn_linear

from finitesum import _core
from reference.column_scaling import column_scaling
from reference.multinomial import Multinomial, lbfgs_epochs, svrg_epochs, table_epochs
from reference.problem import LAYOUTS
from reference.random_problems import PENALTIES, random_matrix
from reference.step_size import StepRule

STOCHASTIC = ["sag", "saga", "svrg"]
L1_SOLVERS = [*STOCHASTIC, "newton"]
SOLVERS = [*L1_SOLVERS, "lbfgs"]
EPOCHS = (1, 2, 5)
each_solver = pytest.mark.parametrize("solver", SOLVERS)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES)


def random_multinomial(
    penalty="l2", *, n=30, p=6, K=3, density=0.5, intercept=True, weighted=False, seed=0
):
    rng = np.random.default_rng(seed)
    X = random_matrix(rng, n, p, density)
    scores = X @ rng.normal(size=(p, K)) + rng.gumbel(size=(n, K))
    y = np.r_[np.arange(K), scores[K:].argmax(axis=1)]  # no class is absent
    s = np.ones(n)
    if weighted:
        s = np.where(rng.random(n) < 0.1, 0.0, rng.exponential(size=n))
        s[:K] += 0.5
    alpha, l1_ratio = PENALTIES[penalty]
    return Multinomial(X, y, s, "multinomial", 1.0, alpha, l1_ratio, intercept, K)


def solvers_for(problem):
    return L1_SOLVERS if problem.l1 > 0 else SOLVERS


def fit(problem, X=None, **options):
    defaults = {
        "solver": "auto", "sampling": "auto", "step_size": 0.0, "tol": 1e-4, "max_iter": 1000,
        "check_interval": 0, "time_limit": np.inf, "seed": 0, "coef_init": None,
        "intercepts_init": None, "monitor": None,
    }  # fmt: skip
    options = {**defaults, **options}
    if options["coef_init"] is not None:
        options["coef_init"] = np.ravel(options["coef_init"])
    found = _core.fit_multi(
        problem.X if X is None else X,
        problem.y.astype(np.int32),
        None if np.all(problem.s == 1) else problem.s,
        n_outputs=problem.K,
        loss="multinomial",
        alpha=problem.alpha,
        l1_ratio=problem.l1_ratio,
        fit_intercept=problem.intercept,
        **options,
    )
    [outcome] = found.pop("outputs")
    return {**found, **outcome}


def start(problem, warm=False):
    rng = np.random.default_rng(7)
    W = rng.normal(scale=0.3 * warm, size=(problem.X.shape[1], problem.K))
    b = rng.normal(size=problem.K) * problem.intercept
    return W, b - b.mean()


def twin(
    problem, solver, *, sparse, warm=False, step_size=0.0, sampling="uniform", seed=0,
    begin=None, scaled=False,
):  # fmt: skip
    scaling = column_scaling(problem, sparse) if scaled else (1.0, 0.0)
    rule = StepRule(problem, solver, step_size, sampling == "lipschitz", scaling=scaling)
    W, b = start(problem, warm) if begin is None else begin
    if solver == "lbfgs":
        return list(islice(lbfgs_epochs(problem, W, b), max(EPOCHS)))
    if solver == "svrg":
        epochs = svrg_epochs(problem, rule, W, b, seed=seed)
    else:
        jumps = 1 / 16 if sparse and problem.l1 > 0 else 0.0
        epochs = table_epochs(problem, rule, W, b, seed=seed, mass_growth=jumps)
    return [(W, b) for W, b, _ in islice(epochs, max(EPOCHS))]


def core(problem, solver, X, *, warm=False, **options):
    W, b = start(problem, warm)
    return fit(problem, X, solver=solver, coef_init=W, intercepts_init=b, tol=0.0, **options)


def assert_same(result, W, b, rtol=1e-12):
    scale = max(1.0, np.abs(W).max())
    assert_allclose(result["coef"], W, rtol=rtol, atol=rtol * scale)
    assert_allclose(result["intercept"], b, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("solver", STOCHASTIC)
@each_penalty
def test_iterates_are_the_twins(solver, penalty):
    cases = product([False, True], [False, True], ["uniform", "lipschitz"], [False, True])
    for case, (intercept, weighted, sampling, warm) in enumerate(cases):
        K = 2 + case % 9  # every tile of the kernels
        problem = random_multinomial(
            penalty, K=K, intercept=intercept, weighted=weighted, seed=case
        )
        options = {"sampling": sampling, "step_size": 0.02, "seed": 3, "warm": warm}
        paths = [twin(problem, solver, sparse=sparse, **options) for sparse in (False, True)]
        for layout, k in product(LAYOUTS, EPOCHS):
            result = core(problem, solver, LAYOUTS[layout](problem.X), max_iter=k, **options)
            assert result["sampling"] == sampling
            assert_same(result, *paths["csr" in layout][k - 1])


@pytest.mark.parametrize("solver", STOCHASTIC)
@pytest.mark.parametrize("sampling", ["uniform", "lipschitz"])
def test_default_steps_are_the_twins(solver, sampling):
    for penalty, weighted in [("l2", False), ("elastic_net", True)]:
        problem = random_multinomial(penalty, weighted=weighted, seed=2)
        path = twin(problem, solver, sparse=False, sampling=sampling)
        for k in EPOCHS:
            result = core(problem, solver, problem.X, sampling=sampling, max_iter=k)
            assert_same(result, *path[k - 1], rtol=1e-11)
        rule = StepRule(problem, solver, 0.0, sampling == "lipschitz")
        assert_allclose(result["history"]["step_size"][-1], rule.step(True), rtol=1e-13)


@pytest.mark.parametrize("penalty", ["l2", "none"])
def test_iterates_of_lbfgs_are_the_twins(penalty):
    cases = product([False, True], [False, True], [False, True])
    for case, (intercept, weighted, warm) in enumerate(cases):
        problem = random_multinomial(
            penalty, n=60, K=2 + case, intercept=intercept, weighted=weighted, seed=case
        )
        path = twin(problem, "lbfgs", sparse=False, warm=warm)
        for layout, k in product(LAYOUTS, EPOCHS):
            result = core(problem, "lbfgs", LAYOUTS[layout](problem.X), max_iter=k, warm=warm)
            assert result["n_iter"] == k
            assert_same(result, *path[k - 1], rtol=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
def test_lbfgs_steps_in_units_of_the_columns(sparse):
    base = random_multinomial("l2", n=200, p=8, density=1.0, seed=2)
    epochs = []
    for scales in (np.ones(8), np.logspace(-4, 4, 8)):
        problem = replace(base, X=base.X * scales, alpha=1e-12)
        X = LAYOUTS["csr int32 float64" if sparse else "dense float64"](problem.X)
        result = fit(problem, X, solver="lbfgs", tol=1e-6, max_iter=1000)
        assert result["converged"]
        epochs.append(result["n_iter"])
    assert epochs[1] <= 3 * epochs[0]
    plain = {"solver_options": {"scale_columns": False}}
    assert not fit(problem, X, solver="lbfgs", tol=1e-6, max_iter=1000, **plain)["converged"]


@pytest.mark.parametrize("sampling", ["cyclic", "shuffle", "adaptive"])
@pytest.mark.parametrize(
    ("solver", "step_rule"),
    [*product(["sag", "saga", "svrg"], ["auto", "1/16L", "line-search"]), ("sag", "1/L")],
)
def test_every_sampling_and_step_reaches_the_optimum(solver, sampling, step_rule):
    problem = random_multinomial("elastic_net", weighted=True, seed=4)
    best = fit(problem, solver="newton", tol=1e-12)
    for X in (problem.X, LAYOUTS["csr int32 float64"](problem.X)):
        result = fit(
            problem, X, solver=solver, sampling=sampling, step_rule=step_rule, tol=1e-7,
            max_iter=20000,
        )  # fmt: skip
        assert result["converged"]
        assert result["sampling"] == sampling
        assert result["objective"] - best["objective"] <= 1.1e-7 * best["null_objective"]


def any_multinomial(seed):
    rng = np.random.default_rng(seed)
    problem = random_multinomial(
        ["l2", "l1", "elastic_net"][seed % 3],
        n=int(rng.integers(12, 60)),
        p=int(rng.integers(1, 12)),
        K=int(rng.integers(2, 12)),
        density=rng.uniform(0.2, 1),
        intercept=bool(rng.random() < 0.7),
        weighted=bool(rng.random() < 0.5),
        seed=seed,
    )
    return replace(problem, alpha=float(10 ** rng.uniform(-4, 0.5)))


@pytest.mark.parametrize("seed", range(45))
def test_gap_bounds_the_distance_to_the_optimum(seed):
    problem = any_multinomial(seed)
    best = fit(problem, solver="newton", tol=1e-13, max_iter=200)
    smallest = problem.objective(best["coef"], best["intercept"])
    X = LAYOUTS[list(LAYOUTS)[seed % len(LAYOUTS)]](problem.X)
    for solver, max_iter in product(solvers_for(problem), (1, 2, 5, 30)):
        result = fit(problem, X, solver=solver, max_iter=max_iter, tol=0.0, seed=seed)
        objective = problem.objective(result["coef"], result["intercept"])
        assert_allclose(result["objective"], objective, rtol=1e-12)
        scale = 1 + result["null_objective"]
        assert result["lower_bound"] <= smallest + 1e-10 * scale
        history = result["history"]
        assert np.all(history["gap"] >= history["objective"] - smallest - 1e-10 * scale)
        assert history["gap"][-1] == result["dual_gap"]


@pytest.mark.parametrize("seed", range(12))
def test_newton_is_at_a_stationary_point(seed):
    """The definition of the optimum, without any solver: 0 is a subgradient of F."""
    problem = any_multinomial(seed)
    result = fit(problem, solver="newton", tol=1e-12, max_iter=200)
    W, b = result["coef"], result["intercept"]
    gradient, of_intercepts = problem.gradient(W, b)
    gradient = gradient + problem.l2 * W
    off = np.where(
        W != 0, gradient + problem.l1 * np.sign(W), np.maximum(np.abs(gradient) - problem.l1, 0)
    )
    assert np.abs(off).max() <= 1e-5
    if problem.intercept:
        assert np.abs(of_intercepts).max() <= 1e-12
        assert abs(b.sum()) <= 1e-10


@pytest.mark.parametrize("solver", L1_SOLVERS)
def test_null_model(solver):
    """A penalty beyond which no coefficient pays: the intercepts are log frequencies."""
    problem = replace(random_multinomial("l1", weighted=True), alpha=100.0)
    result = fit(problem, solver=solver, tol=1e-13)
    assert result["converged"]
    assert not result["coef"].any()
    frequencies = np.bincount(problem.y, problem.s) / problem.S
    b = np.log(frequencies)
    assert_allclose(result["intercept"], b - b.mean(), atol=1e-5)
    assert_allclose(result["null_objective"], -frequencies @ b, rtol=1e-13)
    assert_allclose(result["objective"], result["null_objective"], rtol=1e-12)


@pytest.mark.parametrize(
    ("solver", "penalty"),
    [*product(SOLVERS, ["l2"]), *product(L1_SOLVERS, ["elastic_net"])],
)
def test_weights_are_repeated_rows(solver, penalty):
    problem = random_multinomial(penalty, seed=5)
    counts = np.random.default_rng(1).integers(0, 3, size=problem.n)
    counts[: problem.K] += 1
    index = np.repeat(np.arange(problem.n), counts)
    # without looking: a gap at the level of rounding leaves its square root to the coefficients
    max_iter = 3000 if solver in STOCHASTIC else 100
    beyond = {"solver": solver, "tol": 0.0, "max_iter": max_iter, "check_interval": 10_000}
    for intercept in (True, False):
        weighted = replace(problem, s=counts.astype(float), intercept=intercept)
        ones = np.ones(len(index))
        repeated = replace(weighted, X=problem.X[index], y=problem.y[index], s=ones)
        again = fit(repeated, **beyond)
        for layout in ("dense float64", "csr int32 float64"):
            result = fit(weighted, LAYOUTS[layout](weighted.X), **beyond)
            assert_same(result, again["coef"], again["intercept"], rtol=1e-10)
            assert result["dual_gap"] <= 1e-10 * result["null_objective"]


@each_solver
def test_two_classes_are_binary_logistic_regression(solver):
    """z_1 - z_0 is the binary prediction; halves of w and -w have half its squared norm."""
    problem = random_multinomial("l2", K=2, seed=6)
    ours = fit(problem, solver=solver, tol=1e-12)
    theirs = sklearn_linear.LogisticRegression(
        C=2 / (problem.alpha * problem.n), tol=1e-12, max_iter=10000, solver="newton-cg"
    ).fit(problem.X, problem.y)
    W = ours["coef"]
    assert_allclose(W[:, 1] - W[:, 0], theirs.coef_[0], atol=1e-5)
    assert_allclose(np.diff(ours["intercept"]), theirs.intercept_, atol=1e-5)


@each_solver
def test_without_a_penalty_the_gradient_stops_the_fit(solver):
    problem = random_multinomial("none", n=200, p=3, density=1.0)
    result = fit(problem, solver=solver, tol=1e-6, max_iter=20000)
    assert result["stopping"] == "gradient norm"
    assert np.abs(problem.gradient(result["coef"], result["intercept"])[0]).max() <= 2e-6
    assert result["dual_gap"] == np.inf


@pytest.mark.parametrize("layout", ["dense float64", "csr int32 float64"])
@pytest.mark.parametrize(
    ("solver", "penalty"),
    [*product(L1_SOLVERS, PENALTIES), ("lbfgs", "none"), ("lbfgs", "l2")],
)
def test_resume_goes_on_to_the_bit(solver, layout, penalty):
    problem = random_multinomial(penalty, seed=8)
    X = LAYOUTS[layout](problem.X)
    options = {"solver": solver, "tol": 0.0, "check_interval": 3}
    whole = fit(problem, X, max_iter=6, **options)
    half = fit(problem, X, max_iter=3, keep_state=True, **options)
    rest = fit(problem, X, max_iter=3, state=half["state"], **options)
    assert np.array_equal(rest["coef"], whole["coef"])
    assert np.array_equal(rest["intercept"], whole["intercept"])


BITS = """
import sys, numpy as np
sys.path.insert(0, {tests!r})
from test_multinomial import *
bits = []
for K, penalty in [(3, "l2"), (5, "elastic_net"), (10, "l1"), (16, "l2")]:
    problem = random_multinomial(penalty, n=80, K=K)
    for solver, layout in product(solvers_for(problem), LAYOUTS):
        result = fit(problem, LAYOUTS[layout](problem.X), solver=solver, max_iter=4, tol=0.0)
        bits += [*result["coef"].ravel(), *result["intercept"], *result["history"]["gap"]]
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
        ({"y": [0, 1, 3]}, "class numbers"),
        ({"y": [0, 1, -1]}, "class numbers"),
        ({"y": [0, 1, 1]}, "Every class"),
        ({"sample_weight": np.array([1.0, 1.0, 0.0])}, "Every class"),
        ({"n_outputs": 1}, "at least 2"),
        ({"y": np.zeros(9)}, "class numbers"),
        ({"solver": "magic"}, "unknown solver"),
        ({"solver": "lbfgs", "l1_ratio": 0.1}, "takes no L1 penalty"),
        ({"sampling": "magic"}, "unknown sampling"),
        ({"coef_init": np.zeros(4)}, "coef_init"),
        ({"intercepts_init": np.zeros(2)}, "intercepts_init"),
        ({"X": (np.ones(3), np.int32([0, 1, 2]), np.int32([0, 1, 2, 3]), 2)}, "column indices"),
    ],
)
def test_bad_requests_are_refused(change, message):
    request = {
        "X": np.eye(3, 2), "y": [0, 1, 2], "sample_weight": None, "n_outputs": 3,
        "loss": "multinomial", "alpha": 1.0, "l1_ratio": 0.0, "fit_intercept": True,
        "solver": "auto", "sampling": "auto",
        "step_size": 0.0, "tol": 1e-4, "max_iter": 10, "check_interval": 0, "time_limit": np.inf,
        "seed": 0, "coef_init": None, "intercepts_init": None, "monitor": None, **change,
    }  # fmt: skip
    if isinstance(request["y"], list):
        request["y"] = np.array(request["y"], dtype=np.int32)
    with pytest.raises(ValueError, match=message):
        _core.fit_multi(**request)


def test_extreme_scores():
    """Separable data, a weak penalty: probabilities underflow, nothing else does."""
    X = np.repeat(np.eye(4), 5, axis=0) * 1e3
    y = np.repeat(np.arange(4), 5)
    problem = Multinomial(X, y, np.ones(20), "multinomial", 1.0, 1e-8, 0.0, True, 4)
    result = fit(problem, solver="newton", tol=1e-6, max_iter=200)
    assert result["converged"]
    assert np.isfinite(result["coef"]).all()
    assert 0 <= result["objective"] <= 1e-6
