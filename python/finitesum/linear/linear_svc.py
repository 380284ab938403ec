"""Linear support vector classification."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from finitesum.linear._base import LinearEstimator
from finitesum.linear._classifier import LinearClassifier, alpha_from_c
from finitesum.linear._docstrings import with_shared_sections
from finitesum.linear._solve import Callback, Problem


@with_shared_sections
class LinearSVC(LinearClassifier):
    """Linear support vector classification with a squared or a smoothed hinge.

    With S the sum of the weights s_i (sample weight times class weight), z_i = x_i . w + b and y_i
    = +-1, it minimizes

        (1/S) sum_i s_i loss(y_i z_i) + alpha penalty(w),  alpha = 1 / (C S),

    penalty(w) = ||w||^2 / 2 or ||w||_1. More than two classes are fitted one against the rest.
    The optimum is that of `sklearn.svm.LinearSVC`, whose solver liblinear penalizes the intercept
    like the coefficient of a constant feature: see ``intercept_scaling``.

    Parameters
    ----------
    penalty : {"l2", "l1"}, default="l2"
        The penalty.
    loss : {"squared_hinge", "smoothed_hinge"}, default="squared_hinge"
        "squared_hinge" is max(0, 1 - m)^2 of the margin m = y z; "smoothed_hinge" is 0 for m >= 1,
        1 - m - gamma/2 for m <= 1 - gamma and (1 - m)^2 / (2 gamma) between.
    C : float, default=1.0
        Inverse of the penalty's strength; ``np.inf`` for no penalty.
    gamma : float, default=1.0
        Width of the smoothed hinge's quadratic part; the hinge loss in the limit of 0.
    intercept_scaling : float, default=1.0
        Value of a constant feature whose coefficient, times ``intercept_scaling``, is the
        intercept; the coefficient is penalized as all others are. ``np.inf`` leaves the intercept
        free of any penalty, which most users will want.
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
    n_iter_ : int
        Epochs run, the most of any class.
    {attributes}

    Notes
    -----
    With more than two classes n_outputs is n_classes; with two it is 1, and the attributes of the
    report are scalars.

    Smoothed hinge: S. Shalev-Shwartz and T. Zhang, "Stochastic dual coordinate ascent methods for
    regularized loss minimization", JMLR 14, 2013.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearEstimator._parameter_constraints,
        "penalty": [StrOptions({"l1", "l2"})],
        "loss": [StrOptions({"squared_hinge", "smoothed_hinge"})],
        "C": [Interval(Real, 0.0, None, closed="right")],
        "gamma": [Interval(Real, 0.0, None, closed="neither")],
        "intercept_scaling": [Interval(Real, 0.0, None, closed="right")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        penalty: str = "l2",
        loss: str = "squared_hinge",
        *,
        C: float = 1.0,
        gamma: float = 1.0,
        intercept_scaling: float = 1.0,
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
        self.penalty = penalty
        self.loss = loss
        self.C = C
        self.gamma = gamma
        self.intercept_scaling = intercept_scaling
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
        parameter = float(self.gamma) if self.loss == "smoothed_hinge" else 1.0
        l1_ratio = 1.0 if self.penalty == "l1" else 0.0
        alpha = alpha_from_c(self.C, total)
        return Problem(
            self.loss, alpha, l1_ratio, parameter, intercept_scaling=float(self.intercept_scaling)
        )

    def _epochs(self, n_iter: list[int]) -> int:
        return max(n_iter)
