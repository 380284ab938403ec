"""Networks beyond one fit: what a later fit keeps, L-BFGS among epochs, validation, threads."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning

from finitesum import MLPClassifier, MLPRegressor
from mlp_data import ESTIMATORS, P, design, small, target

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def validated(Estimator: Any, **options: Any) -> Any:
    X, y = design(), target(Estimator)
    model = small(Estimator, warm_start=True, learning_rate_init=0.01, **options)
    return model.fit(X[30:], y[30:], validation_data=(X[:30], y[:30]))


def test_several_threads_predict_at_once() -> None:
    model = small(MLPRegressor, hidden_layer_sizes=(50,), batch_norm=True)
    model.fit(design(), target(MLPRegressor))
    parts = list(np.random.default_rng(0).standard_normal((8, 3000, P)))
    alone = [model.predict(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(model.predict, parts * 4))
    np.testing.assert_allclose(together, alone * 4, rtol=1e-10)


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_best_epoch_does_not_undo_a_later_fit_without_rows_that_judge(
    Estimator: Any, how: str
) -> None:
    X, y = design(), target(Estimator)
    model, last = (validated(Estimator, restore_best=restore) for restore in (True, False))
    for each in (model, last):
        getattr(each, how)(X, y)
    assert model._progress.no_improvement == last._progress.no_improvement == 0
    assert all(np.array_equal(*pair) for pair in zip(model.coefs_, last.coefs_, strict=True))


def test_another_monitor_looks_for_its_best_anew() -> None:
    X, y = design(), target(MLPRegressor)
    model = validated(MLPRegressor).set_params(monitor="val_loss")
    model.fit(X[30:], y[30:], validation_data=(X[:30], y[:30]))
    found = 0.5 * np.mean((model.predict(X[:30]) - y[:30]) ** 2)
    assert found == pytest.approx(min(model.history_["val_loss"][-model.n_iter_ :]), rel=1e-10)


def test_a_folded_network_trains_on() -> None:
    X, y = design(), target(MLPRegressor)
    plain = validated(MLPRegressor, batch_norm=True, max_iter=9).fold_batchnorm()
    before = plain.predict(X)
    plain.set_params(learning_rate_init=1e-300).partial_fit(X, y)
    np.testing.assert_allclose(plain.predict(X), before, rtol=1e-12)
    assert plain.history_["epoch"].tolist() == [1]


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_augmented_batches_of_several_outputs(Estimator: Any) -> None:
    X = design()
    Y = X[:, :3] - X[:, 3:] if Estimator is MLPRegressor else (X[:, :3] > 0).astype(int)
    plain, augmented = (
        small(Estimator, augment=augment).fit(X, Y) for augment in (None, lambda X, _: X)
    )
    np.testing.assert_allclose(augmented.loss_curve_, plain.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_lbfgs_learns_all_rows_and_has_no_epochs(Estimator: Any) -> None:
    X, y = design(), target(Estimator)
    options = {"solver": "lbfgs", "alpha": 1.0, "max_iter": 15}
    of_all = small(Estimator, **options).fit(X, y)
    model = small(Estimator, early_stopping=True).fit(X, y).set_params(**options).fit(X, y)
    np.testing.assert_allclose(model.loss_, of_all.loss_, rtol=1e-9)
    assert vars(model).keys() == vars(of_all).keys()
    assert model.t_ == 0
    for name, value in {
        "augment": lambda X, _: X,
        "callbacks": lambda _: None,
        "clip": ("norm", 1.0),
        "schedule": lambda _: 0.1,
    }.items():
        with pytest.raises(ValueError, match=f"takes no {name}"):
            small(Estimator, **options, **{name: value}).fit(X, y)
    with pytest.raises(ValueError, match="takes no validation_data"):
        small(Estimator, **options).fit(X, y, validation_data=(X, y))


def test_lbfgs_between_epochs_is_not_undone() -> None:
    X, y = design(), target(MLPRegressor)
    model = validated(MLPRegressor).set_params(solver="lbfgs").fit(X, y)
    before = [weights.copy() for weights in model.coefs_]
    model.set_params(solver="adam", learning_rate_init=1e-300)
    model.fit(X[30:], y[30:], validation_data=(X[:30], y[:30]))
    assert all(np.array_equal(*pair) for pair in zip(model.coefs_, before, strict=True))


@pytest.mark.parametrize(
    ("y", "own", "message"),
    [
        (np.arange(90) % 3, np.full(30, 7), "classes not in"),
        (np.arange(90) % 3, np.eye(30, 3, dtype=int), "labels, or an indicator"),
        (np.eye(90, 3, dtype=int), np.arange(30) % 3, "labels, or an indicator"),
        (np.eye(90, 3, dtype=int), np.eye(30, 2, dtype=int), "as many outputs"),
        (np.arange(90) % 3, np.linspace(0, 1, 30), "Unknown label type"),
        (np.linspace(0, 1, 90), np.ones((30, 2)), "as many outputs"),
        (np.ones((90, 2)) * np.arange(90.0)[:, None], np.ones(30), "as many outputs"),
    ],
)
def test_targets_that_judge_are_checked(y: NDArray[Any], own: NDArray[Any], message: str) -> None:
    Estimator = MLPClassifier if y.dtype.kind == "i" else MLPRegressor
    with pytest.raises(ValueError, match=message):
        small(Estimator).fit(design(), y, validation_data=(design()[:30], own))


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_column_of_targets_judges_as_well(Estimator: Any) -> None:
    X, y = design(), target(Estimator)
    first = small(Estimator).fit(X, y, validation_data=(X[:30], y[:30]))
    with pytest.warns(DataConversionWarning):
        second = small(Estimator).fit(X, y, validation_data=(X[:30], y[:30, None]))
    assert second.validation_scores_ == first.validation_scores_


def test_labels_do_not_become_an_indicator() -> None:
    X, labels, indicator = design(), np.arange(90) % 3, np.eye(90, 3, dtype=int)
    with pytest.raises(ValueError, match="labels, or an indicator"):
        small(MLPClassifier).fit(X, labels).partial_fit(X, indicator)
    with pytest.raises(ValueError, match="labels, or an indicator"):
        small(MLPClassifier, warm_start=True).fit(X, indicator).fit(X, labels)
    with pytest.raises(ValueError, match="not the same as on last call"):
        small(MLPClassifier).partial_fit(X, indicator, classes=[0, 1])


def test_class_weight_of_samples_that_lack_classes() -> None:
    X, y = design(), target(MLPClassifier)
    weights = {"a": 3.0}
    first, second = (small(MLPClassifier, class_weight=given) for given in (weights, None))
    for part in (y != "a", y == "a"):
        first.partial_fit(X[part], y[part], classes=["a", "b", "c"])
        each = np.array([weights.get(label, 1.0) for label in y[part]])
        second.partial_fit(X[part], y[part], each, classes=["a", "b", "c"])
    assert first.loss_curve_ == second.loss_curve_
    with pytest.raises(ValueError, match="'balanced' is not supported"):
        first.set_params(class_weight="balanced").partial_fit(X, y)
