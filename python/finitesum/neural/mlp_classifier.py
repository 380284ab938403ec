"""Classification by a multilayer perceptron."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._tags import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from finitesum._validation import sample_weights, training_data, unchanged_on_error
from finitesum.linear._model import class_weighted
from finitesum.linear._targets import class_codes
from finitesum.neural._base import MultilayerPerceptron, Target, takes_batches
from finitesum.neural._docstrings import with_shared_sections


@with_shared_sections
class MLPClassifier(ClassifierMixin, MultilayerPerceptron):  # type: ignore[misc]  # untyped base
    """Multilayer perceptron for classes, with batch normalization, dropout and sparse input.

    Parameters and results are those of `sklearn.neural_network.MLPClassifier`, and there are more.
    The loss is the cross-entropy: of a softmax, or, for two classes and for several labels at once,
    of one logistic function per output. Sparse X is never made dense: batches multiply, and have
    gradients, in the columns they name.

    Parameters
    ----------
    {parameters}
    label_smoothing : float, default=0.0
        Share of each target that is spread evenly over all classes.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes. Not for several labels at once; in `partial_fit` not
        "balanced".

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    {attributes}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from finitesum import MLPClassifier
    >>> X, y = make_classification(random_state=0)
    >>> model = MLPClassifier(batch_norm=True, max_iter=50, random_state=0, tol=0.01).fit(X, y)
    >>> model.predict_proba(X[:2]).shape
    (2, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **MultilayerPerceptron._parameter_constraints,
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
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
        label_smoothing: float = 0.0,
        class_weight: Any = None,
    ) -> None:
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
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, validation_data: Any = None
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. C-contiguous float32 or float64 arrays and CSR matrices are used in
            place.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator of labels.
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
            classes = unique_labels(y)
            if goes_on and set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {self.classes_}, `y` has {classes}"
                )
            if not goes_on:
                self._set_classes(y if y.ndim == 2 else classes)
            target = self._target(y)
            weight = self._weights(y, sample_weights(sample_weight, X))
            held = self._held(validation_data, target)
            self._fit(
                X, y, target, weight, layers, held,
                goes_on=goes_on, max_iter=int(self.max_iter),
            )  # fmt: skip
            self._warn_unless_stopped()
        return self

    @available_if(takes_batches)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Run one epoch on the given samples, from where the last call has ended.

        The optimizer and all random numbers go on, so that ten calls with the same data are one fit
        of ten epochs, to the bit, also after pickling.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Some of the samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        classes : array-like of shape (n_classes,), default=None
            All classes there will be; needed in the first call.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the data, the weights or a parameter are not valid, or y has new classes.
        """
        layers = self._check_parameters()
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit: the weights of all "
                "classes are needed. Pass them as a dict."
            )
        goes_on = hasattr(self, "_network")
        if not goes_on and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        with unchanged_on_error(self):
            X, y = self._validated(X, y, reset=not goes_on)
            if not goes_on:
                self._set_classes(y if y.ndim == 2 else unique_labels(classes))
            if classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
                raise ValueError(
                    f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                    f"{self.classes_!r}"
                )
            target = self._target(y)
            weight = self._weights(y, sample_weights(sample_weight, X), classes=self.classes_)
            self._fit(X, y, target, weight, layers, None, goes_on=goes_on, max_iter=None)
        return self

    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, NDArray[Any]]:
        X, y = training_data(self, X, y, y_numeric=False, multi_output=True, reset=reset)
        check_classification_targets(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if y.ndim == 2 and not type_of_target(y).startswith("multilabel"):
            raise ValueError("Multioutput target data is not supported with label binarization")
        return X, y

    def _set_classes(self, labels: NDArray[Any]) -> None:
        self._label_binarizer = LabelBinarizer().fit(labels)
        self.classes_ = self._label_binarizer.classes_
        if len(self.classes_) < 2 and labels.ndim == 1:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data "
                f"contains only one class: {self.classes_.tolist()[0]!r}"
            )

    def _weights(
        self,
        y: NDArray[Any],
        weight: NDArray[np.float64] | None,
        classes: NDArray[Any] | None = None,
    ) -> NDArray[np.float64] | None:
        if y.ndim == 2 and self.class_weight is not None:
            raise ValueError("class_weight is not for several labels at once.")
        if y.ndim == 2:
            return weight
        return class_weighted(self.class_weight, y, weight, classes=classes)

    def _target(self, y: NDArray[Any]) -> Target:
        if len(np.setdiff1d(unique_labels(y), self.classes_)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {unique_labels(y)}."
            )
        if (y.ndim == 2) != self._label_binarizer.y_type_.startswith("multilabel"):
            raise ValueError("y must be labels, or an indicator of them, as those learned first.")
        if y.ndim == 2:
            return "logistic", np.ascontiguousarray(y, dtype=np.float64).ravel(), y.shape[1]
        codes = class_codes(y, self.classes_)
        if len(self.classes_) == 2:
            return "logistic", codes.astype(np.float64), 1
        return "softmax", codes, len(self.classes_)

    def _stratifies(self, y: NDArray[Any]) -> bool:
        return y.ndim == 1

    def _validation_score(
        self, predictions: NDArray[Any], y: NDArray[Any], weight: NDArray[np.float64] | None
    ) -> float:
        return float(accuracy_score(y, self._labels(predictions), sample_weight=weight))

    def _labels(self, probabilities: NDArray[Any]) -> NDArray[Any]:
        if self._label_binarizer.y_type_.startswith("multilabel"):
            return (probabilities > 0.5).astype(int)
        if probabilities.shape[1] == 1:
            labels: NDArray[Any] = self.classes_[(probabilities[:, 0] > 0.5).astype(np.intp)]
        else:
            labels = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels.
        """
        return self._labels(self._outputs(X))

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Give the last layer's outputs, what softmax or the logistic function follows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores; for two classes, positive where ``classes_[1]`` is predicted.
        """
        found = self._outputs(X, raw=True)
        return found[:, 0] if found.shape[1] == 1 else found

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Predict probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            A column per class, in the order of ``classes_``.
        """
        found = self._outputs(X)
        return np.hstack([1 - found, found]) if found.shape[1] == 1 else found

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Predict logarithms of probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of `predict_proba`.
        """
        with np.errstate(divide="ignore"):
            result: NDArray[Any] = np.log(self.predict_proba(X))
        return result

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
