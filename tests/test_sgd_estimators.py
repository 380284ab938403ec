"""SGDClassifier and SGDRegressor: scikit-learn's paths and conventions, and what is new."""

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn import linear_model
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from finitesum import LogisticRegression, SGDClassifier, SGDRegressor

RNG = np.random.default_rng(0)
N, P = 120, 15
X = RNG.normal(size=(N, P)) * (RNG.random((N, P)) < 0.5)
Z = X @ RNG.normal(size=P) + 0.3 * RNG.normal(size=N) + 0.2
LABELS = np.where(Z > 0, "yes", "no")
CLASSES = np.array(["low", "mid", "top"])[np.digitize(Z, [-1, 1.5])]
QUIET: dict[str, Any] = {"tol": None, "max_iter": 6}  # no warning: nothing to converge to

CLASSIFIER_LOSSES = [
    "hinge",
    "log_loss",
    "modified_huber",
    "squared_hinge",
    "perceptron",
    "squared_error",
    "huber",
    "epsilon_insensitive",
    "squared_epsilon_insensitive",
]
REGRESSOR_LOSSES = [
    "squared_error",
    "huber",
    "epsilon_insensitive",
    "squared_epsilon_insensitive",
]
BOUNDED = ("hinge", "log_loss", "perceptron", "epsilon_insensitive")
RATES = [("constant", 0.01), ("invscaling", 0.1), ("optimal", 0.01), ("adaptive", 0.02)]


def agree(ours, theirs, atol=1e-10):
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-10, atol=atol)
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-10, atol=atol)
    assert ours.coef_.shape == theirs.coef_.shape
    assert ours.intercept_.shape == theirs.intercept_.shape
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_


@pytest.mark.parametrize("average", [False, True, 50, 100_000])
@pytest.mark.parametrize(("rate", "eta0"), RATES)
@pytest.mark.parametrize("loss", CLASSIFIER_LOSSES)
def test_classifier_walks_scikit_learns_path(loss, rate, eta0, average):
    if rate == "optimal" and loss not in BOUNDED:
        pytest.skip("first steps beyond 2 / L amplify roundings without bounds")
    alpha = 0.1 if loss == "epsilon_insensitive" else 1e-3  # else "optimal" explodes
    options: dict[str, Any] = {
        "loss": loss, "learning_rate": rate, "eta0": eta0, "average": average, "alpha": alpha,
        "shuffle": False, "class_weight": {"yes": 1.5, "no": 0.5}, **QUIET,
    }  # fmt: skip
    weight = np.where(LABELS == "yes", 1 / 1.5, 1 / 0.5) * RNG.choice([0.5, 1.5], N)
    weight *= N / (weight * np.where(LABELS == "yes", 1.5, 0.5)).sum()
    theirs = linear_model.SGDClassifier(**options).fit(X, LABELS, sample_weight=weight)
    ours = SGDClassifier(**options).fit(X, LABELS, sample_weight=weight)
    agree(ours, theirs)
    assert np.array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("penalty", ["l2", None])
@pytest.mark.parametrize(("rate", "eta0"), RATES)
@pytest.mark.parametrize("loss", REGRESSOR_LOSSES)
def test_regressor_walks_scikit_learns_path(loss, rate, eta0, penalty):
    if rate == "optimal" and loss not in BOUNDED:
        pytest.skip("first steps beyond 2 / L amplify roundings without bounds")
    options: dict[str, Any] = {
        "loss": loss, "learning_rate": rate, "eta0": eta0, "penalty": penalty, "alpha": 1e-3,
        "shuffle": False, "epsilon": 0.3, **QUIET,
    }  # fmt: skip
    theirs = linear_model.SGDRegressor(**options).fit(X, Z)
    agree(SGDRegressor(**options).fit(X, Z), theirs)
    # scikit-learn holds back the intercept of sparse X
    options["fit_intercept"] = False
    theirs = linear_model.SGDRegressor(**options).fit(sp.csr_matrix(X), Z)
    agree(SGDRegressor(**options).fit(sp.csr_matrix(X), Z), theirs)


