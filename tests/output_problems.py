"""Random problems of several outputs, and their fits by the core and by the twins."""

from itertools import islice

import numpy as np
from numpy.testing import assert_allclose

from finitesum import _core
from reference import problem as single
from reference.column_scaling import column_scaling
from reference.multinomial import svrg_epochs, table_epochs
from reference.random_problems import PARAMETERS, PENALTIES, random_matrix, random_targets
from reference.separable import Separable
from reference.step_size import StepRule

SOLVERS = ["sag", "saga", "svrg"]
LOSSES = _core.loss_names()
EPOCHS = (1, 2, 5)


def random_outputs(
    loss="squared", penalty="l2", *, n=30, p=6, K=3, density=0.5, intercept=True, weighted=False,
    seed=0,
):  # fmt: skip
    rng = np.random.default_rng(seed)
    X = random_matrix(rng, n, p, density)
    scores = X @ rng.normal(size=(p, K)) + rng.normal(size=K)
    y = np.column_stack([random_targets(rng, loss, z) for z in scores.T])
    s = np.where(rng.random(n) < 0.1, 0.0, rng.exponential(size=n)) if weighted else np.ones(n)
    alpha, l1_ratio = PENALTIES[penalty]
    return Separable(X, y, s, loss, PARAMETERS.get(loss, 1.0), alpha, l1_ratio, intercept, K)


def fit(problem, X=None, **options):
    defaults = {
        "solver": "auto", "sampling": "auto", "step_size": 0.0, "tol": 1e-4, "max_iter": 1000,
        "check_interval": 0, "time_limit": np.inf, "seed": 0, "coef_init": None,
        "intercepts_init": None, "monitor": None, "y": problem.y,
    }  # fmt: skip
    options = {**defaults, **options}
    if options["coef_init"] is not None:
        options["coef_init"] = np.ravel(options["coef_init"])
    return _core.fit_multi(
        problem.X if X is None else X,
        options.pop("y").ravel(),
        None if np.all(problem.s == 1) else problem.s,
        n_outputs=problem.K,
        loss=problem.loss,
        loss_parameter=problem.parameter,
        alpha=problem.alpha,
        l1_ratio=problem.l1_ratio,
        fit_intercept=problem.intercept,
        intercept_scaling=problem.intercept_scaling,
        **options,
    )


def each(found, key):
    return np.array([outcome[key] for outcome in found["outputs"]])


def best(problem):
    """The optimum of each output on its own, by Newton."""
    return [
        single.fit(problem.output(k), solver="newton", tol=1e-13, max_iter=300)
        for k in range(problem.K)
    ]


def start(problem, warm=False):
    rng = np.random.default_rng(7)
    W = rng.normal(scale=0.3 * warm, size=(problem.X.shape[1], problem.K))
    return W, 0.3 * rng.normal(size=problem.K) * problem.intercept


def twin(
    problem, solver, *, sparse, warm=False, step_size=0.0, sampling="uniform", seed=0,
    solver_options=None,
):  # fmt: skip
    options = dict(solver_options or {})
    scaling = column_scaling(problem, sparse) if options.pop("scale_columns", False) else (1.0, 0.0)
    batch_size = options.get("batch_size", 1)
    rule = StepRule(problem, solver, step_size, sampling == "lipschitz", batch_size, scaling)
    W, b = start(problem, warm)
    if solver == "svrg":
        epochs = svrg_epochs(problem, rule, W, b, seed=seed, **options)
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
