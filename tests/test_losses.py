"""Each loss against its own definition: derivatives, conjugate, smoothness, domains, extremes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from finitesum import _core

NAMES = _core.loss_names()
CASES = [(name, parameter) for name in NAMES for parameter in (1.0, 0.25, 3.0)]
each_loss = pytest.mark.parametrize(("name", "parameter"), CASES)
RNG = np.random.default_rng(0)
EPS = np.finfo(float).eps


def softplus(t):
    return np.logaddexp(0.0, t)


def hinge_pieces(z, y, gamma):
    h = 1 - y * z
    return np.where(h <= 0, 0.0, np.where(h >= gamma, h - gamma / 2, h**2 / (2 * gamma)))


def huber_pieces(z, y, delta):
    r = np.abs(z - y)
    return np.where(r <= delta, r**2 / 2, delta * (r - delta / 2))


def poisson_deviance(z, y, _):
    return np.exp(z) - y * z + np.where(y > 0, y * np.log(np.maximum(y, 1e-300)), 0.0) - y


DEFINITIONS = {
    "squared": lambda z, y, _: (z - y) ** 2 / 2,
    "logistic": lambda z, y, _: softplus(-y * z),
    "squared_hinge": lambda z, y, _: np.maximum(0, 1 - y * z) ** 2,
    "smoothed_hinge": hinge_pieces,
    "huber": huber_pieces,
    "poisson": poisson_deviance,
}


def targets(name, n):
    y = RNG.normal(size=n)
    return {
        "real": 2 * y,
        "sign": np.where(y < 0, -1.0, 1.0),
        "nonnegative": np.where(np.arange(n) % 3 == 0, 0.0, np.abs(4 * y)),
    }[_core.loss_target_domain(name)]


def sample(name, n=2000):
    return RNG.normal(scale=3, size=n), targets(name, n)


def test_every_loss_is_covered():
    assert set(NAMES) == set(DEFINITIONS)


def test_target_domains():
    domains = {name: _core.loss_target_domain(name) for name in NAMES}
    assert domains == {
        "squared": "real",
        "huber": "real",
        "poisson": "nonnegative",
        "logistic": "sign",
        "squared_hinge": "sign",
        "smoothed_hinge": "sign",
    }


@each_loss
def test_value_is_the_definition(name, parameter):
    z, y = sample(name)
    expected = DEFINITIONS[name](z, y, parameter)
    assert_allclose(_core.loss_value(name, parameter, z, y), expected, rtol=1e-12, atol=1e-13)


@each_loss
def test_derivative_and_curvature_by_differences(name, parameter):
    z, y = sample(name)
    h = 1e-5

    def difference(function):
        ahead, behind = (function(name, parameter, z + step, y) for step in (h, -h))
        return (ahead - behind) / (2 * h)

    derivative = _core.loss_derivative(name, parameter, z, y)
    scale = 1 + np.abs(derivative)
    assert_allclose(difference(_core.loss_value) / scale, derivative / scale, atol=1e-4 * h**0.5)
    curvature = _core.loss_curvature(name, parameter, z, y)
    kinks = {"squared_hinge": [1.0], "smoothed_hinge": [1.0, 1 - parameter]}.get(name, [])
    far = np.all([np.abs(y * z - kink) > 2 * h for kink in kinks], axis=0) if kinks else z == z
    if name == "huber":
        far = np.abs(np.abs(z - y) - parameter) > 2 * h
    assert far.mean() > 0.9
    error = (difference(_core.loss_derivative) - curvature) / (1 + np.abs(curvature))
    assert np.max(np.abs(error[far])) < 1e-6


@each_loss
def test_convex_nonnegative_and_smooth(name, parameter):
    z, y = sample(name)
    other = RNG.normal(scale=3, size=z.size)
    value = _core.loss_value(name, parameter, z, y)
    derivative = _core.loss_derivative(name, parameter, z, y)
    value_other = _core.loss_value(name, parameter, other, y)
    slack = 1e-12 * (1 + np.abs(value) + np.abs(value_other))
    assert np.all(value >= -slack)
    linear = value + derivative * (other - z)
    assert np.all(value_other >= linear - slack)
    smoothness = _core.loss_smoothness(name, parameter)
    curvature = _core.loss_curvature(name, parameter, z, y)
    assert np.all(curvature >= 0)
    assert np.all(curvature <= smoothness * (1 + EPS))
    if np.isfinite(smoothness):
        assert np.all(value_other <= linear + smoothness / 2 * (other - z) ** 2 + slack)
        assert np.max(curvature) > 0.9 * smoothness  # the bound is tight


@each_loss
def test_minimum_is_zero(name, parameter):
    """Hence conjugate(0) = 0."""
    y = targets(name, 30)
    y = y[y > 0] if name == "poisson" else y
    at = {"sign": 50 * y, "real": y, "nonnegative": np.log(np.maximum(y, 1e-9))}
    best = _core.loss_value(name, parameter, at[_core.loss_target_domain(name)], y)
    assert_allclose(best, 0, atol=1e-14)
    assert_allclose(_core.loss_conjugate(name, parameter, np.zeros_like(y), y), 0, atol=1e-14)


@each_loss
def test_fenchel_young(name, parameter):
    z, y = sample(name)
    u = _core.loss_derivative(name, parameter, RNG.permutation(z), y)
    value = _core.loss_value(name, parameter, z, y)
    conjugate = _core.loss_conjugate(name, parameter, u, y)
    assert np.all(np.isfinite(conjugate))
    slack = 1e-12 * (1 + np.abs(value) + np.abs(conjugate) + np.abs(u * z))
    assert np.all(value + conjugate >= u * z - slack)
    u = _core.loss_derivative(name, parameter, z, y)
    conjugate = _core.loss_conjugate(name, parameter, u, y)
    error = value + conjugate - u * z
    assert np.all(np.abs(error) <= 1e-12 * (1 + np.abs(value) + np.abs(conjugate) + np.abs(u * z)))


@each_loss
def test_conjugate_is_the_supremum(name, parameter):
    y = targets(name, 12)
    u = 0.97 * _core.loss_derivative(name, parameter, RNG.normal(scale=2, size=12), y)
    conjugate = _core.loss_conjugate(name, parameter, u, y)
    for u_i, y_i, expected in zip(u, y, conjugate, strict=True):

        def negative(z, u_i=u_i, y_i=y_i):
            z = np.array([z])
            return float(_core.loss_value(name, parameter, z, np.array([y_i]))[0] - u_i * z[0])

        found = -minimize_scalar(negative, bounds=(-60, 60), options={"xatol": 1e-10}).fun
        assert found <= expected + 1e-10
        assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "y", "inside", "outside"),
    [
        ("logistic", 1.0, [0.0, -0.5, -1.0], [1e-9, -1 - 1e-9]),
        ("logistic", -1.0, [0.0, 0.5, 1.0], [-1e-9, 1 + 1e-9]),
        ("squared_hinge", 1.0, [0.0, -1.0, -50.0], [1e-9]),
        ("smoothed_hinge", -1.0, [0.0, 0.5, 1.0], [-1e-9, 1 + 1e-9]),
        ("huber", 2.0, [-0.7, 0.0, 0.7], [-0.7001, 0.7001]),
        ("poisson", 2.0, [-2.0, 0.0, 9.0], [-2.0001]),
        ("poisson", 0.0, [0.0, 3.0], [-1e-300]),
    ],
)
def test_conjugate_domain(name, y, inside, outside):
    for points, finite in ((inside, True), (outside, False)):
        values = _core.loss_conjugate(name, 0.7, np.array(points), np.full(len(points), y))
        assert np.all(np.isfinite(values) if finite else values == np.inf)


@pytest.mark.parametrize("name", NAMES)
def test_extreme_predictions(name):
    """No overflow before the loss itself overflows, no invalid operation."""
    z = np.array([-1e3, 1e3, 5e-324, -5e-324, 0.0, 1e-310])
    for y in {"real": (-1.0, 2.0), "sign": (-1.0, 1.0), "nonnegative": (0.0, 3.0)}[
        _core.loss_target_domain(name)
    ]:
        y_all = np.full(z.size, y)
        value = _core.loss_value(name, 1.0, z, y_all)
        derivative = _core.loss_derivative(name, 1.0, z, y_all)
        assert not np.any(np.isnan(value) | np.isnan(derivative))
        assert not np.any(np.isnan(_core.loss_curvature(name, 1.0, z, y_all)))
        with np.errstate(over="ignore"):
            assert_allclose(value, DEFINITIONS[name](z, y_all, 1.0), rtol=1e-14, atol=1e-15)
        overflows = (z == 1e3) & (name == "poisson")
        assert np.all(np.isfinite(value) == ~overflows)


def test_logistic_keeps_its_relative_accuracy_in_the_tail():
    z = np.array([40.0, 300.0, 700.0])
    assert_allclose(_core.loss_value("logistic", 1.0, z, np.ones(3)), np.exp(-z), rtol=1e-15)
    assert_allclose(_core.loss_derivative("logistic", 1.0, z, np.ones(3)), -np.exp(-z), rtol=1e-15)


def test_bad_names_and_parameters_are_refused():
    one = np.ones(1)
    with pytest.raises(ValueError, match=r"choose from.*'squared'.*'logistic'"):
        _core.loss_value("hinge", 1.0, one, one)
    for parameter in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="positive and finite"):
            _core.loss_value("huber", parameter, one, one)
        _core.loss_value("squared", parameter, one, one)  # has none: ignored
