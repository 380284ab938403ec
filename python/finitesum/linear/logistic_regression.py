"""Logistic regression."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from finitesum.linear._base import LinearEstimator
from finitesum.linear._classifier import LinearClassifier, alpha_from_c
from finitesum.linear._docstrings import with_shared_sections
from finitesum.linear._model import log_probabilities, probabilities
from finitesum.linear._solve import Callback, Problem


@with_shared_sections
class LogisticRegression(LinearClassifier):
    """Logistic regression with an L2, L1 or elastic-net penalty.

    With S the sum of the weights s_i (sample weight times class weight), z_i = x_i . w + b and y_i
    = +-1, it minimizes

        (1/S) sum_i s_i log(1 + exp(-y_i z_i))
            + alpha [(1 - l1_ratio)/2 ||w||^2 + l1_ratio ||w||_1],

    alpha = 1 / (C S): the optimum of `sklearn.linear_model.LogisticRegression`. For more than two
    classes the loss is multinomial, with scores z_i = W x_i + b, one per class,

        log(sum_k exp(z_ik)) - z_i[y_i],

    and the penalty sums over all entries of W.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the penalty's strength; ``np.inf`` for no penalty.
    l1_ratio : float, default=0.0
        Share of the L1 penalty: 0 is L2, 1 is L1.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied into the sample weights.
    {control}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features), dtype float64
        Coefficients.
    intercept_ : ndarray of shape (1,) or (n_classes,), dtype float64
        Intercepts, zero if ``fit_intercept=False``.
    n_iter_ : ndarray of shape (1,), dtype int64
        Epochs run.
    {attributes}

    Notes
    -----
    All classes are fitted together: n_outputs is 1, and the attributes of the report are scalars.
    With more than two classes sag and saga keep n_samples x n_classes numbers, solver "newton" a
    Hessian of ((n_features + 1) n_classes)^2, and solver "lbfgs" 4 n_samples x n_classes and 26
    n_features x n_classes numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from finitesum import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegression().fit(X, y)
    >>> bool(model.relative_gap_ <= model.tol)
    True
    """

    _multinomial: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearEstimator._parameter_constraints,
        "C": [Interval(Real, 0.0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0.0, 1.0, closed="both")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        class_weight: Any = None,
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
        self.C = C
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
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

    def _problem(self, total: float) -> Problem:
        return Problem("logistic", alpha_from_c(self.C, total), float(self.l1_ratio))

    def _epochs(self, n_iter: list[int]) -> NDArray[np.int64]:
        return np.array(n_iter, dtype=np.int64)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        return probabilities(self.decision_function(X))

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict the logarithms of the class probabilities, finite where those underflow.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of `predict_proba`.
        """
        return log_probabilities(self.decision_function(X))
