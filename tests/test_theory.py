"""The rates of the literature, and solvers held to them.

Seeds are stated where they are drawn. A solver's bounds are means over SEEDS runs; min F is
Newton's, certified to 1e-14 of the null objective.
"""

import doctest
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from finitesum import Ridge, theory
from reference.problem import Problem, fit

pytestmark = pytest.mark.theory

SEEDS = 10
SMOOTH = ("squared", "logistic")


def make(loss, n, p, *, alpha=None, row_spread=0.0, seed=0):
    """Gaussian rows, times exp(row_spread * normal); no intercept; alpha = 1/n by default."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.exp(row_spread * rng.normal(size=n))[:, np.newaxis]
    z = X @ rng.normal(size=p) / np.sqrt(p) + rng.normal(size=n)
    y = z if loss == "squared" else np.where(z > 0.0, 1.0, -1.0)
    return Problem(X, y, np.ones(n), loss, 1.0, alpha or 1.0 / n, 0.0, intercept=False)


def run(problem, epochs, **options):
    """A history with a check after each epoch, whatever the gap."""
    options = {"sampling": "uniform", "check_interval": 1, **options}
    return fit(problem, tol=0.0, max_iter=epochs, **options)["history"]


def mean_objective(problem, epochs, **options):
    """Mean over seeds 0..9 after each epoch; a run that can go no further counts as it ended."""
    runs = [run(problem, epochs, seed=seed, **options)["objective"] for seed in range(SEEDS)]
    return np.mean([np.pad(r, (0, epochs - len(r)), mode="edge") for r in runs], axis=0)


def optimum(problem):
    result = fit(problem, solver="newton", tol=1e-14)
    return result["objective"], result["coef"]


def constants(problem):
    """(L of the worst f_i, mu), with the penalty in both."""
    L = problem.smoothness() * (problem.X**2).sum(axis=1).max() + problem.l2
    return L, problem.l2


def full_constants(problem):
    """(L, mu) of F for the squared loss, from the eigenvalues; bounds for the others."""
    eigenvalues = np.linalg.eigvalsh(problem.X.T @ problem.X / problem.n)
    smallest = eigenvalues[0] if problem.loss == "squared" else 0.0
    return problem.smoothness() * eigenvalues[-1] + problem.l2, smallest + problem.l2


def gradient(problem, w):
    return problem.gradient(w, 0.0)[0] + problem.l2 * w


# --- Numbers ---------------------------------------------------------------------------------


def test_numbers_of_the_slides():
    n, L = 700_000, 0.25
    factors = [
        theory.gradient_descent_factor(L, 1 / n),
        theory.accelerated_factor(L, 1 / n),
        theory.sag_factor(L, 1 / n, n),
        theory.first_order_factor(L, 1 / n),
    ]
    expected = [0.9999771, 0.9976095, 0.8824969, 0.9904837]
    np.testing.assert_allclose(factors, expected, rtol=0, atol=5e-8)
    assert f"{theory.sag_factor(L, 1 / n, n):.8f}" == "0.88249689"  # exp(-1/8) ends in 90


@pytest.mark.parametrize("n", [2, 10, 10**4, 10**8])
def test_sag_of_well_conditioned_problems_gains_an_eighth_per_pass(n):
    factor = theory.sag_factor(1.0, 1.0, n)
    assert factor <= np.exp(-1 / 8)
    assert factor >= np.exp(-1 / 8) * (1 - 0.01 / n)
    assert theory.sag_factor(16.0 * n, 1.0, n) > factor


def test_evaluations_of_the_slides():
    n, L, mu, epsilon = 1000, 50.0, 0.5, 1e-6
    digits = np.log(1e6)
    expected = {
        "sg": 100 / 1e-6,
        "gd": 1000 * 100 * digits,
        "agd": 1000 * 10 * digits,
        "sag": 1000 * digits,
        "svrg": 1100 * digits,
    }
    found = {name: theory.evaluations(name, n, L, mu, epsilon) for name in theory.METHODS}
    assert found == pytest.approx(expected)


def test_sag_crosses_over_at_a_condition_number_of_n():
    n, mu, epsilon = 1000, 1e-3, 1e-3
    conditions = np.logspace(0, 6, 13)
    sag = np.array([theory.evaluations("sag", n, k * mu, mu, epsilon) for k in conditions])
    agd = np.array([theory.evaluations("agd", n, k * mu, mu, epsilon) for k in conditions])
    assert np.ptp(sag[conditions <= n]) == 0.0
    assert np.all(np.diff(sag[conditions >= n]) > 0.0)
    # beyond n^2, acceleration wins
    np.testing.assert_array_equal(sag < agd * (1 - 1e-9), (conditions > 1) & (conditions < n**2))


@pytest.mark.parametrize(
    "call",
    [
        lambda: theory.sag_factor(1.0, 2.0, 10),
        lambda: theory.gradient_descent_factor(1.0, 0.0),
        lambda: theory.accelerated_factor(np.inf, 1.0),
        lambda: theory.first_order_factor(np.nan, 1.0),
        lambda: theory.sag_factor(1.0, 1.0, 0),
        lambda: theory.svrg_factor(1.0, 0.1, 100, 0.5),
        lambda: theory.evaluations("newton", 10, 1.0, 0.1, 1e-3),
        lambda: theory.evaluations("sag", 10, 1.0, 0.1, 1.0),
    ],
)
def test_constants_out_of_range(call):
    with pytest.raises(ValueError, match="must"):
        call()


def test_docstring_examples():
    result = doctest.testmod(theory)
    assert result.attempted > 0
    assert result.failed == 0


# --- Lemma 14.1 of Shalev-Shwartz and Ben-David ----------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.floats(1e-3, 1e3))
def test_regret_of_any_vectors_is_bounded(seed, steps, step_size):
    rng = np.random.default_rng(seed)
    v = rng.normal(size=(steps, 3)) * rng.exponential(size=(steps, 1))
    w = np.vstack([np.zeros(3), -step_size * np.cumsum(v, axis=0)])
    squares = (v**2).sum(axis=1)

    def regret(target):
        return np.sum((w[:-1] - target) * v)

    target = step_size * rng.normal(size=3)
    bound = theory.regret_bound(target @ target, step_size, squares)
    assert regret(target) <= bound * (1 + 1e-12)
    # the last iterate reaches it
    bound = theory.regret_bound(w[-1] @ w[-1], step_size, squares)
    assert regret(w[-1]) == pytest.approx(bound, rel=1e-10)


# --- The rate of a history -------------------------------------------------------------------


def test_rate_measures_gap_or_distance_to_a_known_optimum():
    passes = np.arange(1.0, 40.0)
    history = {"passes": passes, "gap": 0.3**passes, "objective": 2.0 + 5.0 * 0.5**passes}
    assert theory.rate(history) == pytest.approx(np.log(0.3))  # the last are rounding, unused
    assert theory.rate(history, optimum=2.0) == pytest.approx(np.log(0.5), rel=1e-4)


@pytest.mark.parametrize("gap", [[1.0], [np.inf, 1.0], [np.inf, np.inf], [0.0, 0.0]])
def test_rate_needs_two_finite_gaps(gap):
    passes = np.arange(float(len(gap)))
    with pytest.raises(ValueError, match="two checks"):
        theory.rate({"passes": passes, "gap": np.array(gap)})


def test_rate_takes_one_output():
    X = np.random.default_rng(0).normal(size=(30, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = Ridge(solver="sag", max_iter=3, tol=0, random_state=0).fit(X, X[:, :2])
    with pytest.raises(ValueError, match="several outputs"):
        theory.rate(model.history_)


# --- Full gradients: the factors hold, and the quadratic's are sharp ---------------------------


@pytest.mark.parametrize("loss", SMOOTH)
def test_gradient_descent_is_as_fast_as_its_factor(loss):
    problem = make(loss, 300, 10, alpha=0.1)
    w_star = optimum(problem)[1]
    L, mu = full_constants(problem)
    w, distances = np.zeros(10), []
    for _ in range(30):
        w = w - 2.0 / (L + mu) * gradient(problem, w)
        distances.append(np.sum((w - w_star) ** 2))
    bound = theory.gradient_descent_factor(L, mu) ** np.arange(1, 31) * (w_star @ w_star)
    assert np.all(distances <= bound * (1 + 1e-6) + 1e-24)
    if loss == "squared":  # the slope of the log distance comes near the factor in the end
        slope = np.log(distances[10] / distances[5]) / 5
        assert slope == pytest.approx(np.log(theory.gradient_descent_factor(L, mu)), rel=0.25)


@pytest.mark.parametrize("loss", SMOOTH)
def test_acceleration_is_as_fast_as_its_factor(loss):
    problem = make(loss, 300, 10, alpha=0.01)
    f_star, w_star = optimum(problem)
    L, mu = full_constants(problem)
    momentum = (np.sqrt(L) - np.sqrt(mu)) / (np.sqrt(L) + np.sqrt(mu))
    w, v, gaps = np.zeros(10), np.zeros(10), []
    for _ in range(40):
        ahead = v - gradient(problem, v) / L
        v, w = ahead + momentum * (ahead - w), ahead
        gaps.append(problem.objective(w, 0.0) - f_star)
    start = problem.objective(np.zeros(10), 0.0) - f_star + mu / 2 * w_star @ w_star
    assert np.all(gaps <= theory.accelerated_factor(L, mu) ** np.arange(1, 41) * start + 1e-12)


@pytest.mark.parametrize("loss", SMOOTH)
def test_slopes_tell_linear_from_sublinear(loss):
    """Stochastic gradient ~ 1/t (log-log slope -1); SAG, SAGA and SVRG linear, beyond any power."""
    problem = make(loss, 200, 5, alpha=0.1)
    f_star = optimum(problem)[0]
    L, mu = constants(problem)
    marks, gaps = np.array([10, 20, 40, 80]) * problem.n, np.zeros(4)
    for seed in range(SEEDS):
        draws = np.random.default_rng(seed).integers(problem.n, size=marks[-1])
        w = np.zeros(5)
        for t, i in enumerate(draws, start=1):
            g = problem.derivative(problem.X[i] @ w, i) * problem.X[i] + problem.l2 * w
            w = w - g * 2.0 / (mu * (t + 2.0 * L / mu))
            if t in marks:
                gaps[np.searchsorted(marks, t)] += (problem.objective(w, 0.0) - f_star) / SEEDS
    slope = np.polyfit(np.log(marks), np.log(gaps), 1)[0]
    assert -1.3 < slope < -0.7
    for solver in ("sag", "saga", "svrg"):
        history = run(problem, 40, solver=solver, seed=0)
        assert theory.rate(history, optimum=f_star) < np.log(0.7)
        assert history["objective"][-1] - f_star < 1e-4 * gaps[1]


def test_gradient_descent_without_strong_convexity_is_sublinear():
    """F - min F <= L |w*|^2 / (2 t), twice that as steps are searched; a power -1 to -2 of t.

    Least squares with eigenvalues 1/k^2, k = 1..50, L = 1, min F = 0: no curvature to rely on
    before thousands of steps.
    """
    rng = np.random.default_rng(0)
    n, k = 200, np.arange(1, 51)
    X = np.linalg.qr(rng.normal(size=(n, len(k))))[0] * np.sqrt(n) / k
    w_star = 1 / np.sqrt(k)
    problem = Problem(X, X @ w_star, np.ones(n), "squared", 1.0, 0.0, 0.0, intercept=False)
    steps = np.array([10, 40, 160])
    gaps = run(problem, 160, solver="gradient_descent", seed=0)["objective"][steps - 1]
    assert np.all(gaps <= w_star @ w_star / steps)
    slopes = np.diff(np.log(gaps)) / np.diff(np.log(steps))
    assert np.all((slopes > -2) & (slopes < -1))


# --- Finite sums -----------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["sag", "saga", "svrg"])
def test_gap_of_a_quadratic_falls_linearly(solver):
    """The distance, the objective's gap and the certified gap share one rate: log is a line."""
    problem = make("squared", 500, 10, alpha=0.1)
    f_star = optimum(problem)[0]
    history = run(problem, 24, solver=solver, seed=0)
    gap = history["objective"] - f_star
    used = gap > 1e-12 * gap[0]
    correlation = np.corrcoef(history["passes"][used], np.log(gap[used]))[0, 1]
    assert correlation < -0.97
    certified, true = theory.rate(history), theory.rate(history, optimum=f_star)
    assert certified == pytest.approx(true, rel=0.15)


