"""Least squares by gradient descent with batch normalization."""

import math
import warnings
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions

from finitesum._validation import sample_weights, total_weight, training_data, unchanged_on_error
from finitesum.linear._model import RegressorModel

_Vector = NDArray[np.float64]
_BLOCK = 4096  # rows of float32 that are brought to float64 at a time
_ROUNDING = float(16.0 * np.finfo(np.float64).eps) ** 2  # of squares, relative


class BNGDRegressor(RegressorModel):
    """Least squares by gradient descent on a normalized model (BNGD), matrix-free.

    With samples centered, H = E[x x^T] and g = E[x y], the prediction is a x.w / sqrt(w^T H w): a
    linear model followed by batch normalization with the scale a. Gradient descent on (a, w),

        a <- a + eps_a (w.g / sigma - a),          sigma^2 = w^T H w,
        w <- w + eps a / sigma (g - (w.g / sigma^2) H w),

    converges for every eps > 0 and eps_a <= 1, where gradient descent needs eps < 2/lambda_max of
    H: as the step is orthogonal to w, the norm of w grows until eps / |w|^2 is small enough.
    "Every" is asymptotic: the longer the step, the longer w has to grow before the error falls.
    A model to study; `finitesum.Ridge` and least squares by factorization are faster.

    Parameters
    ----------
    learning_rate : float or "auto", default="auto"
        eps. "auto" is g.g / g^T H g, one over a mean of H's eigenvalues, whatever X's units.
    scale_learning_rate : float, default=1.0
        eps_a, in (0, 1].
    fit_intercept : bool, default=True
        Whether to center X and y (X implicitly, so that sparse X stays sparse). Else x and y are
        taken as they are, and H is not a covariance.
    max_iter : int, default=1000
        Steps at most, two passes over X each.
    tol : float, default=1e-4
        Stop once the largest entry of the gradient of the mean squared error is at most tol times
        that at zero coefficients.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,), dtype float64
        Coefficients, a w / sigma.
    intercept_ : float
        Intercept, 0.0 without one.
    direction_ : ndarray of shape (n_features,)
        w.
    scale_ : float
        a.
    n_iter_ : int
        Steps taken.
    converged_ : bool
        Whether `tol` was reached.
    history_ : dict of ndarray of shape (n_iter_ + 1,)
        Before each step and at the end: "objective", half the mean squared error; "gradient", what
        `tol` bounds; "direction_norm", the norm of w, which never falls.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has them.

    Notes
    -----
    Y. Cai, Q. Li and Z. Shen, "A quantitative analysis of the effect of batch normalization on
    gradient descent", ICML 2019. There w starts anywhere with w.g != 0 (``coef_init``) and a at
    w.g / sigma, as here; without ``coef_init`` w is the end of the steepest descent step from zero,
    which stays in the row space, so that of many optima the one of least norm is found.

    Examples
    --------
    >>> import numpy as np
    >>> from finitesum import BNGDRegressor
    >>> X = np.random.default_rng(0).normal(size=(50, 3)) * [1, 5, 10]
    >>> model = BNGDRegressor(max_iter=5000, tol=1e-9).fit(X, X @ [1.0, 2.0, 3.0] + 4.0)
    >>> model.coef_.round(6).tolist(), round(model.intercept_, 6)
    ([1.0, 2.0, 3.0], 4.0)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0.0, None, closed="neither"), StrOptions({"auto"})],
        "scale_learning_rate": [Interval(Real, 0.0, 1.0, closed="right")],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        learning_rate: float | str = "auto",
        scale_learning_rate: float = 1.0,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
    ) -> None:
        self.learning_rate = learning_rate
        self.scale_learning_rate = scale_learning_rate
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, coef_init: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. C-contiguous float32 or float64 arrays and CSR matrices are used in
            place.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, not all zero.
        coef_init : array-like of shape (n_features,), default=None
            The first w; None takes one step of steepest descent from zero.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the data, the weights or a parameter are not valid, predictions by ``coef_init`` do
            not vary, or numbers overflow or underflow.
        """
        self._validate_params()
        with unchanged_on_error(self):
            X, y = training_data(self, X, y, y_numeric=True)
            weight = sample_weights(sample_weight, X)
            total = total_weight(weight, X.shape[0])
            share = (np.ones(X.shape[0]) if weight is None else weight) / total
            moments = _Moments(X, y, share, self.fit_intercept)
            w, steepest_rate = self._first_direction(moments, coef_init)
            rate = steepest_rate if self.learning_rate == "auto" else float(self.learning_rate)
            self._descend(moments, w, rate)
            self.coef_ = self.scale_ / moments.deviation * self.direction_
            self.intercept_ = moments.intercept(self.coef_)
            if not self.converged_:
                warnings.warn(
                    f"BNGD has not converged after max_iter={self.max_iter} steps: the gradient is "
                    f"{self.history_['gradient'][-1]:.1e} of that at zero. Raise max_iter or tol, "
                    "or scale the features.",
                    ConvergenceWarning,
                    stacklevel=2,
                )
        return self

    def _first_direction(self, moments: "_Moments", coef_init: Any) -> tuple[_Vector, float]:
        """Give the first w, and the length of the step of steepest descent from zero."""
        g, unit = moments.g, _in_units(moments.g)
        moments.move_to(unit)
        rate = float(unit @ unit) / moments.deviation**2  # zero if g is
        if coef_init is None:
            return rate * g, rate
        w: _Vector = np.array(coef_init, dtype=np.float64)
        if w.shape != g.shape or not np.isfinite(w).all():
            raise ValueError(f"coef_init must be finite and of shape {g.shape}, got {w.shape}.")
        moments.move_to(w)
        if not moments.varies:
            raise ValueError("Predictions by coef_init do not vary: BNGD cannot normalize them.")
        return w, rate

    def _descend(self, moments: "_Moments", w: _Vector, rate: float) -> None:
        g, at_zero = moments.g, float(np.abs(moments.g).max()) or 1.0
        moments.move_to(w)
        a = float(w @ g) / moments.deviation
        history: list[tuple[float, float, float]] = []
        for step in range(int(self.max_iter) + 1):
            along = float(w @ g) / moments.deviation  # E[y z] / sigma, z = x.w
            gradient = float(np.abs(a / moments.deviation * moments.Hw - g).max()) / at_zero
            objective = 0.5 * (moments.mean_square_of_y - 2.0 * a * along + a * a)
            history.append((objective, gradient, float(np.linalg.norm(w))))
            self.n_iter_, self.converged_ = step, gradient <= self.tol
            if self.converged_ or step == int(self.max_iter):
                break
            w = w + rate * a / moments.deviation * (g - along / moments.deviation * moments.Hw)
            a += float(self.scale_learning_rate) * (along - a)
            moments.move_to(w)
        self.direction_, self.scale_ = w, a
        names = ("objective", "gradient", "direction_norm")
        self.history_ = dict(zip(names, np.transpose(history), strict=True))


