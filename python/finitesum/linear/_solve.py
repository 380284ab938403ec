"""A fit of several outputs, one problem each, that share X, the clock and the seed."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finitesum import _core
from finitesum._fit_result import FitResult, MultiFitResult, Outcome, Run
from finitesum._validation import CoreMatrix
from finitesum.linear._progress import Show, open_progress
from finitesum.linear._resume import Resume, Saved
from finitesum.linear._targets import Targets

Callback = Callable[[dict[str, float]], bool | None]
Monitor = Callable[[dict[str, float]], bool]
Start = tuple[NDArray[np.float64], NDArray[np.float64]]

# Outputs fitted together at most: sag, saga and svrg keep a number per sample for each of them.
_MOST_TOGETHER = 64

_STOPPED_FROM_OUTSIDE = ("time_limit", "interrupted", "callback")


@dataclass(frozen=True)
class Problem:
    """(1/S) sum_i s_i loss_i + alpha [(1 - l1_ratio)/2 ||w||^2 + l1_ratio ||w||_1].

    A finite ``intercept_scaling`` c adds the penalty of a coefficient of intercept / c.
    With ``n_classes`` the loss is the multinomial one, its target the class numbers (int32), and w
    stands for the coefficients of all classes.
    """

    loss: str
    alpha: float
    l1_ratio: float = 0.0
    loss_parameter: float = 1.0
    n_classes: int | None = None
    intercept_scaling: float = math.inf


@dataclass(frozen=True)
class Control:
    """How a fit runs: what every estimator of this package takes, in the core's terms."""

    fit_intercept: bool
    solver: str
    sampling: str
    step_rule: str
    step_size: float
    solver_options: dict[str, Any]
    tol: float
    max_iter: int
    check_interval: int
    time_limit: float
    n_threads: int  # 0: as many as OpenMP would take
    seed: int
    callback: Callback | None
    verbose: int
    keep_state: bool


def solve_outputs(
    X: CoreMatrix,
    targets: Targets,
    weight: NDArray[np.float64] | None,
    problems: list[Problem],
    control: Control,
    start: Start | None,
    resume: Resume,
) -> list[FitResult]:
    """Solve one problem per output, the stochastic solvers several of them side by side.

    Once the clock, Ctrl-C or the callback has stopped a group of outputs, the others are handed to
    the core with no time left: they return their start, certified as such, and carry the same
    reason.

    Parameters
    ----------
    X : ndarray or (data, indices, indptr, n_features)
        The samples, shared by all outputs.
    targets : Targets
        Of each output; a multinomial problem is one, its target the class numbers.
    weight : ndarray of shape (n_samples,), dtype float64, or None
        Sample weights.
    problems : list of Problem
        One per output.
    control : Control
        Shared by all outputs.
    start : (coef, intercept) or None
        Of shapes (n_outputs, n_features) and (n_outputs,); None starts from the null model.
    resume : Resume
        What earlier fits of the same problems left, to go on from; takes what this one leaves.

    Returns
    -------
    list of dict
        The core's results, one per output.
    """
    deadline = time.monotonic() + control.time_limit
    stopped: list[str] = []  # by what from outside of the fit
    results: list[FitResult] = []
    with open_progress(control.verbose, control.max_iter, len(problems)) as show:
        for group in _groups(X, weight, problems, control):
            late = bool(stopped)
            if late:
                time_left, monitor = 0.0, None
            else:
                time_left = max(0.0, deadline - time.monotonic())
                first = group.start if len(problems) > 1 else None
                monitor = _monitor(control.callback, show, first, stopped)
            problem = problems[group.start]
            target = targets.together(group) if len(group) > 1 else targets.of(group.start)
            key = resume.key(target, (problem, len(group)))
            saved = resume.find(key)
            found = _fit_group(
                X, target, weight, problem, len(group), control,
                None if start is None or saved is not None else _start_of(start, problem, group),
                saved, time_left, monitor,
            )  # fmt: skip
            resume.keep(key, control.seed, found[0])
            for result in found:
                if late and not result["converged"]:
                    result["stopping"] = stopped[0]
                elif result["stopping"] in _STOPPED_FROM_OUTSIDE:
                    stopped.append(result["stopping"])
            results += found
    return results


def _groups(
    X: CoreMatrix, weight: NDArray[np.float64] | None, problems: list[Problem], control: Control
) -> list[range]:
    """Choose the outputs to fit together: neighbors of the same problem, if the solver can."""
    most = min(len(problems), _MOST_TOGETHER)
    together = cache(lambda problem: _go_together(X, weight, problem, control, most))
    groups = [range(0, 1)]
    for k in range(1, len(problems)):
        group = groups[-1]
        is_same = problems[k] == problems[group.start]
        if is_same and len(group) < _MOST_TOGETHER and together(problems[k]):
            groups[-1] = range(group.start, k + 1)
        else:
            groups.append(range(k, k + 1))
    return groups


