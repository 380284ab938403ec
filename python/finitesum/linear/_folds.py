"""Cross-validation along paths: a fold is a set of sample weights, a path goes from fit to fit.

Training folds are weights (a sample left out has weight zero), so X is neither split nor copied;
only the held-out rows of a fold are. Along a path each fit starts from the one before.
"""

import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.parallel import Parallel, delayed

from finitesum._fit_result import FitResult, Outcome
from finitesum._validation import CoreMatrix, total_weight
from finitesum.linear._resume import Resume
from finitesum.linear._shared_folds import fit_together, fold_groups, shared_solver
from finitesum.linear._solve import Control, Problem, relative_gap, solve_outputs
from finitesum.linear._targets import Targets

Coef = NDArray[np.float64]
Margins = NDArray[np.float64] | None
Score = Callable[[int, Coef, Coef, Margins], float]
Path = Callable[[float], Sequence[list[Problem]]]
Folds = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


@dataclass(frozen=True)
class FoldPath:
    """What the fits of one fold along one path gave, one entry per step.

    ``coef`` and ``intercept`` are None unless asked for.
    """

    scores: list[float]
    n_iter: list[int]
    relative_gaps: list[float]
    converged: list[bool]
    coef: list[Coef] | None
    intercept: list[Coef] | None


