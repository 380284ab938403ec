"""Which rows judge the epochs: a share of the training data, or rows of their own."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from finitesum._validation import FLOAT_DTYPES, sample_weights, total_weight
from finitesum.linear._targets import Targets
from finitesum.sgd._base import SGDEstimator, Validation


def held_out(
    estimator: SGDEstimator,
    X: Any,
    y: NDArray[Any],
    weight: NDArray[np.float64] | None,
    given: Any,
    splitter: type,
    targets: Callable[[NDArray[Any]], Targets],
) -> tuple[Validation | None, NDArray[np.float64] | None]:
    """Give the validation rows, and the weights of the training rows, zero for what is held out.

    Parameters
    ----------
    estimator : SGDEstimator
        Says whether to hold rows out, and how many.
    X, y, weight : ndarray or CSR matrix, ndarray, ndarray or None
        The validated training data.
    given : (X, y), (X, y, sample_weight) or None
        Rows of their own.
    splitter : type
        scikit-learn's class that draws the share.
    targets : callable
        Turns y into the core's targets.

    Returns
    -------
    Validation or None
        The rows.
    ndarray of shape (n_samples,), or None
        Weights of the training rows.

    Raises
    ------
    ValueError
        If rows of their own are not valid, or a share is empty.
    """
    if given is not None:
        if not (isinstance(given, tuple | list) and len(given) in (2, 3)):
            raise ValueError("validation_data must be (X, y) or (X, y, sample_weight).")
        X_own, y_own = validate_data(
            estimator, given[0], given[1], accept_sparse="csr", dtype=FLOAT_DTYPES, order="C",
            reset=False,
        )  # fmt: skip
        own = sample_weights(given[2] if len(given) == 3 else None, X_own)
        total_weight(own, X_own.shape[0])
        return Validation(X_own, targets(y_own), own), weight
    if not estimator.early_stopping:
        return None, weight
    split = splitter(test_size=estimator.validation_fraction, random_state=estimator.random_state)
    _, held = next(split.split(np.zeros((len(y), 1)), y))
    weight = np.ones(len(y)) if weight is None else weight.copy()
    if not weight[held].any():
        raise ValueError(
            "The sample weights for validation set are all zero, consider using a different "
            "random state."
        )
    of_held = weight[held]
    weight[held] = 0.0
    return Validation(X[held], targets(y[held]), of_held), weight