def _go_together(
    X: CoreMatrix,
    weight: NDArray[np.float64] | None,
    problem: Problem,
    control: Control,
    n_outputs: int,
) -> bool:
    """Whether outputs with this problem share their steps."""
    solver = control.solver
    if solver == "auto":
        solver = _core.automatic_solver(
            X,
            weight,
            loss=problem.loss,
            loss_parameter=problem.loss_parameter,
            alpha=problem.alpha,
            l1_ratio=problem.l1_ratio,
            fit_intercept=control.fit_intercept,
            intercept_scaling=problem.intercept_scaling,
            solver=solver,
            sampling=control.sampling,
            step_rule=control.step_rule,
            step_size=control.step_size,
            solver_options=control.solver_options,
            n_outputs=n_outputs,
        )
    return _core.suits_several_outputs(solver, control.solver_options)


def _start_of(start: Start, problem: Problem, group: range) -> tuple[NDArray[np.float64], Any]:
    """Coefficients and intercepts as the core takes them."""
    coef, intercept = start
    if problem.n_classes is not None:
        return np.ascontiguousarray(coef.T).ravel(), intercept
    if len(group) > 1:
        outputs = slice(group.start, group.stop)
        return np.ascontiguousarray(coef[outputs].T).ravel(), intercept[outputs]
    return coef[group.start], float(intercept[group.start])


def _fit_group(
    X: CoreMatrix,
    target: NDArray[Any],
    weight: NDArray[np.float64] | None,
    problem: Problem,
    n_outputs: int,
    control: Control,
    start: tuple[NDArray[np.float64], Any] | None,
    saved: Saved | None,
    time_left: float,
    monitor: Monitor | None,
) -> list[FitResult]:
    """Fit outputs that have the same problem; one result each."""
    coef_init, intercept_init = (None, None) if start is None else start
    shared: dict[str, Any] = {
        "loss": problem.loss,
        "loss_parameter": problem.loss_parameter,
        "alpha": problem.alpha,
        "l1_ratio": problem.l1_ratio,
        "fit_intercept": control.fit_intercept,
        "intercept_scaling": problem.intercept_scaling,
        "solver": control.solver,
        "sampling": control.sampling,
        "step_rule": control.step_rule,
        "step_size": control.step_size,
        "solver_options": control.solver_options,
        "tol": control.tol,
        "max_iter": control.max_iter,
        "check_interval": control.check_interval,
        "time_limit": time_left,
        "seed": control.seed if saved is None else saved.seed,
        "coef_init": coef_init,
        "state": None if saved is None else saved.state,
        "keep_state": control.keep_state,
        "monitor": monitor,
    }
    intercept_init = intercept_init if control.fit_intercept else None
    if problem.n_classes is None and n_outputs == 1:
        shared["n_threads"] = control.n_threads
        results = [_core.fit(X, target, weight, intercept_init=intercept_init, **shared)]
    else:
        found = _core.fit_multi(
            X,
            target,
            weight,
            n_outputs=problem.n_classes or n_outputs,
            intercepts_init=intercept_init,
            **shared,
        )
        results = _split(found)
    for result in results:
        refuse_overflow(result["coef"], result["intercept"])
    return results


def refuse_overflow(coef: NDArray[np.float64], intercept: float | NDArray[np.float64]) -> None:
    """Raise ValueError unless all numbers of a solution are finite."""
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        raise ValueError(
            "Floating-point overflow during the fit. Scaling the data, for instance with "
            "sklearn.preprocessing.StandardScaler or MaxAbsScaler, helps."
        )


def _split(found: MultiFitResult) -> list[FitResult]:
    """One result per problem: all classes of a multinomial model are one."""
    coef, intercept = np.ascontiguousarray(found["coef"].T), found["intercept"]
    common: Run = {
        "solver": found["solver"],
        "auto_report": found["auto_report"],
        "sampling": found["sampling"],
        "draw_shares": found["draw_shares"],
        "state": found["state"],
    }
    outputs = found["outputs"]
    if len(outputs) == 1:
        return [{**outputs[0], **common, "coef": coef, "intercept": intercept}]
    return [
        {**outcome, **common, "coef": coef[k], "intercept": float(intercept[k])}
        for k, outcome in enumerate(outputs)
    ]


def _monitor(
    callback: Callback | None, show: Show | None, first: int | None, stopped: list[str]
) -> Monitor | None:
    """Join the callback and the display; None if neither was asked for.

    Outputs of a group are numbered from `first`, which is None for a fit of one output. A callback
    that stops the fit leaves word in `stopped`: its output may have converged at the same time.
    """
    if callback is None and show is None:
        return None

    def monitor(check: dict[str, float]) -> bool:
        if first is not None:
            check = {**check, "output": first + check.get("output", 0)}
        if show is not None:
            show(check)
        if callback is None or not callback(check):
            return False
        stopped.append("callback")
        return True

    return monitor


def relative_gap(result: Outcome) -> float:
    """Duality gap over the null model's objective: what ``tol`` is compared with."""
    gap, null = result["dual_gap"], result["null_objective"]
    if null > 0.0:
        return gap / null
    return 0.0 if gap <= 0.0 else math.inf


def merged_history(histories: list[dict[str, NDArray[np.float64]]]) -> dict[str, Any]:
    """Join the histories of several outputs, told apart by an ``output`` column."""
    if len(histories) == 1:
        return dict(histories[0])
    merged = {key: np.concatenate([h[key] for h in histories]) for key in histories[0]}
    merged["output"] = np.repeat(np.arange(len(histories)), [len(h["epoch"]) for h in histories])
    return merged