@pytest.mark.parametrize("loss", SMOOTH)
@pytest.mark.parametrize("alpha", [1e-3, 1.0])  # the first limited by mu, the second by n
def test_sag_keeps_its_theorem(loss, alpha):
    """Mean over seeds 0..9 of F - min F below (1 - min(mu/16L, 1/8n))^k C at every pass."""
    problem = make(loss, 400, 10, alpha=alpha)
    f_star, w_star = optimum(problem)
    L, mu = constants(problem)
    rows = problem.derivatives(problem.X @ w_star)[:, np.newaxis] * problem.X + problem.l2 * w_star
    constant = theory.sag_constant(
        L,
        problem.n,
        initial_gap=problem.objective(np.zeros(10), 0.0) - f_star,
        squared_distance=w_star @ w_star,
        gradient_variance=(rows**2).sum(axis=1).mean(),
    )
    gap = mean_objective(problem, 40, solver="sag", step_size=1 / (16 * L)) - f_star
    bound = theory.sag_factor(L, mu, problem.n) ** np.arange(1, 41) * constant
    assert np.all(gap <= bound)
    # the practical step is far faster than the theorem promises
    practical = theory.rate(run(problem, 40, solver="sag", step_rule="1/L", seed=0), f_star)
    assert practical < 1.5 * np.log(theory.sag_factor(L, mu, problem.n))


