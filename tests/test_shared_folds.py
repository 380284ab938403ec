"""Folds fitted side by side are the fits that they would be one by one, whatever the threads."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from finitesum import (
    ElasticNet,
    ElasticNetCV,
    LassoCV,
    LogisticRegressionCV,
    RidgeCV,
    _core,
    certify,
)
from finitesum.linear._shared_folds import fold_groups, shared_solver
from finitesum.linear._solve import Problem

ALPHAS = [0.3, 0.03, 0.001]
GIVEN: dict[str, Any] = {
    "l1_ratio": 0.0, "loss": "logistic", "loss_parameter": 1.0, "fit_intercept": True,
    "solver": "newton", "tol": 1e-11, "max_iter": 20_000, "check_interval": 0, "n_threads": 1,
    "seed": 0, "monitor": None,
}  # fmt: skip


def problem(loss: str, n: int = 120, p: int = 9) -> tuple[Any, NDArray[np.float64], Any]:
    """Rows, targets, and weights of three folds, the last of which leaves out nothing."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.6) * np.linspace(0.3, 2.0, p)
    y = X @ rng.standard_normal(p) + rng.standard_normal(n) + 0.5
    weights = rng.uniform(0.5, 2.0, (3, n))
    weights[0, ::3] = weights[1, 40:80] = 0.0
    return X, (np.sign(y) if loss == "logistic" else y), weights


def fit_folds(X: Any, y: Any, weights: Any, **options: Any) -> list[tuple[Any, ...]]:
    steps: list[tuple[Any, ...]] = []
    K = len(weights)
    alphas = np.outer(ALPHAS, np.linspace(1.0, 1.2, K))
    if sp.issparse(X):
        X = (X.data, X.indices, X.indptr, X.shape[1])
    given = {**GIVEN, **options}
    _core.fit_folds(
        X, y, weights.ravel(), alphas.ravel(), n_folds=K, n_steps=len(ALPHAS),
        report=lambda outcomes, w, b, _: steps.append((outcomes, w, b)), **given,
    )  # fmt: skip
    return steps


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("fit_intercept", [False, True], ids=["origin", "intercept"])
@pytest.mark.parametrize("loss", ["logistic", "squared"])
@pytest.mark.parametrize("solver", ["newton", "sdca"])
def test_together_as_one_by_one(solver: str, loss: str, fit_intercept: bool, sparse: bool) -> None:
    X, y, weights = problem(loss)
    options = {"solver": solver, "loss": loss, "fit_intercept": fit_intercept}
    steps = fit_folds(sp.csr_array(X) if sparse else X, y, weights, **options)
    assert len(steps) == len(ALPHAS)
    for alpha, (outcomes, coef, intercept) in zip(ALPHAS, steps, strict=True):
        for k, outcome in enumerate(outcomes):
            single = _core.fit(
                X, y, weights[k], loss=loss, loss_parameter=1.0, alpha=alpha * (1.0 + 0.1 * k),
                l1_ratio=0.0,
                fit_intercept=fit_intercept, solver="newton", sampling="auto", step_size=0.0,
                tol=1e-13, max_iter=200, check_interval=0, time_limit=np.inf, seed=0,
                coef_init=None, intercept_init=None, monitor=None,
            )  # fmt: skip
            rounding = 1e-14 * single["null_objective"]
            assert outcome["converged"]
            assert outcome["null_objective"] == pytest.approx(single["null_objective"], rel=1e-12)
            assert outcome["lower_bound"] <= single["objective"] + rounding
            assert outcome["objective"] >= single["lower_bound"] - rounding
            assert outcome["dual_gap"] <= 1.01e-11 * outcome["null_objective"] + rounding
            np.testing.assert_allclose(coef[k], single["coef"], atol=2e-4)
            assert intercept[k] == pytest.approx(single["intercept"], abs=2e-4)


