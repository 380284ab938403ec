"""Linear models by stochastic gradient methods for finite sums, with a certified duality gap."""

from importlib.metadata import version

from finitesum import theory
from finitesum.certificate import Certificate, certify
from finitesum.diagnosis import Diagnosis, diagnose
from finitesum.linear import (
    ElasticNet,
    Lasso,
    LinearSVC,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RobustRegressor,
)
from finitesum.smoothness import SmoothnessReport, smoothness_report

__version__ = version("finitesum")

__all__ = [
    "Certificate",
    "Diagnosis",
    "ElasticNet",
    "Lasso",
    "LinearSVC",
    "LogisticRegression",
    "PoissonRegressor",
    "Ridge",
    "RobustRegressor",
    "SmoothnessReport",
    "__version__",
    "certify",
    "diagnose",
    "smoothness_report",
    "theory",
]
