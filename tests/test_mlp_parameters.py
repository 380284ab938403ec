"""What each parameter of the multilayer perceptrons does, one by one."""

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning

from finitesum import MLPClassifier, MLPRegressor
from finitesum.neural._initialization import SCHEMES
from mlp_data import ESTIMATORS, N, design, small, target

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FULL: dict[str, Any] = {"optimizer": "sgd", "batch_size": N, "max_iter": 1, "shuffle": False}
each_estimator = pytest.mark.parametrize("Estimator", ESTIMATORS)


def kinds(model: Any) -> list[str]:
    return [kind for kind, _ in model._network.layers]


def same_fit(first: Any, second: Any) -> bool:
    return first.loss_curve_ == second.loss_curve_ and all(
        np.array_equal(*pair) for pair in zip(first.coefs_, second.coefs_, strict=True)
    )


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("identity", lambda z: z),
        ("logistic", expit),
        ("tanh", np.tanh),
        ("relu", lambda z: np.maximum(z, 0)),
        ("softplus", lambda z: np.logaddexp(0, z)),
    ],
)
def test_activation_follows_each_hidden_layer(activation: str, function: Any) -> None:
    model = small(MLPRegressor, activation=activation).fit(design(), target(MLPRegressor))
    a = design()
    for i, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        a = a @ W + b if i == 2 else function(a @ W + b)
    np.testing.assert_allclose(model.predict(design()), a[:, 0], rtol=1e-10, atol=1e-12)


@each_estimator
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_alpha_is_scikit_learns(Estimator: Any, solver: str) -> None:
    """Weights after epochs of steps with L2 from the same start, drawn by the same numbers."""
    X, y = design()[:80], target(Estimator)[:80]
    options = {
        "solver": solver, "alpha": 2.0, "shuffle": False, "max_iter": 5, "batch_size": 20,
        "hidden_layer_sizes": (8, 5), "epsilon": 1e-16, "learning_rate_init": 0.01,
        "random_state": 1, "momentum": 0.0, "beta_1": 0.8, "beta_2": 0.95,
    }  # fmt: skip
    theirs = getattr(neural_network, Estimator.__name__)(**options)
    start = getattr(neural_network, Estimator.__name__)(
        **options | {"solver": "sgd", "learning_rate_init": 1e-300, "max_iter": 1}
    ).fit(X, y)
    ours = Estimator(**options, warm_start=True).fit(X, y)
    for arrays, initial in (
        (ours.coefs_, start.coefs_),
        (ours.intercepts_, start.intercepts_),
    ):
        for mine, their in zip(arrays, initial, strict=True):
            mine[...] = their
    ours._network.optimizer = ("none", {})  # the rule begins without a past
    ours.fit(X, y)
    theirs.fit(X, y)
    for mine, their in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, their, rtol=1e-7, atol=1e-9)


def test_batch_size_auto_is_two_hundred_or_all_rows() -> None:
    X, y = np.tile(design(), (5, 1)), np.tile(target(MLPRegressor), 5)
    asked: list[int] = []
    count = lambda k: asked.append(k) or 0.01  # noqa: E731
    for rows, expected in ((450, 3), (90, 1)):
        asked.clear()
        small(MLPRegressor, batch_size="auto", schedule=count, max_iter=1).fit(X[:rows], y[:rows])
        assert len(asked) == expected
    with pytest.warns(UserWarning, match="clipped"):
        small(MLPRegressor, batch_size=500).fit(X[:90], y[:90])


def test_shuffle_gives_each_epoch_an_order_of_its_own() -> None:
    X, y = design(), target(MLPRegressor)
    seen: list[float] = []

    def watch(batch: NDArray[Any], _: Any) -> NDArray[Any]:
        seen.extend(batch[:, 0])
        return batch

    for shuffle in (False, True):
        seen.clear()
        small(MLPRegressor, shuffle=shuffle, max_iter=2, augment=watch).fit(X, y)
        first, second = np.array(seen).reshape(2, N)
        assert np.array_equal(first, X[:, 0]) != shuffle
        assert np.array_equal(first, second) != shuffle
        np.testing.assert_array_equal(np.sort(first), np.sort(X[:, 0]))
        np.testing.assert_array_equal(np.sort(second), np.sort(X[:, 0]))


