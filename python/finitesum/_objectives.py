"""What fitted linear models minimize, in this package's terms."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import linear_model, svm

from finitesum import _core
from finitesum.linear._classifier import LinearClassifier, alpha_from_c
from finitesum.linear._model import class_weighted
from finitesum.linear._regressor import LinearRegressor
from finitesum.linear._solve import Problem

Weights = NDArray[np.float64] | None


def loss_targets(loss: str, y: NDArray[Any]) -> NDArray[np.float64]:
    """Targets as the loss takes them, or why it does not."""
    domain = _core.loss_target_domain(loss)
    if domain == "sign":
        labels = np.unique(y)
        if not np.isin(labels, [-1, 1]).all():
            if len(labels) != 2:
                raise ValueError(
                    f"The loss {loss!r} needs targets of -1 and 1, or two labels; y has "
                    f"{len(labels)} different values."
                )
            return np.where(y == labels[1], 1.0, -1.0)
    y = y.astype(np.float64, copy=False)
    if domain == "nonnegative" and ((y < 0.0).any() or not (y > 0.0).any()):
        raise ValueError(
            f"Some value(s) of y are out of the valid range of the loss {loss!r}: y must be "
            "non-negative and not all zero."
        )
    return y


def class_targets(
    classifier: Any, y: NDArray[Any], weight: Weights
) -> tuple[list[NDArray[np.float64]], Weights]:
    """Signs per output, and the weights with those of the classes in them."""
    classes = classifier.classes_
    if len(classes) > 2 and classifier.class_weight is not None and type(classifier) in _PROBLEMS:
        raise ValueError(
            f"certify does not support class_weight of {type(classifier).__name__} for more than "
            "two classes, one against the rest each: there it weights each class's own problem "
            "differently."
        )
    weight = class_weights(classifier, y, weight)
    positives = classes[1:] if len(classes) == 2 else classes
    return [np.where(y == positive, 1.0, -1.0) for positive in positives], weight


def is_multinomial(classifier: Any) -> bool:
    """Whether the classifier minimizes one loss of all its classes, which are more than two."""
    if len(classifier.classes_) <= 2:
        return False
    if isinstance(classifier, LinearClassifier):
        return classifier._multinomial
    return (
        isinstance(classifier, linear_model.LogisticRegression)
        and classifier.solver != "liblinear"
        and getattr(classifier, "multi_class", None) != "ovr"  # of older versions
    )


def class_weights(classifier: Any, y: NDArray[Any], weight: Weights) -> Weights:
    """Sample weights times those of the classes, of labels that the classifier knows."""
    counted = y if weight is None else y[weight > 0.0]
    if not np.isin(counted, classifier.classes_).all():
        raise ValueError(f"y contains labels that {type(classifier).__name__} was not fitted on.")
    if isinstance(classifier, linear_model.SGDClassifier):
        # "balanced" does not look at the sample weights there
        of_class = class_weighted(classifier.class_weight, y, None)
        if of_class is not None:
            weight = of_class if weight is None else weight * of_class
    else:
        weight = class_weighted(classifier.class_weight, y, weight)
    return weight


def problem_of(estimator: Any, total: float, n_samples: int) -> Problem:
    if isinstance(estimator, LinearClassifier):
        return estimator._problem(total)
    if isinstance(estimator, LinearRegressor):
        problems = estimator._problems(np.size(estimator.intercept_), total)
        if len(set(problems)) > 1:
            raise ValueError("certify takes one alpha for all outputs: pass them one by one.")
        return problems[0]
    if getattr(estimator, "positive", False):
        raise ValueError("certify does not support positive=True: its optimum is another one.")
    return _PROBLEMS[type(estimator)](estimator, total, n_samples)


def _logistic(model: Any, total: float, _: int) -> Problem:
    if model.penalty is None:
        return Problem("logistic", 0.0)
    ratio = {"l1": 1.0, "l2": 0.0}.get(model.penalty, model.l1_ratio or 0.0)
    # liblinear penalizes the intercept
    scaling = float(model.intercept_scaling) if model.solver == "liblinear" else math.inf
    alpha = alpha_from_c(model.C, total)
    return Problem("logistic", alpha, float(ratio), intercept_scaling=scaling)


def _linear_svc(model: Any, total: float, _: int) -> Problem:
    if model.loss != "squared_hinge" or model.multi_class != "ovr":
        raise ValueError(
            "certify supports LinearSVC with loss='squared_hinge' and multi_class='ovr'; the hinge "
            "has no derivative at 1."
        )
    return Problem(
        "squared_hinge",
        alpha_from_c(model.C, total),
        float(model.penalty == "l1"),
        intercept_scaling=float(model.intercept_scaling),
    )


def _ridge(model: Any, total: float, _: int) -> Problem:
    alphas = np.unique(model.alpha)
    if len(alphas) > 1:
        raise ValueError("certify takes one alpha for all outputs: pass them one by one.")
    return Problem("squared", float(alphas[0]) / total)


def _stochastic_gradient(model: Any, total: float, n_samples: int) -> Problem:
    losses = {"log_loss": "logistic", "squared_error": "squared"}
    loss = losses.get(model.loss, model.loss)
    if loss not in ("logistic", "squared", "squared_hinge", "huber"):
        raise ValueError(
            f"certify does not support loss={model.loss!r} of {type(model).__name__}; it supports "
            "'log_loss', 'squared_hinge', 'squared_error' and 'huber'."
        )
    ratio = {"l1": 1.0, "l2": 0.0, "elasticnet": model.l1_ratio}.get(model.penalty, 0.0)
    # the weights are not normalized there: (1/n) sum_i s_i loss_i + alpha R
    alpha = 0.0 if model.penalty is None else float(model.alpha) * n_samples / total
    return Problem(loss, alpha, float(ratio), float(model.epsilon) if loss == "huber" else 1.0)


# scikit-learn's estimators: the problem of one, given the total weight and the number of samples.
_PROBLEMS: dict[type, Callable[[Any, float, int], Problem]] = {
    linear_model.LogisticRegression: _logistic,
    svm.LinearSVC: _linear_svc,
    linear_model.Ridge: _ridge,
    linear_model.Lasso: lambda m, *_: Problem("squared", float(m.alpha), 1.0),
    linear_model.ElasticNet: lambda m, *_: Problem("squared", float(m.alpha), float(m.l1_ratio)),
    linear_model.LinearRegression: lambda *_: Problem("squared", 0.0),
    linear_model.PoissonRegressor: lambda m, *_: Problem("poisson", float(m.alpha)),
    linear_model.SGDClassifier: _stochastic_gradient,
    linear_model.SGDRegressor: _stochastic_gradient,
}


def is_known(estimator: Any) -> bool:
    """Whether the estimator's objective is known here."""
    return type(estimator) in _PROBLEMS or isinstance(estimator, LinearClassifier | LinearRegressor)


def known_names() -> list[str]:
    """Names of scikit-learn's estimators that are known here."""
    return [each.__name__ for each in _PROBLEMS]
