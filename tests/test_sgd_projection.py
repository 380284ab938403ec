"""Projections onto balls beside L1 penalties and beside other rules than plain descent."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from finitesum import SGDClassifier, _core, theory
from reference.sgd import soft
from test_sgd import ETA, LAYOUTS, LOSSES, PENALTIES, SIGNS, N, P, X, Y, core, twin

RULES = [
    name
    for name in _core.optimizer_names()
    if name != "sgd" and not _core.optimizer_defaults(name)["full_batch"]
]
BALLS = [("l1", 0.4), ("l2", 0.2)]
each_ball = pytest.mark.parametrize("ball", BALLS, ids=lambda ball: ball[0])
each_rule = pytest.mark.parametrize("rule", RULES)


def size(w, kind):
    return np.abs(w).sum() if kind == "l1" else np.linalg.norm(w)


@each_ball
@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("layout", ["dense32", "csr"])
def test_l1_and_a_ball_are_the_prox_of_both(layout, batch, penalty, ball):
    options = {"batch_size": batch, "average": "weighted", "epochs": 5}
    found, _ = core(LAYOUTS[layout], penalty=penalty, ball=ball[0], radius=ball[1], **options)
    expected = twin(penalty=penalty, ball=ball, batch=batch, average=lambda k: k, epochs=5)
    assert_allclose(found, expected, atol=1e-12)
    last, _ = core(LAYOUTS[layout], penalty=penalty, ball=ball[0], radius=ball[1], epochs=5)
    assert size(last[:-1], ball[0]) <= ball[1] * (1 + 1e-12)


def nearest(w, d, kind, radius):
    """In the metric of the lengths d."""

    def point(m):
        return soft(w, m * d) if kind == "l1" else w / (1 + m * d)

    if size(w, kind) <= radius:
        return w
    high = 1.0
    while size(point(high), kind) > radius:
        high *= 2
    return point(brentq(lambda m: size(point(m), kind) - radius, 0, high, xtol=1e-14, rtol=1e-14))


def lengths(rule, k, g, slots):
    """Steps' lengths per unit of gradient: what the prox of |w| takes off far from zero."""
    ends = []
    for l1 in (0.0, 1.0):
        w = np.full(len(g), 1e3)
        _core.Optimizer(rule, {}, l1=l1).update(ETA, k, g, w, [slot.copy() for slot in slots])
        ends.append(w)
    return ends[0] - ends[1]


def walk(rule, penalty, ball, batch, epochs):
    alpha, l1_ratio = PENALTIES[penalty]
    l1, l2 = alpha * l1_ratio, alpha * (1 - l1_ratio)
    step = _core.Optimizer(rule, {}, **{"decoupled" if rule == "adamw" else "l2": l2})
    of_intercept = _core.Optimizer(rule, {})
    w, b = np.zeros(P), np.zeros(1)
    slots, b_slots = ([np.zeros(len(x)) for _ in range(step.n_slots)] for x in (w, b))
    for k, first in enumerate([*range(0, N, batch)] * epochs, 1):
        rows = slice(first, min(first + batch, N))
        f = LOSSES["logistic"][1](X[rows] @ w + b, SIGNS[rows])
        f /= len(f)
        g = f @ X[rows]
        d = lengths(rule, k, g if rule == "adamw" else g + l2 * w, slots)
        step.update(ETA, k, g, w, slots)
        w = nearest(soft(w, l1 * d), np.where(d > 0, d, d.max()), *ball)
        of_intercept.update(ETA, k, np.array([f.sum()]), b, b_slots)
    return np.append(w, b)


@each_rule
@each_ball
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("layout", ["dense", "csr32"])
def test_rules_project_in_the_metric_of_their_steps(rule, ball, penalty, layout):
    if rule == "adadelta":  # whose first steps are short
        ball = (ball[0], ball[1] / 50)
    options = {"optimizer": rule, "penalty": penalty, "ball": ball[0], "radius": ball[1]}
    found, _ = core(LAYOUTS[layout], batch_size=7, epochs=3, **options)
    assert_allclose(found, walk(rule, penalty, ball, 7, 3), rtol=1e-8, atol=1e-8)
    assert_allclose(size(found[:-1], ball[0]), ball[1], rtol=1e-9)
    single, _ = core(LAYOUTS[layout], epochs=1, **options)
    assert_allclose(single, walk(rule, penalty, ball, 1, 1), rtol=1e-8, atol=1e-8)


