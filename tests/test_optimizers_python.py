"""The public class over the rules: state, presets, and what it refuses."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from finitesum import Optimizer, optimizers

NAMES = optimizers.names()
each_rule = pytest.mark.parametrize("name", NAMES)


def descend(optimizer, w, n_steps):
    for _ in range(n_steps):
        optimizer.step(w, np.cos(w) + w)


@each_rule
def test_pickling_between_steps_changes_no_bit(name):
    w = np.linspace(-1, 1, 12).reshape(3, 4)
    whole = w.copy()
    descend(Optimizer(name), whole, 20)
    optimizer = Optimizer(name)
    descend(optimizer, w, 7)
    descend(pickle.loads(pickle.dumps(optimizer)), w, 13)
    assert_array_equal(w, whole)


@each_rule
@pytest.mark.parametrize("preset", [None, *optimizers.PRESETS])
def test_presets_are_parameters_of_their_rules(name, preset):
    parameters = Optimizer(name, preset=preset).parameters
    assert set(parameters) == set(optimizers.defaults(name)) | {"l1", "l2"}
    assert set(optimizers.PRESETS.get(preset, {})) <= set(NAMES)


def test_what_is_given_goes_before_the_preset():
    parameters = Optimizer("rmsprop", preset="torch", gamma=0.5, learning_rate=0.25).parameters
    assert parameters["gamma"] == 0.5
    assert parameters["learning_rate"] == 0.25
    assert parameters["eps_mode"] == "outside"


@each_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_change_no_bit(name, dtype):
    """More parameters than a block has."""
    w = np.linspace(-1, 1, 150_001, dtype=dtype)
    one = w.copy()
    descend(Optimizer(name, n_threads=1), one, 2)
    descend(Optimizer(name, n_threads=3), w, 2)
    assert_array_equal(w, one)


@pytest.mark.parametrize("start", [1, 2, 5])
@pytest.mark.parametrize("size", [3, 16, 100])
def test_alignment_changes_no_bit(start, size):
    w = np.linspace(-1, 1, 120, dtype=np.float32)[start : start + size]
    aligned = w.copy()
    descend(Optimizer("adam"), w, 3)
    descend(Optimizer("adam"), aligned, 3)
    assert_array_equal(w, aligned)


def test_adamw_decays_by_default():
    assert Optimizer("adamw").parameters["decoupled_decay"] == 0.01
    assert Optimizer("adam").parameters["decoupled_decay"] == 0.0


def test_rate_of_a_step():
    w, v = np.ones(3), np.ones(3)
    Optimizer("sgd", learning_rate=0.5).step(w, np.ones(3), 0.25)
    Optimizer("sgd", learning_rate=0.25).step(v, np.ones(3))
    assert_array_equal(w, v)


@pytest.mark.parametrize(
    ("w", "gradient", "message"),
    [
        (np.ones((4, 4))[:, ::2], np.ones((4, 2)), "w must be C-contiguous"),
        (np.ones(4), np.ones(8)[::2], "gradient must be C-contiguous"),
        (np.ones(4), np.ones(5), r"gradient must have the shape and dtype of w, \(4,\)"),
        (np.ones(4), np.ones(4, np.float32), "gradient must have the shape and dtype of w"),
        (np.ones(4, int), np.ones(4, int), "w must be an array of float32 or float64"),
        ([1.0], np.ones(1), "w must be an array of float32 or float64"),
        (np.broadcast_to(1.0, (1,)), np.ones(1), "w must be writeable"),
    ],
)
def test_bad_arrays_are_refused(w, gradient, message):
    with pytest.raises(ValueError, match=message):
        Optimizer("adam").step(w, gradient)


def test_other_parameters_are_refused_later():
    optimizer = Optimizer("adam")
    optimizer.step(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match=r"w had shape \(3,\) and dtype float64 before"):
        optimizer.step(np.ones(4), np.ones(4))


@pytest.mark.parametrize("rate", [-1.0, np.inf, np.nan])
def test_bad_rates_are_refused(rate):
    with pytest.raises(ValueError, match="learning_rate must be finite and not negative"):
        Optimizer("sgd", learning_rate=rate)
    with pytest.raises(ValueError, match="learning_rate must be finite and not negative"):
        Optimizer("sgd").step(np.ones(1), np.ones(1), rate)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown optimizer 'lion'; choose from: 'sgd'"):
        Optimizer("lion")
    with pytest.raises(ValueError, match="preset must be one of"):
        Optimizer("adam", preset="keras")
    with pytest.raises(ValueError, match="n_threads must be at least 1, got 0"):
        Optimizer("adam", n_threads=0)
    with pytest.raises(ValueError, match="optimizer 'adam' has no parameter 'beta3'"):
        Optimizer("adam", beta3=0.5)
