"""What theory asks of stochastic gradients: sums of steps, constants of the noise, balls."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finitesum import _core


class StepSums(NamedTuple):
    """Which sums over all steps are finite; None where the objectives decide."""

    steps_are_finite: bool | None
    squares_are_finite: bool | None

    @property
    def converges(self) -> bool | None:
        """Whether Robbins' and Monro's two conditions hold; None where the objectives decide."""
        if self.steps_are_finite is None or self.squares_are_finite is None:
            return None
        return self.squares_are_finite and not self.steps_are_finite


_SUMS: dict[str, tuple[bool | None, bool | None]] = {
    "constant": (False, False),
    "minimax": (False, False),
    "optimal": (False, True),
    "inverse": (False, True),
    "bottou": (False, True),
    "inverse_square": (True, True),
    "exponential": (True, True),
}


def step_sums(learning_rate: str, power_t: float = 0.5) -> StepSums:
    """Tell whether a schedule's steps satisfy Robbins' and Monro's conditions.

    Parameters
    ----------
    learning_rate : str
        A schedule of `SGDClassifier`, not "auto".
    power_t : float, default=0.5
        Exponent of "invscaling".

    Returns
    -------
    StepSums
        ``steps_are_finite``: whether sum eta_t is finite, so that the steps may end before they
        have reached a far optimum. ``squares_are_finite``: whether sum eta_t^2 is; if not, noise
        remains. ``converges``: the first is not and the second is. None for the schedules that
        shorten steps by what the objectives tell.

    Raises
    ------
    ValueError
        If there is no such schedule, or ``power_t`` is negative.

    References
    ----------
    H. Robbins and S. Monro, Ann. Math. Stat. 22, 1951.

    Examples
    --------
    >>> from finitesum import theory
    >>> theory.step_sums("inverse").converges
    True
    >>> theory.step_sums("inverse_square").steps_are_finite
    True
    """
    known = _core.learning_rate_names()
    if learning_rate not in known:
        raise ValueError(f"learning_rate must be one of {known}, got {learning_rate!r}")
    if not power_t >= 0:
        raise ValueError(f"power_t must not be negative, got {power_t!r}")
    if learning_rate == "invscaling":
        return StepSums(power_t > 1, power_t > 0.5)
    return StepSums(*_SUMS.get(learning_rate, (None, None)))


class NoiseEstimate(NamedTuple):
    """M, M_V and M_G = M_V + 1 of Bottou, Curtis and Nocedal's assumption 4.3, mu = mu_G = 1."""

    M: float
    M_V: float
    M_G: float


def estimate_noise(
    sample_gradients: Callable[[NDArray[np.float64]], ArrayLike],
    points: ArrayLike,
    *,
    batch_size: int = 1,
) -> NoiseEstimate:
    """Estimate the constants that bound the variance of stochastic gradients.

    Assumption 4.3 asks for V[g(w)] <= M + M_V |grad F(w)|^2, and with it
    E|g(w)|^2 <= M + M_G |grad F(w)|^2. M_V is the slope of the least-squares line through the
    points (|grad F(w)|^2, V[g(w)]), zero at least, and M the smallest that makes the inequality
    hold at all of them.

    Parameters
    ----------
    sample_gradients : callable
        Takes w and returns the gradients of all samples, shape (n_samples, n_parameters).
    points : array-like of shape (n_points, n_parameters)
        Where to look, best along the path of a fit.
    batch_size : int, default=1
        Samples, drawn independently, whose mean gradient is g: the variance is that of one over
        their number.

    Returns
    -------
    NoiseEstimate
        ``M``, ``M_V`` and ``M_G``.

    Raises
    ------
    ValueError
        If there is no point, a gradient has another shape, or something is not finite.

    References
    ----------
    L. Bottou, F. E. Curtis and J. Nocedal, SIAM Review 60, 2018, eq. 4.8 and 4.9.

    Examples
    --------
    >>> import numpy as np
    >>> from finitesum import theory
    >>> theory.estimate_noise(lambda w: w - np.array([[0.0], [2.0]]), [[0.0], [5.0]])
    NoiseEstimate(M=1.0, M_V=0.0, M_G=1.0)
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size!r}")
    at = np.atleast_2d(np.asarray(points, dtype=np.float64))
    if at.size == 0:
        raise ValueError("points must hold one point at least.")
    squares, variances = np.empty(len(at)), np.empty(len(at))
    for k, w in enumerate(at):
        g = np.asarray(sample_gradients(w), dtype=np.float64)
        if g.ndim != 2 or g.shape[1] != w.size or len(g) == 0:
            raise ValueError(
                f"sample_gradients must return shape (n_samples, {w.size}), got {g.shape}"
            )
        mean = g.mean(axis=0)
        squares[k] = mean @ mean
        variances[k] = np.mean(np.sum((g - mean) ** 2, axis=1)) / batch_size
    if not (np.isfinite(squares).all() and np.isfinite(variances).all()):
        raise ValueError("sample_gradients must return finite numbers.")
    spread = squares - squares.mean()
    slope = max(spread @ variances / (spread @ spread), 0.0) if spread.any() else 0.0
    M = max(float(np.max(variances - slope * squares)), 0.0)
    return NoiseEstimate(M, float(slope), 1.0 + float(slope))


def penalty_of_ball(kind: str, coef: ArrayLike, gradient: ArrayLike) -> float:
    """Give the strength of the penalty with the same optimum as a ball.

    The minimum of f over ||w|| <= r is, if r binds and f is convex, that of f + alpha ||w||_1
    ("l1"), or f + alpha ||w||_2^2 / 2 ("l2"); the other way round r is the norm of the penalized
    optimum.

    Parameters
    ----------
    kind : {"l1", "l2"}
        The norm.
    coef : array-like of shape (n_features,)
        The optimum in the ball, such as ``coef_`` of a fit with ``projection``.
    gradient : array-like of shape (n_features,)
        Gradient of f there.

    Returns
    -------
    float
        alpha, the ball's multiplier: -gradient . coef / ||coef||_1, or / ||coef||_2^2.

    Raises
    ------
    ValueError
        If the norm is unknown, shapes differ or all coefficients are zero.

    Examples
    --------
    >>> from finitesum import theory
    >>> theory.penalty_of_ball("l1", [1.0, 0.0], [-0.5, 0.2])
    0.5
    """
    if kind not in ("l1", "l2"):
        raise ValueError(f"kind must be 'l1' or 'l2', got {kind!r}")
    w, g = np.asarray(coef, dtype=np.float64), np.asarray(gradient, dtype=np.float64)
    if w.shape != g.shape or w.ndim != 1:
        raise ValueError(f"coef and gradient must have one shape, got {w.shape} and {g.shape}")
    size: Any = np.abs(w).sum() if kind == "l1" else w @ w
    if not size > 0:
        raise ValueError("coef is zero: any alpha beyond the largest gradient gives it.")
    return float(max(-(g @ w) / size, 0.0))
