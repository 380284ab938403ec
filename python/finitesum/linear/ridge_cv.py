"""Ridge regression with cross-validation."""

from functools import cache
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import sklearn.linear_model
from numpy.typing import NDArray
from sklearn.metrics import check_scoring, get_scorer_names, r2_score
from sklearn.model_selection import check_cv
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._tags import Tags
from sklearn.utils.validation import check_non_negative

from finitesum._validation import (
    core_matrix,
    sample_weights,
    total_weight,
    training_data,
    unchanged_on_error,
)
from finitesum.linear._base import LinearEstimator
from finitesum.linear._docstrings import with_shared_sections
from finitesum.linear._folds import Coef, Margins, fit_fold_paths, warn_unless_converged
from finitesum.linear._regressor import LinearRegressor
from finitesum.linear._solve import Problem
from finitesum.linear._targets import Columns
from finitesum.linear.ridge import Ridge, ridge_problems


@with_shared_sections
class RidgeCV(LinearRegressor):
    """`Ridge` with ``alpha`` chosen by cross-validation.

    By default every sample is left out once, in closed form, which is the work of
    `sklearn.linear_model.RidgeCV`; the chosen alpha is then fitted with a certified gap. With
    ``cv`` the model is fitted on every fold along decreasing alphas, each fit from the one before.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), default=(0.1, 1.0, 10.0)
        Strengths of the penalty to try; positive, without ``cv``.
    scoring : str, callable or None, default=None
        A scorer's name or ``scorer(estimator, X, y)``. None is the negative mean squared error
        where samples are left out one by one, and R^2 with ``cv``.
    gcv_mode : {"auto", "svd", "eigen"} or None, default=None
        How scikit-learn leaves samples out one by one.
    store_cv_results : bool, default=False
        Whether to keep the left-out samples' errors in ``cv_results_``; not with ``cv``.
    alpha_per_target : bool, default=False
        Whether every target has an alpha of its own; not with ``cv``.
    {search}

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The alpha chosen.
    best_score_ : float or ndarray of shape (n_targets,)
        Its score.
    cv_results_ : ndarray of shape (n_samples, n_alphas) or (n_samples, n_targets, n_alphas)
        Squared errors (predictions, with a ``scoring``) of the left-out samples, if asked for.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features), dtype float64
        Coefficients.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept, zero if ``fit_intercept=False``.
    n_iter_ : int or ndarray of shape (n_targets,)
        Epochs of the last fit, as all that follows.
    {attributes}
    """

    warm_start = False
    callback = None
    time_limit = None
    _multi_output: ClassVar[bool] = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearEstimator._parameter_constraints,
        "alphas": ["array-like", Interval(Real, 0.0, None, closed="neither")],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "gcv_mode": [StrOptions({"auto", "svd", "eigen"}), None],
        "store_cv_results": ["boolean"],
        "alpha_per_target": ["boolean"],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        scoring: Any = None,
        gcv_mode: str | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
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
        self.alphas = alphas
        self.scoring = scoring
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose the penalty by cross-validation and fit the model with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. With ``cv``, C-contiguous float32 or float64 arrays and CSR matrices are
            used in place; the held-out rows of a fold are copied.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Non-negative weights, of the fits and of the held-out scores.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the data, the weights or a parameter are not valid.
        """
        self._validate_params()
        alphas = self._given_alphas()
        with unchanged_on_error(self):
            X, y = training_data(self, X, y, y_numeric=True, multi_output=True)
            weight = sample_weights(sample_weight, X)
            if self.cv is None:
                self._leave_one_out(X, y, weight, alphas)
            else:
                self._search(X, y, weight, alphas)
            n_outputs = 1 if y.ndim == 1 else y.shape[1]
            problems = self._problems(n_outputs, total_weight(weight, X.shape[0]))
            self._set_solution(*self._solve(X, Columns(y), weight, problems, None))
        return self

    def _problems(self, n_outputs: int, total: float) -> list[Problem]:
        return ridge_problems(self.alpha_, n_outputs, total)

    def _leave_one_out(
        self,
        X: Any,
        y: NDArray[np.float64],
        weight: NDArray[np.float64] | None,
        alphas: NDArray[np.float64],
    ) -> None:
        search = sklearn.linear_model.RidgeCV(
            alphas,
            fit_intercept=self.fit_intercept,
            scoring=self.scoring,
            gcv_mode=self.gcv_mode,
            store_cv_results=self.store_cv_results,
            alpha_per_target=self.alpha_per_target,
        ).fit(X, y, sample_weight=weight)
        self.alpha_, self.best_score_ = search.alpha_, search.best_score_
        if self.store_cv_results:
            self.cv_results_ = search.cv_results_

    def _search(
        self,
        X: Any,
        y: NDArray[np.float64],
        weight: NDArray[np.float64] | None,
        alphas: NDArray[np.float64],
    ) -> None:
        folds = list(check_cv(self.cv).split(X, y))
        held_out = cache(lambda fold: (X[folds[fold][1]], y[folds[fold][1]]))
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        scorer = check_scoring(Ridge(), scoring=self.scoring)

        def score(fold: int, coef: Coef, intercept: Coef, margins: Margins) -> float:
            given = {} if weight is None else {"sample_weight": weight[folds[fold][1]]}
            if margins is not None and self.scoring is None:  # as Ridge.score
                test = folds[fold][1]
                return float(r2_score(y[test], margins[test] + intercept, **given))
            model = Ridge()
            single = y.ndim == 1
            model.coef_ = coef[0] if single else coef
            model.intercept_ = float(intercept[0]) if single else intercept
            model.n_features_in_ = coef.shape[1]
            return float(scorer(model, *held_out(fold), **given))

        order = np.argsort(-alphas, kind="stable")
        control = self._control()
        found = fit_fold_paths(
            core_matrix(X),
            Columns(y),
            weight,
            folds,
            [lambda total: [ridge_problems(a, n_outputs, total) for a in alphas[order]]],
            control,
            score,
            n_jobs=self.n_jobs,
        )
        warn_unless_converged(type(self).__name__, found, control)
        mean = np.mean([path.scores for (path,) in found], axis=0)[np.argsort(order)]
        best = int(np.argmax(mean))
        self.alpha_, self.best_score_ = float(alphas[best]), float(mean[best])

    def _given_alphas(self) -> NDArray[np.float64]:
        if self.cv is not None and (self.store_cv_results or self.alpha_per_target):
            name = "store_cv_results" if self.store_cv_results else "alpha_per_target"
            raise ValueError(f"cv!=None and {name}=True are incompatible")
        alphas: NDArray[np.float64] = check_array(
            np.atleast_1d(self.alphas), ensure_2d=False, dtype=np.float64, input_name="alphas"
        ).ravel()
        check_non_negative(alphas, "RidgeCV (alphas)")
        if self.cv is None and not alphas.all():
            raise ValueError("alphas must be positive where samples are left out one by one.")
        return alphas

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
