"""The lengths of steps: formulas, and what follows from the objectives of the epochs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from reference.sgd import sgd
from test_sgd import LOSSES, PARAMETER, PENALTIES, SIGNS, N, X, Y, core

ALPHA = PENALTIES["l2"][0]
LARGEST = (X**2).sum(axis=1).max() + 1  # with the intercept's column


@pytest.mark.parametrize(
    ("name", "options", "formula"),
    [
        ("constant", {"eta0": 0.02}, lambda t: 0.02),
        ("optimal", {}, lambda t: 1 / (ALPHA * (ALPHA**-0.75 + t - 1))),
        ("invscaling", {"eta0": 0.3, "power_t": 0.5}, lambda t: 0.3 / t**0.5),
        ("invscaling", {"eta0": 0.3, "power_t": 0.77}, lambda t: 0.3 / t**0.77),
        ("inverse", {"eta0": 0.3}, lambda t: 0.3 / t),
        ("inverse_square", {"eta0": 0.3}, lambda t: 0.3 / t**2),
        ("exponential", {"eta0": 0.3, "decay": 0.01}, lambda t: 0.3 * np.exp(-0.01 * (t - 1))),
        ("bottou", {"beta": 3.0, "gamma": 50.0}, lambda t: 3 / (50 + t)),
        (
            "bottou",
            {},
            lambda t: (2 / ALPHA) / (2 / ALPHA * (0.25 * LARGEST + ALPHA) - 1 + t),
        ),
        (
            "minimax",
            {"radius": 2.0, "gradient_bound": 5.0},
            lambda t: 2 / (5 * np.sqrt(3 * np.ceil(N / 7))),
        ),
        ("minimax", {"n_steps": 400.0}, lambda t: 1 / np.sqrt(400)),
    ],
)
def test_formulas(name, options, formula):
    found, result = core(X, rate=name, schedule=options, batch_size=7)
    _, derivative, y = LOSSES["logistic"]
    assert_allclose(found, sgd(X, y, derivative, formula, l2=ALPHA, batch=7), atol=1e-12)
    assert_allclose(result["history"]["step_size"][-1], formula(3 * np.ceil(N / 7)), rtol=1e-12)


def test_the_smoothness_of_batches():
    """That of the mean where a step takes each row once; draws can repeat the steepest."""
    mean, beta = (X**2).sum(axis=1).mean() + 1, 2 / ALPHA
    for order, largest in (("cyclic", mean), ("iid", LARGEST)):
        _, result = core(X, rate="bottou", batch_size=N, order=order, epochs=1)
        expected = beta / (beta * (0.25 * largest + ALPHA))
        assert_allclose(result["history"]["step_size"], expected, rtol=1e-12)


@pytest.mark.parametrize("factor", [1 / 3, 3])
def test_resumed_on_other_rows_the_steeper_ones_decide(factor):
    options = {"rate": "bottou", "epochs": 1, "keep_state": True}
    _, begun = core(factor * X, **options)
    _, result = core(X, state=begun["state"], **options)
    steepest = max(1, factor**2) * (LARGEST - 1) + 1
    gamma = 2 / ALPHA * (0.25 * steepest + ALPHA) - 1
    assert_allclose(result["history"]["step_size"], 2 / ALPHA / (gamma + 2 * N), rtol=1e-12)


def replayed(objectives, start, factor, patience, tol, shortest=1e-6):
    """Steps after each epoch: the rule of scikit-learn's adaptive, its best never forgotten."""
    eta, best, count, steps = start, np.inf, 0, []
    for objective in objectives:
        steps.append(eta)
        count = count + 1 if objective > best - tol else 0
        best = min(best, objective)
        if count >= patience:
            count = 0
            if eta <= shortest:
                return steps, True
            eta *= factor
    return steps, False


@pytest.mark.parametrize(
    ("name", "options", "factor", "patience"),
    [
        ("adaptive", {"n_iter_no_change": 3}, 0.2, 3),
        ("plateau", {"n_iter_no_change": 3}, 0.1, 3),
        ("plateau", {"factor": 0.5, "patience": 2}, 0.5, 2),
    ],
)
def test_plateaus(name, options, factor, patience):
    _, result = core(
        X, rate=name, epochs=300, order="shuffle", schedule={"eta0": 0.1, "tol": 1e-3, **options}
    )
    history = result["history"]
    steps, is_over = replayed(history["objective"], 0.1, factor, patience, 1e-3)
    assert_allclose(history["step_size"], steps, rtol=1e-12)
    assert is_over
    assert result["stopping"] == "tol"
    assert len(np.unique(steps)) > 3


def flat(objectives, h):
    """Welch's statistic of the last two times h epochs is at most two."""
    if len(objectives) < 2 * h:
        return False
    before, after = np.array(objectives[-2 * h : -h]), np.array(objectives[-h:])
    noise = np.sqrt((before.var(ddof=1) + after.var(ddof=1)) / h)
    return before.mean() - after.mean() <= 2 * noise


