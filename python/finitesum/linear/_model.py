"""What every fitted linear model can do, whoever fitted it: predict, change its form."""

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite
from sklearn.utils._tags import Tags
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from finitesum._validation import FLOAT_DTYPES, sample_weights, total_weight, training_data
from finitesum.linear._solve import Start
from finitesum.linear._targets import class_codes


class LinearModel(BaseEstimator):  # type: ignore[misc]  # untyped base
    """Coefficients and intercepts, and their form."""

    warm_start: bool

    coef_: Any
    intercept_: Any

    def _start(self, n_outputs: int, n_features: int) -> Start | None:
        """Coefficients and intercepts of the previous fit, if asked for and of this fit's shape."""
        if not self.warm_start or not hasattr(self, "coef_"):
            return None
        coef = self.coef_.toarray() if sp.issparse(self.coef_) else np.asarray(self.coef_)
        coef = np.ascontiguousarray(np.atleast_2d(coef), dtype=np.float64)
        intercept = np.atleast_1d(np.asarray(self.intercept_, dtype=np.float64))
        if coef.shape != (n_outputs, n_features) or intercept.shape != (n_outputs,):
            return None
        assert_all_finite(coef, input_name="coef_")
        assert_all_finite(intercept, input_name="intercept_")
        return coef, intercept

    def _linear_predictor(self, X: Any) -> NDArray[np.float64]:
        """X coef_^T + intercept_: (n_samples,) for one output, else (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOAT_DTYPES, reset=False)
        scores: NDArray[np.float64] = (
            safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        )
        return scores.ravel() if scores.ndim == 2 and scores.shape[1] == 1 else scores

    def sparsify(self) -> Self:
        """Turn ``coef_`` into a CSR matrix, which predicts faster when most coefficients are zero.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_is_fitted(self)
        if not sp.issparse(self.coef_):
            self.coef_ = sp.csr_matrix(np.atleast_2d(self.coef_))
        return self

    def densify(self) -> Self:
        """Turn ``coef_`` back into an array.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_is_fitted(self)
        if sp.issparse(self.coef_):
            coef = self.coef_.toarray()
            self.coef_ = coef.ravel() if np.ndim(self.intercept_) == 0 else coef
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class ClassifierModel(ClassifierMixin, LinearModel):  # type: ignore[misc]  # untyped base
    """Labels by the sign of one score, or by the largest of several."""

    classes_: NDArray[Any]
    class_weight: Any

    def _training_data(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[Any, NDArray[Any], NDArray[np.float64] | None, NDArray[Any]]:
        """Validate; return X, y, the weights times those of the classes, and the classes."""
        X, y = training_data(self, X, y, y_numeric=False)
        check_classification_targets(y)
        weight = class_weighted(self.class_weight, y, sample_weights(sample_weight, X))
        total_weight(weight, X.shape[0])
        classes = np.unique(y if weight is None else y[weight > 0.0])
        if len(classes) < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data "
                f"contains only one class: {classes.tolist()[0]!r}"
            )
        return X, y, weight, classes

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Predict confidence scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores per class; for two classes, positive where ``classes_[1]`` is predicted.
        """
        return self._linear_predictor(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        scores = self.decision_function(X)
        indices = (scores > 0.0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        labels: NDArray[Any] = self.classes_[indices]
        return labels


class RegressorModel(RegressorMixin, LinearModel):  # type: ignore[misc]  # untyped base
    """Predictions are the scores themselves."""

    def _set_solution(self, coef: NDArray[np.float64], intercept: NDArray[np.float64]) -> None:
        single = len(intercept) == 1
        self.coef_ = coef[0] if single else coef
        self.intercept_ = float(intercept[0]) if single else intercept

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_outputs) for several outputs
            Predictions.
        """
        return self._linear_predictor(X)


def n_outputs_of(classes: NDArray[Any]) -> int:
    """Count the problems of one class against the rest: one is enough for two classes."""
    return 1 if len(classes) == 2 else len(classes)


def probabilities(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of two classes by one logistic score, or of several by one of theirs each."""
    if scores.ndim == 1:
        return np.column_stack([expit(-scores), expit(scores)])
    of_several: NDArray[np.float64] = softmax(scores, axis=1)
    return of_several


def log_probabilities(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Their logarithms, finite where they underflow."""
    if scores.ndim == 1:
        return np.column_stack([log_expit(-scores), log_expit(scores)])
    of_several: NDArray[np.float64] = log_softmax(scores, axis=1)
    return of_several


def class_weighted(
    class_weight: Any,
    y: NDArray[Any],
    weight: NDArray[np.float64] | None,
    *,
    classes: NDArray[Any] | None = None,
) -> NDArray[np.float64] | None:
    """Multiply sample weights by the weight of each sample's class.

    ``classes`` are all there are, where y may lack some: a dict names them, "balanced" needs y.
    """
    if class_weight is None:
        return weight
    present = slice(None) if weight is None else weight > 0.0
    if classes is None:
        classes = np.unique(y[present])
    codes = class_codes(y[present], classes)
    of_class = compute_class_weight(
        class_weight,
        classes=classes,
        y=y[present],
        sample_weight=None if weight is None else weight[present],
    )
    if not (np.isfinite(of_class).all() and (of_class >= 0.0).all()):
        raise ValueError(f"class_weight must be finite and non-negative, got {class_weight!r}.")
    product = np.zeros(len(y)) if weight is None else weight.copy()
    product[present] = of_class[codes] if weight is None else weight[present] * of_class[codes]
    return product
