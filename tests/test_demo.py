"""Beale's function, the valley and the saddle: gradients, minima, where every rule ends."""

import doctest
import runpy
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime

from finitesum import Optimizer, demo, optimizers
from finitesum.demo import LEARNING_RATES, SURFACES, trajectory

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"
each_rule = pytest.mark.parametrize("rule", optimizers.names())


def path(surface, rule, n_steps=300, start=None):
    optimizer = Optimizer(rule, learning_rate=LEARNING_RATES[rule])
    return trajectory(SURFACES[surface], optimizer, n_steps, start)


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_gradients_by_differences(surface):
    points = np.random.default_rng(0).uniform(-2, 2, size=(20, 2))
    found = surface.gradient(points)
    for point, gradient in zip(points, found, strict=True):
        assert_allclose(gradient, approx_fprime(point, surface.value, 1e-7), rtol=1e-4, atol=1e-4)
        assert_allclose(surface.gradient(point), gradient, rtol=1e-15)


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_minima(surface):
    points = np.array(surface.minimizers)
    assert_allclose(surface.gradient(points), 0.0, atol=1e-14)
    around = np.random.default_rng(0).normal(size=(500, 1, 2)) + points
    assert np.all(surface.value(around) >= surface.value(points))


def test_every_rule_has_a_rate():
    assert set(LEARNING_RATES) == set(optimizers.names())


@each_rule
def test_every_rule_goes_down_beales_function(rule):
    values = SURFACES["beale"].value(path("beale", rule))
    assert values[-1] < 0.01 * values[0]


@each_rule
def test_every_rule_goes_along_the_valley(rule):
    points = path("valley", rule, n_steps=2000)
    assert abs(points[-1, 0]) < 7 < abs(points[0, 0])
    assert SURFACES["valley"].value(points[-1]) < 0.5


@each_rule
def test_every_rule_leaves_the_saddle_but_from_its_ridge(rule):
    points = path("saddle", rule)
    assert_allclose(points[-1], (0, 1), atol=0.1)
    on_the_ridge = path("saddle", rule, start=(-1.0, 0.0))
    assert not on_the_ridge[:, 1].any()
    assert_allclose(on_the_ridge[-1], 0, atol=0.1)


def test_rules_that_divide_by_past_gradients_leave_the_saddle_sooner():
    steps = {
        rule: np.argmax(np.abs(path("saddle", rule)[:, 1]) > 0.5)
        for rule in ("sgd", "rmsprop", "adam", "adagrad")
    }
    assert 0 < max(steps["rmsprop"], steps["adam"], steps["adagrad"]) < steps["sgd"] / 2


def test_bad_number_of_steps():
    with pytest.raises(ValueError, match="n_steps must be at least 0, got -1"):
        path("saddle", "sgd", n_steps=-1)


def test_docstring_examples():
    assert doctest.testmod(demo).failed == 0


@pytest.mark.slow
def test_figure(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    target = tmp_path / "trajectories.png"
    monkeypatch.setattr("sys.argv", ["trajectories.py", str(target)])
    runpy.run_path(str(GALLERY / "trajectories.py"), run_name="__main__")
    assert target.stat().st_size > 10_000
