"""What makes a problem slow or its solution meaningless, each with a number and a remedy."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets

from finitesum._findings import Finding
from finitesum._validation import sample_weights, total_weight, training_data
from finitesum.linear._base import LinearEstimator
from finitesum.linear._findings import (
    SEPARATED,
    fit_findings,
    separable_finding,
    separated_objective,
    summed,
)
from finitesum.linear._model import class_weighted
from finitesum.linear._solve import Problem
from finitesum.linear.linear_svc import LinearSVC
from finitesum.smoothness import SmoothnessReport, smoothness_report

# Where the separator is looked for: the loss that finds it has an optimum without a penalty too.
_SEPARATOR_C = (1e4, 1e8)


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found.

    Attributes
    ----------
    findings : tuple of Finding
        What hurts most first; empty for a healthy problem. Each has a name, a number, a message
        and a change.
    smoothness : SmoothnessReport
        The problem's constants and the passes predicted from them.
    """

    findings: tuple[Finding, ...]
    smoothness: SmoothnessReport

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the findings."""
        return tuple(finding.name for finding in self.findings)

    @property
    def change(self) -> str | None:
        """The one change that helps most; None for a healthy problem."""
        return self.findings[0].change if self.findings else None

    def __repr__(self) -> str:
        lines = [f"{f.name}: {f.message}.\n  {f.change}" for f in self.findings]
        return "\n".join([*(lines or ["nothing found"]), repr(self.smoothness)])


def diagnose(X: Any, y: Any, estimator: LinearEstimator, *, sample_weight: Any = None) -> Diagnosis:
    """Name what slows an estimator down on this data, or spoils its result.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training data.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets or labels.
    estimator : estimator of this package
        Its parameters count; it need not be fitted, and is not changed.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    Diagnosis
        Its findings, by name:

        * "tol_below_precision": ``tol`` asks for more than the rounding of X leaves certain.
        * "column_scale": largest over smallest scale of a column.
        * "offset_columns": mean of a column over its deviation.
        * "constant_columns": columns that repeat the intercept.
        * "weight_skew": largest over mean sample weight, class weights included.
        * "row_outliers": largest over mean squared norm of a row.
        * "separable": the classes are separable and the penalty is too weak to hold the
          coefficients; the number is an upper bound of the optimum over the null objective.
        * "ill_conditioned": passes the theory predicts, where they exceed ``max_iter`` and nothing
          above explains it.
        * "duplicate_columns": columns equal to an earlier one.

    Raises
    ------
    ValueError
        If the data or the weights are not valid.

    Notes
    -----
    It takes a few passes over the data, and for weakly penalized logistic regression the fit of a
    linear separator.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from finitesum import LogisticRegression, diagnose
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> diagnosis = diagnose(X, y, LogisticRegression(solver="sag"))
    >>> diagnosis.names
    ('column_scale',)
    >>> diagnosis.change
    'Scale the columns (sklearn.preprocessing.StandardScaler).'
    """
    estimator = clone(estimator)
    X, y = training_data(
        estimator,
        X,
        y,
        y_numeric=not is_classifier(estimator),
        multi_output=getattr(estimator, "_multi_output", False),
    )
    weight = sample_weights(sample_weight, X)
    if is_classifier(estimator):
        check_classification_targets(y)
        weight = class_weighted(estimator.class_weight, y, weight)
    problem = _problem(estimator, y, total_weight(weight, len(y)))
    X = summed(X)
    smoothness = smoothness_report(
        X,
        y,
        problem.loss,
        alpha=problem.alpha,
        l1_ratio=problem.l1_ratio,
        loss_parameter=problem.loss_parameter,
        fit_intercept=estimator.fit_intercept,
        sample_weight=weight,
        epsilon=min(max(estimator.tol, 1e-16), 0.5),
    )
    found = fit_findings(
        X, weight, problem, estimator, lambda: _separable(X, y, weight, problem, estimator)
    )
    return Diagnosis(tuple(found), smoothness)


def _problem(estimator: Any, y: NDArray[Any], total: float) -> Problem:
    """Give the problem an estimator poses; of several outputs, the most weakly penalized."""
    if is_classifier(estimator):
        problem: Problem = estimator._problem(total)
        n_classes = len(np.unique(y))
        if estimator._multinomial and n_classes > 2:
            problem = replace(problem, loss="multinomial", n_classes=n_classes)
        return problem
    problems: list[Problem] = estimator._problems(1 if y.ndim == 1 else y.shape[1], total)
    return min(problems, key=lambda problem: problem.alpha)


def _separable(
    X: Any,
    y: NDArray[Any],
    weight: NDArray[np.float64] | None,
    problem: Problem,
    estimator: Any,
) -> Finding | None:
    """Find separators of the classes that nearly solve the problem once they are long."""
    rows = slice(None) if weight is None else np.flatnonzero(weight > 0.0)
    X, y = X[rows], y[rows]
    share = np.full(len(y), 1.0 / len(y)) if weight is None else weight[rows] / weight.sum()
    classes = np.unique(y)
    # every class from the rest, which also separates them jointly
    worst = 0.0
    for positive in classes[1:] if len(classes) == 2 else classes:
        side = np.where(y == positive, 1.0, -1.0)
        worst = max(worst, _separated_objective(X, side, share, problem, estimator))
        if worst > SEPARATED:
            return None
    return separable_finding(worst)


def _separated_objective(
    X: Any,
    side: NDArray[np.float64],
    share: NDArray[np.float64],
    problem: Problem,
    estimator: Any,
) -> float:
    """Bound the optimum over the null objective by a separator's multiples; inf without one."""
    separator = LinearSVC(
        C=float(np.clip(estimator.C, *_SEPARATOR_C)),
        fit_intercept=estimator.fit_intercept,
        max_iter=200,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        separator.fit(X, side)
    margins = side * separator.decision_function(X)
    bound = separated_objective(margins[:, np.newaxis], share, separator.coef_, problem)
    positive = share[side > 0.0].sum()
    null = -positive * np.log(positive) - (1.0 - positive) * np.log1p(-positive)
    return float(bound / (null if estimator.fit_intercept else np.log(2.0)))
