"""Folds fitted side by side: one reading of X serves the fits of all of them."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from finitesum import _core
from finitesum._fit_result import Outcome
from finitesum._validation import CoreMatrix
from finitesum.linear._solve import Control, Problem, refuse_overflow
from finitesum.linear._targets import Targets

# Folds fitted together at most: what is kept for each row and column fills a cache line.
_MOST_TOGETHER = 8

_SHARED_SOLVERS = ("newton", "sdca")

# Numbers in the Hessians that the folds keep along a path of least squares at most: half a GiB.
_MOST_KEPT = 1 << 26

Floats = NDArray[np.float64]
Report = Callable[[list[Outcome], Floats, Floats, list[Floats | None]], None]


def fold_groups(n_folds: int) -> list[range]:
    """Cut the folds into groups of about the same size, whatever the number of threads."""
    n_groups = math.ceil(n_folds / _MOST_TOGETHER)
    cuts = [n_folds * k // n_groups for k in range(n_groups + 1)]
    return [range(cuts[k], cuts[k + 1]) for k in range(n_groups)]


def shared_solver(
    X: CoreMatrix,
    weight: NDArray[np.float64],
    steps: Sequence[list[Problem]],
    n_folds: int,
    control: Control,
) -> str | None:
    """Name the solver that takes the folds along a path together; None if none does.

    "auto" is asked about the weakest penalty, where most of the time goes: its solver goes along
    the whole path, on which a start from the neighbor leaves little to do.
    """
    problems = [problem for step in steps for problem in step]
    first = problems[0]
    is_plain = (
        control.sampling == "auto"
        and control.step_rule == "auto"
        and control.step_size == 0.0
        and not control.solver_options
    )
    if not is_plain or len(problems) > len(steps) or first.loss not in ("logistic", "squared"):
        return None
    if first.n_classes is not None or math.isfinite(first.intercept_scaling):
        return None
    if any(problem.alpha <= 0.0 for problem in problems):
        return None
    has_l1 = first.l1_ratio > 0.0
    if has_l1 and first.loss != "squared":
        return None
    solver = control.solver
    if solver == "auto":
        solver = _core.automatic_solver(
            X,
            weight,
            loss=first.loss,
            loss_parameter=first.loss_parameter,
            alpha=min(problem.alpha for problem in problems),
            l1_ratio=first.l1_ratio,
            fit_intercept=control.fit_intercept,
            intercept_scaling=math.inf,
            solver="auto",
            sampling="auto",
            step_rule="auto",
            step_size=0.0,
            solver_options={},
            n_outputs=1,
        )
    if solver == "newton" and first.loss == "squared":
        n_features = X[3] if isinstance(X, tuple) else X.shape[1]
        is_wide = n_folds * (n_features + 1) ** 2 > _MOST_KEPT
        return None if is_wide else solver
    return solver if solver in _SHARED_SOLVERS and not has_l1 else None


def fit_together(
    X: CoreMatrix,
    targets: Targets,
    weights: NDArray[np.float64],
    paths: Sequence[Sequence[list[Problem]]],
    solver: str,
    control: Control,
    report: Report,
) -> None:
    """Fit folds along their paths.

    Parameters
    ----------
    X : ndarray or (data, indices, indptr, n_features)
        The samples, shared by all.
    targets : Targets
        Of one output.
    weights : ndarray of shape (n_folds, n_samples), dtype float64
        Training weights.
    paths : sequence of sequences of one problem each
        A path per fold, of the same length.
    solver : {"newton", "sdca"}
        As `shared_solver` says.
    control : Control
        Shared by all fits.
    report : callable
        ``report(outcomes, coef, intercept, margins)`` after every step, coef of shape
        (n_folds, n_features), margins X coef of each fold for the time of the call, or None.

    Raises
    ------
    KeyboardInterrupt
        If a fit was interrupted.
    """
    first = paths[0][0][0]
    callback = control.callback

    def of_step(
        outcomes: list[Outcome], coef: Floats, b: Floats, margins: list[Floats | None]
    ) -> None:
        if any(outcome["stopping"] == "interrupted" for outcome in outcomes):
            raise KeyboardInterrupt
        refuse_overflow(coef, b)
        report(outcomes, coef, b, margins)

    _core.fit_folds(
        X,
        targets.of(0),
        weights.ravel(),
        np.array([[step[0].alpha for step in path] for path in paths]).T.ravel(),
        n_folds=len(weights),
        n_steps=len(paths[0]),
        l1_ratio=first.l1_ratio,
        loss=first.loss,
        loss_parameter=first.loss_parameter,
        fit_intercept=control.fit_intercept,
        solver=solver,
        tol=control.tol,
        max_iter=control.max_iter,
        check_interval=control.check_interval,
        n_threads=control.n_threads,
        seed=control.seed,
        monitor=None if callback is None else lambda check: bool(callback(check)),
        report=of_step,
    )
