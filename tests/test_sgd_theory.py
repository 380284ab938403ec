"""What is proved of stochastic gradient descent holds for it here."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import finitesum
from test_sgd import core

pytestmark = pytest.mark.theory


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    eta=st.sampled_from([1e-3, 0.1, 3.0]),
    n=st.integers(1, 40),
)
def test_lemma_14_1(seed, eta, n):
    """Shalev-Shwartz and Ben-David: for w_1 = 0 and w_{t+1} = w_t - eta v_t, any v_t and w*,
    sum <w_t - w*, v_t> <= |w*|^2 / (2 eta) + eta/2 sum |v_t|^2."""
    rng = np.random.default_rng(seed)
    A, y, star = rng.normal(size=(n, 4)), np.sign(rng.normal(size=n)), rng.normal(size=4)
    path = [np.zeros(4)]  # of the hinge loss in the rows' order: one run per prefix
    for k in range(1, n):
        w, _ = core(
            A[:k], "hinge", "none", y=y[:k], epochs=1, fit_intercept=False, schedule={"eta0": eta}
        )
        path.append(w[:-1])
    v = np.where(y * np.sum(A * path, axis=1) <= 1, -y, 0)[:, None] * A
    right = star @ star / (2 * eta) + eta / 2 * np.sum(v**2)
    assert np.sum((path - star) * v) <= right * (1 + 1e-9)


def test_theorem_14_8():
    """E f(mean w) - min over |w| <= B of f <= B rho / sqrt(T) for eta = B / (rho sqrt(T))."""
    rng = np.random.default_rng(0)
    n, B = 200, 2.0
    A = rng.normal(size=(n, 5))
    A /= np.maximum(1, np.linalg.norm(A, axis=1))[:, None]  # |v_t| <= rho = 1
    y = np.sign(A @ rng.normal(size=5) + 0.5 * rng.normal(size=n))
    for epochs in (1, 4, 16):
        bound = B / np.sqrt(epochs * n)
        values = []
        for seed in range(40):
            w, _ = core(
                A, "hinge", "none", y=y, epochs=epochs, order="iid", seed=seed, average="uniform",
                fit_intercept=False, rate="minimax", schedule={"radius": B},
            )  # fmt: skip
            values.append(np.maximum(0, 1 - y * (A @ w[:-1])).mean())
        least, _ = core(
            A, "hinge", "none", y=y, epochs=3000, rate="inverse", fit_intercept=False, ball="l2",
            radius=B, average="weighted", order="shuffle", schedule={"eta0": 20.0},
        )  # fmt: skip
        at_least = np.maximum(0, 1 - y * (A @ least[:-1])).mean()  # at or above the minimum
        assert np.mean(values) - at_least <= bound


def least_squares(rng, n=400, p=4, alpha=0.1):
    """Rows of norm one; F, its minimum, and its constants: c, L, and M with M_G = 1."""
    A = rng.normal(size=(n, p))
    A /= np.linalg.norm(A, axis=1)[:, None]
    y = A @ rng.normal(size=p) + rng.normal(size=n)
    H = A.T @ A / n + alpha * np.eye(p)
    star = np.linalg.solve(H, A.T @ y / n)

    def objective(w):
        return np.mean((A @ w - y) ** 2) / 2 + alpha / 2 * w @ w

    eigenvalues = np.linalg.eigvalsh(H)
    return A, y, objective, objective(star), eigenvalues[0], eigenvalues[-1]


def mean_gap(A, y, F, least, epochs, **options):
    """Mean of F - F* over seeds, at the end."""
    gaps = []
    for seed in range(60):
        w, _ = core(
            A, "squared", y=y, epochs=epochs, order="iid", seed=seed, fit_intercept=False,
            **options,
        )  # fmt: skip
        gaps.append(F(w[:-1]) - least)
    return np.mean(gaps)


def test_theorem_4_6_the_floor_is_proportional_to_the_step():
    """Bottou, Curtis and Nocedal: the gap ends below eta L M / (2 c), halved with eta."""
    A, y, F, least, c, L = least_squares(np.random.default_rng(0))
    M = 2 * np.mean(y**2)  # with room: the residuals' mean square at the optimum, twice, is less
    floors = []
    for eta in (0.2, 0.1, 0.05):
        floors.append(mean_gap(A, y, F, least, 2, schedule={"eta0": eta}))
        assert floors[-1] <= eta * L * M / (2 * c)
    ratios = np.array(floors[:-1]) / floors[1:]
    assert ((ratios > 1.5) & (ratios < 2.8)).all()


def test_theorem_4_7_the_gap_falls_as_one_over_t_unless_beta_is_small():
    """gap <= nu / (gamma + t) if beta > 1/c; for beta < 1/c it falls as t^(-2 beta c) only."""
    A, y, F, least, c, L = least_squares(np.random.default_rng(0))
    M = 2 * np.mean(y**2)
    beta = 2 / c
    gamma = beta * L * 2  # the first step is at most 1 / (2 L)
    start = F(np.zeros(A.shape[1])) - least
    nu = max(beta**2 * L * M / (2 * (beta * c - 1)), (gamma + 1) * start)
    gaps = {}
    for epochs in (2, 32):
        options = {"rate": "bottou", "schedule": {"beta": beta, "gamma": gamma}}
        gaps[epochs] = mean_gap(A, y, F, least, epochs, **options)
        assert gaps[epochs] <= nu / (gamma + epochs * len(y))
    assert gaps[2] / gaps[32] > 10
    slow = {
        epochs: mean_gap(
            A, y, F, least, epochs, rate="bottou",
            schedule={"beta": 0.1 / c, "gamma": 1.0},
        )
        for epochs in (2, 32)
    }  # fmt: skip
    assert slow[2] / slow[32] < 16**0.4
    assert slow[32] > 10 * gaps[32]


def test_s121_batches_with_longer_steps_are_single_rows():
    """Batches of b with b times the step walk the same path per row, while that is short."""
    A, y, F, least, *_ = least_squares(np.random.default_rng(0))
    single = [mean_gap(A, y, F, least, k, schedule={"eta0": 0.004}) for k in (1, 3, 9)]
    batches = [
        mean_gap(A, y, F, least, k, schedule={"eta0": 0.032}, batch_size=8) for k in (1, 3, 9)
    ]
    np.testing.assert_allclose(batches, single, rtol=0.25)


def each_step(A, y, w, eta, alpha):
    """Where one step from w leads, by row."""
    steps = [
        core(
            A[[i]], "squared", y=y[[i]], epochs=1, alpha=alpha, fit_intercept=False, coef_init=w,
            schedule={"eta0": eta},
        )[0][:-1]
        for i in range(len(y))
    ]  # fmt: skip
    return np.array(steps)


@pytest.mark.parametrize("eta", [1e-3, 0.1, 1.0])
def test_lemma_4_2_and_a_2(eta):
    """E F(w+) - F(w) <= -eta |grad F|^2 + eta^2 L E|g|^2 / 2, and the identity
    E|w+ - w*|^2 - |w - w*|^2 = -2 eta grad F.(w - w*) + eta^2 E|g|^2."""
    rng = np.random.default_rng(3)
    A, y, F, _, _, L = least_squares(rng, n=40)
    w, star = rng.normal(size=(2, 4))
    steps = each_step(A, y, w, eta, 0.1)
    gradients = (A @ w - y)[:, None] * A + 0.1 * w
    mean, squares = gradients.mean(axis=0), np.mean(np.sum(gradients**2, axis=1))
    change = np.mean([F(v) for v in steps]) - F(w)
    assert change <= -eta * mean @ mean + eta**2 * L * squares / 2 + 1e-12
    moved = np.mean(np.sum((steps - star) ** 2, axis=1)) - np.sum((w - star) ** 2)
    expected = -2 * eta * mean @ (w - star) + eta**2 * squares
    np.testing.assert_allclose(moved, expected, rtol=1e-9, atol=1e-12)


def test_three_regimes_of_a_quadratic():
    """Full batches in one dimension: below 1/a straight, up to 2/a to and fro, beyond divergence,
    which begins again with half the step."""
    A, y = np.array([[1.0], [2.0]]), np.array([1.0, 3.0])
    a, least = 2.5, 1.4  # F'' and the minimizer

    def path(eta):
        ends = [
            core(
                A, "squared", "none", y=y, epochs=k, batch_size=2, fit_intercept=False,
                schedule={"eta0": eta},
            )
            for k in range(1, 9)
        ]  # fmt: skip
        return np.array([w[0] - least for w, _ in ends]), ends[-1][1]["history"]

    for eta in (0.5 / a, 1 / a, 1.5 / a):
        errors, history = path(eta)
        np.testing.assert_allclose(errors, -least * (1 - eta * a) ** np.arange(1, 9), atol=1e-12)
        assert not history["restarts"].any()
    _, history = core(
        A, "squared", "none", y=y, epochs=60, batch_size=2, fit_intercept=False,
        schedule={"eta0": 3.0 / a},
    )  # fmt: skip
    assert history["history"]["restarts"][-1] == 1
    assert history["history"]["step_size"][-1] == 1.5 / a
    assert abs(history["coef"][0] - least) < 1e-6


def test_the_same_order_each_epoch_ends_in_a_cycle():
    """A constant step in the rows' order: epochs end at a point that is not the optimum."""
    A, y, F, least, *_ = least_squares(np.random.default_rng(0), n=20)
    ends = [
        core(A, "squared", y=y, epochs=k, fit_intercept=False, schedule={"eta0": 0.3})[0][:-1]
        for k in (300, 301)
    ]
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-12)
    assert F(ends[0]) - least > 1e-3