@pytest.mark.parametrize("loss", SMOOTH)
def test_svrg_keeps_its_theorem(loss):
    """Mean over seeds 0..9 of F - min F, below factor^s of the start with m = 2 n, step 0.1/L."""
    problem = make(loss, 1000, 5, alpha=0.5)
    f_star = optimum(problem)[0]
    L, mu = constants(problem)
    factor = theory.svrg_factor(L, mu, 2 * problem.n, 0.1 / L)
    assert factor < 0.9
    objective = mean_objective(problem, 8, solver="svrg", step_size=0.1 / L)
    start = problem.objective(np.zeros(5), 0.0) - f_star
    assert np.all(objective - f_star <= factor ** np.arange(1, 9) * start)


def test_svrg_factor_by_hand():
    # 1 / (0.1 * 0.01 * 0.8 * 5000) + 0.2 / 0.8 at L = 10
    assert theory.svrg_factor(10.0, 0.1, 5000, 0.01) == pytest.approx(0.25 + 0.25)


@pytest.mark.parametrize("problem", [(500, 20, None), (300, 10, 1e-3)])
def test_order_of_draws_independent_beats_shuffled_beats_cyclic(problem):
    """SAG at equal step 1/L, logistic: mean over seeds 0..9 of the gap after 30 passes."""
    n, p, alpha = problem
    problem = make("logistic", n, p, alpha=alpha)
    f_star = optimum(problem)[0]
    cyclic, shuffle, independent = (
        mean_objective(problem, 30, solver="sag", sampling=sampling, step_rule="1/L")[-1] - f_star
        for sampling in ("cyclic", "shuffle", "uniform")
    )
    assert independent < 1e-2 * shuffle
    assert shuffle < 0.5 * cyclic


