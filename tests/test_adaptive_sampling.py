"""Samplings that know or learn the smoothness of the rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from finitesum import LogisticRegression, Ridge, _core
from reference.smoothness_draws import rounded

SAMPLINGS = _core.sampling_choices()
RNG = np.random.default_rng(1)
N, P = 400, 6
X = RNG.normal(size=(N, P)) * RNG.lognormal(0, 1.0, size=(N, 1))
Z = X @ RNG.normal(size=P)
Y = np.where(Z + RNG.logistic(size=N) > 0, 1, -1)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("solver", ["sag", "saga", "svrg", "katyusha"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_every_sampling_finds_the_optimum(sampling, solver, l1_ratio):
    options = {"C": 0.05, "l1_ratio": l1_ratio, "tol": 1e-6, "max_iter": 20000}
    optimum = LogisticRegression(solver="newton", **{**options, "tol": 1e-12}).fit(X, Y)
    weight = RNG.integers(0, 3, size=N).astype(float)
    weighted = LogisticRegression(solver="newton", **{**options, "tol": 1e-12}).fit(X, Y, weight)
    for data in (X, sp.csr_matrix(X)):
        for expected, s in ((optimum, None), (weighted, weight)):
            fit = LogisticRegression(solver=solver, sampling=sampling, random_state=0, **options)
            fit.fit(data, Y, s)
            assert fit.sampling_ == sampling or sampling == "auto"
            assert (
                fit.objective_ - expected.objective_ <= 1.001e-6 * expected.null_objective_ + 1e-12
            )


def test_adaptive_sampling_ignores_what_is_learned():
    """Well-classified rows are drawn less and less (Schmidt, Le Roux, Bach 2017)."""
    easy = np.column_stack([30 * np.sign(RNG.normal(size=1000)), np.zeros(1000)])
    hard = np.column_stack([np.zeros(50), RNG.normal(size=50)])
    features = np.vstack([easy, hard])
    labels = np.where(np.concatenate([easy[:, 0], RNG.normal(size=50)]) > 0, 1, -1)
    options = {"solver": "sag", "C": 1.0, "tol": 1e-8, "random_state": 0, "max_iter": 5000}
    options["solver_options"] = {"scale_columns": False}
    adaptive = LogisticRegression(sampling="adaptive", **options).fit(features, labels)
    even = LogisticRegression(sampling="uniform", **options).fit(features, labels)
    assert 5 * adaptive.n_iter_[0] < even.n_iter_[0]
    assert_allclose(even.draw_shares_, 0.1, rtol=0.05)
    assert_allclose(adaptive.draw_shares_.sum(), 1.0)
    assert adaptive.draw_shares_[-1] > 3 * adaptive.draw_shares_[:-1].max()


def test_lipschitz_shares_are_half_even_half_proportional():
    fit = Ridge(alpha=1.0, solver="saga", sampling="lipschitz", random_state=0, max_iter=5000)
    fit.fit(X, Z)
    smoothness = np.sort(rounded((X**2).sum(axis=1) + 1))
    probability = 0.5 / N + 0.5 * smoothness / smoothness.sum()
    assert_allclose(fit.draw_shares_, probability.reshape(10, -1).sum(axis=1), rtol=1e-12)


def test_auto_is_even_for_even_rows_and_adapts_otherwise():
    even = X / np.linalg.norm(X, axis=1, keepdims=True)
    for solver, uneven in (("sag", "adaptive"), ("saga", "adaptive"), ("svrg", "lipschitz")):
        fit = LogisticRegression(solver=solver, C=0.01, random_state=0)
        assert fit.fit(even, Y).sampling_ == "uniform"
        rows = X.copy()
        rows[:3] *= 20
        assert fit.set_params(max_iter=20000).fit(rows, Y).sampling_ == uneven


@pytest.mark.parametrize("rule", [c for c in _core.step_size_choices() if c != "auto"])
@pytest.mark.parametrize("solver", ["sag", "saga", "svrg"])
def test_step_rules(rule, solver):
    """Every rule's step is its formula, and reaches the optimum."""
    C = 0.05
    fit = LogisticRegression(
        solver=solver,
        C=C,
        step_size=rule,
        sampling="uniform",
        random_state=0,
        max_iter=20000,
        tol=1e-5,
    ).fit(X, Y)
    assert fit.converged_
    L = 0.25 * ((X**2).sum(axis=1).max() + 1)
    n_mu = 1 / C
    formula = {
        "1/L": 1 / L,
        "1/16L": 1 / (16 * L),
        "2/(L+n*mu)": 2 / (L + n_mu),
        "1/3L": 1 / (3 * L),
        "1/(2(L+n*mu))": 1 / (2 * (L + n_mu)),
    }
    step = fit.history_["step_size"][-1]
    if rule in formula:
        assert_allclose(step, formula[rule], rtol=1e-12)
    else:
        automatic = LogisticRegression(
            solver=solver, C=C, sampling="uniform", random_state=0, max_iter=20000, tol=1e-5
        ).fit(X, Y)
        assert step >= automatic.history_["step_size"][-1] / 2.001
