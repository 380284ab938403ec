"""Every public estimator passes every check of scikit-learn, without expected failures."""

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from finitesum import linear, neural

ESTIMATORS = [
    # a check's class of three samples has no 5 folds; scikit-learn checks its own like this
    getattr(linear, name)(**({"cv": 3} if name == "LogisticRegressionCV" else {}))
    for name in linear.__all__
] + [getattr(neural, name)(max_iter=100) for name in neural.__all__]

# scikit-learn's checks warn on purpose (a column vector as y) and so do their few-sample fits.
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
    "ignore::sklearn.exceptions.SkipTestWarning",
)


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_check(estimator: Any, check: Any) -> None:
    check(estimator)
