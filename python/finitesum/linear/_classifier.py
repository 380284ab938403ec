"""Linear classifiers: one problem for two classes; for more one, or one against the rest each."""

from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from finitesum._validation import sample_weights, total_weight, training_data, unchanged_on_error
from finitesum.linear._base import LinearEstimator
from finitesum.linear._solve import Problem, Start
from finitesum.linear._targets import Columns, OneAgainstRest, Targets, class_codes


class LinearClassifier(ClassifierMixin, LinearEstimator):  # type: ignore[misc]  # untyped base
    """Base of the linear classifiers; a subclass states its loss and penalty."""

    _multinomial: ClassVar[bool] = False  # one problem for all classes, if they are more than two

    C: float
    class_weight: Any

    @abstractmethod
    def _problem(self, total: float) -> Problem: ...

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. C-contiguous float32 or float64 arrays and CSR matrices are used in
            place.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A sample of weight zero counts as absent, and so does a class that
            has no other samples.

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
            problem = self._problem(total_weight(weight, len(y)))
            start = self._start_for(classes, X.shape[1])
            self.coef_, self.intercept_ = self._solve(
                X, self._targets(y, classes), weight, self._for_classes(problem, classes), start
            )
            self.classes_ = classes
        return self

    def _training_data(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[Any, NDArray[Any], NDArray[np.float64] | None, NDArray[Any]]:
        """Validate; return X, y, the weights times those of the classes, and the classes."""
        X, y = training_data(self, X, y, y_numeric=False)
        check_classification_targets(y)
        weight = _class_weighted(self.class_weight, y, sample_weights(sample_weight, X))
        total_weight(weight, X.shape[0])
        classes = np.unique(y if weight is None else y[weight > 0.0])
        if len(classes) < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data "
                f"contains only one class: {classes.tolist()[0]!r}"
            )
        return X, y, weight, classes

    def _for_classes(self, problem: Problem, classes: NDArray[Any]) -> list[Problem]:
        """One problem for two classes, or for all of them; else one per class."""
        if self._multinomial and len(classes) > 2:
            return [replace(problem, loss="multinomial", n_classes=len(classes))]
        return [problem] * _n_outputs(classes)

    def _targets(self, y: NDArray[Any], classes: NDArray[Any]) -> Targets:
        if self._multinomial and len(classes) > 2:
            return Columns(class_codes(y, classes))
        return OneAgainstRest(y, classes[-_n_outputs(classes) :])

    def _start_for(self, classes: NDArray[Any], n_features: int) -> Start | None:
        if not np.array_equal(getattr(self, "classes_", classes), classes):
            return None
        return self._start(_n_outputs(classes), n_features)

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


def _n_outputs(classes: NDArray[Any]) -> int:
    return 1 if len(classes) == 2 else len(classes)


def alpha_from_c(C: float, total: float) -> float:
    """1 / (C S): scikit-learn's C sum_i s_i loss_i + penalty, divided by C S."""
    scale = float(C) * total
    alpha = 1.0 / scale if scale > 0.0 else np.inf
    if not np.isfinite(alpha):
        raise ValueError(f"C={C!r} is too small: 1 / (C * sum of the sample weights) overflows.")
    return alpha


def _class_weighted(
    class_weight: Any, y: NDArray[Any], weight: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Sample weights times the weight of each sample's class."""
    if class_weight is None:
        return weight
    present = slice(None) if weight is None else weight > 0.0
    classes, codes = np.unique(y[present], return_inverse=True)
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
