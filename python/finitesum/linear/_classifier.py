"""Linear classifiers: one problem for two classes; for more one, or one against the rest each."""

from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from finitesum._validation import total_weight, unchanged_on_error
from finitesum.linear._base import LinearEstimator
from finitesum.linear._model import ClassifierModel, n_outputs_of
from finitesum.linear._solve import Problem, Start
from finitesum.linear._targets import Columns, OneAgainstRest, Targets, class_codes


class LinearClassifier(ClassifierModel, LinearEstimator):
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

    def _for_classes(self, problem: Problem, classes: NDArray[Any]) -> list[Problem]:
        """One problem for two classes, or for all of them; else one per class."""
        if self._multinomial and len(classes) > 2:
            return [replace(problem, loss="multinomial", n_classes=len(classes))]
        return [problem] * n_outputs_of(classes)

    def _targets(self, y: NDArray[Any], classes: NDArray[Any]) -> Targets:
        if self._multinomial and len(classes) > 2:
            return Columns(class_codes(y, classes))
        return OneAgainstRest(y, classes[-n_outputs_of(classes) :])

    def _start_for(self, classes: NDArray[Any], n_features: int) -> Start | None:
        if not np.array_equal(getattr(self, "classes_", classes), classes):
            return None
        return self._start(n_outputs_of(classes), n_features)


def alpha_from_c(C: float, total: float) -> float:
    """1 / (C S): scikit-learn's C sum_i s_i loss_i + penalty, divided by C S."""
    scale = float(C) * total
    alpha = 1.0 / scale if scale > 0.0 else np.inf
    if not np.isfinite(alpha):
        raise ValueError(f"C={C!r} is too small: 1 / (C * sum of the sample weights) overflows.")
    return alpha
