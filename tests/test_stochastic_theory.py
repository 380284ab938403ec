"""Sums of steps, constants of noise, rates of averages, and penalties in closed form."""

import doctest

import numpy as np
import pytest
from numpy.testing import assert_allclose

import finitesum
from finitesum import Ridge, _core, _stochastic_theory, theory
from test_sgd import core

pytestmark = pytest.mark.theory


def test_docstring_examples():
    result = doctest.testmod(_stochastic_theory)
    assert result.attempted > 0
    assert result.failed == 0


# --- Robbins and Monro -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("constant", lambda t: 0.1 + 0 * t),
        ("minimax", lambda t: 0.1 + 0 * t),
        ("optimal", lambda t: 1 / (1e-2 * (30 + t))),
        ("inverse", lambda t: 1 / t),
        ("bottou", lambda t: 3 / (50 + t)),
        ("inverse_square", lambda t: 1 / t**2),
        ("exponential", lambda t: np.exp(-1e-4 * t)),
        *[(f"invscaling {p}", lambda t, p=p: t**-p) for p in (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)],
    ],
)
def test_step_sums_are_those_of_the_formulas(name, formula):
    """Blocks of ten times the length: a sum is finite where they fall to nothing."""
    kind, _, power = name.partition(" ")
    found = theory.step_sums(kind, float(power or 0.5))
    edges = 10.0 ** np.arange(5, 9)
    for q, is_finite in ((1, found.steps_are_finite), (2, found.squares_are_finite)):
        blocks = []
        for low in edges:  # the integral over [low, 10 low], by the substitution t = exp(u)
            u = np.linspace(np.log(low), np.log(10 * low), 2001)
            blocks.append(np.trapezoid(formula(np.exp(u)) ** q * np.exp(u), u))
        assert is_finite == (blocks[-1] <= 0.5 * blocks[-2]), blocks
    assert found.converges == (found.squares_are_finite and not found.steps_are_finite)


def test_every_schedule_is_judged():
    by_objectives = {"adaptive", "plateau", "plateau_test", "halving", "fast_halving", "dog"}
    for name in _core.learning_rate_names():
        assert (theory.step_sums(name).converges is None) == (name in by_objectives)
    with pytest.raises(ValueError, match="learning_rate must be one of"):
        theory.step_sums("auto")
    with pytest.raises(ValueError, match="power_t must not be negative"):
        theory.step_sums("invscaling", -1)


# --- Assumption 4.3 of Bottou, Curtis and Nocedal ---------------------------------------------


def linear_gradients(A, y):
    return lambda w: (A @ w - y)[:, None] * A


def test_noise_is_bounded_by_its_estimate():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(200, 3))
    y = A @ [1.0, -2.0, 0.5] + rng.normal(size=200)
    gradients, points = linear_gradients(A, y), rng.normal(size=(20, 3)) * 3
    found = theory.estimate_noise(gradients, points)
    assert found.M_G == 1 + found.M_V
    tight = np.inf
    for w in points:
        g = gradients(w)
        mean = g.mean(axis=0) @ g.mean(axis=0)
        room = found.M + found.M_G * mean - np.mean(np.sum(g**2, axis=1))
        assert room >= -1e-9 * mean
        tight = min(tight, room / mean)
    assert tight < 1e-9  # M is the smallest for this slope
    batches = theory.estimate_noise(gradients, points, batch_size=10)
    assert_allclose(np.array(batches[:2]) * 10, found[:2])
    drawn = [gradients(points[0])[rng.integers(200, size=10)].mean(axis=0) for _ in range(20_000)]
    square = np.sum(gradients(points[0]).mean(axis=0) ** 2)
    assert np.sum(np.var(drawn, axis=0)) <= 1.05 * (batches.M + batches.M_V * square)


def test_noise_vanishes_where_all_rows_are_fitted():
    A = np.random.default_rng(0).normal(size=(50, 2))
    star = np.array([1.0, 2.0])
    at = [star + t * np.array([0.6, 0.8]) for t in (0.0, 1.0, 3.0)]
    found = theory.estimate_noise(linear_gradients(A, A @ star), at)
    assert found.M <= 1e-12 < found.M_V


@pytest.mark.parametrize(
    ("gradients", "points", "message"),
    [
        (lambda w: w, [[0.0]], "must return shape"),
        (lambda w: np.zeros((3, 2)), [[0.0]], "must return shape"),
        (lambda w: np.full((3, 1), np.nan), [[0.0]], "finite"),
        (lambda w: np.zeros((3, 1)), [], "one point at least"),
    ],
)
def test_noise_of_bad_gradients(gradients, points, message):
    with pytest.raises(ValueError, match=message):
        theory.estimate_noise(gradients, points)
    with pytest.raises(ValueError, match="batch_size"):
        theory.estimate_noise(lambda w: np.zeros((3, 1)), [[0.0]], batch_size=0)


