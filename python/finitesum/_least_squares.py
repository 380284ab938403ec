"""The lower bound of least squares without a penalty, where the dual gives none."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from finitesum._objectives import Weights

WIDEST = 1000  # columns; the work is n_samples times their square
_BLOCK = 4096  # rows


@dataclass(frozen=True)
class LeastSquaresBound:
    """Below min F, and the modulus of strong convexity of min_b F(., b); both 0 if unknown."""

    lower_bound: float = 0.0
    convexity: float = 0.0


def least_squares_bound(
    X: Any, y: NDArray[np.float64], weight: Weights, w: NDArray[np.float64], fit_intercept: bool
) -> LeastSquaresBound:
    """Bound min F for F = (1/S) sum_i s_i (x_i . w + b - y_i)^2 / 2 by a Newton step from w.

    With columns centered (the intercept) and scaled to unit variance, F is quadratic with Hessian
    H, and with gradient g at v: min F >= F(v) - ||g||^2 / (2 lambda) for lambda <= the smallest
    eigenvalue of H. v is one Newton step from w, where g is rounding and F(v) nearly the minimum.
    """
    n, p = X.shape
    s = np.full(n, 1.0 / n) if weight is None else weight / weight.sum()
    mean, gram = np.zeros(p), np.zeros((p, p))
    if fit_intercept:
        for rows, block in _blocks(X):
            mean += s[rows] @ block
    for rows, block in _blocks(X):
        block -= mean
        gram += block.T @ (s[rows, None] * block)
    scale = np.sqrt(np.diag(gram))
    if not (np.isfinite(gram).all() and (scale > 0.0).all()):
        return LeastSquaresBound()
    hessian = gram / np.outer(scale, scale)
    # rounding, in the sums over rows and in the centered columns, over the trace, which is p
    eps = np.finfo(np.float64).eps
    lost = (n + p + 4.0 * float(np.abs(mean / scale).max())) * eps
    smallest = float(np.linalg.eigvalsh(hessian)[0]) - lost * p
    if not smallest > 0.0:
        return LeastSquaresBound()
    residual = np.concatenate([(block - mean) @ w for _, block in _blocks(X)]) - y
    for step in range(2):
        if fit_intercept:
            residual -= s @ residual
        gradient = np.zeros(p)
        for rows, block in _blocks(X):
            gradient += (s[rows] * residual[rows]) @ ((block - mean) / scale)
        if step == 0:
            move = np.linalg.solve(hessian, gradient) / scale
            residual -= np.concatenate([(block - mean) @ move for _, block in _blocks(X)])
    objective = 0.5 * float(s @ residual**2)
    rounding = 4.0 * eps * float(s @ (np.abs(residual) * (np.abs(y) + np.abs(residual))))
    bound = objective - 0.5 * float(gradient @ gradient) / smallest - rounding
    return LeastSquaresBound(max(bound, 0.0), smallest * float(scale.min()) ** 2)


def _blocks(X: Any) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Float64 copies of some rows at a time."""
    for first in range(0, X.shape[0], _BLOCK):
        rows = slice(first, first + _BLOCK)
        part = X[rows]
        yield rows, (part.toarray() if sp.issparse(part) else part).astype(np.float64)
