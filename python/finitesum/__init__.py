"""Linear models by stochastic gradient methods for finite sums, with a certified duality gap."""

from importlib.metadata import version

from finitesum import demo, optimizers, streaming, theory
from finitesum.bngd import BNGDRegressor
from finitesum.certificate import Certificate, certify
from finitesum.diagnosis import Diagnosis, diagnose
from finitesum.linear import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LinearSVC,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
    RidgeCV,
    RobustRegressor,
)
from finitesum.neural import MLPClassifier, MLPRegressor
from finitesum.normalization import (
    BatchNormCache,
    batch_norm,
    batch_norm_backward,
    population_statistics,
)
from finitesum.optimizers import Optimizer
from finitesum.sgd import SGDClassifier, SGDRegressor
from finitesum.smoothness import SmoothnessReport, smoothness_report

__version__ = version("finitesum")

__all__ = [
    "BNGDRegressor",
    "BatchNormCache",
    "Certificate",
    "Diagnosis",
    "ElasticNet",
    "ElasticNetCV",
    "Lasso",
    "LassoCV",
    "LinearSVC",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MLPClassifier",
    "MLPRegressor",
    "Optimizer",
    "PoissonRegressor",
    "Ridge",
    "RidgeCV",
    "RobustRegressor",
    "SGDClassifier",
    "SGDRegressor",
    "SmoothnessReport",
    "__version__",
    "batch_norm",
    "batch_norm_backward",
    "certify",
    "demo",
    "diagnose",
    "optimizers",
    "population_statistics",
    "smoothness_report",
    "streaming",
    "theory",
]