def test_several_classes_are_scikit_learns():
    options: dict[str, Any] = {
        "loss": "log_loss", "shuffle": False, "learning_rate": "invscaling", "eta0": 0.5, **QUIET
    }  # fmt: skip
    theirs = linear_model.SGDClassifier(**options).fit(X, CLASSES)
    ours = SGDClassifier(**options).fit(X, CLASSES)
    agree(ours, theirs)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)
    assert set(ours.history_["output"]) == {0, 1, 2}
    threads = SGDClassifier(n_jobs=2, **options).fit(X, CLASSES)
    assert np.array_equal(threads.coef_, ours.coef_)


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
@pytest.mark.parametrize("y", [LABELS, CLASSES], ids=["two", "three"])
def test_probabilities_are_scikit_learns(loss, y):
    theirs = linear_model.SGDClassifier(loss=loss, random_state=0).fit(X, y)
    ours = SGDClassifier(loss=loss, random_state=0).fit(X, y)
    ours.coef_, ours.intercept_ = theirs.coef_, theirs.intercept_
    for rows in (X, 30 * X, -30 * X, 0 * X):
        assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), atol=1e-12)
    assert_allclose(np.exp(ours.predict_log_proba(X)), ours.predict_proba(X), atol=1e-12)
    for rows in (1e4 * X, -1e4 * X):
        assert_allclose(ours.predict_proba(rows).sum(axis=1), 1, rtol=1e-12)
        if loss == "log_loss":  # where probabilities underflow, too
            assert np.isfinite(ours.predict_log_proba(rows)).all()


def test_no_probabilities_of_other_losses():
    model = SGDClassifier(random_state=0).fit(X, LABELS)
    assert not hasattr(model, "predict_proba")
    with pytest.raises(AttributeError, match="no attribute 'predict_proba'") as caught:
        model.predict_proba(X)
    assert "not available for loss='hinge'" in str(caught.value.__cause__)


@pytest.mark.parametrize("rows", [X, sp.csr_matrix(X)], ids=["dense", "sparse"])
@pytest.mark.parametrize("average", [False, True, "weighted", "suffix", ("uniform", 2)])
def test_partial_fits_are_one_fit(rows, average):
    options: dict[str, Any] = {"loss": "log_loss", "average": average, "random_state": 3}
    whole = SGDClassifier(max_iter=10, tol=None, **options).fit(rows, CLASSES)
    parts = SGDClassifier(**options)
    for k in range(10):
        parts.partial_fit(rows, CLASSES, classes=np.unique(CLASSES) if k == 0 else None)
        parts = pickle.loads(pickle.dumps(parts))
    assert np.array_equal(parts.coef_, whole.coef_)
    assert np.array_equal(parts.intercept_, whole.intercept_)
    assert parts.t_ == whole.t_ == 1 + (10 + whole.history_["restarts"].max()) * N
    regressor = SGDRegressor(max_iter=3, tol=None, random_state=1, average=average).fit(rows, Z)
    part = SGDRegressor(random_state=1, average=average)
    for _ in range(3):
        part.partial_fit(rows, Z)
    assert np.array_equal(part.coef_, regressor.coef_)


def test_partial_fit_goes_on_after_a_fit():
    options: dict[str, Any] = {"tol": None, "random_state": 0}
    model = SGDClassifier(max_iter=4, **options).fit(X, LABELS).partial_fit(X, LABELS)
    assert np.array_equal(model.coef_, SGDClassifier(max_iter=5, **options).fit(X, LABELS).coef_)


def test_a_late_average_begins_with_the_first_calls_epochs():
    """Whatever the lengths of later pieces."""
    options: dict[str, Any] = {"shuffle": False, "batch_size": 1, "learning_rate": "constant"}
    average = SGDRegressor(average=("uniform", 2), **options)
    at_step = SGDRegressor(average=1 + 2 * 50, **options)
    for piece in (slice(50), slice(50, 60), slice(60, 110), slice(50)):
        for model in (average, at_step):
            model.partial_fit(X[piece], Z[piece])
        assert np.array_equal(average.coef_, at_step.coef_)


