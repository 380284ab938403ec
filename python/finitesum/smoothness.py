"""Smoothness and strong convexity of a problem, and the passes the theory predicts from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.extmath import row_norms, safe_sparse_dot

from finitesum import _core, theory
from finitesum._validation import FLOAT_DTYPES, sample_weights, total_weight

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
_POWER_ITERATIONS = 50


@dataclass(frozen=True)
class SmoothnessReport:
    """The constants of F(w) = (1/n) sum_i f_i(w) + penalty(w); see `smoothness_report`.

    Attributes
    ----------
    loss : str
        The loss.
    n_samples : int
        Number of rows n.
    curvature : float
        sup l'', inf for a loss without one.
    L_quantiles : tuple of float
        Minimum, quartiles and maximum of the L_i.
    L_max, L_mean : float
        Largest and mean smoothness of the f_i; steps of 1 / L_max are safe.
    L : float
        Smoothness of their mean, by power iteration, to about 1 %; L <= L_mean <= L_max.
    mu : float
        Strong convexity that the penalty provides, alpha (1 - l1_ratio).
    condition_number : float
        (L_max + mu) / mu; inf without an L2 penalty.
    epsilon : float
        What the passes are predicted for.
    passes : mapping of str to float
        Passes over the data until F - min F is epsilon of what it was, by method, constants
        dropped (see `finitesum.theory.evaluations`); "sag-lipschitz" is SAG with rows drawn by
        their smoothness, which puts L_mean in the place of L_max. inf where the theory has no
        linear rate.
    """

    loss: str
    n_samples: int
    curvature: float
    L_quantiles: tuple[float, ...]
    L_max: float
    L_mean: float
    L: float
    mu: float
    condition_number: float
    epsilon: float
    passes: Mapping[str, float]

    def __repr__(self) -> str:
        quantiles = "  ".join(f"{value:.3g}" for value in self.L_quantiles)
        passes = "  ".join(f"{method} {value:.3g}" for method, value in self.passes.items())
        return (
            f"smoothness of {self.loss} on {self.n_samples} rows, sup l'' = {self.curvature:.3g}\n"
            f"  L_i, min to max by quartiles: {quantiles}\n"
            f"  L_max {self.L_max:.3g}  L_mean {self.L_mean:.3g}  L {self.L:.3g}\n"
            f"  mu {self.mu:.3g}  condition number {self.condition_number:.3g}\n"
            f"  passes to {self.epsilon:g}: {passes}"
        )


def smoothness_report(
    X: Any,
    y: Any,
    loss: str,
    *,
    alpha: float,
    l1_ratio: float = 0.0,
    loss_parameter: float = 1.0,
    fit_intercept: bool = True,
    sample_weight: Any = None,
    epsilon: float = 1e-4,
) -> SmoothnessReport:
    """Report the smoothness of a problem's rows and what the theory predicts from it.

    Row i of f_i(w, b) = (n s_i / S) l(x_i . w + b, y_i), S = sum_i s_i, has the constant

        L_i = (n s_i / S) sup l'' (||x_i||^2 + 1 with an intercept),

    sup l'' = 1/4 for the logistic loss, 1 for squared and Huber, 2 for the squared hinge, 1/gamma
    for the smoothed hinge, 1/2 for the multinomial logistic loss, and none for Poisson's.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,)
        Targets; the constants do not depend on them.
    loss : str
        "logistic", "squared", "squared_hinge", "smoothed_hinge", "huber", "poisson" or
        "multinomial".
    alpha : float
        Strength of the penalty, per unit of the mean loss: 1 / (C S) for a classifier's C.
    l1_ratio : float, default=0.0
        Share of the L1 penalty.
    loss_parameter : float, default=1.0
        gamma of the smoothed hinge, delta of Huber.
    fit_intercept : bool, default=True
        Whether there is an intercept.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights s_i.
    epsilon : float, default=1e-4
        Precision that the passes are predicted for.

    Returns
    -------
    SmoothnessReport
        The constants.

    Raises
    ------
    ValueError
        If an argument is out of range or the loss is not known.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from finitesum import smoothness_report
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> report = smoothness_report(X, y, "logistic", alpha=1 / len(y))
    >>> f"{report.L_max:.2e}, {report.condition_number:.1e}"  # columns are not scaled
    '6.19e+06, 3.5e+09'
    """
    X = check_array(X, accept_sparse="csr", accept_large_sparse=True, dtype=FLOAT_DTYPES)
    check_consistent_length(X, y)
    if not 0.0 <= alpha < np.inf:
        raise ValueError(f"alpha must be finite and non-negative, got {alpha}")
    if not 0.0 <= l1_ratio <= 1.0:
        raise ValueError(f"l1_ratio must be in [0, 1], got {l1_ratio}")
    weight = sample_weights(sample_weight, X)
    curvature = _curvature(loss, loss_parameter)
    squares = row_norms(X, squared=True).astype(np.float64)
    L_i = row_smoothness(squares, weight, loss, loss_parameter, fit_intercept)
    L_max, L_mean = float(L_i.max()), float(L_i.mean())
    L = min(curvature * _largest_eigenvalue(X, _shares(weight, len(y)), fit_intercept), L_mean)
    mu = alpha * (1.0 - l1_ratio)
    return SmoothnessReport(
        loss=loss,
        n_samples=len(y),
        curvature=curvature,
        L_quantiles=tuple(float(v) for v in np.quantile(L_i, _QUANTILES, method="lower")),
        L_max=L_max,
        L_mean=L_mean,
        L=L,
        mu=mu,
        condition_number=(L_max + mu) / mu if mu > 0.0 else np.inf,
        epsilon=epsilon,
        passes={
            method: predicted_passes(method, len(y), constant + mu, mu, epsilon)
            for method, constant in (
                ("sg", L_max),
                ("gd", L),
                ("agd", L),
                ("sag", L_max),
                ("sag-lipschitz", L_mean),
                ("svrg", L_max),
            )
        },
    )


def row_smoothness(
    row_squares: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    loss: str,
    loss_parameter: float,
    fit_intercept: bool,
) -> NDArray[np.float64]:
    """Compute the L_i from the squared norms of the rows."""
    rows = _shares(weight, len(row_squares)) * (row_squares + fit_intercept)
    # of rows of zeros, any number will do: 0 inf is none
    with np.errstate(invalid="ignore"):
        return np.where(rows > 0.0, _curvature(loss, loss_parameter) * rows, 0.0)


def _shares(weight: NDArray[np.float64] | None, n: int) -> NDArray[np.float64]:
    """Compute n s_i / S."""
    return np.ones(n) if weight is None else weight * n / total_weight(weight, n)


def _curvature(loss: str, loss_parameter: float) -> float:
    return 0.5 if loss == "multinomial" else _core.loss_smoothness(loss, loss_parameter)


def predicted_passes(method: str, n: int, L: float, mu: float, epsilon: float) -> float:
    """Predict the passes over n rows until F - min F is epsilon of what it was."""
    if mu == 0.0 or np.isinf(L):
        return np.inf
    return theory.evaluations(method.split("-")[0], n, L, mu, epsilon) / n


def _largest_eigenvalue(X: Any, share: NDArray[np.float64], fit_intercept: bool) -> float:
    """Of (1/n) [X 1]^T diag(share) [X 1], by power iteration from a fixed start."""
    v = np.random.default_rng(0).normal(size=X.shape[1] + 1)
    v[-1] *= fit_intercept
    value = 0.0
    for _ in range(_POWER_ITERATIONS):
        v /= np.linalg.norm(v)
        z = share * (safe_sparse_dot(X, v[:-1]) + v[-1])
        v = np.append(safe_sparse_dot(X.T, z), fit_intercept * z.sum()) / len(share)
        before, value = value, float(np.linalg.norm(v))
        if value - before <= 1e-3 * value:
            break
    return value
