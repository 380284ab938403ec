"""How far any linear model is from its optimum, whichever program fitted it."""

import math
from dataclasses import dataclass, replace
from functools import singledispatch
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import check_array, check_X_y
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from finitesum import _core
from finitesum._least_squares import WIDEST, least_squares_bound
from finitesum._multinomial import certify_multinomial
from finitesum._objectives import (
    Weights,
    class_targets,
    class_weights,
    is_known,
    is_multinomial,
    known_names,
    loss_targets,
    problem_of,
)
from finitesum._validation import FLOAT_DTYPES, core_matrix, sample_weights, total_weight
from finitesum.linear._solve import Problem

_DATA = {"accept_sparse": "csr", "accept_large_sparse": True, "dtype": FLOAT_DTYPES, "order": "C"}
_INTERCEPT = "intercept must be 0 where fit_intercept=False."
_MAX_ITER = Interval(Integral, 0, None, closed="left")


@dataclass(frozen=True, repr=False)
class Certificate:
    """A proof of how far a linear model is from the optimum of its objective.

    Attributes
    ----------
    objective : float
        F(w, b) of the model, in units of the mean loss; several outputs add up.
    lower_bound : float
        No coefficients have a smaller objective than this.
    gap : float
        ``objective - lower_bound``: F(w, b) - min F is at most this.
    relative_gap : float
        The gap over the null model's objective (zero coefficients, best intercept).
    distance : float or None
        No less than the Euclidean distance of the coefficients from the optimal ones; None where
        no strong convexity is known: without an L2 part of the penalty, plain least squares with
        independent columns excepted.
    loss : str
        The loss.
    alpha : float
        Strength of the penalty.
    l1_ratio : float
        Share of the L1 penalty.
    """

    objective: float
    lower_bound: float
    gap: float
    relative_gap: float
    distance: float | None
    loss: str
    alpha: float
    l1_ratio: float

    def __repr__(self) -> str:
        distance = "None" if self.distance is None else f"{self.distance:.2g}"
        return (
            f"Certificate(relative_gap={self.relative_gap:.2g}, gap={self.gap:.2g}, "
            f"distance={distance}, objective={self.objective:.6g}, "
            f"lower_bound={self.lower_bound:.6g}, loss={self.loss!r}, alpha={self.alpha:.6g}, "
            f"l1_ratio={self.l1_ratio:g})"
        )


