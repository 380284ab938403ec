"""Functions of two variables on which optimizers are watched, and the paths that they take.

The three are those of A. Radford's animations of stochastic gradient rules: Beale's function with
its flat valleys and steep walls, a long valley, and a saddle point that is left or not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from finitesum.optimizers import Optimizer

__all__ = ["LEARNING_RATES", "SURFACES", "Surface", "trajectory"]

_Points = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """A function of two variables.

    Attributes
    ----------
    name : str
        Its key in `SURFACES`.
    value : callable
        Values at points, an array of shape (..., 2): an array of shape (...).
    gradient : callable
        Gradients at points, of their shape.
    start : (float, float)
        Where paths begin.
    minimizers : tuple of (float, float)
        Where it is least.
    """

    name: str
    value: Callable[[_Points], _Points]
    gradient: Callable[[_Points], _Points]
    start: tuple[float, float]
    minimizers: tuple[tuple[float, float], ...]


_BEALE = np.array([1.5, 2.25, 2.625])
_POWERS = np.array([1.0, 2.0, 3.0])


def _beale_residuals(points: _Points) -> tuple[_Points, _Points]:
    """Give c_k - x (1 - y^k) and y^(k - 1), k = 1, 2, 3."""
    x, y = points[..., :1], points[..., 1:]
    lower: _Points = y ** (_POWERS - 1.0)
    residuals: _Points = _BEALE - x * (1.0 - y * lower)
    return residuals, lower


def _beale(points: _Points) -> _Points:
    residuals, _ = _beale_residuals(points)
    values: _Points = np.sum(residuals**2, axis=-1)
    return values


def _beale_gradient(points: _Points) -> _Points:
    residuals, lower = _beale_residuals(points)
    x, y = points[..., :1], points[..., 1:]
    by_x, by_y = y * lower - 1.0, x * _POWERS * lower
    return 2.0 * np.stack([(residuals * d).sum(axis=-1) for d in (by_x, by_y)], axis=-1)


_CURVATURES = np.array([0.01, 1.0])


def _valley(points: _Points) -> _Points:
    values: _Points = np.sum(_CURVATURES * points**2, axis=-1) / 2.0
    return values


def _valley_gradient(points: _Points) -> _Points:
    return _CURVATURES * points


def _saddle(points: _Points) -> _Points:
    x, y = points[..., 0], points[..., 1]
    values: _Points = (x**2 - y**2) / 2.0 + y**4 / 4.0
    return values


def _saddle_gradient(points: _Points) -> _Points:
    x, y = points[..., 0], points[..., 1]
    return np.stack([x, y**3 - y], axis=-1)


#: "beale", sum_k (c_k - x + x y^k)^2 with c = 1.5, 2.25, 2.625 (E. M. L. Beale, 1958), least at
#: (3, 1/2); "valley", x^2/200 + y^2/2; "saddle", x^2/2 - y^2/2 + y^4/4, with a saddle at zero, the
#: ridge y = 0, and minima at (0, 1) and (0, -1).
SURFACES: dict[str, Surface] = {
    surface.name: surface
    for surface in (
        Surface("beale", _beale, _beale_gradient, (1.0, 1.0), ((3.0, 0.5),)),
        Surface("valley", _valley, _valley_gradient, (-10.0, 1.0), ((0.0, 0.0),)),
        Surface("saddle", _saddle, _saddle_gradient, (-1.0, 1e-3), ((0.0, 1.0), (0.0, -1.0))),
    )
}

#: Learning rates with which each rule gets along on all three.
LEARNING_RATES: dict[str, float] = {
    "sgd": 0.03,
    "momentum": 0.01,
    "nesterov": 0.01,
    "adagrad": 1.0,
    "rmsprop": 0.03,
    "rmsprop_centered": 0.03,
    "adam": 0.1,
    "adamw": 0.1,
    "adamax": 0.3,
    "nadam": 0.1,
    "amsgrad": 0.1,
    "adadelta": 3.0,
    "rprop": 0.1,
    "irprop": 0.1,
    "quickprop": 0.001,
}


def trajectory(
    surface: Surface,
    optimizer: Optimizer,
    n_steps: int,
    start: tuple[float, float] | None = None,
) -> _Points:
    """Give the points that an optimizer visits.

    Parameters
    ----------
    surface : Surface
        What it goes down.
    optimizer : Optimizer
        A fresh one, or one that continues at ``start``.
    n_steps : int
        Number of steps.
    start : (float, float), default=None
        Where it begins; None takes the surface's own.

    Returns
    -------
    ndarray of shape (n_steps + 1, 2)
        The start and the point after each step.

    Raises
    ------
    ValueError
        If n_steps is negative.

    Examples
    --------
    >>> from finitesum import Optimizer, demo
    >>> path = demo.trajectory(demo.SURFACES["saddle"], Optimizer("sgd", learning_rate=0.1), 200)
    >>> path[-1].round(3).tolist()  # away from the saddle
    [-0.0, 1.0]
    """
    if n_steps < 0:
        raise ValueError(f"n_steps must be at least 0, got {n_steps}")
    points = np.empty((n_steps + 1, 2))
    points[0] = surface.start if start is None else start
    for before, after in pairwise(points):
        after[:] = before
        optimizer.step(after, surface.gradient(before))
    return points
