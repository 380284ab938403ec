"""One problem for all classes: the plain twin's path, the certified optimum, conventions."""

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning

from finitesum import LogisticRegression, SGDClassifier, _core
from reference.sgd import multinomial_sgd
from test_sgd import ETA, INF, LAYOUTS, PENALTIES, N, P, X, Y

CODES = np.digitize(Y, [-1.0, 0.5, 1.5]).astype(np.int32)
K = 4


def core(layout, penalty="l2", *, epochs=3, y=CODES, **options):
    A = LAYOUTS[layout]
    alpha, l1_ratio = PENALTIES[penalty]
    result = _core.fit_sgd(
        A if isinstance(A, np.ndarray) else (A.data, A.indices, A.indptr, P), y, None,
        **{
            "loss": "multinomial", "loss_parameter": 1.0, "n_classes": K, "alpha": alpha,
            "l1_ratio": l1_ratio, "fit_intercept": True, "order": "cyclic",
            "learning_rate": "constant", "schedule": {"eta0": ETA, "tol": -INF},
            "max_iter": epochs, **options,
        },
    )  # fmt: skip
    return np.column_stack([result["coef"].reshape(K, P), result["intercepts"]]), result


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("clip", [("none", 1.0), ("value", 0.02), ("norm", 0.1)])
@pytest.mark.parametrize("average", [False, True])
def test_paths_are_the_twins(layout, penalty, clip, average):
    alpha, l1_ratio = PENALTIES[penalty]
    for batch in (1, 7):
        found, _ = core(
            layout, penalty, clip=clip[0], clip_limit=clip[1], batch_size=batch,
            average="uniform" if average else "none",
        )  # fmt: skip
        expected = multinomial_sgd(
            X, CODES, ETA, l1=alpha * l1_ratio, l2=alpha * (1 - l1_ratio), batch=batch, clip=clip,
            average=average,
        )  # fmt: skip
        assert_allclose(found, expected, atol=1e-12)


def test_other_rules_and_balls():
    plain, _ = core("csr")
    momentum, _ = core("csr", optimizer="momentum", optimizer_options={"momentum": 0.0})
    assert_allclose(momentum, plain, atol=1e-12)
    for optimizer in ("momentum", "adam"):
        sparse, _ = core("csr", optimizer=optimizer)
        assert_allclose(sparse, core("dense", optimizer=optimizer)[0], atol=1e-10)
    inside, _ = core("csr", ball="l2", radius=0.1)
    assert_allclose(np.linalg.norm(inside[:, :-1], axis=1).max(), 0.1)


def test_objective_and_scores():
    W, result = core("dense", exact_objective=True, validation=(X, CODES, None), labels=True)
    best = int(result["history"]["score"].argmax())
    Z = X @ W[:, :-1].T + W[:, -1]
    loss = -np.log(softmax(Z, axis=1)[np.arange(N), CODES]).mean()
    assert_allclose(result["history"]["loss"][best], loss, rtol=1e-12)
    assert_allclose(result["history"]["score"][best], (Z.argmax(axis=1) == CODES).mean())
    nonzeros = np.count_nonzero(W[:, :-1])
    assert result["history"]["nonzeros"][best] == nonzeros


@pytest.mark.parametrize("y", [CODES - 1, CODES + 1])
def test_class_numbers_are_checked(y):
    with pytest.raises(ValueError, match="class numbers must lie in"):
        core("dense", y=y)


def test_converges_to_the_certified_optimum():
    optimum = LogisticRegression(C=1 / (0.05 * N), tol=1e-10).fit(X, CODES)
    model = SGDClassifier(
        "log_loss", multi_class="multinomial", alpha=0.05, learning_rate="bottou",
        average="weighted", tol=None, max_iter=600, random_state=0,
    ).fit(X, CODES)  # fmt: skip
    assert_allclose(model.coef_, optimum.coef_, atol=1e-2)
    assert_allclose(model.predict_proba(X), optimum.predict_proba(X), atol=1e-2)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert (model.predict(X) == optimum.predict(X)).mean() > 0.95


@pytest.mark.parametrize("rows", [LAYOUTS["dense"], LAYOUTS["csr"]], ids=["dense", "csr"])
def test_partial_fits_are_one_fit(rows):
    names = np.array(["a", "b", "c", "d"])
    options: dict[str, Any] = {
        "loss": "log_loss", "multi_class": "multinomial", "random_state": 0, "average": True
    }  # fmt: skip
    whole = SGDClassifier(max_iter=10, tol=None, **options).fit(rows, names[CODES])
    parts = SGDClassifier(**options)
    for _ in range(10):
        parts.partial_fit(rows, names[CODES], classes=names)
        parts = pickle.loads(pickle.dumps(parts))
    assert np.array_equal(parts.coef_, whole.coef_)
    assert np.array_equal(parts.intercept_, whole.intercept_)
    assert whole.coef_.shape == (K, P)


@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning")
def test_conventions():
    options: dict[str, Any] = {"loss": "log_loss", "random_state": 0, "tol": None, "max_iter": 5}
    two = SGDClassifier(multi_class="multinomial", **options).fit(X, CODES > 1)
    assert np.array_equal(two.coef_, SGDClassifier(**options).fit(X, CODES > 1).coef_)
    options |= {"multi_class": "multinomial", "shuffle": False, "learning_rate": "constant"}
    longer = SGDClassifier(**options, warm_start=True).fit(X, CODES).fit(X, CODES)
    once = SGDClassifier(**{**options, "max_iter": 10}).fit(X, CODES)
    assert_allclose(longer.coef_, once.coef_, rtol=1e-12)
    given = SGDClassifier(**options).fit(
        X, CODES, coef_init=np.zeros((K, P)), intercept_init=np.zeros(K)
    )
    assert np.array_equal(given.coef_, SGDClassifier(**options).fit(X, CODES).coef_)
    stopped = SGDClassifier(
        "log_loss", multi_class="multinomial", early_stopping=True, random_state=0
    ).fit(X, CODES)
    assert np.isfinite(stopped.history_["score"]).all()
    with pytest.raises(ValueError, match="needs loss='log_loss'"):
        SGDClassifier(multi_class="multinomial").fit(X, CODES)
