"""A fit as a sequence of problems, one per output, that share X, the clock and the seed."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finitesum import _core, theory
from finitesum._fit_result import FitResult
from finitesum._validation import CoreMatrix
from finitesum.linear._progress import Show, open_progress
from finitesum.linear._resume import Resume, Saved

Callback = Callable[[dict[str, float]], bool | None]
Monitor = Callable[[dict[str, float]], bool]
Start = tuple[NDArray[np.float64], NDArray[np.float64]]

# More than so many times the epochs run: max_iter is not what to change.
_REACHABLE = 20


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
    targets: Iterable[NDArray[Any]],
    weight: NDArray[np.float64] | None,
    problems: list[Problem],
    control: Control,
    start: Start | None,
    resume: Resume,
) -> list[FitResult]:
    """Solve one problem per output.

    Once the clock, Ctrl-C or the callback has stopped one of them, the others are handed to the
    core with no time left: they return their start, certified as such, and carry the same reason.

    Parameters
    ----------
    X : ndarray or (data, indices, indptr, n_features)
        The samples, shared by all outputs.
    targets : iterable of ndarray
        One per output: of shape (n_samples,) and dtype float64, or the labels of a classifier as
        bits (see `_core.fit`); a multinomial problem has one of dtype int32 for all its classes.
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
    stopped: str | None = None
    results = []
    with open_progress(control.verbose, control.max_iter, len(problems)) as show:
        for k, (target, problem) in enumerate(zip(targets, problems, strict=True)):
            if stopped is None:
                time_left = max(0.0, deadline - time.monotonic())
                monitor = _monitor(control.callback, show, k if len(problems) > 1 else None)
            else:
                time_left, monitor = 0.0, None
            start_k = None if start is None else _start_of(problem, start, k)
            key = resume.key(target, problem)
            result = _fit_one(
                X, target, weight, problem, control, start_k, resume.find(key), time_left, monitor
            )
            resume.keep(key, control.seed, result)
            if stopped is not None and not result["converged"]:
                result["stopping"] = stopped
            elif result["stopping"] in ("time_limit", "interrupted", "callback"):
                stopped = result["stopping"]
            results.append(result)
    return results


def _start_of(problem: Problem, start: Start, output: int) -> tuple[NDArray[np.float64], Any]:
    """Coefficients and intercepts as the core takes them."""
    if problem.n_classes is not None:
        return np.ascontiguousarray(start[0].T).ravel(), start[1]
    return start[0][output], float(start[1][output])


def _fit_one(
    X: CoreMatrix,
    target: NDArray[Any],
    weight: NDArray[np.float64] | None,
    problem: Problem,
    control: Control,
    start: tuple[NDArray[np.float64], Any] | None,
    saved: Saved | None,
    time_left: float,
    monitor: Monitor | None,
) -> FitResult:
    coef_init, intercept_init = (None, None) if start is None or saved is not None else start
    shared: dict[str, Any] = {
        "alpha": problem.alpha,
        "l1_ratio": problem.l1_ratio,
        "fit_intercept": control.fit_intercept,
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
    target = np.ascontiguousarray(target)
    if problem.n_classes is not None:
        result = _core.fit_multinomial(
            X, target, weight, n_classes=problem.n_classes, intercepts_init=intercept_init, **shared
        )
        result["coef"] = np.ascontiguousarray(result["coef"].T)
    else:
        result = _core.fit(
            X,
            target,
            weight,
            loss=problem.loss,
            loss_parameter=problem.loss_parameter,
            intercept_scaling=problem.intercept_scaling,
            n_threads=control.n_threads,
            intercept_init=intercept_init,
            **shared,
        )
    if not (np.isfinite(result["coef"]).all() and np.isfinite(result["intercept"]).all()):
        raise ValueError(
            "Floating-point overflow during the fit. Scaling the data, for instance with "
            "sklearn.preprocessing.StandardScaler or MaxAbsScaler, helps."
        )
    return result


def _monitor(callback: Callback | None, show: Show | None, output: int | None) -> Monitor | None:
    """Join the callback and the display; None if neither was asked for."""
    if callback is None and show is None:
        return None

    def monitor(check: dict[str, float]) -> bool:
        if output is not None:
            check = {**check, "output": output}
        if show is not None:
            show(check)
        return callback is not None and bool(callback(check))

    return monitor


def relative_gap(result: FitResult) -> float:
    """Duality gap over the null model's objective: what ``tol`` is compared with."""
    gap, null = result["dual_gap"], result["null_objective"]
    if null > 0.0:
        return gap / null
    return 0.0 if gap <= 0.0 else math.inf


def convergence_message(
    estimator_name: str,
    results: list[FitResult],
    control: Control,
    data_advice: Callable[[], str | None],
) -> str | None:
    """Say what stopped the fit short of tol, how far it came and what to change.

    `data_advice` looks for the change in the data; it is called only where it is used.
    """
    short = [r for r in results if not r["converged"] and r["stopping"] != "callback"]
    if not short:
        return None
    worst = max(short, key=relative_gap)
    gap = relative_gap(worst)
    reached = (
        f"a relative duality gap of {gap:.1e}" if math.isfinite(gap) else "no finite duality gap"
    )
    which = (
        f" ({len(short)} of {len(results)} outputs, the worst of them here)"
        if len(results) > 1
        else ""
    )
    solver, epochs = worst["solver"], worst["n_iter"]
    cause, advice = {
        "no progress": (
            "rounding keeps every further step from lowering the objective",
            "The coefficients are as good as this data allows; raise tol or scale the features.",
        ),
        "time_limit": (
            "time_limit ended the fit",
            "The coefficients are usable as they are. Raise time_limit or tol to converge.",
        ),
        "interrupted": (
            "the fit was interrupted",
            "The coefficients are usable as they are; warm_start=True continues from them.",
        ),
    }.get(worst["stopping"], ("the fit did not converge", ""))
    if not advice:
        advice = (
            (data_advice() if solver != "newton" else None)  # which bad scaling does not slow down
            or _more_epochs(worst, control.tol)
            or "Raise max_iter or tol, or try another solver."
        )
    return (
        f"{estimator_name}: {cause}{which}: solver {solver!r} reached {reached} "
        f"in {epochs} epochs, tol={control.tol:g}. {advice}"
    )


def _more_epochs(result: FitResult, tol: float) -> str | None:
    """Advise the max_iter that reaches tol at the rate of this fit, if that is within reach."""
    gap, history = relative_gap(result), result["history"]
    tail = {key: values[len(values) // 2 :] for key, values in history.items()}
    try:
        per_pass = theory.rate(tail)
    except ValueError:  # no finite gap, or a single check
        return None
    if not (per_pass < 0.0 < tol < gap):
        return None
    passes_per_epoch = history["passes"][-1] / result["n_iter"]
    needed = result["n_iter"] + math.log(gap / tol) / (-per_pass * passes_per_epoch)
    if needed > _REACHABLE * result["n_iter"]:
        return None
    return f"At the rate of this fit, max_iter={math.ceil(1.2 * needed)} would reach tol."


def merged_history(results: list[FitResult]) -> dict[str, Any]:
    """Join the histories of several outputs, told apart by an ``output`` column."""
    if len(results) == 1:
        return dict(results[0]["history"])
    histories = [r["history"] for r in results]
    merged = {key: np.concatenate([h[key] for h in histories]) for key in histories[0]}
    merged["output"] = np.repeat(np.arange(len(results)), [len(h["epoch"]) for h in histories])
    return merged
