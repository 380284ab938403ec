"""Logistic regression with cross-validation."""

from collections.abc import Callable
from functools import cache
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

from finitesum._validation import core_matrix, sample_weights, total_weight, unchanged_on_error
from finitesum.linear._classifier import alpha_from_c
from finitesum.linear._docstrings import with_shared_sections
from finitesum.linear._folds import (
    Coef,
    FoldPath,
    Margins,
    Path,
    fit_fold_paths,
    warn_unless_converged,
)
from finitesum.linear._solve import Problem
from finitesum.linear.logistic_regression import LogisticRegression


@with_shared_sections
class LogisticRegressionCV(LogisticRegression):
    """`LogisticRegression` with ``C`` and ``l1_ratio`` chosen by cross-validation.

    For every l1_ratio and every fold the model is fitted along increasing C, each fit from the one
    before, all with a certified gap; the pair with the best mean of the folds' held-out scores is
    fitted on all samples, as by `sklearn.linear_model.LogisticRegressionCV`.

    Parameters
    ----------
    Cs : int or array-like, default=10
        Inverses of the penalty's strength to try; a number stands for so many between 1e-4 and 1e4,
        spaced evenly on a logarithmic scale.
    l1_ratios : array-like of shape (n_l1_ratios,), default=(0.0,)
        Shares of the L1 penalty to try.
    scoring : str, callable or None, default=None
        A scorer's name or ``scorer(estimator, X, y)``; None is the accuracy.
    refit : bool, default=True
        Whether to fit the best pair on all samples. Otherwise C, l1_ratio and the coefficients are
        the averages of each fold's best, and there is no certificate.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied into the sample weights; "balanced" counts all samples.
    {search}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    C_, l1_ratio_ : float
        The pair chosen.
    Cs_ : ndarray of shape (n_cs,)
        Values of C tried.
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
        Shares of L1 tried.
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
        Held-out scores.
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_cs, n_classes, n_dof)
        Coefficients of all fits, the intercept last if there is one; n_classes is 1 for two
        classes.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
        Epochs of all fits.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features), dtype float64
        Coefficients.
    intercept_ : ndarray of shape (1,) or (n_classes,), dtype float64
        Intercepts, zero if ``fit_intercept=False``.
    {attributes}

    Notes
    -----
    The attributes have the shapes of scikit-learn's ``use_legacy_attributes=False``.
    """

    warm_start = False
    callback = None
    time_limit = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{k: v for k, v in LogisticRegression._parameter_constraints.items() if k[:2] != "l1"},
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "l1_ratios": ["array-like"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "refit": ["boolean"],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        Cs: Any = 10,
        l1_ratios: Any = (0.0,),
        scoring: Any = None,
        refit: bool = True,
        class_weight: Any = None,
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
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.scoring = scoring
        self.refit = refit
        self.class_weight = class_weight
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
            Training data. C-contiguous float32 or float64 arrays and CSR matrices are used in
            place; the held-out rows of a fold are copied.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, of the fits and of the held-out scores. A sample of weight zero
            counts as absent, and so does a class that has no other samples.

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
        Cs, l1_ratios = self._grid()
        with unchanged_on_error(self):
            X, y, weight, classes = self._training_data(X, y, sample_weight)
            of_scores = sample_weights(sample_weight, X)
            found = self._search(X, y, weight, classes, of_scores, l1_ratios, Cs)
            self.Cs_, self.l1_ratios_, self.classes_ = Cs, l1_ratios, classes
            n_iter = self._set_paths(found)
            if self.refit:
                mean = self.scores_.mean(axis=0)
                l1, c = np.unravel_index(np.argmax(mean), mean.shape)
                self.C_, self.l1_ratio_ = float(Cs[c]), float(l1_ratios[l1])
                problem = self._problem(total_weight(weight, len(y)))
                start = self._split(self.coefs_paths_[:, l1, c].mean(axis=0))
                self.coef_, self.intercept_ = self._solve(
                    X, self._targets(y, classes), weight, self._for_classes(problem, classes), start
                )
            else:
                self._average(Cs, l1_ratios)
            self.n_iter_ = n_iter
        return self

    def _search(
        self,
        X: Any,
        y: NDArray[Any],
        weight: NDArray[np.float64] | None,
        classes: NDArray[Any],
        of_scores: NDArray[np.float64] | None,
        l1_ratios: NDArray[np.float64],
        Cs: NDArray[np.float64],
    ) -> list[list[FoldPath]]:
        folds = list(check_cv(self.cv, y, classifier=True).split(X, y))
        held_out = cache(lambda fold: X[folds[fold][1]])
        scorer = self._scorer()

        def accuracy(fold: int, coef: Coef, intercept: Coef, margins: Margins) -> float:
            test = folds[fold][1]
            if margins is not None and len(coef) == 1:
                scores = margins[test, np.newaxis]
            else:
                scores = safe_sparse_dot(held_out(fold), coef.T, dense_output=True)
            scores = scores + intercept
            found = scores[:, 0] > 0.0 if len(coef) == 1 else scores.argmax(axis=1)
            right = classes[found.astype(np.intp)] == y[test]
            return float(np.average(right, weights=None if of_scores is None else of_scores[test]))

        def score(fold: int, coef: Coef, intercept: Coef, margins: Margins) -> float:
            model = LogisticRegression()
            model.coef_, model.intercept_, model.classes_ = coef, intercept, classes
            model.n_features_in_ = coef.shape[1]
            given = {} if of_scores is None else {"sample_weight": of_scores[folds[fold][1]]}
            return float(scorer(model, held_out(fold), y[folds[fold][1]], **given))

        def path(l1_ratio: float) -> Path:
            return lambda total: [
                self._for_classes(_problem_at(C, l1_ratio, total), classes) for C in np.sort(Cs)
            ]

        control = self._control()
        found = fit_fold_paths(
            core_matrix(X),
            self._targets(y, classes),
            weight,
            folds,
            [path(float(l1_ratio)) for l1_ratio in l1_ratios],
            control,
            accuracy if self.scoring in (None, "accuracy") else score,
            n_jobs=self.n_jobs,
            keep_coef=True,
        )
        warn_unless_converged(type(self).__name__, found, control)
        return found

    def _set_paths(self, found: list[list[FoldPath]]) -> NDArray[np.int64]:
        """Set the attributes of all fits, in the order of ``Cs_``; return their epochs."""
        back = np.argsort(np.argsort(self.Cs_, kind="stable"))
        self.scores_ = np.array([[p.scores for p in by_path] for by_path in found])[..., back]
        self.coefs_paths_ = self._joined(found, back)
        n_iter = np.array([[p.n_iter for p in by_path] for by_path in found], dtype=np.int64)
        return n_iter[..., back]

    def _joined(self, found: list[list[FoldPath]], back: NDArray[np.intp]) -> NDArray[np.float64]:
        """Coefficients and intercepts of all fits, in one array that is filled in place."""
        assert found[0][0].coef is not None
        n_outputs, p = found[0][0].coef[0].shape
        shape = (len(found), len(found[0]), len(back), n_outputs, p + bool(self.fit_intercept))
        joined, places = np.empty(shape), np.argsort(back)
        for k, by_path in enumerate(found):
            for at, path in enumerate(by_path):
                assert path.coef is not None
                assert path.intercept is not None
                for step, place in enumerate(places):
                    joined[k, at, place, :, :p] = path.coef[step]
                    if self.fit_intercept:
                        joined[k, at, place, :, p] = path.intercept[step]
        return joined

    def _average(self, Cs: NDArray[np.float64], l1_ratios: NDArray[np.float64]) -> None:
        """Take the mean of each fold's best."""
        n_folds = len(self.scores_)
        best = self.scores_.reshape(n_folds, -1).argmax(axis=1)
        l1, c = np.unravel_index(best, self.scores_.shape[1:])
        self.C_, self.l1_ratio_ = float(Cs[c].mean()), float(l1_ratios[l1].mean())
        mean = self.coefs_paths_[np.arange(n_folds), l1, c].mean(axis=0)
        self.coef_, self.intercept_ = self._split(mean)

    def _split(self, dof: NDArray[np.float64]) -> tuple[Coef, Coef]:
        """Coefficients and intercepts of one entry of ``coefs_paths_``."""
        if not self.fit_intercept:
            return dof, np.zeros(len(dof))
        return np.ascontiguousarray(dof[:, :-1]), dof[:, -1].copy()

    def _problem(self, total: float) -> Problem:
        return _problem_at(self.C_, self.l1_ratio_, total)

    def _scorer(self) -> Callable[..., Any]:
        scorer: Callable[..., Any] = get_scorer(self.scoring or "accuracy")
        return scorer

    def _grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values of C and shares of L1, as given."""
        if isinstance(self.Cs, Integral):
            Cs = np.logspace(-4, 4, int(self.Cs))
        else:
            Cs = check_array(
                self.Cs,
                ensure_2d=False,
                dtype=np.float64,
                ensure_all_finite=False,
                input_name="Cs",
            ).ravel()
        if not (Cs > 0.0).all():
            raise ValueError(f"Cs must be positive, got {self.Cs!r}.")
        l1_ratios = check_array(
            self.l1_ratios, ensure_2d=False, dtype=np.float64, input_name="l1_ratios"
        ).ravel()
        if (l1_ratios < 0.0).any() or (l1_ratios > 1.0).any():
            raise ValueError(
                "l1_ratios must be an array-like of numbers between 0 and 1; got "
                f"(l1_ratios={self.l1_ratios!r})"
            )
        return Cs, l1_ratios

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score predictions by ``scoring``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
            The score.
        """
        check_is_fitted(self)
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self._scorer()(self, X, y, **given))


def _problem_at(C: float, l1_ratio: float, total: float) -> Problem:
    return Problem("logistic", alpha_from_c(C, total), l1_ratio)