@singledispatch
@validate_params(  # type: ignore[untyped-decorator]  # untyped library
    {
        "coef": ["array-like", "sparse matrix"],
        "intercept": [Real, "array-like"],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "loss": [StrOptions({*_core.loss_names(), "multinomial"})],
        "alpha": [Interval(Real, 0.0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0.0, 1.0, closed="both")],
        "sample_weight": [Real, "array-like", None],
        "fit_intercept": ["boolean"],
        "loss_parameter": [Interval(Real, 0.0, None, closed="neither")],
        "max_iter": [_MAX_ITER],
    },
    prefer_skip_nested_validation=True,
)
def certify(
    coef: Any,
    intercept: Any,
    X: Any,
    y: Any,
    *,
    loss: str,
    alpha: float,
    l1_ratio: float = 0.0,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    loss_parameter: float = 1.0,
    max_iter: int = 20,
) -> Certificate:
    """Bound how far coefficients are from the optimum, whichever program computed them.

    With S the sum of the sample weights s_i and z_i = x_i . w + b, the objective is

        F(w, b) = (1/S) sum_i s_i loss(z_i, y_i) + alpha [(1 - l1_ratio)/2 ||w||^2
                                                            + l1_ratio ||w||_1].

    ``certify(estimator, X, y, *, sample_weight=None, max_iter=20)`` reads all of this off a fitted
    estimator: one of this package, or scikit-learn's `LogisticRegression`, `LinearSVC`
    (squared hinge, no intercept), `Ridge`, `Lasso`, `ElasticNet`, `LinearRegression`,
    `PoissonRegressor`, `SGDClassifier` or `SGDRegressor`. X and y are those of the fit.

    Parameters
    ----------
    coef : array-like of shape (n_features,) or (n_classes, n_features), or estimator
        Coefficients w, or a fitted estimator. Passed by position. Two-dimensional for the loss
        "multinomial", the classes sorted.
    intercept : float or array-like of shape (n_classes,)
        Intercept b; zero if ``fit_intercept=False``.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Samples. C-contiguous float32 or float64 arrays and CSR matrices are used in place.
    y : array-like of shape (n_samples,)
        Targets. For a loss of margins -1 and 1, or two labels of which the greater one counts as 1;
        for "multinomial", the labels of the classes.
    loss : {"squared", "logistic", "squared_hinge", "smoothed_hinge", "huber", "poisson", \
            "multinomial"}
        (z - y)^2 / 2; log(1 + exp(-y z)); max(0, 1 - y z)^2; the hinge, quadratic over a width;
        Huber's; half the Poisson deviance with a log link; log sum_k exp(z_k) - z_y.
    alpha : float
        Strength of the penalty, in units of the mean loss: 1 / (C S) for a C of scikit-learn's.
    l1_ratio : float, default=0.0
        Share of the L1 penalty: 0 is L2, 1 is L1.
    sample_weight : float or array-like of shape (n_samples,), default=None
        Non-negative weights, not all zero.
    fit_intercept : bool, default=True
        Whether the optimum is over b too (which is not penalized), or has b = 0.
    loss_parameter : float, default=1.0
        Width of "smoothed_hinge", threshold of "huber".
    max_iter : int, default=20
        Epochs that this package's own solver may spend on raising the lower bound. 0 uses the
        derivatives at the point and nothing else: some five sweeps over X, and a bound that is true
        but may be wide.

    Returns
    -------
    Certificate
        Objective, lower bound, gap and distance.

    Raises
    ------
    ValueError
        If the data, the weights or a parameter are not valid, or the estimator minimizes an
        objective other than the above.
    TypeError
        If the estimator is none of those named above.

    Notes
    -----
    The bound is weak duality (Rockafellar, "Convex Analysis", 1970, section 31). For any u, the
    definition of the conjugate, loss*(u, y) = sup_z u z - loss(z, y), gives loss(z_i, y_i) >=
    u_i z_i - loss*(u_i, y_i), and that of R* gives R(w) >= v . w - R*(v) for the penalty R.
    Weighted, summed, and with v = -(1/S) sum_i s_i u_i x_i, the terms in w cancel; those in b do
    where sum_i s_i u_i = 0, and what is left depends on u alone:

        F(w, b) >= D(u) = -(1/S) sum_i s_i loss*(u_i, y_i) - R*(v)   for every w and b.

    So min F >= D(u) for every such u, good or bad: a wrong u makes the bound wide, never wrong.
    u = 0 gives D = 0. Beyond that u is the vector of the derivatives of the losses, at the given
    intercept and at the best one for w (where they sum to zero; a remaining excess is shrunk
    away), times the scale in [0, 2] that maximizes D. A pure L1 penalty has R*(v) = 0 for max |v_j|
    <= alpha, infinity beyond: there the scale ends at alpha / max |v_j|. Then the package's solver,
    from the point or from the null model, adds the dual points of its own iterates, until its
    objectives prove the gap to be at most 1.1 (F(w, b) - min F), or ``max_iter`` is reached.

    With l2 = alpha (1 - l1_ratio) > 0, F - (l2/2) ||w||^2 is convex, hence F(w, b) - min F >=
    (l2/2) ||w - w*||^2 and ||w - w*|| <= sqrt(2 gap / l2).

    Without any penalty R* is infinite but at zero, and the lower bound is 0, that of the losses.
    Least squares of up to 1000 columns is the exception: with lambda the smallest eigenvalue of
    the Hessian, less its rounding, min F >= F(v, b) - ||gradient||^2 / (2 lambda) for any v; v is a
    Newton step from w, and the distance follows from lambda as above from l2.

    The multinomial loss has one u_i in R^K per sample, q_i - e_{y_i} with probabilities q_i, and
    the conjugate sum_k q_ik log q_ik; the bound is that of the package's solver, from the better of
    the point and the null model, without the search for a scale.

    Some eps of the objective is taken off the bound for the sake of rounding.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from finitesum import certify
    >>> X, y = load_diabetes(return_X_y=True)
    >>> bool(certify(Ridge().fit(X, y), X, y).relative_gap < 1e-9)
    True
    """
    X, y = check_X_y(X, y, y_numeric=False, **_DATA)
    weight = sample_weights(sample_weight, X)
    total_weight(weight, X.shape[0])
    w = _rows(coef) if loss == "multinomial" else _one_row(coef)
    if w.shape[-1] != X.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} features, but coef has {w.shape[-1]}: they must be the same."
        )
    b = check_array(np.atleast_1d(intercept), ensure_2d=False, dtype=np.float64)
    problem = Problem(loss, float(alpha), float(l1_ratio), float(loss_parameter))
    if loss == "multinomial":
        return _certify_multinomial(w, b, X, y, weight, problem, bool(fit_intercept), max_iter)
    if b.size != 1:
        raise ValueError(f"intercept must be one number, got an array of shape {b.shape}.")
    targets = loss_targets(loss, y)
    return _certify([(w, b.item(), targets)], problem, X, weight, bool(fit_intercept), max_iter)


