"""Lasso with cross-validation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from finitesum.linear._docstrings import with_shared_sections
from finitesum.linear._path_regressor import PathRegressor


@with_shared_sections
class LassoCV(PathRegressor):
    """`Lasso` with ``alpha`` chosen by cross-validation.

    On every fold the model is fitted along a decreasing grid of alphas, each fit from the one
    before, all with a certified gap; the alpha with the smallest mean of the folds' held-out mean
    squared errors is fitted on all samples, as by `sklearn.linear_model.LassoCV`.

    Parameters
    ----------
    {grid}
    {search}

    Attributes
    ----------
    alpha_ : float
        The alpha chosen.
    alphas_ : ndarray of shape (n_alphas,)
        The grid, decreasing.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Held-out mean squared errors.
    coef_ : ndarray of shape (n_features,), dtype float64
        Coefficients.
    intercept_ : float
        Intercept, zero if ``fit_intercept=False``.
    n_iter_ : int
        Epochs of the last fit, as all that follows.
    {attributes}
    """

    def __init__(
        self,
        *,
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
        return np.ones(1)
