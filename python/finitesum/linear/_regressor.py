"""Linear regressors: one target, or several."""

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from finitesum._validation import sample_weights, total_weight, training_data, unchanged_on_error
from finitesum.linear._base import LinearEstimator
from finitesum.linear._model import RegressorModel
from finitesum.linear._solve import Problem
from finitesum.linear._targets import Columns


class LinearRegressor(RegressorModel, LinearEstimator):
    """Base of the linear regressors; a subclass states its loss and penalty."""

    _multi_output: ClassVar[bool] = False

    @abstractmethod
    def _problems(self, n_outputs: int, total: float) -> list[Problem]: ...

    def _check_targets(self, y: NDArray[np.float64], weight: NDArray[np.float64] | None) -> None:
        """Raise where the loss is not defined for a target."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. C-contiguous float32 or float64 arrays and CSR matrices are used in
            place.
        y : array-like of shape (n_samples,), for `Ridge` also (n_samples, n_outputs)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Non-negative weights, not all zero.

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
        with unchanged_on_error(self):
            X, y = training_data(self, X, y, y_numeric=True, multi_output=self._multi_output)
            weight = sample_weights(sample_weight, X)
            total = total_weight(weight, X.shape[0])
            self._check_targets(y, weight)
            n_outputs = 1 if y.ndim == 1 else y.shape[1]
            problems, start = self._problems(n_outputs, total), self._start(n_outputs, X.shape[1])
            self._set_solution(*self._solve(X, Columns(y), weight, problems, start))
        return self