@each_ball
@pytest.mark.parametrize("rule", ["momentum", "adagrad", "adam"])
def test_resumed_is_uninterrupted(rule, ball):
    options = {
        "optimizer": rule, "batch_size": 7, "order": "shuffle", "keep_state": True,
        "average": "suffix", "ball": ball[0], "radius": ball[1],
    }  # fmt: skip
    whole, _ = core(X, epochs=4, **options)
    state = None
    for kind in ("dense", "csr", "dense", "csr"):
        parts, last = core(LAYOUTS[kind], epochs=1, state=state, **options)
        state = last["state"]
    assert_allclose(parts, whole, rtol=1e-10, atol=1e-12)


@each_ball
def test_every_rule_ends_at_the_minimum_over_the_ball(ball):
    """Of least squares on columns of unlike scales, where the Euclidean projection of a step with
    lengths of its own per coordinate would stand still elsewhere."""
    A = X * np.geomspace(0.3, 3, P)
    options = {
        "y": Y, "batch_size": N, "fit_intercept": False, "ball": ball[0], "radius": 0.5,
        "exact_objective": True, "keep_state": True,
    }  # fmt: skip
    least, _ = core(A, "squared", "none", epochs=4000, schedule={"eta0": 0.1}, **options)
    w = least[:-1]
    gradient = A.T @ (A @ w - Y) / N
    multiplier = theory.penalty_of_ball(ball[0], w, gradient)
    assert_allclose(size(w, ball[0]), 0.5, rtol=1e-9)
    if ball[0] == "l2":
        assert_allclose(-gradient, multiplier * w, atol=1e-6)
    else:
        assert np.abs(gradient).max() <= multiplier + 1e-6
        assert_allclose(-gradient[w != 0], multiplier * np.sign(w[w != 0]), atol=1e-6)
    for rule in RULES:
        rate = {"adadelta": 30.0, "adagrad": 1.0}.get(rule, 0.1)
        found, _ = core(
            A, "squared", "none", optimizer=rule, epochs=3000, rate="invscaling",
            # AdaGrad's steps shorten by themselves: the gradient does not vanish here
            schedule={"eta0": rate, "power_t": 0.0 if rule == "adagrad" else 0.5},
            **options,
        )  # fmt: skip
        assert_allclose(found[:-1], w, atol=2e-3, err_msg=rule)


@each_ball
def test_a_ball_is_a_penalty(ball):
    """The optimum with the multiplier as alpha is the same point."""
    options = {"y": Y, "batch_size": N, "fit_intercept": False, "epochs": 4000}
    options |= {"schedule": {"eta0": 0.1}}
    hard, _ = core(X, "squared", "none", ball=ball[0], radius=ball[1], **options)
    w = hard[:-1]
    alpha = theory.penalty_of_ball(ball[0], w, X.T @ (X @ w - Y) / N)
    assert alpha > 0
    ratio = 1.0 if ball[0] == "l1" else 0.0
    options["epochs"] = 20_000
    easy, _ = core(X, "squared", "none", alpha=alpha, l1_ratio=ratio, **options)
    assert_allclose(easy, hard, atol=1e-6)


@pytest.mark.parametrize("rule", ["rprop", "irprop", "quickprop"])
def test_steps_without_lengths_have_no_metric(rule):
    model = SGDClassifier(
        optimizer=rule, batch_size=N, projection=("l2", 1), learning_rate="constant"
    )
    with pytest.raises(ValueError, match="its steps have no length per unit of gradient"):
        model.fit(X, SIGNS)


def test_a_start_outside_and_rules_without_a_gradient_yet():
    """AdaGrad with eps = 0: coordinates without a gradient have no length, and shrink as others."""
    A = np.column_stack([X[:, :2], np.zeros(N)])
    for ball in ("l1", "l2"):
        w, _ = core(
            A, optimizer="adagrad", optimizer_options={"eps": 0.0}, penalty="none", ball=ball,
            radius=0.5, epochs=1, coef_init=np.array([3.0, 0.0, 4.0]),
        )  # fmt: skip
        assert np.isfinite(w).all()
        assert 0.4 < size(w[:-1], ball) <= 0.5 * (1 + 1e-12)
