"""Poisson regression."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval
from sklearn.utils._tags import Tags
from sklearn.utils.validation import column_or_1d

from finitesum._validation import sample_weights
from finitesum.linear._base import LinearEstimator
from finitesum.linear._docstrings import with_shared_sections
from finitesum.linear._regressor import LinearRegressor
from finitesum.linear._solve import Callback, Problem


@with_shared_sections
class PoissonRegressor(LinearRegressor):
    """Poisson regression with a log link and an L2 penalty.

    Minimizes, with S the sum of the sample weights s_i and z_i = x_i . w + b,

        (1/S) sum_i s_i (exp(z_i) - y_i z_i + y_i log y_i - y_i) + (alpha/2) ||w||^2,

    the objective of `sklearn.linear_model.PoissonRegressor`, whose loss is half the deviance.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty.
    {control}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,), dtype float64
        Coefficients.
    intercept_ : float
        Intercept, zero if ``fit_intercept=False``.
    n_iter_ : int
        Epochs run.
    {attributes}
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearEstimator._parameter_constraints,
        "alpha": [Interval(Real, 0.0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        tol: float = 1e-4,
        max_iter: int = 1000,
        fit_intercept: bool = True,
        solver: str = "auto",
        sampling: str = "auto",
        step_size: float | str = "auto",
        solver_options: dict[str, Any] | None = None,
        check_interval: int | str = "auto",
        random_state: Any = None,
        warm_start: bool = False,
        callback: Callback | None = None,
        verbose: int = 0,
        time_limit: float | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.tol = tol
        self.max_iter = max_iter
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.sampling = sampling
        self.step_size = step_size
        self.solver_options = solver_options
        self.check_interval = check_interval
        self.random_state = random_state
        self.warm_start = warm_start
        self.callback = callback
        self.verbose = verbose
        self.time_limit = time_limit
        self.n_threads = n_threads

    def _problems(self, n_outputs: int, total: float) -> list[Problem]:
        return [Problem("poisson", float(self.alpha))] * n_outputs

    def _check_targets(self, y: NDArray[np.float64], weight: NDArray[np.float64] | None) -> None:
        total = y.sum() if weight is None else y @ weight
        if (y < 0.0).any() or not total > 0.0:
            raise ValueError(
                "Some value(s) of y are out of the valid range of the loss 'poisson': y must be "
                "non-negative and not all zero."
            )

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict the mean of the target, exp(X coef_ + intercept_).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predictions.
        """
        return np.exp(self._linear_predictor(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute D^2, the share of the null model's deviance that the model explains.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Targets, non-negative.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
            1 for a perfect model, 0 for one no better than the weighted mean of y.
        """
        z = self._linear_predictor(X)
        y = column_or_1d(y, dtype=np.float64)
        check_consistent_length(z, y)
        weight = sample_weights(sample_weight, z)
        self._check_targets(y, weight)
        # half the deviance is mu - y log mu + y log y - y
        saturated = np.average(xlogy(y, y) - y, weights=weight)
        mean = np.average(y, weights=weight)
        half_deviance = np.average(np.exp(z) - y * z, weights=weight) + saturated
        return float(1.0 - half_deviance / (mean - mean * np.log(mean) + saturated))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags
