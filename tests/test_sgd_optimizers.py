"""Other rules than plain descent: the rule's own dense steps, sparse as dense, resumed, refused."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from finitesum import SGDClassifier, SGDRegressor, _core
from reference.sgd import soft
from test_sgd import ETA, LAYOUTS, LOSSES, PENALTIES, SIGNS, N, P, X, Y, core

RULES = [name for name in _core.optimizer_names() if name != "sgd"]
FULL_BATCH = ("rprop", "irprop", "quickprop")  # and without L1
each_rule = pytest.mark.parametrize("rule", RULES)


def batch_size(rule):
    return N if rule in FULL_BATCH else 7


def walk(rule, penalty, epochs, average=False, size=None, options=None):
    """The rule's dense steps on all coordinates, the intercept the last and without a penalty."""
    alpha, l1_ratio = PENALTIES[penalty]
    l1, l2 = alpha * l1_ratio, alpha * (1 - l1_ratio)
    decay = {"decoupled": l2} if rule == "adamw" else {"l2": l2}
    options = options or {}
    rules = _core.Optimizer(rule, options, l1=l1, **decay), _core.Optimizer(rule, options)
    parts = np.zeros(P), np.zeros(1)
    slots = [[np.zeros(len(w)) for _ in range(rules[0].n_slots)] for w in parts]
    derivative, size, total, k = LOSSES["logistic"][1], size or batch_size(rule), 0, 0
    for first in [*range(0, N, size)] * epochs:
        rows, k = slice(first, min(first + size, N)), k + 1
        f = derivative(X[rows] @ parts[0] + parts[1], SIGNS[rows])
        f /= len(f)
        for one, g, w, s in zip(
            rules, (f @ X[rows], np.array([f.sum()])), parts, slots, strict=True
        ):
            one.update(ETA, k, g, w, s)
        total = total + np.concatenate(parts)
    return total / k if average else np.concatenate(parts)


@each_rule
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("layout", ["dense", "dense32", "csr", "csr64"])
def test_steps_are_the_rules(rule, penalty, layout):
    if rule in FULL_BATCH and penalty in ("l1", "elasticnet"):
        pytest.skip("no L1 prox")
    options = {"optimizer": rule, "batch_size": batch_size(rule), "penalty": penalty, "epochs": 4}
    found, _ = core(LAYOUTS[layout], **options)
    assert_allclose(found, walk(rule, penalty, 4), rtol=1e-10, atol=1e-10)
    assert np.abs(found).max() > 1e-3
    averaged, _ = core(LAYOUTS[layout], average="uniform", **options)
    assert_allclose(averaged, walk(rule, penalty, 4, average=True), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in FULL_BATCH])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("layout", ["dense", "csr32", "csr"])
