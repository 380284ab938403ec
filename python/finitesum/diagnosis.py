"""What makes a problem slow or its solution meaningless, each with a number and a remedy."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets

from finitesum._findings import DataSummary, Finding, batches, data_findings, summarize
from finitesum._validation import core_matrix, sample_weights, total_weight, training_data
from finitesum.linear._base import LinearEstimator
from finitesum.linear._model import class_weighted
from finitesum.linear._solve import Problem
from finitesum.linear.linear_svc import LinearSVC
from finitesum.smoothness import SmoothnessReport, smoothness_report

# The separator's objective over the null model's below which the penalty no longer matters.
_SEPARATED = 1e-3
# Where the separator is looked for: the loss that finds it has an optimum without a penalty too.
_SEPARATOR_C = (1e4, 1e8)
# Up to so many columns "auto" takes Newton, which conditioning does not slow down.
_NEWTON_COLUMNS = 1000


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
    if sp.issparse(X):  # checked, and duplicate entries summed
        data, indices, indptr, n_features = core_matrix(X)
        X = sp.csr_array((data, indices, indptr), shape=(X.shape[0], n_features))
    summary = summarize(X, weight)
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
    found = data_findings(
        summary,
        weight,
        fit_intercept=estimator.fit_intercept,
        sampling=estimator.sampling,
        sparse=sp.issparse(X),
    )
    found[:0] = _present(_tol_below_precision(X, estimator.tol))
    found += _present(_separable(X, y, weight, problem, estimator, summary))
    if not found:
        found += _present(_ill_conditioned(smoothness, estimator, X.shape[1]))
    found += _present(_duplicate_columns(X, summary))
    return Diagnosis(tuple(found), smoothness)


def _present(finding: Finding | None) -> list[Finding]:
    return [] if finding is None else [finding]


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


def _tol_below_precision(X: Any, tol: float) -> Finding | None:
    values = X.data if sp.issparse(X) else X[: max(1, 100_000 // X.shape[1])].ravel()
    # counts and indicators are exact in float32: their last bits are zero
    rounded = values.dtype == np.float32 and bool((values.view(np.uint32) & 0xFF).any())
    precision = float(np.finfo(np.float32 if rounded else np.float64).eps)
    if tol >= precision:
        return None
    dtype = "float32" if rounded else "float64"
    return Finding(
        "tol_below_precision",
        precision,
        f"tol={tol:g} is below {precision:.1e}, the rounding of {dtype} data: what it asks for is "
        "decided by rounding, not by the data",
        f"Raise tol to {precision:.0e}" + (", or pass X as float64." if rounded else "."),
    )


def _separable(
    X: Any,
    y: NDArray[Any],
    weight: NDArray[np.float64] | None,
    problem: Problem,
    estimator: Any,
    summary: DataSummary,
) -> Finding | None:
    """Find separators of the classes that nearly solve the problem once they are long."""
    if problem.loss not in ("logistic", "multinomial"):
        return None
    l1, l2 = problem.alpha * problem.l1_ratio, problem.alpha * (1.0 - problem.l1_ratio)
    # margins of 1 on both sides take ||w|| >= 1 / max ||x||, and ||w||_1 no less
    reach = float(np.sqrt(summary.row_squares.max()))
    if l1 + l2 / (2.0 * max(reach, 1e-300)) > _SEPARATED * np.log(2.0) * reach:
        return None
    rows = slice(None) if weight is None else np.flatnonzero(weight > 0.0)
    X, y = X[rows], y[rows]
    share = np.full(len(y), 1.0 / len(y)) if weight is None else weight[rows] / weight.sum()
    classes = np.unique(y)
    # every class from the rest, which also separates them jointly
    worst = 0.0
    for positive in classes[1:] if len(classes) == 2 else classes:
        side = np.where(y == positive, 1.0, -1.0)
        worst = max(worst, _separated_objective(X, side, share, l1, l2, estimator))
        if worst > _SEPARATED:
            return None
    return Finding(
        "separable",
        worst,
        "a hyperplane separates the classes, and the penalty is too weak to keep the coefficients "
        f"from growing until the objective is below {worst:.1e} of the null model's",
        "Lower C: without a penalty there is no optimum.",
    )


def _separated_objective(
    X: Any,
    side: NDArray[np.float64],
    share: NDArray[np.float64],
    l1: float,
    l2: float,
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
    smallest = float(margins.min())
    if not smallest > 0.0:
        return np.inf
    w = separator.coef_.ravel() / smallest
    bound = min(
        share @ np.logaddexp(0.0, -t / smallest * margins)
        + t * l1 * np.abs(w).sum()
        + t**2 * l2 / 2.0 * w @ w
        for t in 2.0 ** np.arange(11)
    )
    positive = share[side > 0.0].sum()
    null = -positive * np.log(positive) - (1.0 - positive) * np.log1p(-positive)
    return float(bound / (null if estimator.fit_intercept else np.log(2.0)))


def _ill_conditioned(report: SmoothnessReport, estimator: Any, n_features: int) -> Finding | None:
    newton = n_features <= _NEWTON_COLUMNS
    if estimator.solver in ("newton", "newton-cg") or (estimator.solver == "auto" and newton):
        return None
    by_smoothness = estimator.sampling in ("auto", "lipschitz", "adaptive")
    method = "svrg" if estimator.solver == "svrg" else "sag"
    passes = report.passes["sag-lipschitz" if method == "sag" and by_smoothness else method]
    if not estimator.max_iter < passes < np.inf:
        return None
    change = (
        "Use solver='newton'."
        if newton
        else f"Raise max_iter to {passes:.0e}, or strengthen the penalty as many times."
    )
    return Finding(
        "ill_conditioned",
        passes,
        f"with condition number {report.condition_number:.1e} on {report.n_samples} rows the "
        f"theory predicts about {passes:.0e} passes, max_iter={estimator.max_iter}",
        change,
    )


def _duplicate_columns(X: Any, summary: DataSummary) -> Finding | None:
    """Compare random sums of the columns, which equal columns share to the last bit."""
    random = np.random.default_rng(0)
    sums = np.zeros(X.shape[1])
    for _, batch in batches(X):
        r = random.normal(size=batch.shape[0])
        if sp.issparse(batch):
            entries = batch.data * np.repeat(r, np.diff(batch.indptr))
            sums += np.bincount(batch.indices, weights=entries, minlength=len(sums))
        else:
            sums += (r[:, np.newaxis] * batch).sum(axis=0)
    columns = np.flatnonzero(summary.is_common())
    _, first, inverse = np.unique(sums[columns], return_index=True, return_inverse=True)
    repeats = columns != columns[first][inverse]
    if not repeats.any():
        return None
    number, example = int(np.count_nonzero(repeats)), int(repeats.argmax())
    return Finding(
        "duplicate_columns",
        float(number),
        f"{number} columns equal an earlier one, such as column {columns[example]} column "
        f"{columns[first][inverse][example]}: their coefficients are not determined one by one",
        "Drop the duplicate columns.",
    )
