"""The course of a network's fit: resuming, validation, callbacks, Ctrl-C, errors."""

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from finitesum import MLPClassifier, MLPRegressor
from interrupting import ends_early, needs_ctrl_c
from mlp_data import ESTIMATORS, design, small, target

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("Estimator", ESTIMATORS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "batch_norm": True,
            "dropout": 0.2,
            "input_dropout": 0.1,
            "drop_connect": 0.1,
            "input_noise": 0.1,
        },
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"early_stopping": True, "n_iter_no_change": 1, "max_iter": 9},
        {"augment": lambda X, random: X + 0.1 * random.standard_normal(X.shape)},
    ],
    ids=["plain", "random layers", "invscaling", "early stopping", "augmented"],
)
def test_a_resumed_fit_is_one_fit_to_the_bit(Estimator: Any, options: dict[str, Any]) -> None:
    X, y = design(), target(Estimator)
    whole = small(Estimator, **options)
    once = clone(whole).fit(X, y)
    n = once.n_iter_
    parts = clone(whole).set_params(warm_start=True, max_iter=2).fit(X, y)
    if parts.n_iter_ == 2 < n:
        parts = copy.deepcopy(parts) if "augment" in options else pickle.loads(pickle.dumps(parts))
        parts.set_params(max_iter=once.max_iter - 2).fit(X, y)
    assert parts.loss_curve_ == once.loss_curve_
    assert parts.predict(X).tolist() == once.predict(X).tolist()
    assert all(np.array_equal(*pair) for pair in zip(parts.coefs_, once.coefs_, strict=True))
    if not options.get("early_stopping"):
        calls = clone(whole)
        for _ in range(once.max_iter):
            calls.partial_fit(X, y, **({"classes": np.unique(y)} if y.dtype.kind == "U" else {}))
        assert calls.loss_curve_ == once.loss_curve_


@pytest.mark.parametrize("monitor", ["val_score", "val_loss"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_best_epoch_is_restored(Estimator: Any, monitor: str) -> None:
    X, y = design(), target(Estimator)
    held = (X[:30], y[:30])
    model = small(
        Estimator, monitor=monitor, max_iter=25, learning_rate_init=0.1, batch_norm=True
    ).fit(X[30:], y[30:], validation_data=held)  # fmt: skip
    scores = model.validation_scores_
    losses = model.history_["val_loss"]
    best = np.argmax(scores) if monitor == "val_score" else np.argmin(losses)
    assert model.score(*held) == pytest.approx(scores[best], rel=1e-12)
    kept = clone(model).set_params(restore_best=False).fit(X[30:], y[30:], validation_data=held)
    assert kept.score(*held) == pytest.approx(scores[-1], rel=1e-12)
    assert len(scores) == model.n_iter_ == len(model.loss_curve_)


def test_early_stopping_holds_rows_out() -> None:
    X, y = design(), target(MLPClassifier)
    model = small(
        MLPClassifier, early_stopping=True, validation_fraction=0.2, max_iter=300,
        learning_rate_init=0.05, n_iter_no_change=3,
    ).fit(X, y)  # fmt: skip
    assert model.stopping_ == "tol"
    assert model.n_iter_ < 300
    assert model.t_ == model.n_iter_ * 72
    assert model.best_validation_score_ == max(model.validation_scores_)
    with pytest.raises(ValueError, match="does not support early_stopping"):
        model.partial_fit(X, y)


def test_callbacks_see_each_epoch_and_may_stop() -> None:
    seen: list[dict[str, float]] = []
    stop_at_3 = lambda epoch: epoch["epoch"] >= 3  # noqa: E731
    model = small(MLPRegressor, callbacks=[seen.append, stop_at_3])
    model.fit(design(), target(MLPRegressor))
    assert model.stopping_ == "callback"
    assert [epoch["epoch"] for epoch in seen] == [1, 2, 3]
    assert [epoch["loss"] for epoch in seen] == model.loss_curve_


def test_an_interrupted_fit_is_kept() -> None:
    def press(epoch: dict[str, float]) -> None:
        if epoch["epoch"] == 2:
            raise KeyboardInterrupt

    model = small(MLPRegressor, callbacks=press)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(design(), target(MLPRegressor))
    assert model.stopping_ == "interrupted"
    assert model.n_iter_ == 2
    assert np.isfinite(model.predict(design())).all()


@needs_ctrl_c
def test_ctrl_c_is_heard_within_an_epoch() -> None:
    X = np.random.default_rng(0).standard_normal((3000, 50))

    def fit() -> None:
        model = MLPRegressor(hidden_layer_sizes=(200,), batch_size=50, max_iter=1, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(3):
                model.fit(np.tile(X, (10, 1)), np.tile(X[:, 0], 10))
                if model.stopping_ == "interrupted":
                    assert model.n_iter_ == 0
                    assert np.isfinite(model.predict(X)).all()
                    return

    assert ends_early(fit)


def test_what_may_change_between_fits() -> None:
    X, y = design(), target(MLPRegressor)
    model = small(MLPRegressor, warm_start=True, optimizer="momentum").fit(X, y)
    before = model.coefs_[0].copy()
    model.set_params(dropout=0.2, optimizer="adam", learning_rate_init=1e-300).fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], before)
    assert [kind for kind, _ in model._network.layers].count("dropout") == 2
    with pytest.raises(ValueError, match="parameters of the same shapes"):
        model.set_params(hidden_layer_sizes=(8, 4)).fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], before)


def test_ctrl_c_ends_a_loop_around_partial_fit() -> None:
    def press(_: Any) -> None:
        raise KeyboardInterrupt

    X, y = design(), target(MLPRegressor)
    model = small(MLPRegressor).partial_fit(X, y)
    before = model.predict(X)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=press).partial_fit(X, y)
    assert np.array_equal(model.predict(X), before)
    assert model.set_params(callbacks=None).partial_fit(X, y).history_["epoch"].tolist() == [1, 2]


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_fit_that_raises_leaves_the_estimator_as_it_was(goes_on: bool) -> None:
    X, y = design(), target(MLPRegressor)
    model = small(MLPRegressor, warm_start=goes_on).fit(X, y)
    before, predictions = dict(vars(model)), model.predict(X)

    def fail(_: Any) -> None:
        raise RuntimeError("of the caller's")

    with pytest.raises(RuntimeError, match="of the caller's"):
        model.set_params(callbacks=fail).fit(X, y)
    assert {**vars(model), "callbacks": None} == before
    assert np.array_equal(model.predict(X), predictions)


def test_schedule_gives_each_step_its_length() -> None:
    X, y = design(), target(MLPRegressor)
    options = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.01}
    asked: list[int] = []

    def schedule(k: int) -> float:
        asked.append(k)
        return 0.01

    first = small(MLPRegressor, **options).fit(X, y)
    second = small(MLPRegressor, schedule=schedule, **options).fit(X, y)
    assert asked == list(range(1, 6 * 5 + 1))
    assert first.loss_curve_ == second.loss_curve_


def test_feature_names_and_convergence_warning() -> None:
    frame = pd.DataFrame(design(), columns=list("abcdef"))
    model = small(MLPRegressor)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(6\) reached"):
        model.fit(frame, target(MLPRegressor))
    assert list(model.feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[frame.columns[::-1]])