class _Moments:
    """What BNGD needs of the data: g, and sigma and H w at a point."""

    def __init__(self, X: Any, y: _Vector, share: _Vector, centered: bool) -> None:
        self._X, self._share, self._centered = X, share, centered
        self._mean_of_y = float(share @ y) if centered else 0.0
        y = y - self._mean_of_y
        if centered and np.ptp(y[share > 0.0]) == 0.0:
            y = np.zeros_like(y)  # without the mean's rounding
        self.mean_square_of_y = float(share @ y**2)
        self.g = _transposed_product(X, share * y)
        self.Hw = np.zeros_like(self.g)
        self.deviation, self.varies = 1.0, False
        self.move_to(_in_units(self.g))
        if not self.varies:
            self.g = np.zeros_like(self.g)  # it was rounding

    def move_to(self, w: _Vector) -> None:
        """Set Hw and deviation, sigma, or one where predictions vary by rounding alone.

        What is too small to tell one from the other is refused, not taken for a constant.
        """
        with np.errstate(over="ignore"):
            z = _product(self._X, w)
            size = float(self._share @ z**2)
        if not math.isfinite(size):
            raise ValueError("BNGD overflows: scale X or y down, or lower learning_rate.")
        if _ROUNDING * size < np.finfo(np.float64).tiny and z[self._share > 0.0].any():
            raise ValueError("BNGD underflows: scale X, y or coef_init up.")
        if self._centered:
            z -= self._share @ z
        variance = float(self._share @ z**2)
        self.varies = variance > _ROUNDING * size
        self.deviation = math.sqrt(variance) if self.varies else 1.0
        self.Hw = _transposed_product(self._X, self._share * z)

    def intercept(self, coef: _Vector) -> float:
        if not self._centered:
            return 0.0
        return self._mean_of_y - float(_transposed_product(self._X, self._share) @ coef)


def _in_units(g: _Vector) -> _Vector:
    """Scale the largest entry to one: X g is quadratic in X, and its square underflows early."""
    return g / (float(np.abs(g).max()) or 1.0)


def _product(X: Any, w: _Vector) -> _Vector:
    return np.concatenate([part @ w for _, part in _blocks(X)])


def _transposed_product(X: Any, u: _Vector) -> _Vector:
    parts = (part.T @ u[rows] for rows, part in _blocks(X))
    total: _Vector = sum(parts, start=np.zeros(X.shape[1]))
    return total


def _blocks(X: Any) -> Iterator[tuple[slice, Any]]:
    """Rows to multiply at once; products bring float32 to float64 in a copy."""
    if X.dtype == np.float64:
        yield slice(None), X
        return
    for rows in gen_batches(X.shape[0], _BLOCK):
        yield rows, X[rows]
