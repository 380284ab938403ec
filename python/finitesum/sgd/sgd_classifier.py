"""Classification by stochastic gradient descent."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from finitesum._validation import FLOAT_DTYPES, sample_weights, unchanged_on_error
from finitesum.linear._model import (
    ClassifierModel,
    class_weighted,
    log_probabilities,
    n_outputs_of,
    probabilities,
)
from finitesum.linear._solve import Callback
from finitesum.linear._targets import Columns, OneAgainstRest, Targets, class_codes
from finitesum.sgd._base import SGDEstimator
from finitesum.sgd._docstrings import with_shared_sections
from finitesum.sgd._validation_rows import held_out


def _gives_probabilities(self: "SGDClassifier") -> bool:
    if self.loss in ("log_loss", "modified_huber"):
        return True
    raise AttributeError(f"probability estimates are not available for loss={self.loss!r}")


@with_shared_sections
class SGDClassifier(ClassifierModel, SGDEstimator):
    """Linear classifier by stochastic gradient descent.

    With S the sum of the sample weights s_i (those of the classes included), y_i = +-1 and
    z_i = x_i . w + b, steps follow the gradients of

        (1/S) sum_i s_i loss(z_i, y_i) + alpha [(1 - rho)/2 ||w||^2 + rho ||w||_1],

    rho = 0 for ``penalty="l2"``, 1 for "l1", ``l1_ratio`` for "elasticnet". Parameters and results
    are those of `sklearn.linear_model.SGDClassifier`, with exceptions: weights count relative to
    their mean, so that they are the same as repeated rows in the objective; the intercept of sparse
    X takes full steps; L1 is a proximal step, not one that lags; a fit that explodes is not an
    error but begins again with half the step; few samples make exact steps (``batch_size``). There
    is no certificate: the estimators of
    `finitesum.linear` prove their optimum, and are faster to it.

    Parameters
    ----------
    loss : {"hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", \
            "squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"}, \
            default="hinge"
        "hinge" is the linear support vector machine, "log_loss" logistic regression; the last four
        are regressions on +-1.
    {parameters}
    multi_class : {"ovr", "multinomial"}, default="ovr"
        More than two classes: one against the rest each, or, with "log_loss", one problem for all
        of them, whose outputs share draws and steps.
    n_jobs : int or None, default=None
        Threads that fit the classes, as joblib counts them.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features), dtype float64
        Coefficients.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    {attributes}

    Notes
    -----
    L. Bottou, F. E. Curtis and J. Nocedal, "Optimization methods for large-scale machine learning",
    SIAM Review 60, 2018. S. Shalev-Shwartz and S. Ben-David, "Understanding machine learning",
    2014, chapter 14.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from finitesum import SGDClassifier
    >>> X, y = make_classification(random_state=0)
    >>> model = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
    >>> model.coef_.shape
    (1, 20)
    """

    _scores_labels: ClassVar[bool] = True
    _auto_rate: ClassVar[str] = "optimal"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SGDEstimator._parameter_constraints,
        "loss": [
            StrOptions(
                {
                    "hinge",
                    "log_loss",
                    "modified_huber",
                    "squared_hinge",
                    "perceptron",
                    "squared_error",
                    "huber",
                    "epsilon_insensitive",
                    "squared_epsilon_insensitive",
                }
            )
        ],
        "multi_class": [StrOptions({"ovr", "multinomial"})],
        "n_jobs": [Integral, None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        loss: str = "hinge",
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
        n_jobs: int | None = None,
        random_state: Any = None,
        learning_rate: str = "auto",
        eta0: float | None = None,
        power_t: float = 0.5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: Any = None,
        warm_start: bool = False,
        average: Any = False,
        multi_class: str = "ovr",
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
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.average = average
        self.multi_class = multi_class
        self.optimizer = optimizer
        self.optimizer_options = optimizer_options
        self.batch_size = batch_size
        self.clip = clip
        self.projection = projection
        self.monitor = monitor
        self.schedule_options = schedule_options
        self.callback = callback
        self.time_limit = time_limit

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
            Class labels.
        coef_init : array-like of shape (n_classes, n_features), or of one row, default=None
            Where to start.
        intercept_init : array-like of shape (n_classes,) or (1,), default=None
            Where to start.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A sample of weight zero counts as absent.
        validation_data : (X, y) or (X, y, sample_weight), default=None
            Rows to judge each epoch by, instead of a share of the training data.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the data, the weights or a parameter are not valid, or fewer than two classes remain.
        """
        self._validate_params()
        with unchanged_on_error(self):
            X, y, weight, classes = self._training_data(X, y, sample_weight)
            n_outputs = n_outputs_of(classes)
            same_classes = np.array_equal(getattr(self, "classes_", classes), classes)
            start = self._first_start(
                n_outputs, X.shape[1], coef_init, intercept_init, goes_on=same_classes
            )
            self.classes_ = classes
            validation, weight = held_out(
                self, X, y, weight, validation_data, StratifiedShuffleSplit, self._targets
            )
            self.coef_, self.intercept_ = self._descend(
                X,
                self._targets(y),
                1 if self._n_classes() else n_outputs,
                weight,
                max_iter=int(self.max_iter),
                start=start,
                validation=validation,
                n_classes=self._n_classes(),
                n_jobs=self.n_jobs,
            )
            self._warn_unless_stopped(int(self.max_iter))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Run one epoch on the given samples, from where the last call has ended.

        The step's number, the averages and the order's random numbers go on, so that ten calls with
        the same data are one fit of ten epochs, to the bit, also after pickling.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Some of the samples.
        y : array-like of shape (n_samples,)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All classes there will be. Needed by the first call.
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
            If the data, the weights or a parameter are not valid, or y has a label that is not
            among the classes.
        """
        self._validate_params()
        first = not hasattr(self, "_run")
        if self.early_stopping:
            raise ValueError("early_stopping should be False with partial_fit")
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit: the weights of all "
                "classes are needed. Pass them as a dict."
            )
        with unchanged_on_error(self):
            labels = self._all_classes(classes, first)
            X, y = validate_data(
                self, X, y, accept_sparse="csr", dtype=FLOAT_DTYPES, order="C", reset=first
            )
            unknown = np.setdiff1d(y, labels)
            if len(unknown):
                raise ValueError(f"`classes` lacks labels of y: {unknown!r} are not in {labels!r}.")
            weight = sample_weights(sample_weight, X)
            weight = class_weighted(self.class_weight, y, weight, classes=labels)
            self.classes_ = labels
            self.coef_, self.intercept_ = self._run_one_epoch(
                X,
                self._targets(y),
                1 if self._n_classes() else n_outputs_of(labels),
                weight,
                n_classes=self._n_classes(),
                n_jobs=self.n_jobs,
                first=first,
            )
        return self

    def _all_classes(self, classes: Any, first: bool) -> NDArray[Any]:
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if first:
            labels = np.unique(classes)
            if len(labels) < 2:
                raise ValueError(
                    f"The number of classes has to be greater than one; got {len(labels)} class"
                )
            return labels
        if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        return self.classes_

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.multi_class == "multinomial" and self.loss != "log_loss":
            raise ValueError(f"multi_class='multinomial' needs loss='log_loss', got {self.loss!r}.")

    def _n_classes(self) -> int:
        """Count the classes of the multinomial loss; zero: it is another one."""
        several = len(self.classes_) > 2
        return len(self.classes_) if several and self.multi_class == "multinomial" else 0

    def _targets(self, y: NDArray[Any]) -> Targets:
        if self._n_classes():
            return Columns(class_codes(y, self.classes_))
        return OneAgainstRest(y, self.classes_[-n_outputs_of(self.classes_) :])

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict class probabilities, for the losses "log_loss" and "modified_huber".

        Those of more than two classes are each class's against the rest, scaled to sum to one,
        unless ``multi_class="multinomial"``.
        "modified_huber" gives (clip(score, -1, 1) + 1) / 2 (T. Zhang, ICML 2004).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        if self.loss == "log_loss":
            return probabilities(self._logistic_scores(X))
        each = (np.clip(self.decision_function(X), -1.0, 1.0) + 1.0) / 2.0
        if each.ndim == 1:
            return np.column_stack([1.0 - each, each])
        total = each.sum(axis=1, keepdims=True)
        each[total[:, 0] == 0.0] = 1.0  # no class has any: all are alike, as in scikit-learn
        of_several: NDArray[np.float64] = each / each.sum(axis=1, keepdims=True)
        return of_several

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict the logarithms of the class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of `predict_proba`; with "modified_huber" minus infinity where that is zero.
        """
        if self.loss == "log_loss":
            return log_probabilities(self._logistic_scores(X))
        with np.errstate(divide="ignore"):
            logarithms: NDArray[np.float64] = np.log(self.predict_proba(X))
        return logarithms

    def _logistic_scores(self, X: Any) -> NDArray[np.float64]:
        """Give what the probabilities are the logistic function, or the softmax, of."""
        scores = self.decision_function(X)
        if scores.ndim == 1 or self._n_classes():
            return scores
        each: NDArray[np.float64] = log_expit(scores)  # p_k / sum p = softmax of log p
        return each
