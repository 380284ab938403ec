"""Convergence rates of the literature, and the rate a fit has reached.

L is the smoothness constant of each f_i (of F, for the full-gradient methods), mu the constant of
strong convexity of F = (1/n) sum_i f_i, both with the penalty. A *factor* is what the distance
F(w) - min F is multiplied by, at most; for methods that look at one row per iteration, per n of
them, which cost as many gradients as one iteration of the others.

For n = 700000 rows of unit norm, logistic loss (L = 1/4) and mu = 1/n, the example of the source
slides:

>>> from finitesum import theory
>>> n, L = 700000, 0.25
>>> f"{theory.gradient_descent_factor(L, 1 / n):.7f}"
'0.9999771'
>>> f"{theory.accelerated_factor(L, 1 / n):.7f}"
'0.9976095'
>>> f"{theory.first_order_factor(L, 1 / n):.7f}"
'0.9904837'
>>> f"{theory.sag_factor(L, 1 / n, n):.7f}"
'0.8824969'
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from finitesum._stochastic_theory import NoiseEstimate as NoiseEstimate
from finitesum._stochastic_theory import StepSums as StepSums
from finitesum._stochastic_theory import estimate_noise as estimate_noise
from finitesum._stochastic_theory import penalty_of_ball as penalty_of_ball
from finitesum._stochastic_theory import step_sums as step_sums

METHODS = ("sg", "gd", "agd", "sag", "svrg")

# Values this far below the first are rounding, not convergence.
_ROUNDING = 1e-12


def gradient_descent_factor(L: float, mu: float) -> float:
    """Factor per iteration of gradient descent with step 2 / (L + mu): ((L - mu) / (L + mu))^2.

    Parameters
    ----------
    L, mu : float
        Smoothness and strong convexity of F, 0 < mu <= L.

    Returns
    -------
    float
        Bounds the squared distance to the optimum, and F(w) - min F for quadratics.

    Raises
    ------
    ValueError
        Unless 0 < mu <= L.

    References
    ----------
    Y. Nesterov, "Introductory lectures on convex optimization", 2004, theorem 2.1.15.
    """
    _check_constants(L, mu)
    return ((L - mu) / (L + mu)) ** 2


def accelerated_factor(L: float, mu: float) -> float:
    """Factor per iteration of Nesterov's accelerated gradient method: 1 - sqrt(mu / L).

    Parameters
    ----------
    L, mu : float
        Smoothness and strong convexity of F, 0 < mu <= L.

    Returns
    -------
    float
        F(w_k) - min F is at most factor^k (F(w_0) - min F + mu/2 ||w_0 - w*||^2).

    Raises
    ------
    ValueError
        Unless 0 < mu <= L.

    References
    ----------
    Y. Nesterov, "Introductory lectures on convex optimization", 2004, theorem 2.2.3.
    """
    _check_constants(L, mu)
    return 1.0 - math.sqrt(mu / L)


def first_order_factor(L: float, mu: float) -> float:
    """Factor per iteration that no method on full gradients can beat in general.

    Parameters
    ----------
    L, mu : float
        Smoothness and strong convexity of F, 0 < mu <= L.

    Returns
    -------
    float
        ((sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu)))^2.

    Raises
    ------
    ValueError
        Unless 0 < mu <= L.

    References
    ----------
    Y. Nesterov, "Introductory lectures on convex optimization", 2004, theorem 2.1.13.
    """
    _check_constants(L, mu)
    return ((math.sqrt(L) - math.sqrt(mu)) / (math.sqrt(L) + math.sqrt(mu))) ** 2


def sag_factor(L: float, mu: float, n: int) -> float:
    """Factor per pass (n iterations) of SAG with step 1 / (16 L).

    Parameters
    ----------
    L, mu : float
        Smoothness of each f_i and strong convexity of F, 0 < mu <= L.
    n : int
        Number of rows.

    Returns
    -------
    float
        (1 - min(mu / (16 L), 1 / (8 n)))^n; at best about exp(-1/8) = 0.8825.

    Raises
    ------
    ValueError
        Unless 0 < mu <= L and n >= 1.

    See Also
    --------
    sag_constant : What the factor's powers multiply.

    References
    ----------
    M. Schmidt, N. Le Roux, F. Bach, "Minimizing finite sums with the stochastic average gradient",
    Mathematical Programming 162, 2017, theorem 1.
    """
    _check_constants(L, mu, n)
    return math.exp(n * math.log1p(-min(mu / (16.0 * L), 1.0 / (8.0 * n))))


def sag_constant(
    L: float, n: int, *, initial_gap: float, squared_distance: float, gradient_variance: float
) -> float:
    """C in SAG's bound: after k passes, E F(w) - min F <= sag_factor^k C, from an empty table.

    Parameters
    ----------
    L : float
        Smoothness of each f_i.
    n : int
        Number of rows.
    initial_gap : float
        F(w_0) - min F.
    squared_distance : float
        ||w_0 - w*||^2.
    gradient_variance : float
        (1/n) sum_i ||grad f_i(w*)||^2.

    Returns
    -------
    float
        initial_gap + (4 L / n) squared_distance + gradient_variance / (16 L).

    References
    ----------
    M. Schmidt, N. Le Roux, F. Bach, "Minimizing finite sums with the stochastic average gradient",
    Mathematical Programming 162, 2017, theorem 1.
    """
    return initial_gap + 4.0 * L / n * squared_distance + gradient_variance / (16.0 * L)


def svrg_factor(L: float, mu: float, m: int, step_size: float) -> float:
    """Factor per anchor of SVRG with m steps between anchors.

    Parameters
    ----------
    L, mu : float
        Smoothness of each f_i and strong convexity of F, 0 < mu <= L.
    m : int
        Steps between anchors; with the anchor's pass they cost n + 2 m gradients, n + m where the
        anchor's derivatives are stored.
    step_size : float
        Below 1 / (2 L); the bound needs less, 1 / (10 L) for instance.

    Returns
    -------
    float
        1 / (mu step (1 - 2 L step) m) + 2 L step / (1 - 2 L step), for an anchor drawn at random
        from the iterates. It promises something below 1 only.

    Raises
    ------
    ValueError
        Unless 0 < mu <= L, m >= 1 and 0 < step_size < 1 / (2 L).

    References
    ----------
    R. Johnson, T. Zhang, "Accelerating stochastic gradient descent using predictive variance
    reduction", NIPS 2013, theorem 1.
    """
    _check_constants(L, mu, m)
    if not 0.0 < 2.0 * L * step_size < 1.0:
        raise ValueError(f"step_size must be in (0, 1 / (2 L)) = (0, {0.5 / L:g}), got {step_size}")
    left = 1.0 - 2.0 * L * step_size
    return 1.0 / (mu * step_size * left * m) + 2.0 * L * step_size / left


def evaluations(method: str, n: int, L: float, mu: float, epsilon: float) -> float:
    """Order of the gradients f_i' needed to bring F(w) - min F down to epsilon of what it was.

    Parameters
    ----------
    method : {"sg", "gd", "agd", "sag", "svrg"}
        Stochastic gradient (L/mu)/epsilon; gradient descent n (L/mu) log(1/epsilon); accelerated
        n sqrt(L/mu) log(1/epsilon); SAG max(n, L/mu) log(1/epsilon); SVRG (n + L/mu)
        log(1/epsilon).
    n : int
        Number of rows.
    L, mu : float
        Smoothness and strong convexity, 0 < mu <= L.
    epsilon : float
        In (0, 1).

    Returns
    -------
    float
        Constants are dropped: good for comparing methods, and within one or two orders of the
        truth. SAG's theorem has 16 and 8 where this has 1 and 1; its practice has less.

    Raises
    ------
    ValueError
        If a constant is out of range or the method is not known.
    """
    _check_constants(L, mu, n)
    if not 0.0 < epsilon < 1.0:
        raise ValueError(f"epsilon must be in (0, 1), got {epsilon}")
    condition, digits = L / mu, -math.log(epsilon)
    if method == "sg":
        return condition / epsilon
    if method == "gd":
        return n * condition * digits
    if method == "agd":
        return n * math.sqrt(condition) * digits
    if method == "sag":
        return max(n, condition) * digits
    if method == "svrg":
        return (n + condition) * digits
    raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")


def regret_bound(squared_norm: float, step_size: float, squared_gradients: ArrayLike) -> float:
    """Bound sum_t <w_t - w*, v_t> for w_1 = 0 and w_{t+1} = w_t - step v_t, whatever the v_t.

    Parameters
    ----------
    squared_norm : float
        ||w*||^2.
    step_size : float
        The step.
    squared_gradients : array-like of shape (n_steps,)
        ||v_t||^2.

    Returns
    -------
    float
        ||w*||^2 / (2 step) + (step / 2) sum_t ||v_t||^2, reached where w* is the last iterate.

    References
    ----------
    S. Shalev-Shwartz, S. Ben-David, "Understanding machine learning", 2014, lemma 14.1.
    """
    total = float(np.sum(np.asarray(squared_gradients, dtype=np.float64)))
    return squared_norm / (2.0 * step_size) + step_size / 2.0 * total


def rate(history: Mapping[str, Any], optimum: float | None = None) -> float:
    """Slope of log(gap) per pass: what a fit has reached.

    Parameters
    ----------
    history : mapping of str to ndarray of shape (n_checks,)
        An estimator's ``history_``, of one output.
    optimum : float, default=None
        min F, if known: then of log(objective - optimum) instead of the logarithm of the duality
        gap.

    Returns
    -------
    float
        By least squares over all checks until rounding takes over, in units of 1/pass, negative
        where the fit converges; its exponential is comparable with the factors per pass.

    Raises
    ------
    ValueError
        If fewer than two checks have a finite gap, or the history has several outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from finitesum import theory
    >>> passes = np.arange(1.0, 9.0)
    >>> round(theory.rate({"passes": passes, "gap": 3.0 * 0.5**passes}), 6)  # log(1/2)
    -0.693147
    """
    if "output" in history:
        raise ValueError("the history joins several outputs: select one by its 'output' column")
    passes = np.asarray(history["passes"], dtype=np.float64)
    if optimum is None:
        gap = np.asarray(history["gap"], dtype=np.float64)
    else:
        gap = np.asarray(history["objective"], dtype=np.float64) - optimum
    used = np.isfinite(gap)
    used[used] = gap[used] > _ROUNDING * np.max(np.abs(gap[used]), initial=0.0)
    if np.count_nonzero(used) < 2 or np.ptp(passes[used]) == 0.0:
        raise ValueError("a rate needs two checks with a finite gap; set check_interval=1")
    centered = passes[used] - passes[used].mean()
    return float(centered @ np.log(gap[used]) / (centered @ centered))


def _check_constants(L: float, mu: float, count: int = 1) -> None:
    if not (0.0 < mu <= L < math.inf):
        raise ValueError(f"the constants must satisfy 0 < mu <= L < inf, got mu={mu}, L={L}")
    if count < 1:
        raise ValueError(f"the number of rows or steps must be at least 1, got {count}")
