"""How far multinomial logistic regression is from its optimum, at any coefficients."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.utils import gen_batches

from finitesum import _core
from finitesum._objectives import Weights
from finitesum._validation import core_matrix
from finitesum.linear._solve import Problem

_EPS = float(np.finfo(np.float64).eps)
_NEWTON_WIDTH = 1000  # coefficients and intercepts of all classes


def class_codes(
    y: NDArray[np.generic], weight: Weights, n_classes: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Numbers of the sorted classes of the samples that have weight, and each one's weight."""
    classes = np.unique(y if weight is None else y[weight > 0.0])
    if len(classes) != n_classes or n_classes < 2:
        raise ValueError(
            f"y has {len(classes)} classes of positive weight, but coef has {n_classes} rows: the "
            "loss 'multinomial' needs one row per class, and two classes at least."
        )
    codes = np.searchsorted(classes, y).clip(max=n_classes - 1).astype(np.int32)
    return codes, np.bincount(codes, weight, n_classes).astype(np.float64)


def certify_multinomial(
    coef: NDArray[np.float64],
    intercept: NDArray[np.float64],
    X: NDArray[np.floating],
    y: NDArray[np.generic],
    weight: Weights,
    problem: Problem,
    fit_intercept: bool,
    max_iter: int,
) -> dict[str, float]:
    """Objective of a point, a lower bound of the optimum and the null model's objective.

    The bound is the best one of the core's solver, which starts from the better of the point and
    the null model and ends once its objectives prove that the gap is at most 1.1 times the true
    one, or is at rounding.

    Parameters
    ----------
    coef, intercept : ndarray of shape (n_classes, n_features) and (n_classes,)
        The point, in the order of the sorted classes.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Samples, float32 or float64.
    y : ndarray of shape (n_samples,)
        Class labels.
    weight : ndarray of shape (n_samples,) or None
        Sample weights.
    problem : Problem
        Gives alpha and l1_ratio.
    fit_intercept : bool
        Whether the optimum is over the intercepts too.
    max_iter : int
        Epochs of the solver at most; 0 leaves the bound that its start gives.

    Returns
    -------
    dict
        "objective", "lower_bound" and "null_objective", as ``_core.certify`` has them.
    """
    tight, tol = 1.1, 1e-12
    n_classes = len(coef)
    # The last digits of a bound are a step of Newton's, but many epochs of what "auto" may take.
    is_narrow = coef.size + n_classes <= _NEWTON_WIDTH
    codes, class_weights = class_codes(y, weight, n_classes)
    share = class_weights / class_weights.sum()
    null = float(entr(share).sum()) if fit_intercept else math.log(n_classes)
    objective, rounding = _evaluate(coef, intercept, X, codes, weight, problem)
    is_start = objective <= null  # False for a NaN, too
    rounding = max(rounding, 4 * _EPS) if math.isfinite(rounding) else 4 * _EPS * (1 + null)
    smallest, bound = (objective if is_start else null), 0.0

    def is_enough(check: dict[str, float]) -> bool:
        nonlocal smallest, bound
        smallest = min(smallest, check["objective"])
        if math.isfinite(check["gap"]):
            bound = max(bound, check["objective"] - check["gap"] - rounding)
        gap = objective - bound
        return gap <= tight * (objective - smallest) or gap <= tol * null + 2 * rounding

    found = _core.fit_multi(
        core_matrix(X),
        codes,
        weight,
        n_outputs=n_classes,
        loss="multinomial",
        alpha=problem.alpha,
        l1_ratio=problem.l1_ratio,
        fit_intercept=fit_intercept,
        solver="newton" if is_narrow else "auto",
        sampling="auto",
        step_size=0.0,
        tol=0.0,
        max_iter=max(max_iter, 1),
        check_interval=0,
        # With no time left a fit evaluates its start. Without a penalty no bound but zero exists.
        time_limit=math.inf if max_iter > 0 and problem.alpha > 0.0 else 0.0,
        seed=0,
        coef_init=np.ascontiguousarray(coef.T).ravel() if is_start else None,
        intercepts_init=np.ascontiguousarray(intercept) if is_start and fit_intercept else None,
        monitor=is_enough,
    )
    [result] = found["outputs"]
    if result["stopping"] == "interrupted":
        raise KeyboardInterrupt
    # The core leaves sum_i s_i u_i = 0 violated by up to 1e-14 S: that times the best intercepts.
    unbalanced = 1e-14 * float(np.ptp(found["intercept"])) if fit_intercept else 0.0
    bound = max(bound, result["lower_bound"] - rounding)
    lower_bound = max(bound - unbalanced, 0.0) if problem.alpha > 0.0 else 0.0
    return {"objective": objective, "lower_bound": lower_bound, "null_objective": null}


def _evaluate(
    coef: NDArray[np.float64],
    intercept: NDArray[np.float64],
    X: NDArray[np.floating],
    codes: NDArray[np.int32],
    weight: Weights,
    problem: Problem,
) -> tuple[float, float]:
    """F(W, b), and how much rounding may have moved it or a dual value.

    Scores are known to some eps, and probabilities next to one to eps.
    """
    losses, moved = [], []
    with np.errstate(over="ignore", invalid="ignore"):
        for rows in gen_batches(X.shape[0], 4096):
            linear = X[rows] @ coef.T
            scores = linear + intercept
            scores -= np.take_along_axis(scores, codes[rows, None].astype(np.intp), axis=1)
            loss = np.logaddexp.reduce(scores, axis=1)
            slope = -2.0 * np.expm1(-loss)  # sum_k |q_k - [k = y]|
            losses.append(loss)
            moved.append(slope * (np.abs(linear) + np.abs(intercept)).max(axis=1))
        mean_loss, mean_moved = (
            float(np.average(np.concatenate(each), weights=weight)) for each in (losses, moved)
        )
        ratio = problem.l1_ratio
        penalty = (1.0 - ratio) / 2.0 * np.sum(coef**2) + ratio * np.abs(coef).sum()
        objective = mean_loss + (float(problem.alpha * penalty) if problem.alpha > 0.0 else 0.0)
    return objective, 4 * _EPS * (mean_moved + objective + 1.0)