@certify.register(BaseEstimator)
@validate_params(  # type: ignore[untyped-decorator]  # untyped library
    {"sample_weight": [Real, "array-like", None], "max_iter": [_MAX_ITER]},
    prefer_skip_nested_validation=True,
)
def _certify_estimator(
    estimator: Any, X: Any, y: Any, *, sample_weight: Any = None, max_iter: int = 20
) -> Certificate:
    if not is_known(estimator):
        raise TypeError(
            f"certify does not know the objective of {type(estimator).__name__}; it knows this "
            f"package's estimators and scikit-learn's {', '.join(known_names())}. "
            "Of a pipeline or a search, pass the fitted last step and its transformed X; of "
            "anything else linear, its coefficients and the objective."
        )
    check_is_fitted(estimator)
    X, y = validate_data(estimator, X, y, reset=False, multi_output=True, **_DATA)
    weight = sample_weights(sample_weight, X)
    coef = _dense(estimator.coef_).reshape(-1, X.shape[1])
    if is_classifier(estimator) and is_multinomial(estimator):
        y = column_or_1d(y)
        weight = class_weights(estimator, y, weight)
        problem = problem_of(estimator, total_weight(weight, X.shape[0]), X.shape[0])
        return _certify_multinomial(
            coef,
            np.atleast_1d(np.asarray(estimator.intercept_, dtype=np.float64)),
            X,
            y,
            weight,
            replace(problem, loss="multinomial"),
            bool(estimator.fit_intercept),
            max_iter,
        )
    if is_classifier(estimator):
        targets, weight = class_targets(estimator, column_or_1d(y), weight)
    else:
        columns = y.astype(np.float64, copy=False).reshape(len(y), -1).T
        if len(columns) != len(coef):
            raise ValueError(f"y has {len(columns)} outputs, but the estimator has {len(coef)}.")
        targets = list(columns)
    total = total_weight(weight, X.shape[0])
    problem = problem_of(estimator, total, X.shape[0])
    intercepts = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), len(coef))
    points = [
        (w, float(b), loss_targets(problem.loss, target))
        for w, b, target in zip(coef, intercepts, targets, strict=True)
    ]
    return _certify(points, problem, X, weight, bool(estimator.fit_intercept), max_iter)


