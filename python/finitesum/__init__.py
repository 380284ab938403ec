"""Linear models by stochastic gradient methods for finite sums, with a certified duality gap."""

from importlib.metadata import version

from finitesum.linear import (
    ElasticNet,
    Lasso,
    LinearSVC,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RobustRegressor,
)

__version__ = version("finitesum")

__all__ = [
    "ElasticNet",
    "Lasso",
    "LinearSVC",
    "LogisticRegression",
    "PoissonRegressor",
    "Ridge",
    "RobustRegressor",
    "__version__",
]