# --- Rates of averages and of the last iterate, hinge loss -------------------------------------


def hinge_problem(alpha):
    """Rows of norm one; F without an intercept, and its minimum (a long weighted average)."""
    rng = np.random.default_rng(1)
    A = rng.normal(size=(300, 4))
    A /= np.linalg.norm(A, axis=1)[:, None]
    y = np.sign(A @ rng.normal(size=4) + 0.6 * rng.normal(size=300))

    def objective(w):
        return np.maximum(0, 1 - y * (A @ w)).mean() + alpha / 2 * w @ w

    return A, y, objective


def mean_gaps(A, y, F, least, epochs, seeds=20, **options):
    return [
        np.mean([
            F(
                core(A, "hinge", y=y, epochs=k, order="iid", seed=seed, fit_intercept=False,
                     **options)[0][:-1]
            )
            for seed in range(seeds)
        ]) - least
        for k in epochs
    ]  # fmt: skip


def test_s98_with_strong_convexity_averages_are_of_1_over_t():
    """Steps 2 / (c (t + 1)) and weights t: E F - F* <= 2 G^2 / (c (T + 1)) (Lacoste-Julien, Schmidt
    and Bach, arXiv:1212.2002), G = 2 as |w| <= 1/c all along. Last iterate of 1 / (c t): at most
    17 G^2 (1 + log T) / (c T) (Shamir and Zhang, ICML 2013, theorem 1), and above the average."""
    c, epochs = 0.1, (1, 4, 16)
    A, y, F = hinge_problem(c)
    T = len(y) * np.array(epochs)
    common = {"alpha": c, "rate": "bottou"}
    least = F(
        core(
            A, "hinge", y=y, epochs=3000, order="shuffle", fit_intercept=False,
            average="weighted", schedule={"beta": 2 / c, "gamma": 1.0}, **common,
        )[0][:-1]
    )  # fmt: skip
    schedule = {"beta": 2 / c, "gamma": 1.0}
    averaged = mean_gaps(A, y, F, least, epochs, average="weighted", schedule=schedule, **common)
    assert (np.array(averaged) <= 2 * 4 / (c * (T + 1))).all()
    assert averaged[0] / averaged[2] > 8  # 16 by the theorem's rate
    suffix = mean_gaps(
        A, y, F, least, epochs, average="suffix", schedule={"beta": 1 / c, "gamma": 0.0}, **common
    )
    assert suffix[0] / suffix[2] > 8
    last = mean_gaps(A, y, F, least, epochs, schedule={"beta": 1 / c, "gamma": 0.0}, **common)
    assert (np.array(last) <= 17 * 4 * (1 + np.log(T)) / (c * T)).all()
    assert last[0] / last[2] > 4
    assert np.all(np.array(averaged) < last)


def test_s98_without_strong_convexity_gaps_are_of_1_over_root_t():
    """Steps B / sqrt(t) in the ball of radius B: the last iterate is below (D^2 / B + B G^2)
    (2 + log T) / sqrt(T), D = 2 B, G = 1 (Shamir and Zhang, theorem 2); an average wins late."""
    A, y, F = hinge_problem(0.0)
    B, epochs = 2.0, (1, 4, 16)
    common = {"penalty": "none", "ball": "l2", "radius": B}
    least = F(
        core(
            A, "hinge", y=y, epochs=3000, order="shuffle", fit_intercept=False, average="weighted",
            rate="inverse", schedule={"eta0": 20.0}, **common,
        )[0][:-1]
    )  # fmt: skip
    common |= {"rate": "invscaling", "schedule": {"eta0": B, "power_t": 0.5}}
    T = len(y) * np.array(epochs)
    last = np.array(mean_gaps(A, y, F, least, epochs, **common))
    suffix = np.array(mean_gaps(A, y, F, least, epochs, average="suffix", **common))
    assert (last <= (4 * B + B) * (2 + np.log(T)) / np.sqrt(T)).all()
    assert suffix[2] < last[2]
    assert last[0] / last[2] > 2
    assert suffix[0] / suffix[2] > 2