def test_orders_other_than_independent_ask_for_shorter_steps():
    """SAG on a quadratic: the guard halves 1/L for them; at 1/16L both beat independent draws."""
    problem = make("squared", 500, 20)
    f_star = optimum(problem)[0]
    halvings, short = {}, {}
    for sampling in ("cyclic", "shuffle", "uniform"):
        steps = run(problem, 100, solver="sag", sampling=sampling, step_rule="1/L", seed=0)
        halvings[sampling] = np.log2(steps["step_size"][0] / steps["step_size"][-1])
        options = {"solver": "sag", "sampling": sampling, "step_rule": "1/16L"}
        short[sampling] = mean_objective(problem, 10, **options)[-1] - f_star
    assert halvings["uniform"] == 0 < min(halvings["cyclic"], halvings["shuffle"])
    assert max(short["cyclic"], short["shuffle"]) < 1e-2 * short["uniform"]


# --- Strong convexity as a certificate --------------------------------------------------------


@pytest.mark.parametrize("loss", SMOOTH)
def test_squared_gradient_bounds_the_gap(loss):
    """2 mu (F(w) - min F) <= |grad F(w)|^2 at 100 random points (seed 0); it is sharp."""
    problem = make(loss, 100, 5, alpha=0.3)
    f_star, w_star = optimum(problem)
    mu = full_constants(problem)[1]
    points = w_star + np.random.default_rng(0).normal(size=(100, 5))
    for w in points:
        gap = problem.objective(w, 0.0) - f_star
        assert 2 * mu * gap <= np.sum(gradient(problem, w) ** 2) * (1 + 1e-9)
    if loss == "squared":
        softest = np.linalg.eigh(problem.X.T @ problem.X)[1][:, 0]
        w = w_star + softest
        gap = problem.objective(w, 0.0) - f_star
        assert 2 * mu * gap == pytest.approx(np.sum(gradient(problem, w) ** 2))
