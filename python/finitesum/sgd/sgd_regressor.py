"""Regression by stochastic gradient descent."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import ShuffleSplit
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from finitesum._validation import FLOAT_DTYPES, sample_weights, training_data, unchanged_on_error
from finitesum.linear._model import RegressorModel
from finitesum.linear._solve import Callback
from finitesum.linear._targets import Columns, Targets
from finitesum.sgd._base import SGDEstimator
from finitesum.sgd._docstrings import with_shared_sections
from finitesum.sgd._validation_rows import held_out


@with_shared_sections
class SGDRegressor(RegressorModel, SGDEstimator):
    """Linear regression by stochastic gradient descent.

    With S the sum of the sample weights s_i and z_i = x_i . w + b, steps follow the gradients of

        (1/S) sum_i s_i loss(z_i, y_i) + alpha [(1 - rho)/2 ||w||^2 + rho ||w||_1],

    rho = 0 for ``penalty="l2"``, 1 for "l1", ``l1_ratio`` for "elasticnet". Parameters and results
    are those of `sklearn.linear_model.SGDRegressor`, with the exceptions that `SGDClassifier`
    names.

    Parameters
    ----------
    loss : {"squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive", \
            "quantile"}, default="squared_error"
        "squared_error" is (z - y)^2 / 2.
    {parameters}
    quantile : float, default=0.5
        What "quantile" predicts, between 0 and 1.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,), dtype float64
        Coefficients.
    intercept_ : ndarray of shape (1,)
        Intercept.
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from finitesum import SGDRegressor
    >>> X, y = make_regression(n_features=3, random_state=0)
    >>> model = SGDRegressor(random_state=0).fit(X, y)
    >>> model.coef_.shape
    (3,)
    """

    _scores_labels: ClassVar[bool] = False
    _auto_rate: ClassVar[str] = "invscaling"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SGDEstimator._parameter_constraints,
        "loss": [
            StrOptions(
                {
                    "squared_error",
                    "huber",
                    "epsilon_insensitive",
                    "squared_epsilon_insensitive",
                    "quantile",
                }
            )
        ],
        "quantile": [Interval(Real, 0.0, 1.0, closed="neither")],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        *,
        penalty: str | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool | str = True,
        verbose: int = 0,
        epsilon: float = 0.1,
        random_state: Any = None,
        learning_rate: str = "auto",
        eta0: float | None = None,
        power_t: float = 0.25,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        average: Any = False,
        quantile: float = 0.5,
        optimizer: str = "sgd",
        optimizer_options: dict[str, Any] | None = None,
        batch_size: int | str = "auto",
        clip: Any = None,
        projection: Any = None,
        monitor: str = "running",
        schedule_options: dict[str, Any] | None = None,
        callback: Callback | None = None,
        time_limit: float | None = None,
    ) -> None:
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.epsilon = epsilon
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.average = average
        self.quantile = quantile
        self.optimizer = optimizer
        self.optimizer_options = optimizer_options
        self.batch_size = batch_size
        self.clip = clip
        self.projection = projection
        self.monitor = monitor
        self.schedule_options = schedule_options
        self.callback = callback
        self.time_limit = time_limit

    def _loss_parameter(self) -> float:
        return float(self.quantile if self.loss == "quantile" else self.epsilon)

    def fit(
        self,
        X: Any,
        y: Any,
        coef_init: Any = None,
        intercept_init: Any = None,
        sample_weight: Any = None,
        *,
        validation_data: Any = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. C-contiguous float32 or float64 arrays and CSR matrices are used in
            place.
        y : array-like of shape (n_samples,)
            Targets.
        coef_init : array-like of shape (n_features,), default=None
            Where to start.
        intercept_init : array-like of shape (1,), default=None
            Where to start.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, not all zero.
        validation_data : (X, y) or (X, y, sample_weight), default=None
            Rows to judge each epoch by, instead of a share of the training data.

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
            X, y = training_data(self, X, y, y_numeric=True)
            weight = sample_weights(sample_weight, X)
            start = self._first_start(1, X.shape[1], coef_init, intercept_init)
            validation, weight = held_out(
                self, X, y, weight, validation_data, ShuffleSplit, _targets
            )
            self._set_solution(
                *self._descend(
                    X,
                    _targets(y),
                    1,
                    weight,
                    max_iter=int(self.max_iter),
                    start=start,
                    validation=validation,
                )
            )
            self._warn_unless_stopped(int(self.max_iter))
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Run one epoch on the given samples, from where the last call has ended.

        The step's number, the averages and the order's random numbers go on, so that ten calls with
        the same data are one fit of ten epochs, to the bit, also after pickling.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Some of the samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, relative to their mean in this call; their sum counts where it is
            the number of steps (few samples, ``batch_size="auto"``).

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
        if self.early_stopping:
            raise ValueError("early_stopping should be False with partial_fit")
        first = not hasattr(self, "_run")
        with unchanged_on_error(self):
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse="csr",
                dtype=FLOAT_DTYPES,
                order="C",
                y_numeric=True,
                reset=first,
            )
            weight = sample_weights(sample_weight, X)
            self._set_solution(*self._run_one_epoch(X, _targets(y), 1, weight, first=first))
        return self

    def _set_solution(self, coef: NDArray[np.float64], intercept: NDArray[np.float64]) -> None:
        self.coef_, self.intercept_ = coef[0], intercept  # scikit-learn's shapes


def _targets(y: NDArray[Any]) -> Targets:
    return Columns(y.astype(np.float64, copy=False))