def training_folds(n: int, how: str) -> NDArray[np.float64]:
    """Weights of four folds: cut, as a bootstrap draws them, or with little in common."""
    rng = np.random.default_rng(5)
    weight = rng.uniform(0.5, 2.0, n)
    if how == "bootstrap":  # every fold's rows weigh differently
        return weight * rng.poisson(1.0, (4, n))
    if how == "many groups":  # every second row in a group of its own
        return weight * (rng.random((4, n)) < 0.5)
    return weight * (rng.permutation(n) % 4 != np.arange(4)[:, np.newaxis])


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("how", ["cut", "bootstrap", "many groups"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [8, 120])
def test_least_squares_along_a_path(l1_ratio: float, how: str, sparse: bool, n: int) -> None:
    X, y, _ = problem("squared", n)
    weights = training_folds(n, how)
    steps = fit_folds(
        sp.csr_array(X) if sparse else X, y, weights, loss="squared", l1_ratio=l1_ratio, n_threads=2
    )
    for alpha, (outcomes, coef, intercept) in zip(ALPHAS, steps, strict=True):
        for k, outcome in enumerate(outcomes):
            of_fold = alpha * (1.0 + 0.2 * k / 3)
            model = ElasticNet(alpha=of_fold, l1_ratio=l1_ratio, solver="newton", tol=1e-13)
            model.fit(X, y, sample_weight=weights[k])
            assert outcome["converged"]
            assert outcome["n_iter"] <= 2  # the model is the problem
            assert outcome["objective"] == pytest.approx(model.objective_, rel=1e-10)
            found = certify(
                coef[k], intercept[k], X, y, loss="squared", alpha=of_fold, l1_ratio=l1_ratio,
                sample_weight=weights[k],
            )  # fmt: skip
            assert found.gap <= 1.1e-11 * outcome["null_objective"] + 1e-15
            assert outcome["objective"] == pytest.approx(found.objective, rel=1e-13)


def test_margins_are_those_of_all_rows() -> None:
    X, y, weights = problem("logistic")
    for solver, loss in (("newton", "logistic"), ("newton", "squared"), ("sdca", "logistic")):
        seen = []
        given = {**GIVEN, "solver": solver, "loss": loss}

        def report(_: Any, coef: Any, intercept: Any, margins: Any, seen: Any = seen) -> None:
            for w, z in zip(coef, margins, strict=True):
                seen.append(z is not None)
                if z is not None:
                    np.testing.assert_allclose(z, X @ w, atol=1e-12)

        alphas = np.full(3, 0.1)
        _core.fit_folds(X, y, weights.ravel(), alphas, n_folds=3, n_steps=1, report=report, **given)
        assert seen == [solver == "newton"] * 3


@pytest.mark.parametrize("solver", ["newton", "sdca"])
def test_threads_over_the_folds_do_not_show(solver: str) -> None:
    X, y, weights = problem("logistic")
    one, two, three = (
        fit_folds(X, y, weights, solver=solver, n_threads=n_threads) for n_threads in (1, 2, 3)
    )
    for step in range(len(ALPHAS)):
        for other in (two, three):
            assert other[step][1].tobytes() == one[step][1].tobytes()
            assert other[step][2].tobytes() == one[step][2].tobytes()


def test_newton_where_folds_have_little_in_common() -> None:
    X, y, weights = problem("logistic", n=60, p=40)
    weights[0, 20:] = weights[1, :20] = weights[1, 40:] = weights[2, :40] = 0.0
    steps = fit_folds(X, y, weights)
    assert all(outcome["converged"] for outcomes, _, _ in steps for outcome in outcomes)


def test_scores_do_not_know_the_rows_held_out() -> None:
    # noise that any fit with all rows would learn by heart
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 400)), rng.integers(0, 2, 200)
    model = LogisticRegressionCV(Cs=[1e-2, 1e4], tol=1e-2, solver="sdca", random_state=0).fit(X, y)
    assert model.scores_.mean() < 0.65


@pytest.mark.parametrize("n_folds", [1, 2, 5, 8, 9, 10, 25])
def test_groups_of_folds(n_folds: int) -> None:
    groups = fold_groups(n_folds)
    assert [k for group in groups for k in group] == list(range(n_folds))
    sizes = {len(group) for group in groups}
    assert max(sizes) <= 8
    assert max(sizes) - min(sizes) <= 1


def test_the_solver_named_is_the_one_that_runs() -> None:
    X, y, _ = problem("squared")
    fits = [
        RidgeCV([30.0, 100.0], cv=3, solver=s, tol=1e-10, random_state=0)
        for s in ("sdca", "newton", "sag")
    ]
    scores = [fit.fit(X, y).best_score_ for fit in fits]
    np.testing.assert_allclose(scores, scores[0], rtol=3e-6)  # of the order of sqrt(tol)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("CV", [LassoCV, ElasticNetCV])
def test_errors_of_a_path_do_not_depend_on_sharing(CV: Any, sparse: bool) -> None:
    X, y, weights = problem("squared")
    X = sp.csr_array(X) if sparse else X
    cv = KFold(5, shuffle=True, random_state=0)
    fits = [
        CV(alphas=8, cv=cv, solver=s, tol=1e-12, max_iter=10_000).fit(X, y, weights[2])
        for s in ("newton", "cd")
    ]
    np.testing.assert_allclose(fits[0].mse_path_, fits[1].mse_path_, rtol=1e-5)
    assert fits[0].alpha_ == fits[1].alpha_
    assert shared_solver(X, weights[2], [[Problem("squared", 0.1, 0.5)]], 5, fits[0]._control())


def test_wide_least_squares_keeps_no_hessians() -> None:
    X, _, weights = problem("squared")
    control = LassoCV(solver="newton")._control()
    wide = (np.ones(1), np.zeros(1, dtype=np.int32), np.array([0, 1], dtype=np.int32), 10_000)
    for matrix, expected in ((X, "newton"), (wide, None)):
        path = [[Problem("squared", 0.1, 1.0)]]
        assert shared_solver(matrix, weights[0], path, 5, control) == expected


def test_bad_requests() -> None:
    X, y, weights = problem("logistic")
    with pytest.raises(ValueError, match="unknown solver for folds 'sag'"):
        fit_folds(X, y, weights, solver="sag")
    with pytest.raises(ValueError, match="L1 with the squared loss"):
        fit_folds(X, y, weights, l1_ratio=0.5)
    with pytest.raises(ValueError, match="bounded second derivative"):
        fit_folds(X, np.abs(y), weights, loss="poisson")
