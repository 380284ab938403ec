"""Least squares with an L2 penalty."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval
from sklearn.utils._tags import Tags
from sklearn.utils.validation import check_non_negative

from finitesum.linear._base import LinearEstimator
from finitesum.linear._docstrings import with_shared_sections
from finitesum.linear._regressor import LinearRegressor
from finitesum.linear._solve import Callback, Problem


@with_shared_sections
class Ridge(LinearRegressor):
    """Least squares with an L2 penalty.

    Minimizes, with z_i = x_i . w + b,

        sum_i s_i (y_i - z_i)^2 + alpha ||w||^2,

    the objective of `sklearn.linear_model.Ridge`. Each target is a problem of its own.
    The report's ``objective_`` and ``dual_gap_`` are those of the mean form, (1/S) sum_i s_i (y_i
    - z_i)^2 / 2 + alpha ||w||^2 / (2 S), S the sum of the sample weights s_i.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, one for all targets or one for each.
    {control}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features), dtype float64
        Coefficients.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept, zero if ``fit_intercept=False``.
    n_iter_ : int or ndarray of shape (n_targets,)
        Epochs run.
    {attributes}
    """

    _multi_output: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearEstimator._parameter_constraints,
        "alpha": [Interval(Real, 0.0, None, closed="left"), "array-like"],
    }

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
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
        self.alpha = alpha
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

    def _problems(self, n_outputs: int, total: float) -> list[Problem]:
        return ridge_problems(self.alpha, n_outputs, total)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def ridge_problems(alpha: Any, n_outputs: int, total: float) -> list[Problem]:
    """Ridge's problems, alphas in scikit-learn's units and for a sum of weights `total`."""
    # sum s (y - z)^2 + alpha ||w||^2 = 2 S {(1/S) sum s (y - z)^2 / 2 + (alpha/S) ||w||^2 / 2}
    alphas = check_array(
        np.atleast_1d(alpha), ensure_2d=False, dtype=np.float64, input_name="alpha"
    ).ravel()
    if len(alphas) not in (1, n_outputs):
        raise ValueError(
            "Number of targets and number of penalties do not correspond: "
            f"{len(alphas)} != {n_outputs}"
        )
    check_non_negative(alphas, "Ridge (alpha)")
    with np.errstate(over="ignore"):
        scaled = np.broadcast_to(alphas / total, n_outputs)
    if not np.isfinite(scaled).all():
        raise ValueError(
            f"alpha={alpha!r} is too large: alpha / sum of the sample weights overflows."
        )
    return [Problem("squared", float(strength)) for strength in scaled]
