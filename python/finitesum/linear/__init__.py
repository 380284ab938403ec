"""Linear estimators with certified optima."""

from finitesum.linear.elastic_net import ElasticNet
from finitesum.linear.lasso import Lasso
from finitesum.linear.linear_svc import LinearSVC
from finitesum.linear.logistic_regression import LogisticRegression
from finitesum.linear.poisson_regressor import PoissonRegressor
from finitesum.linear.ridge import Ridge
from finitesum.linear.robust_regressor import RobustRegressor

__all__ = [
    "ElasticNet",
    "Lasso",
    "LinearSVC",
    "LogisticRegression",
    "PoissonRegressor",
    "Ridge",
    "RobustRegressor",
]