def test_plateau_test_shortens_where_the_objective_is_flat():
    _, result = core(
        X, rate="plateau_test", epochs=200, order="shuffle", batch_size=4,
        schedule={"eta0": 0.5, "tol": 1e-3, "patience": 4, "factor": 0.3},
    )  # fmt: skip
    eta, stage = 0.5, []
    objectives, steps = result["history"]["objective"], result["history"]["step_size"]
    for objective, step in zip(objectives, steps, strict=True):
        assert_allclose(step, eta, rtol=1e-12)
        stage.append(objective)
        if flat(stage, 4):
            eta, stage = eta * 0.3, []
    assert eta < 0.5 * 0.3**3


def optimum(alpha):
    """Of least squares with an L2 penalty and a free intercept."""
    A, y = X - X.mean(axis=0), Y - Y.mean()
    w = np.linalg.solve(A.T @ A / N + alpha * np.eye(X.shape[1]), A.T @ y / N)
    return np.mean((A @ w - y) ** 2) / 2 + alpha / 2 * w @ w


@pytest.mark.theory
def test_halving_estimates_the_optimum_within_its_error():
    """Bottou, Curtis and Nocedal, section 4.2: the floor is proportional to the step."""
    _, result = core(
        X, "squared", rate="halving", epochs=400, order="iid", exact_objective=True,
        schedule={"eta0": 0.02, "tol": 1e-3, "patience": 25},
    )  # fmt: skip
    value, error = result["optimum"]
    history = result["history"]
    at_last = history["objective"][history["step_size"] == history["step_size"][-1]]
    exact = optimum(ALPHA)
    assert abs(value - exact) <= 4 * error
    assert abs(value - exact) < np.mean(at_last[len(at_last) // 2 :]) - exact
    assert result["stopping"] == "tol"


def test_fast_halving_takes_twice_the_steps_at_half_the_length():
    _, result = core(X, rate="fast_halving", epochs=400, order="shuffle", schedule={"eta0": 0.05})
    steps = result["history"]["step_size"]
    lengths, epochs = np.unique(steps, return_counts=True)
    assert_allclose(lengths[::-1][:3], 0.05 * 0.5 ** np.arange(3))
    expected = np.log(3) / (lengths[::-1][:3] * ALPHA) / N  # epochs
    assert_allclose(epochs[::-1][:3], expected, atol=1)


def test_steps_may_end_before_the_optimum():
    """The sum of 1/t^2 is finite: a far optimum is not reached (Robbins and Monro, 1951)."""
    n, far = 500, np.full(500, 1e9)
    reached = {}
    for rate in ("inverse_square", "inverse"):
        w, _ = core(
            np.ones((n, 1)), "huber", "none", y=far, rate=rate, epochs=6, fit_intercept=False,
            schedule={"eta0": 1.0},
        )  # fmt: skip
        reached[rate] = w[0]
    t = np.arange(1, 6 * n + 1)
    assert_allclose(reached["inverse"], PARAMETER * np.sum(1 / t))
    assert_allclose(reached["inverse_square"], PARAMETER * np.sum(1 / t**2))
    assert reached["inverse_square"] < PARAMETER * np.pi**2 / 6


def test_stops_after_epochs_without_improvement():
    _, result = core(X, epochs=500, order="shuffle", schedule={"tol": 1e-3, "eta0": 0.05})
    objectives = result["history"]["objective"]
    steps, _ = replayed(objectives, 1.0, 1.0, 5, 1e-3)
    assert len(steps) == result["n_iter"] < 500
    assert replayed(objectives, 0.0, 1.0, 5, 1e-3)[1]
    assert not replayed(objectives[:-1], 0.0, 1.0, 5, 1e-3)[1]
    assert core(X, epochs=20)[1]["stopping"] == "max_iter"  # tol is minus infinity


def test_the_validation_rows_decide():
    """The result is the epoch's that scored best; scores are shares of right signs, or R^2."""
    rng = np.random.default_rng(1)
    A = rng.normal(size=(40, X.shape[1]))
    labels, weight = np.sign(rng.normal(size=40)), rng.exponential(size=40)
    for loss, y, own in (("logistic", SIGNS, labels), ("squared", Y, A[:, 0] + labels)):
        options = {"y": y, "order": "shuffle", "schedule": {"eta0": 0.02, "tol": 0.0}}
        w, result = core(
            X, loss, epochs=30, validation=(A, own, weight), labels=loss == "logistic", **options
        )
        scores = result["history"]["score"]
        z = A @ w[:-1] + w[-1]
        if loss == "logistic":
            expected = weight[np.sign(z) == own].sum() / weight.sum()
        else:
            spread = weight @ (own - np.average(own, weights=weight)) ** 2
            expected = 1 - weight @ (own - z) ** 2 / spread
        assert_allclose(scores.max(), expected, rtol=1e-12)
        best, _ = core(X, loss, epochs=int(scores.argmax()) + 1, **options)
        assert np.array_equal(best, w)
