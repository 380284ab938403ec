"""Linear models by stochastic gradient methods for finite sums, with a certified duality gap."""

from importlib.metadata import version

from finitesum.certificate import Certificate, certify
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
    "Certificate",
    "ElasticNet",
    "Lasso",
    "LinearSVC",
    "LogisticRegression",
    "PoissonRegressor",
    "Ridge",
    "RobustRegressor",
    "__version__",
    "certify",
]
