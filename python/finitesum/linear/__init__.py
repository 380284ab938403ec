"""Linear estimators with certified optima."""

from finitesum.linear.elastic_net import ElasticNet
from finitesum.linear.elastic_net_cv import ElasticNetCV
from finitesum.linear.lasso import Lasso
from finitesum.linear.lasso_cv import LassoCV
from finitesum.linear.linear_svc import LinearSVC
from finitesum.linear.logistic_regression import LogisticRegression
from finitesum.linear.logistic_regression_cv import LogisticRegressionCV
from finitesum.linear.poisson_regressor import PoissonRegressor
from finitesum.linear.ridge import Ridge
from finitesum.linear.ridge_cv import RidgeCV
from finitesum.linear.robust_regressor import RobustRegressor

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "Lasso",
    "LassoCV",
    "LinearSVC",
    "LogisticRegression",
    "LogisticRegressionCV",
    "PoissonRegressor",
    "Ridge",
    "RidgeCV",
    "RobustRegressor",
]
