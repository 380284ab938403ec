"""Stochastic gradient descent in the core: its plain twin's path, sparse as dense, resumed."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from finitesum import _core
from reference.sgd import sgd

RNG = np.random.default_rng(0)
N, P = 60, 12
X = (RNG.normal(size=(N, P)) * (RNG.random((N, P)) < 0.4)).astype(np.float32).astype(float)
Y = X @ RNG.normal(size=P) + 0.3 * RNG.normal(size=N) + 0.5
SIGNS = np.where(Y > 0, 1.0, -1.0)
INF = np.inf
PARAMETER = 0.3

# value and subgradient, and which targets they take
LOSSES = {
    "squared": (lambda z, y: (z - y) ** 2 / 2, lambda z, y: z - y, Y),
    "logistic": (
        lambda z, y: np.logaddexp(0, -y * z),
        lambda z, y: -y / (1 + np.exp(y * z)),
        SIGNS,
    ),
    "hinge": (
        lambda z, y: np.maximum(0, 1 - y * z),
        lambda z, y: np.where(y * z <= 1, -y, 0),
        SIGNS,
    ),
    "squared_hinge": (
        lambda z, y: np.maximum(0, 1 - y * z) ** 2,
        lambda z, y: -2 * y * np.maximum(0, 1 - y * z),
        SIGNS,
    ),
    "modified_huber": (
        lambda z, y: np.where(y * z >= -1, np.maximum(0, 1 - y * z) ** 2, -4 * y * z),
        lambda z, y: np.where(y * z >= -1, -2 * y * np.maximum(0, 1 - y * z), -4 * y),
        SIGNS,
    ),
    "perceptron": (
        lambda z, y: np.maximum(0, -y * z),
        lambda z, y: np.where(y * z <= 0, -y, 0),
        SIGNS,
    ),
    "huber": (
        lambda z, y: np.where(
            abs(z - y) <= PARAMETER, (z - y) ** 2 / 2, PARAMETER * (abs(z - y) - PARAMETER / 2)
        ),
        lambda z, y: np.clip(z - y, -PARAMETER, PARAMETER),
        Y,
    ),
    "epsilon_insensitive": (
        lambda z, y: np.maximum(0, abs(z - y) - PARAMETER),
        lambda z, y: np.where(abs(z - y) > PARAMETER, np.sign(z - y), 0),
        Y,
    ),
    "squared_epsilon_insensitive": (
        lambda z, y: np.maximum(0, abs(z - y) - PARAMETER) ** 2,
        lambda z, y: 2 * np.sign(z - y) * np.maximum(0, abs(z - y) - PARAMETER),
        Y,
    ),
    "quantile": (
        lambda z, y: np.where(z < y, PARAMETER * (y - z), (1 - PARAMETER) * (z - y)),
        lambda z, y: np.where(z < y, -PARAMETER, (1 - PARAMETER) * (z > y)),
        Y,
    ),
}  # fmt: skip
PENALTIES = {"none": (0, 0), "l2": (0.1, 0), "l1": (0.05, 1), "elasticnet": (0.1, 0.4)}
ETA = 0.07


def core(X, loss="logistic", penalty="l2", *, y=None, s=None, epochs=3, rate="constant", **options):
    """Run in the rows' order, unless told otherwise; (coef, intercept) as one vector, and all."""
    alpha, l1_ratio = PENALTIES[penalty]
    schedule = {"eta0": ETA, "tol": -INF, **options.pop("schedule", {})}
    result = _core.fit_sgd(
        (X.data, X.indices, X.indptr, X.shape[1]) if sp.issparse(X) else X,
        LOSSES[loss][2] if y is None else y,
        s,
        **{
            "loss": loss,
            "loss_parameter": PARAMETER,
            "alpha": alpha,
            "l1_ratio": l1_ratio,
            "fit_intercept": True,
            "order": "cyclic",
            "learning_rate": rate,
            "schedule": schedule,
            "max_iter": epochs,
            **options,
        },
    )
    return np.append(result["coef"], result["intercepts"]), result


def twin(loss="logistic", penalty="l2", rate=lambda t: ETA, **options):
    alpha, l1_ratio = PENALTIES[penalty]
    _, derivative, y = LOSSES[loss]
    return sgd(X, y, derivative, rate, l1=alpha * l1_ratio, l2=alpha * (1 - l1_ratio), **options)


