"""What in the data slows a fit down: one pass over X, and what its statistics say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches
from sklearn.utils.extmath import row_norms

# Ratios beyond which a finding is worth its line. Standard normal data of any size stay below.
COLUMN_SPREAD = 100.0  # largest over smallest scale of a column
OFFSET = 10.0  # |mean| of a column over its deviation
ROW_SPREAD = 30.0  # largest over mean squared norm of a row
WEIGHT_SPREAD = 30.0  # largest over mean sample weight

# Columns with fewer nonzeros have their scale, and their twins, by chance.
RARE = 10

_BATCH_ENTRIES = 1 << 20


@dataclass(frozen=True)
class Finding:
    """One thing that slows a fit down or spoils its result.

    Attributes
    ----------
    name : str
        What it is, in one word.
    number : float
        How bad it is; `message` says in what units.
    message : str
        The finding, for a reader.
    change : str
        What helps.
    """

    name: str
    number: float
    message: str
    change: str


@dataclass(frozen=True)
class DataSummary:
    """Statistics of the rows with a positive weight.

    Attributes
    ----------
    row_squares : ndarray of shape (n_rows,)
        ||x_i||^2.
    mean, variance : ndarray of shape (n_features,)
        Of the columns.
    nonzeros : ndarray of shape (n_features,)
        Entries that are not zero.
    """

    row_squares: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    nonzeros: NDArray[np.int64]

    def is_common(self) -> NDArray[np.bool_]:
        """Tell the columns with enough nonzeros to judge them by."""
        common: NDArray[np.bool_] = self.nonzeros >= min(RARE, len(self.row_squares))
        return common

    def is_constant(self) -> NDArray[np.bool_]:
        """Tell the columns that have one value, to rounding."""
        rounding = 4.0 * np.finfo(np.float64).eps * np.sqrt(len(self.row_squares))
        constant: NDArray[np.bool_] = np.sqrt(self.variance) <= rounding * np.abs(self.mean)
        return constant


def batches(X: Any) -> Iterator[tuple[slice, Any]]:
    """Cut X into row blocks of about a million entries, as float64."""
    n, p = X.shape
    per_row = max(X.nnz / n if sp.issparse(X) else p, 1.0)
    size = max(int(max(_BATCH_ENTRIES, p if sp.issparse(X) else 0) / per_row), 1)
    for rows in gen_batches(n, size):
        yield rows, X[rows].astype(np.float64)


def summarize(X: Any, weight: NDArray[np.float64] | None) -> DataSummary:
    """Compute the statistics in one pass over a float X, dense or CSR."""
    n, p = X.shape
    squares = np.empty(n)
    nonzeros = np.zeros(p, dtype=np.int64)
    scaler = StandardScaler(with_mean=not sp.issparse(X))
    present = np.ones(n, dtype=bool) if weight is None else weight > 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, batch in batches(X):
            squares[rows] = row_norms(batch, squared=True)
            if not present[rows].all():
                batch = batch[present[rows]]
            if batch.shape[0] == 0:
                continue
            scaler.partial_fit(batch)
            if sp.issparse(batch):
                nonzeros += np.bincount(batch.indices[batch.data != 0.0], minlength=p)
            else:
                nonzeros += np.count_nonzero(batch, axis=0)
    return DataSummary(squares[present], scaler.mean_, scaler.var_, nonzeros)


def data_findings(
    summary: DataSummary,
    weight: NDArray[np.float64] | None,
    *,
    fit_intercept: bool,
    sampling: str,
    sparse: bool,
) -> list[Finding]:
    """Name what the statistics give away, what hurts most first."""
    candidates = [
        _column_scale(summary, fit_intercept, "MaxAbsScaler" if sparse else "StandardScaler"),
        _offset_columns(summary, fit_intercept, sparse),
        _constant_columns(summary, fit_intercept),
        _weight_skew(weight, sampling),
        _row_outliers(summary, sampling),
    ]
    return [finding for finding in candidates if finding is not None]


def _column_scale(summary: DataSummary, fit_intercept: bool, scaler: str) -> Finding | None:
    # per nonzero entry, so that rare indicators count as well scaled
    moment = summary.variance + (0.0 if fit_intercept else summary.mean**2)
    used = summary.is_common() & (moment > 0.0) & ~summary.is_constant()
    if not used.any():
        return None
    n, columns = len(summary.row_squares), np.flatnonzero(used)
    scale = np.sqrt(moment[used] * (n / summary.nonzeros[used]))
    smallest, largest = int(scale.argmin()), int(scale.argmax())
    spread = float(scale[largest] / scale[smallest])
    if not spread > COLUMN_SPREAD:
        return None
    return Finding(
        "column_scale",
        spread,
        f"the scales of the columns differ by {spread:.1e}, from {scale[smallest]:.1e} in column "
        f"{columns[smallest]} to {scale[largest]:.1e} in column {columns[largest]}",
        f"Scale the columns (sklearn.preprocessing.{scaler}).",
    )


def _offset_columns(summary: DataSummary, fit_intercept: bool, sparse: bool) -> Finding | None:
    # nearly a multiple of the intercept's column of ones
    varies = ~summary.is_constant() & (summary.variance > 0.0)
    if not fit_intercept or not varies.any():
        return None
    offset = np.zeros(len(varies))
    offset[varies] = np.abs(summary.mean[varies]) / np.sqrt(summary.variance[varies])
    worst = int(offset.argmax())
    if not offset[worst] > OFFSET:
        return None
    return Finding(
        "offset_columns",
        float(offset[worst]),
        f"{np.count_nonzero(offset > OFFSET)} columns are far from zero for how little they vary: "
        f"the mean of column {worst} is {offset[worst]:.1e} deviations",
        "Subtract a typical value from such columns before they are stored."
        if sparse
        else "Subtract the columns' means (sklearn.preprocessing.StandardScaler).",
    )


def _constant_columns(summary: DataSummary, fit_intercept: bool) -> Finding | None:
    # columns of zeros do no harm; without an intercept a constant one stands in for it
    constant = summary.is_constant() & (summary.nonzeros > 0)
    if not fit_intercept or not constant.any():
        return None
    number = int(np.count_nonzero(constant))
    return Finding(
        "constant_columns",
        float(number),
        f"{number} columns, column {constant.argmax()} first, have one value in all rows: they "
        "repeat the intercept",
        "Drop the constant columns (sklearn.feature_selection.VarianceThreshold).",
    )


def _weight_skew(weight: NDArray[np.float64] | None, sampling: str) -> Finding | None:
    if weight is None:
        return None
    positive = weight[weight > 0.0]
    ratio = float(positive.max() / positive.mean())
    if not ratio > WEIGHT_SPREAD:
        return None
    heavy = int(np.count_nonzero(positive > WEIGHT_SPREAD * positive.mean()))
    return Finding(
        "weight_skew",
        ratio,
        f"the largest sample weight is {ratio:.1e} times the mean; {heavy} of {len(positive)} "
        f"rows weigh more than {WEIGHT_SPREAD:g} times the mean",
        "Cap the largest sample weights." if _by_smoothness(sampling) else _DRAW_BY_SMOOTHNESS,
    )


def _row_outliers(summary: DataSummary, sampling: str) -> Finding | None:
    squares = summary.row_squares
    mean = float(squares.mean())
    if not (np.isfinite(mean) and squares.max() > ROW_SPREAD * mean):
        return None
    ratio = float(squares.max() / mean)
    return Finding(
        "row_outliers",
        ratio,
        f"the largest squared row norm is {ratio:.1e} times the mean, and steps are as short as it "
        f"asks; {np.count_nonzero(squares > ROW_SPREAD * mean)} rows exceed {ROW_SPREAD:g} times "
        "the mean",
        "Clip the outlying rows or normalize them (sklearn.preprocessing.Normalizer)."
        if _by_smoothness(sampling)
        else _DRAW_BY_SMOOTHNESS,
    )


_DRAW_BY_SMOOTHNESS = "Draw rows by their smoothness: sampling='lipschitz'."


def _by_smoothness(sampling: str) -> bool:
    return sampling in ("auto", "lipschitz", "adaptive")