def fit_fold_paths(
    X: CoreMatrix,
    targets: Targets,
    weight: NDArray[np.float64] | None,
    folds: Folds,
    paths: Sequence[Path],
    control: Control,
    score: Score,
    *,
    n_jobs: int | None,
    keep_coef: bool = False,
) -> list[list[FoldPath]]:
    """Fit and score every path on every fold, folds and paths in threads.

    Parameters
    ----------
    X : ndarray or (data, indices, indptr, n_features)
        The samples, shared by all.
    targets : Targets
        Of each output.
    weight : ndarray of shape (n_samples,), dtype float64, or None
        Sample weights.
    folds : list of (train, test)
        Row numbers; a row that a fold's training part names twice counts twice.
    paths : sequence of callable
        Each gives, for a fold's sum of training weights, the problems of every output step by step.
    control : Control
        Shared by all fits.
    score : callable
        ``score(fold, coef, intercept, margins)`` of a fit, coef of shape (n_outputs, n_features),
        margins X coef of the only output where that is at hand.
    n_jobs : int or None
        Threads, as joblib counts them; they share OpenMP's threads.
    keep_coef : bool, default=False
        Whether to return the coefficients of all fits.

    Returns
    -------
    list of list of FoldPath
        By fold, then by path.

    Raises
    ------
    KeyboardInterrupt
        If a fit was interrupted: half of a search chooses nothing.
    """
    jobs = joblib.effective_n_jobs(n_jobs)
    n_samples = len(X[2]) - 1 if isinstance(X, tuple) else len(X)
    abandoned = threading.Event()
    control = replace(
        control,
        n_threads=control.n_threads or (0 if jobs == 1 else max(1, joblib.cpu_count() // jobs)),
        callback=lambda _: abandoned.is_set(),
        verbose=0,
        keep_state=False,
    )
    found: list[list[FoldPath]] = [[] for _ in paths]  # by path, then by fold

    def run(fold: int, path: Path) -> list[FoldPath]:
        train = _training_weights(weight, folds[fold][0], n_samples)
        steps = path(total_weight(train, n_samples))

        def of_fold(coef: Coef, intercept: Coef) -> float:
            return score(fold, coef, intercept, None)

        return [_follow(X, targets, train, steps, control, of_fold, keep_coef)]

    def run_together(group: range, path: Path, solver: str, n_threads: int) -> list[FoldPath]:
        weights = np.array([_training_weights(weight, folds[k][0], n_samples) for k in group])
        steps = [path(total_weight(train, n_samples)) for train in weights]
        threads = replace(control, n_threads=n_threads)
        return _follow_together(
            X, targets, weights, steps, solver, threads,
            lambda k, c, b, z: score(group[k], c, b, z), keep_coef,
        )  # fmt: skip

    tasks: list[tuple[int, Any]] = []
    train = _training_weights(weight, folds[0][0], n_samples)
    groups = fold_groups(len(folds))
    total, at_most = total_weight(train, n_samples), max(len(group) for group in groups)
    solvers = [shared_solver(X, train, path(total), at_most, control) for path in paths]
    at_once = min(jobs, len(groups) * len(paths))
    n_threads = control.n_threads and max(1, control.n_threads * jobs // at_once)
    for k, (path, solver) in enumerate(zip(paths, solvers, strict=True)):
        if solver is None:
            tasks += [(k, delayed(run)(fold, path)) for fold in range(len(folds))]
        else:
            tasks += [(k, delayed(run_together)(g, path, solver, n_threads)) for g in groups]
    try:
        results = Parallel(n_jobs=n_jobs, prefer="threads")(task for _, task in tasks)
    except BaseException:
        abandoned.set()  # threads that still run return at their next check
        raise
    for (k, _), of_task in zip(tasks, results, strict=True):
        found[k] += of_task
    return [list(by_path) for by_path in zip(*found, strict=True)]


def warn_unless_converged(name: str, found: list[list[FoldPath]], control: Control) -> None:
    """Say how many of the fits along the paths stayed above tol, and by how much."""
    of_all = [path for by_path in found for path in by_path]
    converged = np.concatenate([path.converged for path in of_all])
    if converged.all():
        return
    gaps = np.concatenate([path.relative_gaps for path in of_all])[~converged]
    warnings.warn(
        f"{name}: {len(gaps)} of {len(converged)} fits along the paths did not converge: the worst "
        f"reached a relative duality gap of {gaps.max():.1e}, tol={control.tol:g}. Raise max_iter "
        "or tol, or leave out the weakest penalties.",
        ConvergenceWarning,
        stacklevel=4,
    )


def _training_weights(
    weight: NDArray[np.float64] | None, train: NDArray[Any], n_samples: int
) -> NDArray[np.float64]:
    times = np.bincount(np.arange(n_samples)[train], minlength=n_samples)
    return times.astype(np.float64) if weight is None else times * weight


def _follow(
    X: CoreMatrix,
    targets: Targets,
    weight: NDArray[np.float64],
    steps: Sequence[list[Problem]],
    control: Control,
    score: Callable[[Coef, Coef], float],
    keep_coef: bool,
) -> FoldPath:
    start: tuple[Coef, Coef] | None = None
    no_resume = Resume({}, X, None, (), enabled=False)
    scores: list[float] = []
    coefs: list[Coef] = []
    intercepts: list[Coef] = []
    fits: list[list[FitResult]] = []
    for problems in steps:
        results = solve_outputs(X, targets, weight, problems, control, start, no_resume)
        if any(result["stopping"] == "interrupted" for result in results):
            raise KeyboardInterrupt
        start = stacked(results)
        scores.append(score(*start))
        fits.append(results)
        if keep_coef:
            coefs.append(start[0])
            intercepts.append(start[1])
    return FoldPath(
        scores,
        [max(r["n_iter"] for r in fit) for fit in fits],
        [max(relative_gap(r) for r in fit) for fit in fits],
        [all(r["converged"] for r in fit) for fit in fits],
        coefs if keep_coef else None,
        intercepts if keep_coef else None,
    )


def _follow_together(
    X: CoreMatrix,
    targets: Targets,
    weights: NDArray[np.float64],
    paths: Sequence[Sequence[list[Problem]]],
    solver: str,
    control: Control,
    score: Score,
    keep_coef: bool,
) -> list[FoldPath]:
    found = [
        FoldPath([], [], [], [], *([] if keep_coef else None for _ in range(2))) for _ in weights
    ]

    def report(
        outcomes: list[Outcome], coef: Coef, intercept: Coef, margins: list[Margins]
    ) -> None:
        for k, (of_fold, outcome) in enumerate(zip(found, outcomes, strict=True)):
            of_fold.scores.append(score(k, coef[k : k + 1], intercept[k : k + 1], margins[k]))
            of_fold.n_iter.append(outcome["n_iter"])
            of_fold.relative_gaps.append(relative_gap(outcome))
            of_fold.converged.append(outcome["converged"])
            if of_fold.coef is not None and of_fold.intercept is not None:
                of_fold.coef.append(coef[k : k + 1])
                of_fold.intercept.append(intercept[k : k + 1])

    fit_together(X, targets, weights, paths, solver, control, report)
    return found


def stacked(results: list[FitResult]) -> tuple[Coef, Coef]:
    """Coefficients (n_outputs, n_features) and intercepts (n_outputs,) of a fit."""
    return np.vstack([r["coef"] for r in results]), np.hstack([r["intercept"] for r in results])
