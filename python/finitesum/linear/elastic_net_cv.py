"""Elastic net with cross-validation."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval

from finitesum.linear._docstrings import with_shared_sections
from finitesum.linear._path_regressor import PathRegressor


@with_shared_sections
class ElasticNetCV(PathRegressor):
    """`ElasticNet` with ``alpha`` and ``l1_ratio`` chosen by cross-validation.

    For every l1_ratio and every fold the model is fitted along a decreasing grid of alphas, each
    fit from the one before, all with a certified gap; the pair with the smallest mean of the
    folds' held-out mean squared errors is fitted on all samples, as by
    `sklearn.linear_model.ElasticNetCV`.

    Parameters
    ----------
    l1_ratio : float or array-like, default=0.5
        Shares of the L1 penalty to try; 0 needs ``alphas``.
    {grid}
    {search}

    Attributes
    ----------
    alpha_ : float
        The alpha chosen.
    l1_ratio_ : float
        The share of L1 chosen.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        The grid, decreasing; of one row for each l1_ratio, unless given.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratio, n_alphas, n_folds)
        Held-out mean squared errors.
    coef_ : ndarray of shape (n_features,), dtype float64
        Coefficients.
    intercept_ : float
        Intercept, zero if ``fit_intercept=False``.
    n_iter_ : int
        Epochs of the last fit, as all that follows.
    {attributes}
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PathRegressor._parameter_constraints,
        "l1_ratio": [Interval(Real, 0.0, 1.0, closed="both"), "array-like"],
    }

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        tol: float = 1e-4,
        max_iter: int = 1000,
        cv: Any = None,
        n_jobs: int | None = None,
        solver: str = "auto",
        sampling: str = "auto",
        step_size: float | str = "auto",
        solver_options: dict[str, Any] | None = None,
        check_interval: int | str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        n_threads: int | None = None,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.cv = cv
        self.n_jobs = n_jobs
        self.solver = solver
        self.sampling = sampling
        self.step_size = step_size
        self.solver_options = solver_options
        self.check_interval = check_interval
        self.random_state = random_state
        self.verbose = verbose
        self.n_threads = n_threads

    def _l1_ratios(self) -> NDArray[np.float64]:
        ratios: NDArray[np.float64] = check_array(
            np.atleast_1d(self.l1_ratio), ensure_2d=False, dtype=np.float64, input_name="l1_ratio"
        ).ravel()
        if (ratios < 0.0).any() or (ratios > 1.0).any():
            raise ValueError(f"l1_ratio must be between 0 and 1, got {self.l1_ratio!r}.")
        return ratios

    @property
    def l1_ratio_(self) -> float:
        """The share of L1 chosen."""
        return self._chosen_l1_ratio