def layouts():
    wide = sp.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    return {
        "dense": X,
        "dense32": X.astype(np.float32),
        "csr": sp.csr_array(X),
        "csr32": sp.csr_array(X.astype(np.float32)),
        "csr64": wide,
    }


LAYOUTS = layouts()
each_layout = pytest.mark.parametrize("layout", LAYOUTS)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES)


def test_every_loss_is_covered():
    others = {"smoothed_hinge", "poisson"}  # tests/test_losses.py
    assert set(_core.subgradient_loss_names()) == set(LOSSES) | others
    assert others <= set(_core.loss_names())


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_their_definitions(loss):
    value, derivative, _ = LOSSES[loss]
    for z in np.r_[RNG.normal(scale=2, size=40), 0, 1, -1]:
        for y in (1.0, -1.0):
            found = _core.subgradient_loss(loss, PARAMETER, z, y)
            assert_allclose(found[:2], (value(z, y), derivative(z, y)), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", _core.subgradient_loss_names())
def test_losses_have_subgradients_and_the_smoothness_they_state(loss):
    z = np.linspace(-3, 3, 61)
    for y in (1.0, -1.0) if loss != "poisson" else (0.0, 2.0):
        found = np.array([_core.subgradient_loss(loss, PARAMETER, each, y) for each in z])
        value, slope, smoothness = found[:, 0], found[:, 1], found[0, 2]
        below = value[:, None] + slope[:, None] * (z[None, :] - z[:, None])  # convexity
        assert (below <= value[None, :] + 1e-12).all()
        if loss != "poisson":  # it has none
            steepest = np.max(np.abs(np.diff(slope)) / np.diff(z))
            assert steepest <= smoothness * (1 + 1e-9)


@each_layout
@each_penalty
@pytest.mark.parametrize("average", [None, "uniform", "weighted"])
def test_paths_are_the_twins(layout, penalty, average):
    weights = {None: None, "uniform": lambda k: 1.0, "weighted": lambda k: k}[average]
    found, _ = core(LAYOUTS[layout], penalty=penalty, average=average or "none", average_start=20.0)
    assert_allclose(found, twin(penalty=penalty, average=weights, start=20), atol=1e-12)


@pytest.mark.parametrize("rate", ["constant", "inverse", "exponential"])
@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_averages_know_when_rare_columns_became_zero(rate, penalty):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(1500, 12)) * (rng.random((1500, 12)) < np.geomspace(0.5, 2e-3, 12))
    y = np.sign(A[:, 0] + rng.normal(size=1500))
    eta = {
        "constant": lambda t: 0.1, "inverse": lambda t: 5 / t,
        "exponential": lambda t: 0.5 * np.exp(-4e-3 * (t - 1)),
    }[rate]  # fmt: skip
    schedule = {"eta0": eta(1), "decay": 4e-3}
    alpha, l1_ratio = PENALTIES[penalty]
    found, _ = core(
        sp.csr_array(A), penalty=penalty, y=y, rate=rate, schedule=schedule, average="uniform",
        epochs=2,
    )  # fmt: skip
    expected = sgd(
        A, y, LOSSES["logistic"][1], eta, l1=alpha * l1_ratio, l2=alpha * (1 - l1_ratio),
        average=lambda k: 1.0, epochs=2,
    )  # fmt: skip
    assert_allclose(found, expected, atol=1e-12)


@each_layout
@pytest.mark.parametrize("clip", [("none", 1.0), ("value", 0.05), ("norm", 0.1)])
@pytest.mark.parametrize("ball", [("none", 1.0), ("l1", 0.4), ("l2", 0.2)])
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_batches_clips_and_balls_are_the_twins(layout, clip, ball, batch):
    options = {"clip": clip[0], "clip_limit": clip[1], "ball": ball[0], "radius": ball[1]}
    found, _ = core(LAYOUTS[layout], batch_size=batch, average="uniform", epochs=5, **options)
    expected = twin(clip=clip, ball=ball, batch=batch, average=lambda k: 1.0, epochs=5)
    assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_walks_the_twins_path(loss):
    assert_allclose(core(sp.csr_array(X), loss)[0], twin(loss), atol=1e-12)


