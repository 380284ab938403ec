"""Regression by a multilayer perceptron."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils._tags import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from finitesum._validation import sample_weights, training_data, unchanged_on_error
from finitesum.neural._base import MultilayerPerceptron, Target, takes_batches
from finitesum.neural._docstrings import with_shared_sections


@with_shared_sections
class MLPRegressor(RegressorMixin, MultilayerPerceptron):  # type: ignore[misc]  # untyped base
    """Multilayer perceptron for numbers, with batch normalization, dropout and sparse input.

    Parameters and results are those of `sklearn.neural_network.MLPRegressor`, and there are more.
    Sparse X is never made dense: batches multiply, and have gradients, in the columns they name.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}, default="squared_error"
        Half the squared error, summed over the outputs, or half the Poisson deviance with an
        exponential behind the last layer.
    {parameters}

    Attributes
    ----------
    {attributes}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from finitesum import MLPRegressor
    >>> X, y = make_regression(n_features=5, random_state=0)
    >>> model = MLPRegressor(batch_norm=True, max_iter=50, random_state=0, tol=10).fit(X, y)
    >>> model.predict(X[:2]).shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **MultilayerPerceptron._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        optimizer: str | None = None,
        optimizer_options: dict[str, Any] | None = None,
        schedule: Any = None,
        l1_ratio: float = 0.0,
        clip: Any = None,
        batch_norm: Any = False,
        bn_position: str = "pre",
        bn_stats: str = "running",
        warmup_bn_epochs: int = 0,
        dropout: Any = 0.0,
        drop_connect: Any = 0.0,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        max_norm: float | None = None,
        layers: Any = None,
        input_shape: Any = None,
        weight_init: str = "auto",
        augment: Any = None,
        callbacks: Any = None,
        monitor: str = "val_score",
        restore_best: bool = True,
        dtype: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.optimizer = optimizer
        self.optimizer_options = optimizer_options
        self.schedule = schedule
        self.l1_ratio = l1_ratio
        self.clip = clip
        self.batch_norm = batch_norm
        self.bn_position = bn_position
        self.bn_stats = bn_stats
        self.warmup_bn_epochs = warmup_bn_epochs
        self.dropout = dropout
        self.drop_connect = drop_connect
        self.input_dropout = input_dropout
        self.input_noise = input_noise
        self.max_norm = max_norm
        self.layers = layers
        self.input_shape = input_shape
        self.weight_init = weight_init
        self.augment = augment
        self.callbacks = callbacks
        self.monitor = monitor
        self.restore_best = restore_best
        self.dtype = dtype
        self.n_threads = n_threads

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, validation_data: Any = None
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. C-contiguous float32 or float64 arrays and CSR matrices are used in
            place.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, not all zero. Batch normalization does not know them.
        validation_data : (X, y) or (X, y, sample_weight), default=None
            Rows to judge each epoch by, instead of a share of the training data.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the data, the weights or a parameter are not valid, or the weights overflow.
        """
        layers = self._check_parameters()
        goes_on = self.warm_start and hasattr(self, "_network")
        with unchanged_on_error(self):
            X, y = self._validated(X, y, reset=not goes_on)
            target = self._target(y)
            weight = sample_weights(sample_weight, X)
            held = self._held(validation_data, target)
            self._fit(
                X, y, target, weight, layers, held,
                goes_on=goes_on, max_iter=int(self.max_iter),
            )  # fmt: skip
            self._warn_unless_stopped()
        return self

    @available_if(takes_batches)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Run one epoch on the given samples, from where the last call has ended.

        The optimizer and all random numbers go on, so that ten calls with the same data are one fit
        of ten epochs, to the bit, also after pickling.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Some of the samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the data, the weights or a parameter are not valid.
        """
        layers = self._check_parameters()
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        goes_on = hasattr(self, "_network")
        with unchanged_on_error(self):
            X, y = self._validated(X, y, reset=not goes_on)
            weight = sample_weights(sample_weight, X)
            target = self._target(y)
            self._fit(X, y, target, weight, layers, None, goes_on=goes_on, max_iter=None)
        return self

    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, NDArray[Any]]:
        X, y = training_data(self, X, y, y_numeric=True, multi_output=True, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _target(self, y: NDArray[Any]) -> Target:
        if self.loss == "poisson" and np.any(y < 0):
            raise ValueError("Some value(s) of y are out of the valid range of the loss 'poisson'.")
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        head = "poisson" if self.loss == "poisson" else "squared"
        return head, np.ascontiguousarray(y, dtype=np.float64).ravel(), n_outputs

    def _validation_score(
        self, predictions: NDArray[Any], y: NDArray[Any], weight: NDArray[np.float64] | None
    ) -> float:
        return float(r2_score(y, predictions, sample_weight=weight))

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        found = self._outputs(X)
        return found[:, 0] if found.shape[1] == 1 else found

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