def test_theorem_4_10_weighted_squared_gradients_have_a_finite_sum():
    """Robbins and Monro: E sum eta_k |grad F(w_k)|^2 is finite, so that the mean of |grad F|^2,
    weighted by eta_k, goes to zero; with a constant step it stays above the noise. The loss is
    r^2 / (1 + r^2), not convex."""
    rng = np.random.default_rng(0)
    n, n_seeds = 50, 50
    A = rng.normal(size=(n, 2)) + 1
    A /= np.linalg.norm(A, axis=1)[:, None]
    y = 0.8 * A.sum(axis=1) + 0.2 * rng.normal(size=n)

    def slope(r):
        return 2 * r / (1 + r**2) ** 2

    means = {}
    for name, eta in (("inverse", lambda k: 20 / (20 + k)), ("constant", lambda k: 0.5)):
        optimizer = finitesum.Optimizer("sgd", learning_rate=1.0)
        w, sums, etas = np.zeros((n_seeds, 2)), [], []
        for k in range(1, 4001):
            square = np.mean(np.sum((slope(w @ A.T - y) @ A / n) ** 2, axis=1))
            sums.append(eta(k) * square)
            etas.append(eta(k))
            i = rng.integers(n, size=n_seeds)
            r = np.einsum("sp,sp->s", A[i], w) - y[i]
            optimizer.step(w, slope(r)[:, None] * A[i], learning_rate=eta(k))
        sums, etas = np.cumsum(sums), np.cumsum(etas)
        means[name] = (sums / etas)[[399, 3999]]
        if name == "inverse":
            assert sums[-1] - sums[1999] < 0.02 * sums[-1]  # ever less is added
    assert means["inverse"][1] < 0.6 * means["inverse"][0]
    assert means["constant"][1] > 0.5 * means["constant"][0]


# --- What penalties do to a quadratic -----------------------------------------------------------


def full_batches(A, y, alpha, l1_ratio):
    w, _ = core(
        A, "squared", y=y, epochs=3000, batch_size=len(y), fit_intercept=False, alpha=alpha,
        l1_ratio=l1_ratio, schedule={"eta0": 0.1},
    )  # fmt: skip
    return w[:-1]


def test_s67_l2_shrinks_along_the_hessians_axes():
    """(H + alpha I)^-1 H w* = Q (Lambda + alpha I)^-1 Lambda Q^T w*."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(40, 4)) * [1.5, 1, 1, 0.6]
    y = A @ rng.normal(size=4) + rng.normal(size=40)
    values, Q = np.linalg.eigh(A.T @ A / 40)
    star = np.linalg.lstsq(A, y, rcond=None)[0]
    expected = Q @ (values / (values + 0.3) * (Q.T @ star))
    assert_allclose(full_batches(A, y, 0.3, 0.0), expected, atol=1e-10)


def test_s69_l1_of_a_diagonal_hessian_is_a_soft_threshold():
    h, star = np.array([4.0, 1.0, 0.25]), np.array([1.0, -0.5, 0.5])
    A = np.diag(np.sqrt(3 * h))
    for alpha in (0.05, 0.2, 0.6):
        expected = np.sign(star) * np.maximum(np.abs(star) - alpha / h, 0)
        found = full_batches(A, A @ star, alpha, 1.0)
        assert_allclose(found, expected, atol=1e-10)
        assert np.array_equal(found == 0, expected == 0)


def test_s68_subgradient_steps_never_reach_zero_but_proximal_ones_do():
    h, star, alpha, eta = 0.5, 0.3, 0.4, 0.1
    A = np.array([[np.sqrt(h)]])
    w = np.array([1.0])
    rule = _core.Optimizer("sgd", {})
    for k in range(1, 300):
        rule.update(eta, k, h * (w - star) + alpha * np.sign(w), w, [])
        assert w[0] != 0
    assert full_batches(A, A @ [star], alpha, 1.0)[0] == 0


def test_s49_the_error_is_least_at_the_degree_of_the_truth():
    """21 points of a quadratic with noise: a line is biased, degree 20 follows the noise."""
    rng = np.random.default_rng(0)
    x, fresh = np.linspace(-1, 1, 21), np.linspace(-1, 1, 400)
    errors = {1: 0.0, 2: 0.0, 20: 0.0}
    for _ in range(20):
        y = 1 + 2 * x - 3 * x**2 + 0.3 * rng.normal(size=21)
        for degree in errors:
            powers = np.polynomial.legendre.legvander(x, degree)[:, 1:]
            model = Ridge(alpha=1e-10, tol=1e-12, max_iter=5000).fit(powers, y)
            found = model.predict(np.polynomial.legendre.legvander(fresh, degree)[:, 1:])
            errors[degree] += np.mean((found - (1 + 2 * fresh - 3 * fresh**2)) ** 2) / 20
    assert errors[2] < errors[1] / 5
    assert errors[2] < errors[20] / 5


@pytest.mark.parametrize("kind", ["l3", 1])
def test_balls_that_are_none(kind):
    with pytest.raises(ValueError, match="kind must be"):
        theory.penalty_of_ball(kind, [1.0], [1.0])
    with pytest.raises(ValueError, match="one shape"):
        theory.penalty_of_ball("l1", [1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="coef is zero"):
        theory.penalty_of_ball("l2", [0.0], [1.0])
