"""MLPClassifier and MLPRegressor: scikit-learn's results, options, sparse input."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_digits

from finitesum import MLPClassifier, MLPRegressor, _core
from mlp_data import ESTIMATORS, N, design, small, target

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SKLEARN_CASES = {
    "adam": {"solver": "adam", "epsilon": 1e-16},  # theirs stands beside an uncorrected root
    "sgd, nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
    "sgd, momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.02},
    "plain sgd, tanh": {"solver": "sgd", "momentum": 0.0, "activation": "tanh"},
    "logistic": {"activation": "logistic", "learning_rate_init": 0.02, "epsilon": 1e-16},
    # With momentum a new rate acts on the sum of past gradients here, on coming ones there.
    "invscaling": {"solver": "sgd", "momentum": 0.0, "learning_rate": "invscaling"},
    "adaptive": {
        "solver": "sgd",
        "momentum": 0.0,
        "learning_rate": "adaptive",
        "tol": 1.0,
        "n_iter_no_change": 1,
    },
}


@pytest.mark.parametrize("n_classes", [2, 3, 0], ids=["binary", "three classes", "regression"])
@pytest.mark.parametrize("case", SKLEARN_CASES)
def test_same_curve_as_scikit_learn(case: str, n_classes: int) -> None:
    Estimator = MLPClassifier if n_classes else MLPRegressor
    options = SKLEARN_CASES[case] | {"alpha": 0.0, "shuffle": False, "max_iter": 8}
    X, y = design(), target(Estimator, n_classes)
    X, y = X[:80], y[:80]  # four whole batches
    theirs = getattr(neural_network, Estimator.__name__)(
        hidden_layer_sizes=(8, 5), batch_size=20, random_state=1, **options
    )
    # One epoch of no step fixes where they start; from there both go on.
    start = clone(theirs).set_params(solver="sgd", learning_rate_init=1e-300, max_iter=1).fit(X, y)
    ours = small(Estimator, warm_start=True, **options)
    ours.set_params(solver="sgd", learning_rate_init=1e-300, max_iter=1).fit(X, y)
    for mine, their in zip(ours.coefs_, start.coefs_, strict=True):
        mine[...] = their
    for mine, their in zip(ours.intercepts_, start.intercepts_, strict=True):
        mine[...] = their
    fresh = small(Estimator, warm_start=True, **options)
    vars(fresh).update({name: v for name, v in vars(ours).items() if name.endswith("_")})
    fresh._network, fresh._progress = ours._network, type(ours._progress)(0)
    fresh._network.optimizer = ("none", {})  # another rule begins without a past
    if n_classes:
        fresh._label_binarizer = ours._label_binarizer
    fresh.fit(X, y)
    theirs.fit(X, y)
    np.testing.assert_allclose(fresh.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(fresh.coefs_[0], theirs.coefs_[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_lbfgs_reaches_scikit_learns_optimum(Estimator: Any) -> None:
    X, y = design(), target(Estimator)
    options = {"hidden_layer_sizes": (), "alpha": 1.0, "solver": "lbfgs", "tol": 1e-8,
               "max_iter": 500}  # fmt: skip
    ours = Estimator(random_state=0, **options).fit(X, y)
    theirs = getattr(neural_network, Estimator.__name__)(random_state=0, **options).fit(X, y)
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-8)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-3, atol=1e-4)
    with pytest.raises(AttributeError, match="partial_fit"):
        ours.partial_fit(X, y)
    with pytest.raises(ValueError, match="no dropout"):
        ours.set_params(input_dropout=0.2).fit(X, y)


def test_parameters_and_defaults_are_scikit_learns() -> None:
    for Estimator in ESTIMATORS:
        theirs = getattr(neural_network, Estimator.__name__)().get_params()
        ours = Estimator().get_params()
        assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("position", ["pre", "post"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_fold_batchnorm_predicts_the_same(Estimator: Any, position: str, activation: str) -> None:
    X, y = design(), target(Estimator)
    model = small(
        Estimator, batch_norm=[True, False], bn_position=position, bn_stats="population",
        activation=activation, dropout=0.1, input_dropout=0.1,
    ).fit(X, y)  # fmt: skip
    plain = model.fold_batchnorm()
    name = "predict" if Estimator is MLPRegressor else "predict_proba"
    np.testing.assert_allclose(getattr(plain, name)(X), getattr(model, name)(X), atol=1e-12)
    assert {kind for kind, _ in plain._network.layers} == {"dense", activation}
    # A plain network: its weights are all there is.
    hidden = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}[activation]
    a = X
    for i, (W, b) in enumerate(zip(plain.coefs_, plain.intercepts_, strict=True)):
        a = a @ W + b
        a = hidden(a) if i < 2 else a
    np.testing.assert_allclose(a, model._outputs(X, raw=True), atol=1e-6)


def test_population_statistics_are_those_of_the_final_network() -> None:
    X, y = design(), target(MLPRegressor)
    model = small(MLPRegressor, batch_norm=True, bn_stats="population", hidden_layer_sizes=(8,))
    model.fit(X, y)
    z = X @ model.coefs_[0]
    state = {name: array for _, name, array in model._network.core.state}
    starts = range(0, N, 20)
    batches = [z[i : i + 20] for i in starts]
    np.testing.assert_allclose(
        state["running_mean"], np.mean([b.mean(0) for b in batches], axis=0), rtol=1e-10
    )
    np.testing.assert_allclose(
        state["running_variance"], np.mean([b.var(0, ddof=1) for b in batches], axis=0), rtol=1e-10
    )


@pytest.mark.parametrize("Estimator", ESTIMATORS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_sparse_is_dense(Estimator: Any, batch_norm: bool) -> None:
    X, y = design(), target(Estimator)
    X[np.abs(X) < 0.5] = 0.0
    models = [small(Estimator, batch_norm=batch_norm).fit(A, y) for A in (X, sp.csr_matrix(X))]
    np.testing.assert_allclose(models[1].loss_curve_, models[0].loss_curve_, rtol=1e-9)
    name = "predict" if Estimator is MLPRegressor else "predict_proba"
    found = [getattr(models[1], name)(A) for A in (X, sp.csr_matrix(X), sp.csc_array(X))]
    np.testing.assert_allclose(found[0], getattr(models[0], name)(X), rtol=1e-6)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10)
    np.testing.assert_array_equal(found[2], found[1])


@pytest.mark.parametrize("rule", _core.optimizer_names())
def test_any_optimizer_fits(rule: str) -> None:
    X, y = design(), target(MLPClassifier, 2)
    full = rule in ("rprop", "irprop", "quickprop")
    model = small(
        MLPClassifier, optimizer=rule, batch_size=N if full else 20, max_iter=30,
        learning_rate_init={"adadelta": 1.0, "quickprop": 1e-3}.get(rule, 0.05),
    ).fit(X, y)  # fmt: skip
    assert model.loss_curve_[-1] < 0.9 * model.loss_curve_[0]


def test_adamw_decays_beside_the_step() -> None:
    X, y = design(), target(MLPRegressor)
    options = {"optimizer": "adamw", "max_iter": 1, "batch_size": N, "learning_rate_init": 0.1}
    plain, decayed = (small(MLPRegressor, alpha=alpha, **options) for alpha in (0.0, 2.0))
    start = small(MLPRegressor, alpha=0.0, **options | {"learning_rate_init": 1e-300}).fit(X, y)
    plain.fit(X, y), decayed.fit(X, y)
    np.testing.assert_allclose(
        decayed.coefs_[0], plain.coefs_[0] - 0.1 * 2.0 * start.coefs_[0], rtol=1e-10, atol=1e-12
    )
    np.testing.assert_array_equal(decayed.intercepts_[0], plain.intercepts_[0])


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_same_seed_same_bits_and_types(Estimator: Any) -> None:
    X, y = design(np.float32), target(Estimator)
    first, second = (small(Estimator, dropout=0.3).fit(X, y) for _ in "ab")
    assert all(np.array_equal(*pair) for pair in zip(first.coefs_, second.coefs_, strict=True))
    assert first.coefs_[0].dtype == np.float32
    double = small(Estimator, dtype="float64").fit(X, y)
    assert double.coefs_[0].dtype == np.float64
    other = small(Estimator, dropout=0.3, random_state=2).fit(X, y)
    assert not np.array_equal(first.coefs_[0], other.coefs_[0])


SPARSE_FIT = """
import numpy as np
import scipy.sparse as sp
from finitesum import MLPRegressor