def test_single_rows_are_batches_of_one(rule, penalty, layout):
    found, _ = core(LAYOUTS[layout], optimizer=rule, penalty=penalty, epochs=2)
    assert_allclose(found, walk(rule, penalty, 2, size=1), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("penalty", ["none", "l1"])
@pytest.mark.parametrize("options", [{"eps": 0.0}, {"eps": 0.1}, {"eps_mode": "outside"}])
@pytest.mark.parametrize("size", [1, 7])
def test_adagrad_on_sparse_rows_takes_every_eps(penalty, options, size):
    found, _ = core(
        LAYOUTS["csr"], optimizer="adagrad", optimizer_options=options, penalty=penalty, epochs=2,
        batch_size=size,
    )  # fmt: skip
    assert_allclose(
        found, walk("adagrad", penalty, 2, size=size, options=options), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("penalty", ["none", "l1"])
@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adagrad_on_sparse_rows_of_any_length(penalty, size, index, dtype):
    """The kernels take entries in blocks: rows of none up to several."""
    rng = np.random.default_rng(1)
    dense = np.tril(rng.normal(size=(70, 70)), -1).astype(dtype)
    rows = sp.csr_matrix(dense)
    rows.indices, rows.indptr = rows.indices.astype(index), rows.indptr.astype(index)
    options = {"optimizer": "adagrad", "penalty": penalty, "batch_size": size, "keep_state": True}
    y = rng.choice([-1.0, 1.0], size=70)
    found, last = core(rows, y=y, **options)
    expected, dense_last = core(dense.astype(float), y=y, **options)
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert_allclose(last["state"], dense_last["state"], rtol=1e-9, atol=1e-12)
    assert np.count_nonzero(found[:-1]) > 20
    assert (penalty == "l1") == bool(np.count_nonzero(found[:69] == 0))


@pytest.mark.parametrize("penalty", ["l1", "none"])
def test_adagrad_on_sparse_rows_resumes_bit_for_bit(penalty):
    options = {"optimizer": "adagrad", "penalty": penalty, "order": "shuffle", "keep_state": True}
    whole, _ = core(LAYOUTS["csr"], epochs=4, **options)
    state = None
    for _ in range(4):
        parts, last = core(LAYOUTS["csr"], epochs=1, state=state, **options)
        state = last["state"]
    assert np.array_equal(parts, whole)


@each_rule
@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_resumed_is_uninterrupted(rule, layout):
    options = {
        "optimizer": rule, "batch_size": batch_size(rule), "order": "shuffle", "keep_state": True,
        "average": "suffix", "rate": "invscaling",
    }  # fmt: skip
    whole, result = core(LAYOUTS[layout], epochs=5, **options)
    state = None
    for _ in range(5):
        parts, last = core(LAYOUTS[layout], epochs=1, state=state, **options)
        state = last["state"]
    assert np.array_equal(parts, whole)
    assert np.array_equal(last["state"], result["state"])


@pytest.mark.parametrize("rule", ["sgd", *RULES])
def test_dense_and_sparse_rows_take_turns(rule):
    found = {}
    for kinds in (("dense", "dense"), ("dense", "csr"), ("csr", "dense")):
        state = None
        for kind in kinds * 2:
            found[kinds], last = core(
                LAYOUTS[kind], epochs=1, optimizer=rule, batch_size=batch_size(rule), state=state,
                keep_state=True, average="uniform",
            )  # fmt: skip
            state = last["state"]
    for mixed in found.values():
        assert_allclose(mixed, found["dense", "dense"], rtol=1e-10, atol=1e-10)


def walk_per_example(rule, penalty, epochs, size, gamma=0.9, eps=1e-8):
    """RMSProp, v the average of the mean of the squares of a batch's gradients, L2 in each."""
    alpha, l1_ratio = PENALTIES[penalty]
    l1, l2 = alpha * l1_ratio * np.r_[np.ones(P), 0], alpha * (1 - l1_ratio) * np.r_[np.ones(P), 0]
    A, w, v, a = np.column_stack([X, np.ones(N)]), np.zeros(P + 1), 0.0, 0.0
    for first in [*range(0, N, size)] * epochs:
        rows = slice(first, min(first + size, N))
        G = LOSSES["logistic"][1](A[rows] @ w, SIGNS[rows])[:, None] * A[rows] + l2 * w
        v = gamma * v + (1 - gamma) * np.mean(G**2, axis=0)
        a = gamma * a + (1 - gamma) * np.mean(G, axis=0) * (rule == "rmsprop_centered")
        length = ETA / np.sqrt(v - a**2 + eps)
        w = soft(w - length * np.mean(G, axis=0), l1 * length)
    return w


@pytest.mark.parametrize("rule", ["rmsprop", "rmsprop_centered"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("layout", ["dense", "csr32"])
@pytest.mark.parametrize("ball", ["none", "l2"])
def test_squares_of_single_gradients(rule, penalty, layout, ball):
    options = {"optimizer": rule, "penalty": penalty, "per_example": True, "batch_size": 7}
    found, _ = core(LAYOUTS[layout], ball=ball, radius=1e3, epochs=4, **options)
    assert_allclose(found, walk_per_example(rule, penalty, 4, 7), rtol=1e-8, atol=1e-8)


def test_squares_of_single_gradients_count_weights_as_repetition():
    s = np.arange(N) % 3
    options = {"optimizer": "rmsprop", "per_example": True, "epochs": 6}
    weighted, _ = core(X, y=SIGNS, s=s.astype(float), batch_size=N, **options)
    repeated, _ = core(
        np.repeat(X, s, axis=0), y=np.repeat(SIGNS, s), batch_size=s.sum(), **options
    )
    assert_allclose(weighted, repeated, rtol=1e-9)
    plain, _ = core(X, y=SIGNS, batch_size=N, **{**options, "per_example": False})
    single, _ = core(X, y=SIGNS, batch_size=N, **options)
    assert np.linalg.norm(single) < 0.8 * np.linalg.norm(plain)
    model = SGDClassifier(
        "log_loss", optimizer="rmsprop", optimizer_options={"per_example": True, "gamma": 0.8},
        batch_size=7, random_state=0, max_iter=3, tol=None,
    )  # fmt: skip
    other = SGDClassifier(**model.get_params()).set_params(optimizer_options={"gamma": 0.8})
    three = np.digitize(Y, [-1, 1])
    model.set_params(multi_class="multinomial").fit(X, three)
    other.set_params(multi_class="multinomial").fit(X, three)
    assert np.abs(model.coef_ - other.coef_).max() > 1e-3


def test_momentum_has_its_parameters():
    found = [
        core(X, optimizer="momentum", optimizer_options={"momentum": momentum})[0]
        for momentum in (0.0, 0.5)
    ]
    assert_allclose(found[0], core(X)[0], atol=1e-12)
    assert np.abs(found[1] - found[0]).max() > 0.01


@each_rule
def test_no_rule_ends_in_overflow(rule):
    for eta in (1e-3, 1.0, 1e4):
        w, _ = core(
            LAYOUTS["csr"], "squared", "none", optimizer=rule, batch_size=batch_size(rule),
            epochs=30, schedule={"eta0": eta},
        )  # fmt: skip
        assert np.isfinite(w).all()


def test_estimators_take_them():
    model = SGDClassifier(
        "log_loss", optimizer="adam", optimizer_options={"beta1": 0, "bias_correction": True},
        learning_rate="constant", eta0=0.01, random_state=0,
    )  # fmt: skip
    sparse = sp.csr_matrix(X)
    assert model.fit(sparse, SIGNS).score(sparse, SIGNS) > 0.9
    parts = SGDRegressor(optimizer="rmsprop", random_state=0, tol=None, max_iter=4)
    whole = parts.fit(X, Y).coef_
    parts = SGDRegressor(optimizer="rmsprop", random_state=0)
    for _ in range(4):
        parts.partial_fit(X, Y)
    assert np.array_equal(parts.coef_, whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "nonsense"}, "'optimizer' parameter"),
        ({"optimizer_options": {"beta1": 0.9}}, "optimizer_options: .*no parameter 'beta1'"),
        ({"optimizer": "adam", "optimizer_options": {"beta1": 1.0}}, "optimizer_options: beta1"),
        ({"optimizer": "adam", "optimizer_options": {"beta1": None}}, "optimizer_options: "),
        ({"optimizer": "adam", "optimizer_options": {"per_example": True}}, "no parameter 'per_"),
        ({"optimizer": "rmsprop", "optimizer_options": {"per_example": 1}}, "must be True or"),
        (
            {"optimizer": "rmsprop", "optimizer_options": {"per_example": True, "gamma": 0.0}},
            "with a positive gamma",
        ),
        ({"optimizer": "rprop", "batch_size": 1}, "takes full batches"),
        ({"optimizer": "rprop", "batch_size": N, "penalty": "l1"}, "takes no L1 penalty"),
    ],
)
def test_refused(options, message):
    model = SGDClassifier(**options)
    with pytest.raises(ValueError, match=message):
        model.fit(X, SIGNS)
    assert not hasattr(model, "coef_")