def test_partial_fit_sees_classes_one_after_the_other():
    model = SGDClassifier(loss="log_loss", random_state=0)
    for label in ("no", "yes") * 5:
        chosen = label == LABELS
        model.partial_fit(X[chosen], LABELS[chosen], classes=["no", "yes"])
    assert model.score(X, LABELS) > 0.8


def test_converges_to_the_certified_optimum():
    alpha = 0.05
    optimum = LogisticRegression(C=1 / (alpha * N), tol=1e-10).fit(X, LABELS)
    model = SGDClassifier(
        "log_loss", alpha=alpha, learning_rate="bottou", average="weighted", tol=None,
        max_iter=400, random_state=0,
    ).fit(X, LABELS)  # fmt: skip
    assert_allclose(model.coef_, optimum.coef_, atol=5e-3)
    assert_allclose(model.intercept_, optimum.intercept_, atol=5e-3)


def test_weights_are_repeated_rows_in_full_batches():
    counts = RNG.integers(0, 4, N)
    options: dict[str, Any] = {
        "loss": "log_loss", "batch_size": 10**6, "learning_rate": "constant", "eta0": 1.0,
        "tol": None, "max_iter": 50, "class_weight": "balanced",
    }  # fmt: skip
    weighted = SGDClassifier(**options).fit(X, LABELS, sample_weight=counts)
    repeated = SGDClassifier(**options).fit(X.repeat(counts, axis=0), LABELS.repeat(counts))
    assert_allclose(weighted.coef_, repeated.coef_, atol=1e-10)


def test_quantiles():
    for quantile in (0.1, 0.5, 0.8):
        model = SGDRegressor(
            "quantile", quantile=quantile, penalty=None, learning_rate="invscaling", eta0=0.5,
            power_t=0.5, average=("uniform", 50), max_iter=200, tol=None, random_state=0,
        ).fit(X, Z)  # fmt: skip
        assert abs((model.predict(X) > Z).mean() - quantile) < 0.05


@pytest.mark.parametrize("y", [LABELS, CLASSES], ids=["two", "three"])
def test_early_stopping_returns_what_scored_best(y):
    options: dict[str, Any] = {"random_state": 0, "learning_rate": "constant", "eta0": 1.0}
    model = SGDClassifier(
        early_stopping=True, validation_fraction=0.3, n_iter_no_change=8, **options
    ).fit(X, y)
    scores = model.history_["score"]
    assert np.isfinite(scores).all()
    assert model.n_iter_ < 1000
    held = RNG.random(N) < 0.3
    own = SGDClassifier(n_iter_no_change=8, **options).fit(
        X[~held], LABELS[~held], validation_data=(sp.csr_matrix(X[held]), LABELS[held])
    )
    assert own.score(X[held], LABELS[held]) == own.history_["score"].max()
    regressor = SGDRegressor(random_state=0).fit(
        X[~held], Z[~held], validation_data=(X[held], Z[held])
    )
    assert_allclose(regressor.score(X[held], Z[held]), regressor.history_["score"].max())


def test_warm_start_goes_on_from_the_coefficients():
    first = SGDClassifier(shuffle=False, warm_start=True, **QUIET).fit(X, LABELS)
    theirs = linear_model.SGDClassifier(shuffle=False, warm_start=True, **QUIET).fit(X, LABELS)
    agree(first.fit(X, LABELS), theirs.fit(X, LABELS))
    given = SGDClassifier(shuffle=False, **QUIET).fit(
        X, LABELS, coef_init=np.full((1, P), 0.1), intercept_init=[0.3]
    )
    theirs = linear_model.SGDClassifier(shuffle=False, **QUIET).fit(
        X, LABELS, coef_init=np.full((1, P), 0.1), intercept_init=[0.3]
    )
    agree(given, theirs)