def test_the_variance_of_a_batch_is_that_of_a_row_over_its_size():
    """Steps from zero of an epoch that is one batch of iid draws."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=16)
    for copies in (1, 4):
        A, y = np.tile(x, copies)[:, None], np.ones(16 * copies)
        firsts = [
            core(
                A, "squared", "none", y=y, epochs=1, order="iid", batch_size=10**6, seed=seed,
                fit_intercept=False, schedule={"eta0": 1.0},
            )[0][0]
            for seed in range(2000)
        ]  # fmt: skip
        np.testing.assert_allclose(np.var(firsts), np.var(x) / (16 * copies), rtol=0.15)


def test_s87_in_several_dimensions_the_steepest_bounds_the_step():
    """Full batches: straight below the smallest 1/h_j, to and fro up to twice that, and beyond it
    the steepest coordinate diverges; a large max h / min h makes the flattest one slow."""
    h, star = np.array([4.0, 1.0, 0.25]), np.array([1.0, -2.0, 0.5])
    A = np.diag(np.sqrt(3 * h))  # the Hessian of the mean of three squares is diag(h)
    y = np.sqrt(3 * h) * star

    def errors(eta, epochs):
        return np.array([
            core(
                A, "squared", "none", y=y, epochs=k, batch_size=3, fit_intercept=False,
                schedule={"eta0": eta},
            )[0][:-1] - star
            for k in range(1, epochs + 1)
        ])  # fmt: skip

    k = np.arange(1, 13)[:, None]
    for eta in (0.2, 0.25, 0.49, 0.51):  # 1/h is 1/4, 1, 4: the limit is 1/2
        found = errors(eta, 12)
        np.testing.assert_allclose(found, -star * (1 - eta * h) ** k, rtol=1e-9, atol=1e-12)
    assert abs(errors(0.49, 40)[-1, 0]) < 1 < abs(errors(0.51, 12)[-1, 0])
    slow = abs(errors(0.25, 12)[-1] / star)  # the steepest is there after one step
    assert slow[0] < 1e-12
    np.testing.assert_allclose(slow[2], (1 - 1 / 16) ** 12, rtol=1e-9)  # 16 = max h / min h


def test_theorem_4_8_mean_squared_gradient_of_what_is_not_convex():
    """(1/K) sum E|grad F|^2 <= eta L M + 2 (F(w_1) - F_inf) / (K eta), eta <= 1/L, for the mean of
    r^2 / (1 + r^2) (Geman and McClure), whose squared slope is at most 27/64 and whose curvature
    lies in [-1/2, 2]; directions are means of 8 draws: M = M_V = 27/64/8, M_G = 1."""
    rng = np.random.default_rng(0)
    n, size, n_seeds, K = 50, 8, 100, 500
    A = rng.normal(size=(n, 2)) + 1
    A /= np.linalg.norm(A, axis=1)[:, None]
    y = 0.8 * A.sum(axis=1) + 0.2 * rng.normal(size=n)
    L, M = 2 * np.linalg.eigvalsh(A.T @ A / n)[-1], 27 / 64 / size

    def slope(r):
        return 2 * r / (1 + r**2) ** 2

    start = 1 - np.mean(1 / (1 + y**2))  # F at zero; F_inf >= 0
    at_start = np.sum((slope(-y) @ A / n) ** 2)
    for eta in (0.8 / L, 0.2 / L):
        optimizer = finitesum.Optimizer("sgd", learning_rate=eta)
        w, mean_square = np.zeros((n_seeds, 2)), 0.0
        for _ in range(K):
            mean_square += np.mean(np.sum((slope(w @ A.T - y) @ A / n) ** 2, axis=1)) / K
            i = rng.integers(n, size=(n_seeds, size))
            r = np.einsum("sbp,sp->sb", A[i], w) - y[i]
            optimizer.step(w, np.einsum("sb,sbp->sp", slope(r), A[i]) / size)
        bound = eta * L * M + 2 * start / (K * eta)
        assert mean_square <= bound < at_start / 3


def natural_path(A, y, rate, forget, mu, batch, per_example):
    """R <- (1 - forget) R + forget <g^2>, w <- w - rate <g> / sqrt(mu + R), in the rows' order."""
    w, R = np.zeros(A.shape[1]), np.zeros(A.shape[1])
    for first in range(0, len(y), batch):
        rows = slice(first, first + batch)
        g = (A[rows] @ w - y[rows])[:, None] * A[rows]
        square = np.mean(g**2, axis=0) if per_example else np.mean(g, axis=0) ** 2
        R = (1 - forget) * R + forget * square
        w = w - rate * np.mean(g, axis=0) / np.sqrt(mu + R)
    return w, R


