"""Feed-forward networks with batch normalization, dropout and sparse input."""

from finitesum.neural.mlp_classifier import MLPClassifier
from finitesum.neural.mlp_regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
