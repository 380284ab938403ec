"""Least squares with an elastic-net penalty whose strength is chosen by cross-validation."""

from abc import abstractmethod
from functools import cache
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import check_cv
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_non_negative

from finitesum._validation import (
    core_matrix,
    sample_weights,
    total_weight,
    training_data,
    unchanged_on_error,
)
from finitesum.linear._base import LinearEstimator
from finitesum.linear._folds import Coef, Margins, Path, fit_fold_paths, warn_unless_converged
from finitesum.linear._regressor import LinearRegressor
from finitesum.linear._solve import Problem
from finitesum.linear._targets import Columns

# scikit-learn's floor of a grid whose largest alpha vanishes
_RESOLUTION = np.finfo(np.float64).resolution

_ROUNDING = 1e-12


class PathRegressor(LinearRegressor):
    """Base of `LassoCV` and `ElasticNetCV`; a subclass states the shares of L1 to try."""

    warm_start = False
    callback = None
    time_limit = None

    eps: float
    alphas: Any
    cv: Any
    n_jobs: int | None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearEstimator._parameter_constraints,
        "eps": [Interval(Real, 0.0, None, closed="neither")],
        "alphas": ["array-like", Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
    }

    @abstractmethod
    def _l1_ratios(self) -> NDArray[np.float64]: ...

    def _problems(self, n_outputs: int, total: float) -> list[Problem]:
        return [Problem("squared", self.alpha_, self._chosen_l1_ratio)]

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose the penalty by cross-validation and fit the model with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. C-contiguous float32 or float64 arrays and CSR matrices are used in
            place; the held-out rows of a fold are copied.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Non-negative weights, of the fits and of the held-out errors.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the data, the weights or a parameter are not valid.
        """
        self._validate_params()
        l1_ratios = self._l1_ratios()
        given = self._given_alphas()
        with unchanged_on_error(self):
            X, y = training_data(self, X, y, y_numeric=True)
            weight = sample_weights(sample_weight, X)
            total = total_weight(weight, X.shape[0])
            if given is None:
                grids = [self._grid(X, y, weight, l1_ratio) for l1_ratio in l1_ratios]
            else:
                grids = [given] * len(l1_ratios)
            errors = self._search(X, y, weight, l1_ratios, grids)
            mean_errors = errors.mean(axis=2)
            # neighbors on a path may share a solution that satisfies tol for both: the larger alpha
            ties = mean_errors <= mean_errors.min() * (1.0 + _ROUNDING)
            best = np.unravel_index(np.argmax(ties), mean_errors.shape)
            self.mse_path_ = np.squeeze(errors)
            self.alphas_ = grids[0] if given is not None or len(grids) == 1 else np.array(grids)
            self.alpha_ = float(grids[best[0]][best[1]])
            self._chosen_l1_ratio = float(l1_ratios[best[0]])
            problems = self._problems(1, total)
            self._set_solution(*self._solve(X, Columns(y), weight, problems, None))
        return self

    def _search(
        self,
        X: Any,
        y: NDArray[np.float64],
        weight: NDArray[np.float64] | None,
        l1_ratios: NDArray[np.float64],
        grids: list[NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        """Held-out mean squared errors of shape (n_l1_ratios, n_alphas, n_folds)."""
        folds = list(check_cv(self.cv).split(X, y))
        held_out = cache(lambda fold: X[folds[fold][1]])

        def error(fold: int, coef: Coef, intercept: Coef, margins: Margins) -> float:
            test = folds[fold][1]
            if margins is None:
                predicted = safe_sparse_dot(held_out(fold), coef[0], dense_output=True) + intercept
            else:
                predicted = margins[test] + intercept
            return float(
                np.average(
                    (predicted - y[test]) ** 2, weights=None if weight is None else weight[test]
                )
            )

        def path(l1_ratio: float, grid: NDArray[np.float64]) -> Path:
            return lambda _: [[Problem("squared", float(alpha), float(l1_ratio))] for alpha in grid]

        control = self._control()
        found = fit_fold_paths(
            core_matrix(X),
            Columns(y),
            weight,
            folds,
            [path(*pair) for pair in zip(l1_ratios, grids, strict=True)],
            control,
            error,
            n_jobs=self.n_jobs,
        )
        warn_unless_converged(type(self).__name__, found, control)
        scores = np.array([[path.scores for path in by_path] for by_path in found])
        return np.moveaxis(scores, 0, 2)

    def _given_alphas(self) -> NDArray[np.float64] | None:
        """Sort the user's grid, largest first; None where the data are to tell it."""
        if isinstance(self.alphas, Integral):
            return None
        alphas = check_array(
            self.alphas, ensure_2d=False, dtype=np.float64, input_name="alphas"
        ).ravel()
        check_non_negative(alphas, f"{type(self).__name__} (alphas)")
        decreasing: NDArray[np.float64] = np.sort(alphas)[::-1]
        return decreasing

    def _grid(
        self, X: Any, y: NDArray[np.float64], weight: NDArray[np.float64] | None, l1_ratio: float
    ) -> NDArray[np.float64]:
        """From the smallest alpha at which all coefficients vanish down to eps times it.

        That alpha is max_j |X^T (s o (y - mean y))|_j / (S l1_ratio).
        """
        if l1_ratio == 0.0:
            raise ValueError(
                "Automatic alpha grid generation is not supported for l1_ratio=0. Please supply a "
                "grid by providing your estimator with the appropriate `alphas=` argument."
            )
        residual = y - np.average(y, weights=weight) if self.fit_intercept else y
        if weight is not None:
            residual = residual * weight
        largest = float(np.abs(X.T @ residual).max())
        largest /= total_weight(weight, X.shape[0]) * l1_ratio
        n_alphas = int(self.alphas)
        if largest <= _RESOLUTION:
            return np.full(n_alphas, _RESOLUTION)
        return np.geomspace(largest, largest * self.eps, num=n_alphas)
