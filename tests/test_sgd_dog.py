"""Distance over gradients and polynomial averages: their plain twins, resumed, refused, good."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.preprocessing import scale

from finitesum import SGDClassifier, SGDRegressor
from reference.sgd import sgd
from test_sgd import LAYOUTS, LOSSES, PENALTIES, SIGNS, N, X, core

LARGEST = (X**2).sum(axis=1).max() + 1  # with the intercept's column


class Dog:
    """The length of each step from what is told of gradients and iterates."""

    def __init__(self, first):
        self.first, self.squares, self.distance = first, 0.0, 0.0

    def __call__(self, g, w):
        self.squares = self.squares or (np.linalg.norm(w) / self.first) ** 2
        self.squares += np.sum(g**2)
        self.distance = self.distance or self.first * np.sqrt(self.squares)
        self.distance = max(self.distance, np.linalg.norm(w))
        return self.distance / np.sqrt(self.squares) if self.squares else self.first


def twin(loss, alpha, first, batch=1, epochs=3, radius=np.inf, limit=np.inf, start=None):
    _, derivative, y = LOSSES[loss]
    w, dog = np.zeros(X.shape[1] + 1) if start is None else start.copy(), Dog(first)
    for rows in [np.arange(i, min(i + batch, N)) for i in range(0, N, batch)] * epochs:
        f = derivative(X[rows] @ w[:-1] + w[-1], y[rows]) / len(rows)
        g = np.append(f @ X[rows], f.sum())
        g *= min(1, limit / np.linalg.norm(g))
        eta = dog(g, w)
        w[:-1] *= 1 - eta * alpha
        w -= eta * g
        w[:-1] *= min(1, radius / np.linalg.norm(w[:-1]))
    return w


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("penalty", ["none", "l2"])
def test_steps_are_the_definition(layout, penalty):
    alpha = PENALTIES[penalty][0]
    options = {"penalty": penalty, "rate": "dog"}
    found, result = core(LAYOUTS[layout], **options)
    expected = twin("logistic", alpha, 2 / (0.25 * LARGEST + alpha))
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    found, _ = core(LAYOUTS[layout], batch_size=7, clip="norm", clip_limit=0.3, **options)
    expected = twin("logistic", alpha, 2 / (0.25 * LARGEST + alpha), batch=7, limit=0.3)
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    found, _ = core(LAYOUTS[layout], ball="l2", radius=0.2, **options)
    expected = twin("logistic", alpha, 2 / (0.25 * LARGEST + alpha), radius=0.2)
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert not result["history"]["restarts"].any()


def test_eta0_begins_where_the_loss_is_not_smooth():
    found, _ = core(X, "hinge", rate="dog", schedule={"eta0": 0.3})
    assert_allclose(found, twin("hinge", PENALTIES["l2"][0], 0.3), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_the_first_step_is_as_long_from_any_start(layout):
    alpha = PENALTIES["l2"][0]
    for size in (1e-3, 1.0, 30.0):
        start = size * np.random.default_rng(0).normal(size=X.shape[1] + 1)
        options = {"rate": "dog", "coef_init": start[:-1], "intercept_init": start[-1:]}
        found, result = core(LAYOUTS[layout], **options)
        expected = twin("logistic", alpha, 2 / (0.25 * LARGEST + alpha), start=start)
        assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        assert not result["history"]["restarts"].any()
        _, result = core(LAYOUTS[layout][:1], y=SIGNS[:1], epochs=1, **options)
        of_row = 0.25 * (X[0] @ X[0] + 1) + alpha
        assert_allclose(result["history"]["step_size"], 2 / of_row, rtol=1e-12)


def test_a_warm_start_keeps_what_was_reached():
    """With almost no gradients left, far from zero: a first step as long as w would lose it all."""
    A = scale(load_breast_cancer(return_X_y=True)[0])
    y = np.where(A[:, 0] + 0.1 * np.random.default_rng(0).normal(size=len(A)) > 0, 1.0, -1.0)
    model = SGDClassifier(
        "log_loss", alpha=1e-5, learning_rate="dog", monitor="objective", max_iter=30, tol=None,
        warm_start=True, random_state=0,
    ).fit(A, y)  # fmt: skip
    reached = model.history_["objective"].min()
    model.set_params(max_iter=1).fit(A, y)
    assert model.history_["objective"][0] < 1.5 * reached
    assert model.history_["restarts"][0] == 0


def test_rows_of_zeros_leave_eta0():
    for start in (0.0, 2.0):
        model = SGDRegressor(
            learning_rate="dog", eta0=0.3, penalty=None, fit_intercept=False, max_iter=3, tol=None,
            time_limit=10.0,
        ).fit(np.zeros((20, 2)), np.ones(20), coef_init=[start, start])  # fmt: skip
        assert model.stopping_ == "max_iter"
        assert (model.coef_ == start).all()
        assert_allclose(model.history_["step_size"], 0.3)


@pytest.mark.parametrize("factor", [1 / 3, 3])
def test_resumed_on_other_rows_the_steeper_ones_decide(factor):
    """The first call moves nothing: predictions of zero are right."""
    options = {"rate": "dog", "keep_state": True}
    _, begun = core(factor * X, "squared", y=np.zeros(N), epochs=1, **options)
    found, _ = core(X, "squared", state=begun["state"], **options)
    alpha = PENALTIES["l2"][0]
    steepest = max(1, factor**2) * (LARGEST - 1) + 1
    assert_allclose(found, twin("squared", alpha, 2 / (steepest + alpha)), rtol=1e-10, atol=1e-12)


def test_several_classes_are_one_vector():
    codes = np.digitize(X[:, 0] + X[:, 1], [-0.3, 0.3]).astype(np.int32)
    A, onehot = np.column_stack([X, np.ones(N)]), np.eye(3)[codes]
    alpha = PENALTIES["l2"][0]
    W, dog = np.zeros((3, A.shape[1])), Dog(2 / (0.5 * LARGEST + alpha))
    for i in [*range(N)] * 3:
        z = A[i] @ W.T
        G = np.outer(np.exp(z - logsumexp(z)) - onehot[i], A[i])
        eta = dog(G, W)
        W[:, :-1] *= 1 - eta * alpha
        W -= eta * G
    for layout in ("dense", "csr"):
        _, result = core(LAYOUTS[layout], y=codes, n_classes=3, rate="dog")
        assert_allclose(result["coef"].reshape(3, -1), W[:, :-1], rtol=1e-10, atol=1e-12)
        assert_allclose(result["intercepts"], W[:, -1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_polynomial_averages_are_their_definition(layout, penalty):
    """Also as the running average: w_bar <- (1 - 9/(t + 8)) w_bar + 9/(t + 8) w."""
    alpha, l1_ratio = PENALTIES[penalty]
    start = 20.0
    found, _ = core(LAYOUTS[layout], penalty=penalty, average="polynomial", average_start=start)
    shares = {"l1": alpha * l1_ratio, "l2": alpha * (1 - l1_ratio)}
    _, derivative, y = LOSSES["logistic"]
    expected = sgd(
        X, y, derivative, lambda _: 0.07, average=lambda t: np.prod(np.arange(t, t + 8.0)),
        start=start, **shares,
    )  # fmt: skip
    assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    running = 0.0
    for t in range(1, 6):
        w, _ = core(LAYOUTS[layout][:t], penalty=penalty, epochs=1, y=y[:t])
        running = (1 - 9 / (t + 8)) * running + 9 / (t + 8) * w
    direct, _ = core(LAYOUTS[layout][:5], penalty=penalty, epochs=1, y=y[:5], average="polynomial")
    assert_allclose(direct, running, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_resumed_is_uninterrupted(layout):
    options = {
        "rate": "dog", "average": "polynomial", "order": "shuffle", "batch_size": 2,
        "keep_state": True,
    }  # fmt: skip
    whole, result = core(LAYOUTS[layout], epochs=5, **options)
    state = None
    for _ in range(5):
        parts, last = core(LAYOUTS[layout], epochs=1, state=state, **options)
        state = last["state"]
    assert np.array_equal(parts, whole)
    assert np.array_equal(last["state"], result["state"])


@pytest.mark.parametrize(
    "options",
    [
        {"penalty": "l1"},
        {"penalty": "elasticnet"},
        {"optimizer": "adam"},
        {"projection": ("l1", 1.0)},
    ],
)
def test_what_it_does_not_go_with(options):
    with pytest.raises(ValueError, match="learning_rate='dog' goes with optimizer='sgd'"):
        SGDClassifier(learning_rate="dog", **options).fit(X, SIGNS)


def held_out_losses(estimators, A, y):
    """Log loss of every other row, after one pass over the rest."""
    return [
        np.mean(np.logaddexp(0, -y[1::2] * model.fit(A[::2], y[::2]).decision_function(A[1::2])))
        for model in estimators
    ]


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("name", ["breast_cancer", "digits"])
def test_a_pass_is_as_good_as_with_the_best_of_many_constant_steps(name, factor):
    """Whatever the units of the data, to a tenth."""
    if name == "digits":
        A, codes = load_digits(return_X_y=True)
        y = np.where(codes % 2 == 0, 1.0, -1.0)
    else:
        A, codes = load_breast_cancer(return_X_y=True)
        y = 2.0 * codes - 1
    A = np.nan_to_num(scale(A)) * factor
    one_pass = {"loss": "log_loss", "alpha": 1e-6, "max_iter": 1, "tol": None, "random_state": 0}
    steps = 10.0 ** np.arange(-4, 2) / factor**2
    best = min(
        held_out_losses(
            [SGDClassifier(learning_rate="constant", eta0=eta, **one_pass) for eta in steps], A, y
        )
    )
    dog = SGDClassifier(learning_rate="dog", average="polynomial", **one_pass)
    assert held_out_losses([dog], A, y)[0] < 1.1 * best


def test_regression_without_a_number_to_choose():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(2000, 5))
    star = np.array([100.0, -1.0, 0.0, 3.0, 0.01])
    y = A @ star + rng.normal(size=2000)
    model = SGDRegressor(
        penalty=None, learning_rate="dog", average="polynomial", max_iter=20, tol=None,
        random_state=0,
    ).fit(A, y)  # fmt: skip
    assert np.abs(model.coef_ - star).max() < 0.15  # the noise's own is 0.02