def _certify(
    points: list[tuple[NDArray[np.float64], float, NDArray[np.float64]]],
    problem: Problem,
    X: Any,
    weight: Weights,
    fit_intercept: bool,
    max_iter: int,
) -> Certificate:
    """Certify one (coefficients, intercept, targets) per output; the outputs add up."""
    if not fit_intercept and any(b != 0.0 for _, b, _ in points):
        raise ValueError(_INTERCEPT)
    matrix = core_matrix(X)
    found = [
        _core.certify(
            matrix,
            np.ascontiguousarray(target),
            weight,
            coef=np.ascontiguousarray(w),
            intercept=b,
            loss=problem.loss,
            loss_parameter=problem.loss_parameter,
            alpha=problem.alpha,
            l1_ratio=problem.l1_ratio,
            fit_intercept=fit_intercept,
            intercept_scaling=problem.intercept_scaling,
            max_iter=max_iter,
        )
        for w, b, target in points
    ]
    convexity = problem.alpha * (1.0 - problem.l1_ratio)
    if _is_plain_least_squares(problem, X) and max_iter > 0:
        for each, (w, _, target) in zip(found, points, strict=True):
            bound = least_squares_bound(X, target, weight, w, fit_intercept)
            each["lower_bound"] = max(each["lower_bound"], bound.lower_bound)
            convexity = bound.convexity  # depends on X and the weights alone
    return _certificate(found, problem, convexity)


def _certify_multinomial(
    coef: NDArray[np.float64],
    intercept: NDArray[np.float64],
    X: Any,
    y: NDArray[Any],
    weight: Weights,
    problem: Problem,
    fit_intercept: bool,
    max_iter: int,
) -> Certificate:
    if intercept.size not in (1, len(coef)):
        raise ValueError(
            f"intercept must be one number or {len(coef)}, got an array of shape {intercept.shape}."
        )
    b = np.broadcast_to(intercept.ravel(), len(coef))
    if not fit_intercept and b.any():
        raise ValueError(_INTERCEPT)
    found = certify_multinomial(coef, b, X, y, weight, problem, fit_intercept, max_iter)
    return _certificate([found], problem, problem.alpha * (1.0 - problem.l1_ratio))


def _certificate(found: list[dict[str, float]], problem: Problem, convexity: float) -> Certificate:
    objective, lower_bound, null = (
        math.fsum(each[key] for each in found)
        for key in ("objective", "lower_bound", "null_objective")
    )
    gap = math.inf if math.isnan(objective) else max(objective - lower_bound, 0.0)
    return Certificate(
        objective=objective,
        lower_bound=lower_bound,
        gap=gap,
        relative_gap=gap / null if null > 0.0 else (0.0 if gap == 0.0 else math.inf),
        distance=math.sqrt(2.0 * gap / convexity) if convexity > 0.0 else None,
        loss=problem.loss,
        alpha=problem.alpha,
        l1_ratio=problem.l1_ratio,
    )


def _is_plain_least_squares(problem: Problem, X: Any) -> bool:
    return problem.loss == "squared" and problem.alpha == 0.0 and X.shape[1] <= WIDEST


def _dense(coef: Any) -> NDArray[np.float64]:
    array = coef.toarray() if sp.issparse(coef) else coef
    dense: NDArray[np.float64] = check_array(
        array, ensure_2d=False, dtype=np.float64, input_name="coef"
    )
    return dense


def _rows(coef: Any) -> NDArray[np.float64]:
    W = _dense(coef)
    if W.ndim != 2:
        raise ValueError(f"coef must have shape (n_classes, n_features), got {W.shape}.")
    return W


def _one_row(coef: Any) -> NDArray[np.float64]:
    w = _dense(coef)
    if w.ndim == 2 and w.shape[0] == 1:
        w = w[0]
    if w.ndim != 1:
        raise ValueError(
            f"coef must have shape (n_features,), got {w.shape}: certify takes one output."
        )
    return w