@each_penalty
def test_weights_are_relative_and_zeros_are_absent(penalty):
    s = np.where(RNG.random(N) < 0.3, 0, RNG.exponential(size=N))
    noise = np.where(s[:, None] == 0, 1e300, X)  # rows that do not count may hold anything
    for batch in (1, 4):
        found, _ = core(noise, penalty=penalty, s=s, batch_size=batch)
        assert_allclose(found, twin(penalty=penalty, s=s, batch=batch), atol=1e-12)
        scaled, _ = core(noise, penalty=penalty, s=4 * s, batch_size=batch)
        assert_allclose(scaled, found, atol=1e-13)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    penalty=st.sampled_from(sorted(PENALTIES)),
    average=st.sampled_from(["none", "uniform", "weighted", "suffix"]),
    order=st.sampled_from(["shuffle", "iid", "cyclic"]),
    batch=st.integers(1, 9),
    eta=st.sampled_from([1e-4, 0.3, 5.0, 40.0]),
    intercept=st.booleans(),
)
@example(1, "l2", "uniform", "iid", 1, 5.0, False)  # sums of iterates that shrink by 0.9 per step
def test_sparse_is_dense(seed, penalty, average, order, batch, eta, intercept):
    """Also where eta l2 > 1 makes all coefficients zero at each step."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(25, 9)) * (rng.random((25, 9)) < 0.3)
    y = np.sign(rng.normal(size=25))
    options = {
        "penalty": penalty, "y": y, "average": average, "order": order, "batch_size": batch,
        "schedule": {"eta0": eta}, "fit_intercept": intercept, "seed": seed, "epochs": 4,
    }  # fmt: skip
    sparse, _ = core(sp.csr_array(A), "logistic", **options)
    dense, _ = core(A, "logistic", **options)
    assert_allclose(sparse, dense, rtol=1e-10, atol=1e-10 * max(1, np.abs(dense).max()))


@pytest.mark.parametrize("order", ["shuffle", "iid"])
def test_orders(order):
    """One step per row on a matrix that records the order: every row once, or independently."""
    n = 4000
    one_hot = sp.eye_array(n, format="csr")
    y = np.zeros(n)
    counts = []
    for epoch in (1, 2):
        _, result = core(
            one_hot, "quantile", "none", y=y - 1e9, order=order, epochs=epoch, seed=7,
            schedule={"eta0": 1.0}, fit_intercept=False,
        )  # fmt: skip
        counts.append(np.rint(-result["coef"] / (1 - PARAMETER)))
    first, both = counts
    assert first.sum() == n
    assert both.sum() == 2 * n
    if order == "shuffle":
        assert (first == 1).all()
        assert (both == 2).all()
    else:
        assert abs((first == 0).mean() - np.exp(-1)) < 0.03
        assert (both - first != first).any()


@each_penalty
@pytest.mark.parametrize("average", ["none", "uniform", "suffix"])
@pytest.mark.parametrize("rate", ["optimal", "adaptive", "halving", "bottou"])
def test_resumed_is_uninterrupted(penalty, average, rate):
    if rate == "bottou" and penalty in ("none", "l1"):
        pytest.skip("bottou needs an L2 part")
    if rate == "optimal" and penalty == "none":
        pytest.skip("optimal needs a penalty")
    options = {
        "penalty": penalty, "average": average, "rate": rate, "order": "shuffle",
        "batch_size": 2, "keep_state": True, "schedule": {"n_iter_no_change": 2, "tol": 1e-2},
    }  # fmt: skip
    whole, result = core(LAYOUTS["csr"], epochs=7, **options)
    state = None
    for _ in range(result["n_iter"]):
        parts, last = core(LAYOUTS["csr"], epochs=1, state=state, **options)
        state = last["state"]
    assert np.array_equal(parts, whole)
    assert np.array_equal(last["state"], result["state"])


HASHES = """
import hashlib, importlib.util, sys
import numpy as np

