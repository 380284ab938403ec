"""Linear models by stochastic gradient descent: any loss with a subgradient, no certificate."""

from finitesum.sgd.sgd_classifier import SGDClassifier
from finitesum.sgd.sgd_regressor import SGDRegressor

__all__ = ["SGDClassifier", "SGDRegressor"]