def test_callback_and_warnings():
    seen: list[dict[str, float]] = []

    def stop(epoch: dict[str, float]) -> bool:
        seen.append(epoch)
        return len(seen) == 3

    model = SGDClassifier(callback=stop, random_state=0, tol=None).fit(X, LABELS)
    assert model.n_iter_ == len(seen) == 3
    assert model.stopping_ == "callback"
    assert seen[-1]["objective"] == model.history_["objective"][-1]
    with pytest.warns(ConvergenceWarning, match="Maximum number of iteration reached"):
        SGDClassifier(max_iter=2, random_state=0).fit(X, LABELS)
    with pytest.warns(UserWarning, match="the sum of eta0 / t\\^2 is finite"):
        SGDClassifier(learning_rate="inverse_square", random_state=0).fit(X, LABELS)
    late = SGDClassifier(time_limit=1e-9, random_state=0).fit(X, LABELS)
    assert late.stopping_ == "time_limit"
    assert not late.coef_.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "logistic"}, "'loss' parameter"),
        ({"clip": ("norm", 0)}, "clip must be None or"),
        ({"clip": ("size", 1)}, "clip must be None or"),
        ({"projection": ("l3", 1)}, "projection must be None or"),
        ({"average": ("uniform", -1)}, "average must be"),
        ({"average": "everything"}, "'average' parameter"),
        ({"shuffle": "sometimes"}, "'shuffle' parameter"),
        ({"schedule_options": {"beta": 1}}, "has no option 'beta'"),
        ({"learning_rate": "bottou", "schedule_options": {"beta": -1}}, "'beta' must be"),
        ({"learning_rate": "plateau", "schedule_options": {"factor": 2}}, "'factor' must be"),
        ({"learning_rate": "plateau", "schedule_options": {"patience": 0}}, "'patience' must"),
        ({"learning_rate": "bottou"}, "this loss is not smooth"),
        ({"alpha": 0}, "alpha must be > 0 since learning_rate is 'optimal'"),
        ({"batch_size": 0}, "'batch_size' parameter"),
    ],
)
def test_refused_before_any_work(options, message):
    model = SGDClassifier(**options)
    with pytest.raises(ValueError, match=message):
        model.fit(X, LABELS)
    assert not hasattr(model, "coef_")


def test_partial_fit_refuses():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        SGDClassifier().partial_fit(X, LABELS)
    with pytest.raises(ValueError, match="early_stopping should be False"):
        SGDClassifier(early_stopping=True).partial_fit(X, LABELS, classes=["no", "yes"])
    with pytest.raises(ValueError, match="'balanced' is not supported"):
        SGDClassifier(class_weight="balanced").partial_fit(X, LABELS, classes=["no", "yes"])
    model = SGDClassifier().partial_fit(X, LABELS, classes=["no", "yes"])
    with pytest.raises(ValueError, match="not the same as on last call"):
        model.partial_fit(X, LABELS, classes=["no", "yes", "perhaps"])
    with pytest.raises(ValueError, match="`classes` lacks labels"):
        model.partial_fit(X, np.where(LABELS == "no", "never", "yes"))


def test_class_weight_of_samples_that_lack_classes():
    first, second = (SGDClassifier(random_state=0, class_weight=w) for w in ({"no": 3.0}, None))
    for part, weight in ((LABELS == "yes", 1.0), (LABELS == "no", 3.0)):
        weights = np.full(part.sum(), weight)
        first.partial_fit(X[part], LABELS[part], classes=["no", "yes"])
        second.partial_fit(X[part], LABELS[part], ["no", "yes"], weights)
    assert np.array_equal(first.coef_, second.coef_)


def test_a_raise_leaves_the_estimator_as_it_was():
    model = SGDClassifier(random_state=0).fit(X, LABELS)
    before = model.coef_
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(np.where(X == 0, np.nan, X), CLASSES)
    assert model.coef_ is before
    assert np.array_equal(model.classes_, np.unique(LABELS))


def test_iris_is_learned():
    A, y = load_iris(return_X_y=True)
    model = SGDClassifier("log_loss", random_state=0, average=True).fit(A, y)
    assert model.score(A, y) > 0.85
    assert clone(model).get_params() == model.get_params()


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
    "ignore::sklearn.exceptions.SkipTestWarning",
)
@parametrize_with_checks([SGDClassifier(), SGDRegressor()])
def test_scikit_learn_check(estimator: Any, check: Any) -> None:
    check(estimator)