def test_s133_the_diagonal_natural_gradient_is_rmsprop():
    """With the metric's other factors one: for single rows equal; of batches frameworks average g
    before they square it, which makes R smaller by the variance within the batch; both are here."""
    A, y, *_ = least_squares(np.random.default_rng(0), n=64)
    rate, forget, mu = 0.01, 0.1, 1e-3
    for batch in (1, 8):
        options = {"gamma": 1 - forget, "eps": mu, "eps_mode": "inside"}
        w, _ = core(
            A, "squared", "none", y=y, epochs=1, fit_intercept=False, batch_size=batch,
            optimizer="rmsprop", optimizer_options=options, schedule={"eta0": rate},
        )  # fmt: skip
        of_means, smaller = natural_path(A, y, rate, forget, mu, batch, per_example=False)
        np.testing.assert_allclose(w[:-1], of_means, rtol=1e-12, atol=1e-14)
        of_rows, larger = natural_path(A, y, rate, forget, mu, batch, per_example=True)
        for rows in (A, sp.csr_array(A)):
            w, _ = core(
                rows, "squared", "none", y=y, epochs=1, fit_intercept=False, batch_size=batch,
                optimizer="rmsprop", optimizer_options=options, per_example=True,
                schedule={"eta0": rate},
            )  # fmt: skip
            np.testing.assert_allclose(w[:-1], of_rows, rtol=1e-11, atol=1e-13)
        if batch == 1:
            np.testing.assert_array_equal(of_rows, of_means)
        else:
            assert np.all(smaller < larger)
            assert np.linalg.norm(of_rows) < np.linalg.norm(of_means)
