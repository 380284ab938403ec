"""BNGD on least squares: its plain twin, the table of its paper's results, scikit-learn's rules."""

import doctest
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from finitesum import BNGDRegressor, bngd
from reference import bngd as reference

RNG = np.random.default_rng(0)
N, P = 60, 4
X = RNG.normal(size=(N, P)) * [1, 2, 3, 0.5] * (RNG.random((N, P)) < 0.7) + [0, 1, 0, 0]
Y = X @ [1.0, -2.0, 0.5, 0.0] + 0.3 * RNG.normal(size=N) + 5
S = RNG.integers(0, 4, size=N).astype(float)
W = RNG.normal(size=P)


def after(n_steps, X=X, y=Y, s=None, w=None, **options):
    model = BNGDRegressor(max_iter=n_steps, tol=0.0, **options)
    with pytest.warns(ConvergenceWarning, match=f"after max_iter={n_steps} steps"):
        return model.fit(X, y, s, coef_init=w)


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
    "ignore::sklearn.exceptions.SkipTestWarning",
)
@parametrize_with_checks([BNGDRegressor()])
def test_scikit_learn_check(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("rate", [0.01, 0.5, 30.0])
@pytest.mark.parametrize("scale_rate", [1.0, 0.3])
def test_steps_are_the_definition(rate, scale_rate):
    options = {"learning_rate": rate, "scale_learning_rate": scale_rate}
    for n_steps in (1, 2, 25):
        model = after(n_steps, s=S, w=W, **options)
        coef, intercept, norm = reference.bngd(X, Y, S, W, rate, scale_rate, n_steps)
        assert_allclose(model.coef_, coef, rtol=1e-10)
        assert_allclose(model.intercept_, intercept, rtol=1e-10)
        assert_allclose(model.history_["direction_norm"][-1], norm, rtol=1e-10)
        residual = Y - model.predict(X)
        assert_allclose(model.history_["objective"][-1], S @ residual**2 / (2 * S.sum()))
        gradient = (
            np.abs(X.T @ (S * residual)).max() / np.abs(X.T @ (S * (Y - S @ Y / S.sum()))).max()
        )
        assert_allclose(model.history_["gradient"][-1], gradient, rtol=1e-6)


def test_layouts_and_weights():
    found = after(20, s=S)
    same = {"rtol": 1e-10, "atol": 1e-12}
    assert_allclose(after(20, sp.csr_array(X), s=S).coef_, found.coef_, **same)
    repeated = np.repeat(np.arange(N), S.astype(int))
    assert_allclose(after(20, X[repeated], Y[repeated]).coef_, found.coef_, **same)
    single = X.astype(np.float32)
    many = np.tile(single, (150, 1))  # more than are multiplied at once
    for layout in (many, sp.csr_array(many)):
        model = after(20, layout, np.tile(Y, 150))
        assert_allclose(model.coef_, after(20, single.astype(float)).coef_, **same)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_ends_at_least_squares(fit_intercept):
    model = BNGDRegressor(tol=1e-12, max_iter=5000, fit_intercept=fit_intercept).fit(X, Y)
    ones = np.full((N, 1), float(fit_intercept))
    expected = np.linalg.lstsq(np.hstack([X, ones]), Y)[0]
    assert model.converged_
    assert_allclose([*model.coef_, model.intercept_], expected, rtol=1e-8, atol=1e-9)


def test_of_many_optima_the_one_of_least_norm():
    wide, y = RNG.normal(size=(5, 20)), RNG.normal(size=5)
    model = BNGDRegressor(tol=1e-12, fit_intercept=False).fit(wide, y)
    assert_allclose(model.coef_, np.linalg.pinv(wide) @ y, rtol=1e-8)


def test_units_do_not_matter():
    units = (1.0, 2.0**400, 2.0**-400)
    ends = [BNGDRegressor(tol=1e-3).fit(unit * X, Y) for unit in units]
    for other, unit in zip(ends[1:], units[1:], strict=True):
        assert other.n_iter_ == ends[0].n_iter_
        assert_array_equal(other.coef_ * unit, ends[0].coef_)


@pytest.mark.theory
@pytest.mark.parametrize("factor", [4.0, 0.25])
def test_invariance_under_scaling_of_the_direction(factor):
    """(w, eps) -> (c w, c^2 eps) leaves every iterate; exactly, for powers of two."""
    found = after(50, w=W, learning_rate=0.3)
    other = after(50, w=factor * W, learning_rate=factor**2 * 0.3)
    assert_array_equal(found.coef_, other.coef_)
    assert_array_equal(other.direction_, factor * found.direction_)


def diagonal(d, seed):
    """A problem without intercept: H = diag(1, ..., 100), its minimizer, and a first w."""
    rng = np.random.default_rng(seed)
    eigenvalues = np.linspace(1, 100, d)
    star, w = rng.normal(size=(2, d))
    star /= np.linalg.norm(star)
    A = np.diag(np.sqrt(d * eigenvalues))
    return A, A @ star, eigenvalues, star, w / np.linalg.norm(w)


@pytest.mark.theory
@pytest.mark.parametrize("along", range(4))
@pytest.mark.parametrize("seed", range(3))
def test_the_condition_number_is_that_of_a_projected_matrix(along, seed):
    """Cai, Li, Shen, ICML 2019: near the optimum u, errors go by I - eps |u|^2/|w|^2 H*, where
    H* = H - H u u^T H / (u^T H u) has the eigenvalue 0 along u and all others within H's."""
    eigenvalues = np.array([1.0, 5.0, 10.0, 200.0])
    H = np.diag(eigenvalues)
    rng = np.random.default_rng(seed)
    star = 0.05 * rng.normal(size=4) + np.eye(4)[along]
    projected = H - np.outer(H @ star, H @ star) / (star @ H @ star)
    found = np.linalg.eigvalsh(projected)
    assert abs(found[0]) < 1e-12 * eigenvalues[-1]
    assert np.all(found[1:] >= eigenvalues[:-1] - 1e-10)
    assert np.all(found[1:] <= eigenvalues[1:] + 1e-10)
    condition, plain = found[-1] / found[1], eigenvalues[-1] / eigenvalues[0]
    assert condition <= plain * (1 + 1e-12)
    if along == 3:  # batch normalization has taken the largest one away
        assert condition < 0.06 * plain

    A = np.diag(np.sqrt(4 * eigenvalues))
    first = star + 1e-5 * rng.normal(size=4)
    best = 2 / (found[1] + found[-1])
    rate = best * (first @ first) / (star @ star)

    def error(n_steps):
        model = after(n_steps, A, A @ star, w=first, learning_rate=rate, fit_intercept=False)
        return np.linalg.norm(model.coef_ - star)

    factor = (error(60) / error(30)) ** (1 / 30)
    slowest = (condition - 1) / (condition + 1)
    assert factor <= slowest + 1e-3
    assert factor >= slowest - 0.02  # and it is not a smaller one
    assert factor <= (plain - 1) / (plain + 1) + 1e-3  # gradient descent's with its best step


def gap_after_3000(d, rate, seed):
    A, y, eigenvalues, star, w = diagonal(d, seed)
    model = after(3000, A, y, w=w, learning_rate=rate, fit_intercept=False)
    norms = model.history_["direction_norm"]
    assert np.all(np.diff(norms) >= -1e-12 * norms[1:])
    return eigenvalues @ (model.coef_ - star) ** 2 / (eigenvalues @ star**2)


@pytest.mark.theory
def test_any_step_converges_and_higher_dimensions_are_better():
    """The condition number is 100: gradient descent diverges at steps beyond 2/100, BNGD converges
    at 0.01 to 1 as fast as at its best, and beyond where the dimension is high."""
    _, _, eigenvalues, star, w = diagonal(10, 0)
    for _ in range(200):
        w = w + 0.1 * eigenvalues * (star - w)
    assert np.abs(w).max() > 1e100
    gaps = {
        (d, rate): np.median([gap_after_3000(d, rate, seed) for seed in range(3)])
        for d in (10, 100)
        for rate in (0.01, 0.1, 1.0, 10.0, 100.0)
    }
    for d in (10, 100):
        assert max(gaps[d, rate] for rate in (0.01, 0.1, 1.0)) < 1e-15
    assert gaps[100, 10.0] < 1e-15 < 1e-6 < gaps[10, 10.0] < 1e-4
    assert gaps[100, 100.0] < 1e-6 < 1e-4 < gaps[10, 100.0] < 1e-2


@pytest.mark.theory
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_convergence_is_linear_in_a_wide_range_of_steps(rate, seed):
    """Where gradient descent diverges (2/100) BNGD's gap falls as a geometric sequence does, in at
    most twice the steps of gradient descent at its best, ((k - 1) / (k + 1))^2 at k = 100. Near
    2/100 it may linger first: at 0.03, seed 2 stays near 2e-5 for a thousand steps."""
    A, y, eigenvalues, star, w = diagonal(100, seed)
    gaps = []
    for n_steps in (100, 200, 300, 400):
        model = after(n_steps, A, y, w=w, learning_rate=rate, fit_intercept=False)
        gaps.append(eigenvalues @ (model.coef_ - star) ** 2)
    factors = np.divide(gaps[1:], gaps[:-1]) ** (1 / 100)
    assert np.log(factors).max() < 0.5 * np.log((99 / 101) ** 2)


def test_nothing_to_explain():
    for y in (np.full(N, 0.1), np.where(np.arange(N) == 3, 7.0, 0.1)):
        s = np.where(np.arange(N) == 3, 0.0, 1.0)
        model = BNGDRegressor().fit(X, y, s)
        assert_array_equal(model.coef_, 0.0)
        assert_allclose(model.intercept_, 0.1, rtol=1e-14)
    model = BNGDRegressor().fit(np.ones((N, 2)), Y)
    assert_allclose(model.predict(np.ones((1, 2))), Y.mean())


@pytest.mark.parametrize(
    ("options", "w", "message"),
    [
        ({"learning_rate": 0.0}, None, "The 'learning_rate' parameter"),
        ({"scale_learning_rate": 1.5}, None, "The 'scale_learning_rate' parameter"),
        ({"max_iter": 0}, None, "The 'max_iter' parameter"),
        ({"tol": -1.0}, None, "The 'tol' parameter"),
        ({}, np.ones(P + 1), "coef_init must be finite and of shape"),
        ({}, np.full(P, np.nan), "coef_init must be finite and of shape"),
        ({}, np.zeros(P), "do not vary"),
        ({"learning_rate": 1e200}, None, "BNGD overflows"),
        ({}, 1e-200 * W, "BNGD underflows"),
    ],
)
def test_refusals(options, w, message):
    model = BNGDRegressor().fit(X, Y)
    model.set_params(**options)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, coef_init=w)
    assert model.converged_


@pytest.mark.parametrize("units", [(1e-200, 1.0), (1.0, 1e-200)], ids=["X", "y"])
def test_what_underflows_is_not_called_converged(units):
    with pytest.raises(ValueError, match="BNGD underflows: scale X, y or coef_init up"):
        BNGDRegressor().fit(units[0] * X, units[1] * Y)


def test_docstring_example():
    assert doctest.testmod(bngd).failed == 0