spec = importlib.util.spec_from_file_location("finitesum._core", sys.argv[1])
core = importlib.util.module_from_spec(spec)
spec.loader.exec_module(core)
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 37)) * (rng.random((300, 37)) < 0.5)
rows, columns = np.nonzero(X)
indptr = np.searchsorted(rows, np.arange(301)).astype(np.int32)
codes = np.digitize(X[:, 0] + rng.normal(size=300), [-0.5, 0.5]).astype(np.int32)
signs = np.where(codes > 0, 1.0, -1.0)
total = hashlib.sha256()
for A in (X, X.astype(np.float32), (X[rows, columns], columns.astype(np.int32), indptr, 37)):
    for loss, n_classes in (("logistic", 0), ("hinge", 0), ("multinomial", 3)):
        for optimizer, alpha, l1_ratio in (
            ("sgd", 0.01, 0.3), ("adam", 0.01, 0.3), ("adagrad", 0.0, 1.0), ("adagrad", 0.01, 1.0),
        ):
            total.update(core.fit_sgd(
                A, codes if n_classes else signs, None, loss=loss, loss_parameter=1.0,
                n_classes=n_classes, alpha=alpha, l1_ratio=l1_ratio, fit_intercept=True, max_iter=3,
                optimizer=optimizer, average="weighted", batch_size=3, learning_rate="invscaling",
                schedule={"power_t": 0.3}, keep_state=True,
            )["state"].tobytes())
print(core.isa(), total.hexdigest())
"""


def test_bits_do_not_depend_on_the_instruction_set():
    found = [
        subprocess.run(
            [sys.executable, "-c", HASHES, _core.__file__],
            env={**os.environ, "FINITESUM_ISA": isa}, capture_output=True, text=True, check=True,
        ).stdout.split()
        for isa in _core.available_isas()
    ]  # fmt: skip
    assert [isa for isa, _ in found] == list(_core.available_isas())
    assert len({bits for _, bits in found}) == 1


def test_l1_makes_exact_zeros():
    found, result = core(LAYOUTS["csr"], penalty="l1", alpha=0.15, epochs=20)
    assert 0 < (found[:-1] == 0).sum() == P - result["history"]["nonzeros"][-1]


def test_running_and_exact_objective():
    _, running = core(X, epochs=1)
    w, exact = core(X, epochs=1, exact_objective=True)
    _, _, y = LOSSES["logistic"]
    loss = np.logaddexp(0, -y * (X @ w[:-1] + w[-1])).mean()
    assert_allclose(exact["history"]["loss"], [loss], rtol=1e-12)
    assert_allclose(exact["history"]["objective"], [loss + 0.05 * w[:-1] @ w[:-1]], rtol=1e-12)
    assert running["history"]["loss"][0] > loss  # the mean over the way down


@pytest.mark.parametrize("eta", 10.0 ** np.arange(-3, 8))
def test_no_learning_rate_ends_in_overflow(eta):
    """Least squares, whose steps beyond 2 / |x|^2 grow without bounds."""
    for A in (X, LAYOUTS["csr"]):
        w, result = core(
            A, "squared", "none", epochs=40, schedule={"eta0": eta}, exact_objective=True
        )
        assert np.isfinite(w).all()
        assert (np.diff(result["history"]["restarts"]) >= 0).all()
        assert result["history"]["objective"].min() < np.mean(Y**2) / 2
        if eta >= 10:
            assert result["history"]["restarts"][-1] > 0
            assert result["history"]["step_size"][-1] < eta


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "nonsense"}, "unknown loss 'nonsense'"),
        ({"rate": "nonsense"}, "unknown learning_rate 'nonsense'"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"epochs": 0}, "max_iter must be at least 1"),
        ({"per_example": True}, "per_example goes with rmsprop"),
        ({"rate": "bottou", "penalty": "none"}, "needs an L2 penalty"),
        ({"rate": "bottou", "loss": "hinge"}, "this loss is not smooth"),
        ({"rate": "fast_halving", "penalty": "l1"}, "needs an L2 penalty"),
        ({"rate": "optimal", "penalty": "none"}, "alpha must be > 0"),
        ({"s": np.zeros(N)}, "must be positive and finite"),
    ],
)
def test_refused(options, message):
    options = {"y": SIGNS, **options}
    with pytest.raises(ValueError, match=message):
        core(X, **options)