def test_tol_and_n_iter_no_change_end_a_fit() -> None:
    X, y = design(), target(MLPRegressor)
    model = small(MLPRegressor, tol=1e10, n_iter_no_change=3, max_iter=50).fit(X, y)
    assert (model.n_iter_, model.stopping_) == (5, "tol")  # as in scikit-learn: more than three
    theirs = neural_network.MLPRegressor(
        hidden_layer_sizes=(8, 5), batch_size=20, tol=1e10, n_iter_no_change=3, max_iter=50
    ).fit(X, y)
    assert model.n_iter_ == theirs.n_iter_
    assert (
        small(MLPRegressor, tol=1e10, n_iter_no_change=np.inf, max_iter=30).fit(X, y).n_iter_ == 30
    )


def test_verbose_alone_prints(capsys: pytest.CaptureFixture[str]) -> None:
    small(MLPRegressor).fit(design(), target(MLPRegressor))
    assert capsys.readouterr() == ("", "")
    small(MLPRegressor, verbose=1).fit(design(), target(MLPRegressor))
    assert "".join(capsys.readouterr())


def test_max_fun_limits_evaluations() -> None:
    X, y = design(), target(MLPRegressor)
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        few = small(MLPRegressor, solver="lbfgs", max_fun=3, max_iter=100).fit(X, y)
    many = small(MLPRegressor, solver="lbfgs", max_fun=300, max_iter=100).fit(X, y)
    assert few.n_iter_ <= 3 < many.n_iter_


def test_optimizer_options_are_the_rules() -> None:
    X, y = design(), target(MLPRegressor)
    plain = small(MLPRegressor, optimizer="sgd").fit(X, y)
    without = small(MLPRegressor, optimizer="momentum", optimizer_options={"momentum": 0.0})
    np.testing.assert_allclose(without.fit(X, y).coefs_[0], plain.coefs_[0], rtol=1e-12)
    by_solver = small(MLPRegressor, solver="adam", beta_1=0.5, beta_2=0.9, epsilon=1e-3)
    by_rule = small(
        MLPRegressor, optimizer="adam",
        optimizer_options={"beta1": 0.5, "beta2": 0.9, "eps": 1e-3},
    )  # fmt: skip
    assert same_fit(by_solver.fit(X, y), by_rule.fit(X, y))


def test_clip_limits_a_step() -> None:
    X, y = design(), 100 * target(MLPRegressor)
    start = small(MLPRegressor, **FULL, alpha=0.0, learning_rate_init=1e-300).fit(X, y)
    moves = []
    for clip in (None, ("value", 0.5), ["norm", 0.5]):
        model = small(MLPRegressor, **FULL, alpha=0.0, learning_rate_init=1e-3, clip=clip)
        model.fit(X, y)
        move = model._network.core.flat_parameters - start._network.core.flat_parameters
        moves.append(move / -1e-3)
    np.testing.assert_allclose(moves[1], np.clip(moves[0], -0.5, 0.5), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(moves[2], 0.5 * moves[0] / np.linalg.norm(moves[0]), atol=1e-9)


@each_estimator
def test_batch_norm_of_all_layers_or_of_each(Estimator: Any) -> None:
    X, y = design(), target(Estimator)

    def layers(**options: Any) -> list[str]:
        return kinds(small(Estimator, activation="tanh", max_iter=1, **options).fit(X, y))

    assert layers() == ["dense", "tanh", "dense", "tanh", "dense"]
    assert layers(batch_norm=[False, True]) == ["dense", "tanh", "dense", "batch_norm", "tanh",
                                                "dense"]  # fmt: skip
    pre = ["dense", "batch_norm", "tanh"]
    assert layers(batch_norm=True) == [*pre, *pre, "dense"]
    post = ["dense", "tanh", "batch_norm"]
    assert layers(batch_norm=(True, True), bn_position="post") == [*post, *post, "dense"]


def test_before_the_activation_batch_norm_replaces_biases() -> None:
    X, y = design(), target(MLPRegressor)
    for position, has_bias in (("pre", False), ("post", True)):
        model = small(MLPRegressor, batch_norm=True, bn_position=position).fit(X, y)
        names = [set(model._network.arrays(i)) for i in model._network.places("dense")]
        assert ["bias" in each for each in names] == [has_bias, has_bias, True]


def test_bn_stats_differ_in_predictions_alone() -> None:
    X, y = design(), target(MLPRegressor)
    running, population = (
        small(MLPRegressor, batch_norm=True, bn_stats=stats).fit(X, y)
        for stats in ("running", "population")
    )
    assert same_fit(running, population)
    assert not np.allclose(running.predict(X), population.predict(X))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"dropout": 0.2}, ["dense", "relu", "dropout", "dense", "relu", "dropout", "dense"]),
        ({"dropout": [0.0, 0.5]}, ["dense", "relu", "dense", "relu", "dropout", "dense"]),
        ({"drop_connect": [0.3, 0.0]}, ["drop_connect", "relu", "dense", "relu", "dense"]),
        ({"input_dropout": 0.3}, ["dropout", "dense", "relu", "dense", "relu", "dense"]),
        ({"input_noise": 0.3}, ["gaussian_noise", "dense", "relu", "dense", "relu", "dense"]),
    ],
)
@each_estimator
def test_noise_is_where_it_is_asked_for(
    Estimator: Any, options: dict[str, Any], expected: list[str]
) -> None:
    X, y = design(), target(Estimator)
    model, plain = small(Estimator, **options).fit(X, y), small(Estimator).fit(X, y)
    assert kinds(model) == expected
    (rate,) = {
        value for kind, each in model._network.layers for name, value in each.items()
        if name in ("rate", "deviation")
    }  # fmt: skip
    assert rate == np.max(next(iter(options.values())))
    assert model.loss_curve_ != plain.loss_curve_
    assert np.array_equal(model.predict(X), model.predict(X))


