"""Least squares with an L1 penalty."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from finitesum.linear._base import LinearEstimator
from finitesum.linear._docstrings import with_shared_sections
from finitesum.linear._regressor import LinearRegressor
from finitesum.linear._solve import Callback, Problem


@with_shared_sections
class Lasso(LinearRegressor):
    """Least squares with an L1 penalty.

    Minimizes, with S the sum of the sample weights s_i and z_i = x_i . w + b,

        (1/(2 S)) sum_i s_i (y_i - z_i)^2 + alpha ||w||_1,

    the objective of `sklearn.linear_model.Lasso`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty.
    {control}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,), dtype float64
        Coefficients.
    intercept_ : float
        Intercept, zero if ``fit_intercept=False``.
    n_iter_ : int
        Epochs run.
    {attributes}
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearEstimator._parameter_constraints,
        "alpha": [Interval(Real, 0.0, None, closed="left")],
    }

    def __init__(
        self,
        alpha: float = 1.0,
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
        return [Problem("squared", float(self.alpha), 1.0)] * n_outputs