rng = np.random.default_rng(0)
rows, columns = 2000, 200_000
X = sp.csr_matrix((np.ones(4 * rows, np.float32), rng.integers(0, columns, 4 * rows),
                   np.arange(0, 4 * rows + 1, 4)), shape=(rows, columns))
y = rng.normal(size=rows)


def status(field):
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


before = status("VmRSS")
model = MLPRegressor(hidden_layer_sizes=(2,), batch_norm=True, input_dropout=0.1, max_iter=2)
model.fit(X, y).predict(X)
print(status("VmHWM") - before)
"""


@pytest.mark.slow
def test_sparse_batches_are_never_dense() -> None:
    if not os.access("/proc/self/status", os.R_OK):
        pytest.skip("needs /proc/self/status to measure memory")
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SPARSE_FIT], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    one_dense_batch = 200 * 200_000 * 4
    assert (
        int(finished.stdout) < one_dense_batch / 4
    )  # weights, slots and copies of them: 1.6 MB each


def test_class_weight_is_sample_weight() -> None:
    X, y = design(), target(MLPClassifier)
    weights = {"a": 1.0, "b": 0.0, "c": 3.0}
    first = small(MLPClassifier, class_weight=weights).fit(X, y)
    second = small(MLPClassifier).fit(X, y, np.array([weights[label] for label in y]))
    assert first.loss_curve_ == second.loss_curve_
    assert "b" not in first.set_params(max_iter=200).fit(X, y).predict(X)
    balanced = small(MLPClassifier, class_weight="balanced").fit(X, y)
    assert balanced.loss_curve_ != second.loss_curve_


def test_several_labels_at_once() -> None:
    X = design()
    Y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 0] + X[:, 1] > 0]).astype(int)
    model = small(MLPClassifier, max_iter=150, learning_rate_init=0.02).fit(X, Y)
    assert model.predict(X).shape == Y.shape
    assert (model.predict(X) == Y).mean() > 0.9
    assert model.predict_proba(X).shape == Y.shape


def test_poisson_regression_predicts_positive_means() -> None:
    X = design()
    y = np.random.default_rng(3).poisson(np.exp(X[:, 0]))
    model = small(MLPRegressor, loss="poisson", max_iter=100, learning_rate_init=0.01).fit(X, y)
    assert np.all(model.predict(X) > 0)
    assert model.score(X, y) > 0.3
    with pytest.raises(ValueError, match="out of the valid range"):
        model.fit(X, y - 1)


def test_l1_sets_weights_to_zero() -> None:
    X, y = design(), target(MLPRegressor)
    model = small(MLPRegressor, alpha=5.0, l1_ratio=1.0, max_iter=60, solver="sgd",
                  learning_rate_init=0.01).fit(X, y)  # fmt: skip
    assert np.mean(model.coefs_[0] == 0) > 0.2
    assert np.all(small(MLPRegressor, alpha=2.0).fit(X, y).coefs_[0] != 0)


def test_layers_of_ones_own() -> None:
    digits = load_digits()
    X, y = (digits.data / 16.0).astype(np.float32), digits.target
    convolutional = MLPClassifier(
        layers=[("conv2d", {"n_outputs": 8, "kernel_size": 3, "padding": 1}), "batch_norm", "relu",
                ("max_pool2d", {"size": 2}), ("dense", {"n_outputs": 32}), "batch_norm", "relu"],
        input_shape=(1, 8, 8), max_iter=8, batch_size=64, random_state=0, learning_rate_init=0.01,
        weight_init="he_normal",
    ).fit(X[:1400], y[:1400])  # fmt: skip
    assert convolutional.score(X[1400:], y[1400:]) > 0.9
    plain = convolutional.fold_batchnorm()
    np.testing.assert_allclose(
        plain.predict_proba(X), convolutional.predict_proba(X), rtol=1e-3, atol=1e-5
    )
    assert "batch_norm" not in plain.layers
    recurrent = MLPClassifier(  # the rows of a digit, one after the other
        layers=[("recurrent", {"n_outputs": 40, "n_steps": 8, "zoneout": 0.05})],
        max_iter=12, batch_size=64, random_state=0, learning_rate_init=0.01,
    ).fit(X[:1400], y[:1400])  # fmt: skip
    assert recurrent.score(X[1400:], y[1400:]) > 0.8
    with pytest.raises(ValueError, match="does not fit X"):
        clone(convolutional).set_params(input_shape=(1, 8, 9)).fit(X, y)
    with pytest.raises(ValueError, match="names or pairs"):
        clone(convolutional).set_params(layers=[("dense", 5)]).fit(X, y)
    with pytest.raises(ValueError, match="before 'conv2d' cannot be folded"):
        MLPClassifier(
            layers=["batch_norm", ("conv2d", {"n_outputs": 2})], input_shape=(1, 8, 8), max_iter=1
        ).fit(X, y).fold_batchnorm()  # fmt: skip


def test_bad_options_are_refused() -> None:
    X, y = design(), target(MLPClassifier)
    for options, message in [
        ({"dropout": 0.99}, "dropout is the probability to drop"),
        ({"dropout": [0.1]}, "an entry for each of 2 hidden layers"),
        ({"batch_norm": [True]}, "an entry for each of 2 hidden layers"),
        ({"hidden_layer_sizes": (8, -1)}, "hidden_layer_sizes must be > 0"),
        ({"hidden_layer_sizes": (10.7,)}, "hidden_layer_sizes must be > 0 and whole"),
        ({"input_shape": (1, 2.5, 2.4)}, "does not fit X"),
        ({"layers": [("batch_norm", {"eps": 0})]}, "eps must be positive"),
        ({"solver": "sgd", "momentum": 1.0}, "'momentum' parameter"),
        ({"weight_init": 0}, "weight_init must not be zero"),
        ({"batch_norm": True, "batch_size": 1}, "more than one sample"),
        ({"optimizer_options": {"beta1": 0.5}}, "needs optimizer"),
        ({"optimizer": "adam", "optimizer_options": {"beta": 0.5}}, "optimizer_options: "),
        ({"clip": ("value", -1)}, "clip must be None or"),
        ({"optimizer": "rprop", "l1_ratio": 0.5}, "has no L1 prox"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"augment": lambda X, random: X[:, 1:]}, "keep the shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            small(MLPClassifier, **options).fit(X, y)
    with pytest.raises(ValueError, match="validation_data must be"):
        small(MLPClassifier).fit(X, y, validation_data=X)
    for Estimator in ESTIMATORS:
        with pytest.raises(TypeError, match="Sparse targets are not supported"):
            small(Estimator).fit(X, sp.csr_matrix((X[:, :3] > 0).astype(int)))
    with pytest.raises(ValueError, match="only one class"):
        small(MLPClassifier).fit(X, np.zeros(N))
    with pytest.raises(ValueError, match="non-finite"):
        small(MLPRegressor, solver="sgd", learning_rate_init=1e30).fit(X, X[:, 0])


def test_digits_with_batch_norm_and_dropout() -> None:
    X, y = load_digits(return_X_y=True)
    X = (X / 16.0).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:1400], order[1400:]
    model = MLPClassifier((64, 32), batch_norm=True, dropout=0.1, batch_size=64, max_iter=25,
                          random_state=0, learning_rate_init=0.01)  # fmt: skip
    assert model.fit(X[train], y[train]).score(X[test], y[test]) > 0.97