@each_estimator
@pytest.mark.parametrize("drop_connect", [0.0, 0.2])
def test_max_norm_holds_in_hidden_layers(Estimator: Any, drop_connect: float) -> None:
    X, y = design(), target(Estimator)
    model = small(
        Estimator, max_norm=0.4, drop_connect=drop_connect, learning_rate_init=0.1
    ).fit(X, y)  # fmt: skip
    for weights in model.coefs_[:-1]:
        norms = np.linalg.norm(weights, axis=0)
        assert norms.max() <= 0.4 * (1 + 1e-12)
    assert np.linalg.norm(model.coefs_[-1], axis=0).max() > 0.4


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weight_init_begins_there_with_biases_of_zero(scheme: str) -> None:
    X = np.random.default_rng(0).standard_normal((N, 300))
    model = MLPRegressor(
        hidden_layer_sizes=(200,), weight_init=scheme, alpha=0.0, random_state=0,
        **FULL | {"learning_rate_init": 1e-300},
    ).fit(X, X[:, 0])  # fmt: skip
    kind = scheme.split("_")[0]
    for weights in model.coefs_:
        n_in, n_out = weights.shape
        variance = {"lecun": 1 / n_in, "xavier": 2 / (n_in + n_out), "he": 2 / n_in}[kind]
        assert weights.var() == pytest.approx(variance, rel=5 / np.sqrt(weights.size))
    assert max(np.abs(bias).max() for bias in model.intercepts_) < 1e-290


@pytest.mark.parametrize("zero", [0, 0.0, "zero", "zeros"])
def test_zero_weights_are_refused_with_the_reason(zero: Any) -> None:
    with pytest.raises(ValueError, match="all units of a layer would have the same gradient and"):
        small(MLPRegressor, weight_init=zero).fit(design(), target(MLPRegressor))


