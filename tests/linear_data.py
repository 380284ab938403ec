"""Small problems that the tests of the linear estimators share."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from finitesum import (
    ElasticNet,
    Lasso,
    LinearSVC,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RobustRegressor,
    _core,
)

N, P = 150, 7
TIGHT = {"tol": 1e-12, "max_iter": 20000, "random_state": 0}
SOLVERS = _core.solver_names()
ALL = [
    ElasticNet,
    Lasso,
    LinearSVC,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RobustRegressor,
]


def solvers_of(estimator: Any) -> list[str]:
    """Those that take its penalty."""
    parameters = estimator.get_params()
    has_l1 = parameters.get("l1_ratio", 0) > 0 or parameters.get("penalty") == "l1"
    return _core.solver_names(has_l1=has_l1 or isinstance(estimator, Lasso))


def design(sparse: bool = False) -> Any:
    rng = np.random.default_rng(3)
    X = StandardScaler().fit_transform(rng.normal(size=(N, P)) @ rng.normal(size=(P, P)))
    if not sparse:
        return X
    return sp.csr_array(X * (rng.random(X.shape) < 0.4))


def margins() -> np.ndarray:
    rng = np.random.default_rng(4)
    return 0.7 * (design() @ rng.normal(size=P)) + 0.5 + 0.8 * rng.normal(size=N)


def labels() -> np.ndarray:
    return np.where(margins() > 0, "yes", "no")


def counts() -> np.ndarray:
    return np.random.default_rng(5).poisson(np.exp(0.3 * margins())).astype(float)


def three_classes() -> np.ndarray:
    return np.array(["low", "mid", "top"])[np.digitize(margins(), [-0.5, 1.0])]


def skip_unless_solvable(estimator: Any, solver: str) -> None:
    """Dual coordinate ascent needs a strongly convex penalty."""
    parameters = estimator.get_params()
    lacks_l2 = isinstance(estimator, Lasso) or parameters.get("l1_ratio") == 1.0
    lacks_l2 |= parameters.get("penalty") == "l1" or parameters.get("C") == np.inf
    if solver == "sdca" and lacks_l2:
        pytest.skip("sdca needs an L2 penalty")


def target_of(estimator: Any) -> np.ndarray:
    if hasattr(estimator, "predict") and isinstance(estimator, LogisticRegression | LinearSVC):
        return labels()
    return counts() if isinstance(estimator, PoissonRegressor) else margins()
