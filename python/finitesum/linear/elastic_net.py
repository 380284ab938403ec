"""Least squares with an elastic-net penalty."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from finitesum.linear._base import LinearEstimator
from finitesum.linear._docstrings import with_shared_sections
from finitesum.linear._regressor import LinearRegressor
from finitesum.linear._solve import Callback, Problem


@with_shared_sections
class ElasticNet(LinearRegressor):
    """Least squares with an L1 and an L2 penalty.

    Minimizes, with S the sum of the sample weights s_i and z_i = x_i . w + b,

        (1/(2 S)) sum_i s_i (y_i - z_i)^2 + alpha [(1 - l1_ratio)/2 ||w||^2 + l1_ratio ||w||_1],

    the objective of `sklearn.linear_model.ElasticNet`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty.
    l1_ratio : float, default=0.5
        Share of the L1 penalty: 0 is L2, 1 is L1.
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
        "l1_ratio": [Interval(Real, 0.0, 1.0, closed="both")],
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
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
        self.l1_ratio = l1_ratio
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
        return [Problem("squared", float(self.alpha), float(self.l1_ratio))] * n_outputs
