"""What slows a fit down or spoils its result: the data, the problem posed on it, the settings."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from finitesum._findings import DataSummary, Finding, batches, data_findings, summarize
from finitesum._validation import core_matrix
from finitesum.linear._solve import Problem
from finitesum.smoothness import predicted_passes, row_smoothness

# The separator's objective over the null model's below which the penalty no longer matters.
SEPARATED = 1e-3
# Up to so many columns "auto" takes Newton, which conditioning does not slow down.
_NEWTON_COLUMNS = 1000


def fit_findings(
    X: Any,
    weight: NDArray[np.float64] | None,
    problem: Problem,
    estimator: Any,
    separable: Callable[[], Finding | None],
) -> Iterator[Finding]:
    """Look for everything that `finitesum.diagnose` names, what hurts most first.

    Each is looked for when it is asked for. `separable` looks for a separator of the classes; it is
    called where one would cost little.
    """
    first = _present(_tol_below_precision(X, estimator.tol))
    yield from first
    summary = summarize(X, weight)
    of_data = data_findings(
        summary,
        weight,
        fit_intercept=bool(estimator.fit_intercept),
        sampling=estimator.sampling,
        sparse=sp.issparse(X),
    )
    yield from of_data
    separator = _present(separable() if _is_barely_penalized(problem, summary) else None)
    yield from separator
    if not (first or of_data or separator):
        yield from _present(_ill_conditioned(summary, weight, problem, estimator))
    yield from _present(_duplicate_columns(X, summary))


def summed(X: Any) -> Any:
    """Give X as it is, or a CSR matrix checked and with duplicate entries summed."""
    if not sp.issparse(X):
        return X
    data, indices, indptr, n_features = core_matrix(X)
    return sp.csr_array((data, indices, indptr), shape=(X.shape[0], n_features))


def _present(finding: Finding | None) -> list[Finding]:
    return [] if finding is None else [finding]


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


def _is_barely_penalized(problem: Problem, summary: DataSummary) -> bool:
    """Whether a separator could be cheap: margins of 1 on both sides need ||w|| >= 1/max ||x||."""
    if problem.loss not in ("logistic", "multinomial"):
        return False
    reach = max(float(np.sqrt(summary.row_squares.max())), 1e-300)  # ||w||_1 is no less than ||w||
    l1, l2 = problem.alpha * problem.l1_ratio, problem.alpha * (1.0 - problem.l1_ratio)
    return bool(l1 + l2 / (2.0 * reach) <= SEPARATED * np.log(2.0) * reach)


def separable_finding(bound: float) -> Finding | None:
    """Name separability where a separator's objective is below `SEPARATED` of the null model's."""
    if not bound <= SEPARATED:
        return None
    return Finding(
        "separable",
        bound,
        "a hyperplane separates the classes, and the penalty is too weak to keep the coefficients "
        f"from growing until the objective is below {bound:.1e} of the null model's",
        "Lower C: without a penalty there is no optimum.",
    )


def separated_objective(
    margins: NDArray[np.float64],
    share: NDArray[np.float64],
    coef: NDArray[np.float64],
    problem: Problem,
) -> float:
    """Give the least objective of a separator's multiples; inf where it does not separate.

    Parameters
    ----------
    margins : ndarray of shape (n_samples, n_others)
        By how much the score of a sample's class exceeds those of the others; their log loss is
        log(1 + sum_k exp(-margin_k)).
    share : ndarray of shape (n_samples,)
        Weights, of sum 1.
    coef : ndarray
        What is penalized.
    problem : Problem
        Its penalty counts.
    """
    smallest = float(margins.min())
    if not smallest > 0.0:
        return np.inf
    l1, l2 = problem.alpha * problem.l1_ratio, problem.alpha * (1.0 - problem.l1_ratio)
    with np.errstate(over="ignore", invalid="ignore"):  # of multiples that are too long
        multiples = 2.0 ** np.arange(11) / smallest
        losses = [share @ np.log1p(np.exp(-t * margins).sum(axis=1)) for t in multiples]
        penalties = l1 * multiples * np.abs(coef).sum() + l2 / 2.0 * multiples**2 * (coef**2).sum()
        values = losses + penalties
    return float(np.nanmin([*values, np.inf]))


def _ill_conditioned(
    summary: DataSummary, weight: NDArray[np.float64] | None, problem: Problem, estimator: Any
) -> Finding | None:
    n_features = len(summary.mean)
    newton = n_features <= _NEWTON_COLUMNS
    if estimator.solver in ("newton", "newton-cg") or (estimator.solver == "auto" and newton):
        return None
    n, mu = len(summary.row_squares), problem.alpha * (1.0 - problem.l1_ratio)
    L_i = row_smoothness(
        summary.row_squares,
        None if weight is None else weight[weight > 0.0],
        problem.loss,
        problem.loss_parameter,
        bool(estimator.fit_intercept),
    )
    by_smoothness = estimator.sampling in ("auto", "lipschitz", "adaptive")
    method = "svrg" if estimator.solver == "svrg" else "sag"
    L = L_i.mean() if method == "sag" and by_smoothness else L_i.max()
    epsilon = min(max(estimator.tol, 1e-16), 0.5)
    passes = predicted_passes(method, n, float(L) + mu, mu, epsilon)
    if not estimator.max_iter < passes < np.inf:
        return None
    change = "Use solver='newton'." if newton else "Raise max_iter, or strengthen the penalty."
    return Finding(
        "ill_conditioned",
        passes,
        f"with condition number {(L_i.max() + mu) / mu:.1e} on {n} rows the theory predicts about "
        f"{passes:.0e} passes, max_iter={estimator.max_iter}",
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
