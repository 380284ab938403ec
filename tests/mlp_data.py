"""Data and small estimators for the tests of multilayer perceptrons."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from finitesum import MLPClassifier, MLPRegressor

N, P = 90, 6
ESTIMATORS = [MLPClassifier, MLPRegressor]


def design(dtype: Any = np.float64) -> NDArray[Any]:
    return np.random.default_rng(0).standard_normal((N, P)).astype(dtype)


def target(Estimator: Any, n_classes: int = 3) -> NDArray[Any]:
    X = design()
    signal = X[:, 0] - X[:, 1] * X[:, 2]
    if Estimator is MLPRegressor:
        return signal
    cuts = np.quantile(signal, np.arange(1, n_classes) / n_classes)
    return np.array(["a", "b", "c", "d"])[np.searchsorted(cuts, signal)]


def small(Estimator: Any, **options: Any) -> Any:
    return Estimator(
        **{"hidden_layer_sizes": (8, 5), "max_iter": 6, "batch_size": 20, "random_state": 1}
        | options
    )