@each_estimator
def test_augmented_rows_are_what_is_learned(Estimator: Any) -> None:
    X, y = design(), target(Estimator)
    augmented = small(Estimator, augment=lambda batch, _: 2 * batch - 1).fit(X, y)
    np.testing.assert_allclose(
        augmented.loss_curve_, small(Estimator).fit(2 * X - 1, y).loss_curve_, rtol=1e-12
    )
    draws: list[float] = []
    for _ in "ab":
        small(Estimator, augment=lambda b, random: draws.append(random.random()) or b).fit(X, y)
    assert draws[: len(draws) // 2] == draws[len(draws) // 2 :]
    assert len(set(draws)) == len(draws) // 2


@each_estimator
def test_sample_weights_are_repeated_rows(Estimator: Any) -> None:
    X, y = design(), target(Estimator)
    counts = np.random.default_rng(0).integers(0, 4, N)
    options = FULL | {"max_iter": 8, "learning_rate_init": 0.1, "alpha": 0.5, "tol": 0.0}
    first = small(Estimator, **options).fit(X, y, counts)
    rows = np.repeat(np.arange(N), counts)
    second = small(Estimator, **options | {"batch_size": len(rows)}).fit(X[rows], y[rows])
    np.testing.assert_allclose(first.loss_curve_, second.loss_curve_, rtol=1e-10)
    np.testing.assert_allclose(first.coefs_[0], second.coefs_[0], rtol=1e-8, atol=1e-12)


@each_estimator
def test_weights_of_validation_rows_are_repeated_rows(Estimator: Any) -> None:
    X, y = design(), target(Estimator)
    counts = np.arange(30) % 3
    rows = np.repeat(np.arange(30), counts)
    first, second = (
        small(Estimator).fit(X[30:], y[30:], validation_data=held)
        for held in ((X[:30], y[:30], counts), (X[rows], y[rows]))
    )
    np.testing.assert_allclose(first.history_["val_loss"], second.history_["val_loss"], rtol=1e-10)
    np.testing.assert_allclose(first.validation_scores_, second.validation_scores_, rtol=1e-10)


def test_label_smoothing_bounds_what_is_learned() -> None:
    """With share s the best prediction for rows of one label is 1 - s + s / K."""
    X, y = np.eye(3), np.array([0, 1, 2])
    options = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 0.0, "max_iter": 500,
               "tol": 1e-9, "random_state": 0}  # fmt: skip
    for labels, X_of in ((y, X), (y[:2], X[:2])):
        found = MLPClassifier(label_smoothing=0.3, **options).fit(X_of, labels).predict_proba(X_of)
        np.testing.assert_allclose(np.diag(found), 0.7 + 0.3 / len(labels), atol=1e-5)


@pytest.mark.parametrize("n_threads", [1, 2, None])
def test_n_threads_changes_no_more_than_rounding(n_threads: int | None) -> None:
    X, y = design(), target(MLPRegressor)
    options = {"hidden_layer_sizes": (64, 32), "batch_norm": True, "batch_size": 45}
    alone = small(MLPRegressor, n_threads=1, **options).fit(X, y)
    other = small(MLPRegressor, n_threads=n_threads, **options).fit(X, y)
    np.testing.assert_allclose(other.loss_curve_, alone.loss_curve_, rtol=1e-8)
    if n_threads == 1:
        assert same_fit(alone, other)


@each_estimator
def test_power_t_and_schedules_give_the_rates_that_history_shows(Estimator: Any) -> None:
    X, y = design(), target(Estimator)
    options = {"solver": "sgd", "learning_rate_init": 0.1, "batch_size": 30}
    model = small(Estimator, learning_rate="invscaling", power_t=0.3, **options).fit(X, y)
    seen = N * np.arange(6)
    expected = np.where(seen > 0, 0.1 / (seen + 1.0) ** 0.3, 0.1)
    np.testing.assert_allclose(model.history_["learning_rate"], expected, rtol=1e-12)
    halving = small(Estimator, schedule=lambda k: 0.1 * 0.5 ** ((k - 1) // 3), **options).fit(X, y)
    np.testing.assert_allclose(halving.history_["learning_rate"], 0.1 * 0.5 ** np.arange(6))


@each_estimator
def test_folding_in_single_precision_predicts_the_same(Estimator: Any) -> None:
    X, y = design(np.float32), target(Estimator)
    for position in ("pre", "post"):
        model = small(Estimator, batch_norm=True, bn_position=position).fit(X, y)
        name = "predict" if Estimator is MLPRegressor else "predict_proba"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = getattr(model.fold_batchnorm(), name)(X)
        np.testing.assert_allclose(found, getattr(model, name)(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "option",
    [
        {"batch_norm": True},
        {"batch_norm": [False, True]},
        {"dropout": 0.1},
        {"drop_connect": [0.1, 0.0]},
        {"input_dropout": 0.1},
        {"input_noise": 0.1},
        {"max_norm": 2.0},
    ],
)
@each_estimator
def test_what_layers_would_hide_is_refused(Estimator: Any, option: dict[str, Any]) -> None:
    X, y = design(), target(Estimator)
    layers = [("dense", {"n_outputs": 3, "max_norm": 2}), "tanh", ("dropout", {"rate": 0.1})]
    small(Estimator, layers=layers).fit(X, y)
    (name,) = option
    with pytest.raises(ValueError, match=f"^{name} shapes the layers of hidden_layer_sizes"):
        small(Estimator, layers=layers, **option).fit(X, y)
