"""The border: what a user passes in, checked once and handed to the core as views.

scikit-learn's validation does the checking. C-contiguous float32 and float64 arrays and CSR
matrices (read-only and memory-mapped ones included) pass through without a copy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from finitesum import _core

CoreMatrix = NDArray[Any] | tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]

FLOAT_DTYPES = [np.float64, np.float32]


def training_data(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    *,
    y_numeric: bool,
    multi_output: bool = False,
    reset: bool = True,
) -> tuple[Any, NDArray[Any]]:
    """Validate X and y and record the number and the names of the features.

    Parameters
    ----------
    estimator : BaseEstimator
        Receives ``n_features_in_`` and ``feature_names_in_``.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Anything but C-contiguous float32/float64 arrays and CSR of those types is converted once.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    y_numeric : bool
        Whether y is converted to float64.
    multi_output : bool
        Whether a two-dimensional y is accepted.
    reset : bool
        Whether features are recorded, or compared to those of the fit before.

    Returns
    -------
    X : ndarray or CSR matrix
        float32 or float64.
    y : ndarray
        Targets, float64 if ``y_numeric``.
    """
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse="csr",
        accept_large_sparse=True,
        dtype=FLOAT_DTYPES,
        order="C",
        y_numeric=y_numeric,
        multi_output=multi_output,
        reset=reset,
    )
    if sp.issparse(y):
        raise TypeError("Sparse targets are not supported: pass y.toarray().")
    if y_numeric:
        y = y.astype(np.float64, copy=False)
    return X, y


def core_matrix(X: Any) -> CoreMatrix:
    """Give a validated X as the core takes it, without a copy where the layout allows.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        As returned by `training_data`. It is never modified.

    Returns
    -------
    ndarray or (data, indices, indptr, n_features)
        Views of X. Entries naming the same place twice are summed in a copy, as SciPy's arithmetic
        means them; unsorted rows stay as they are.

    Raises
    ------
    ValueError
        If indices or indptr are out of range, or if summed entries overflow.
    """
    if not sp.issparse(X):
        return _aligned(X)
    indices, indptr = _aligned(X.indices), _aligned(X.indptr)
    if _core.has_duplicates(indices, indptr, X.shape[1]):
        X = X.copy()
        with np.errstate(over="ignore"):
            X.sum_duplicates()
        assert_all_finite(X.data, input_name="X")
        indices, indptr = X.indices, X.indptr
    return _aligned(X.data), indices, indptr, X.shape[1]


def _aligned(array: NDArray[Any]) -> NDArray[Any]:
    return np.require(array, requirements=["C_CONTIGUOUS", "ALIGNED"])


def sample_weights(sample_weight: Any, X: Any) -> NDArray[np.float64] | None:
    """Validate sample weights.

    Parameters
    ----------
    sample_weight : float, array-like of shape (n_samples,) or None
        Non-negative, not all zero.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        The validated data.

    Returns
    -------
    ndarray of shape (n_samples,), dtype float64, or None
        None stands for unit weights.
    """
    if sample_weight is None:
        return None
    weight: NDArray[np.float64] = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    return weight


def total_weight(weight: NDArray[np.float64] | None, n_samples: int) -> float:
    """Sum of the sample weights, S in the objective (1/S) sum_i s_i loss_i + penalty.

    Raises
    ------
    ValueError
        If the sum is zero or overflows.
    """
    if weight is None:
        return float(n_samples)
    with np.errstate(over="ignore"):
        total = float(weight.sum())
    if not np.isfinite(total):
        raise ValueError("The sum of the sample weights overflows: scale them down.")
    if total <= 0.0:
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return total


def draw_seed(random_state: Any) -> int:
    """Draw the core's 64-bit seed from a scikit-learn random state."""
    return int(check_random_state(random_state).randint(0, 2**64, dtype=np.uint64))


@contextmanager
def unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Give the estimator its attributes back if the block raises."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
