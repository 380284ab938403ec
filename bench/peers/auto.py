"""solver="auto" beside every solver of this package, to the same certified gap, as Markdown.

    python -m bench.peers.auto [--data a9a] [--loss logistic] [--penalty l2] [--alpha 1 0.01]
                               [--tol 1e-6] [--budget 20] [--markdown FILE]

CPU seconds on one thread, the best of up to ten short fits. A solver that takes more than three
times as long as the fastest so far is stopped, as all are after the budget.
"""

import argparse
import math
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from bench.peers.data import Dataset, data_folder, dataset_names, load_dataset
from bench.peers.libraries import WIDEST_HESSIAN
from bench.peers.measure import describe_machine
from bench.peers.problems import LOSSES, PENALTIES, Problem, make_grid, ours
from bench.peers.report import geometric_mean, markdown_table
from finitesum import _core

CLOSE = 1.5  # times the best single solver: what auto is held to
_SLOWER, _GRACE = 3.0, 0.05
_REPEATS, _SHORT = 10, 0.3  # a fit is repeated while its runs took less than so many seconds
_DATA = ["news20", "a9a", "covtype_scaled", "protein", "breast_cancer", "digits",
         "california_housing", "bike", "diabetes"]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What was chosen for a problem, and the seconds of every solver that arrived."""

    problem: Problem
    chosen: str
    seconds: dict[str, float]

    @property
    def best(self) -> str:
        """The fastest single solver."""
        return min((s for s in self.seconds if s != "auto"), key=self.seconds.__getitem__)

    @property
    def ratio(self) -> float:
        """Seconds of auto over those of the best single solver; infinite if auto was cut off."""
        return self.seconds.get("auto", math.inf) / self.seconds[self.best]


def time_solver(
    problem: Problem, data: Dataset, solver: str, tol: float, limit: float
) -> tuple[float, str]:
    """CPU seconds to the certificate, infinite if it was not reached, and the solver that ran."""
    started = 0.0
    model = ours(
        problem, data.X.shape[0], solver=solver, tol=tol, max_iter=10**6, n_threads=1,
        callback=lambda check: time.process_time() - started > limit,
    )  # fmt: skip
    seconds: list[float] = []
    while len(seconds) < _REPEATS and sum(seconds) < _SHORT:
        started = time.process_time()
        model.fit(data.X, data.y)
        if not model.converged_:
            return math.inf, _chosen(model)
        seconds.append(time.process_time() - started)
    return min(seconds), _chosen(model)


def _chosen(model: Any) -> str:
    return " ".join(map(str, np.unique(model.solver_)))  # one per output


def compare(problem: Problem, data: Dataset, tol: float, budget: float) -> Outcome | None:
    """Time auto and then every solver; None where none arrives."""
    seconds: dict[str, float] = {}
    chosen, limit = "", budget
    for solver in ("auto", *_core.solver_names()):
        if solver == "newton" and data.X.shape[1] > WIDEST_HESSIAN:
            continue
        try:
            taken, name = time_solver(problem, data, solver, tol, limit)
        except ValueError:  # refused: not for this loss or penalty
            continue
        if solver == "auto":
            chosen = name
        if math.isfinite(taken):
            seconds[solver] = taken
            limit = min(limit, _SLOWER * taken + _GRACE)
    return Outcome(problem, chosen, seconds) if set(seconds) - {"auto"} else None


def document(outcomes: Sequence[Outcome], tol: float) -> str:
    """Table and summary."""
    rows = []
    for outcome in outcomes:
        problem, auto = outcome.problem, outcome.seconds.get("auto", math.inf)
        rows.append([
            problem.data, problem.loss, problem.penalty, f"{problem.strength:g}", outcome.chosen,
            outcome.best, f"{auto:.3g}", f"{outcome.seconds[outcome.best]:.3g}",
            f"{outcome.ratio:.2f}",
        ])  # fmt: skip
    head = ["data", "loss", "penalty", "n alpha", "auto takes", "best", "auto, s", "best, s",
            "ratio"]  # fmt: skip
    ratios = [outcome.ratio for outcome in outcomes]
    close = sum(ratio <= CLOSE for ratio in ratios)
    finite = [ratio for ratio in ratios if math.isfinite(ratio)]
    return (
        f"{describe_machine()}; one thread, float64, relative gap {tol:.0e}.\n\n"
        f"{markdown_table(head, rows, 6)}\n\n"
        f"Within {CLOSE} times the best single solver: {close} of {len(ratios)} problems "
        f"({close / len(ratios):.0%}). Geometric mean of the ratios: {geometric_mean(finite):.2f}, "
        f"the largest {max(ratios):.2f}.\n"
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers.auto", description="solver='auto' beside the best solver."
    )
    names = [name for task in dict.fromkeys(LOSSES.values()) for name in dataset_names(task)]
    parser.add_argument("--data", nargs="+", choices=names, default=_DATA)
    parser.add_argument("--loss", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--penalty", nargs="+", choices=PENALTIES, default=list(PENALTIES))
    parser.add_argument("--alpha", nargs="+", type=float, default=[1.0, 0.01],
                        help="times the number of samples")  # fmt: skip
    parser.add_argument("--intercept", action="store_true")
    parser.add_argument("--tol", type=float, default=1e-6, help="relative gap")
    parser.add_argument("--budget", type=float, default=20.0, help="CPU seconds per fit")
    parser.add_argument("--markdown", type=Path, help="write the table there, not to stdout")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare on the grid, print table and summary."""
    options = _parse(arguments)
    problems = make_grid(
        options.loss, options.data, options.penalty, options.alpha, options.intercept
    )
    outcomes = []
    for name, group in groupby(problems, key=lambda problem: problem.data):
        try:
            data = load_dataset(name, np.float64)
        except FileNotFoundError:
            print(f"skipped: {name} is not in {data_folder()}", flush=True)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # no certificate in time
            for problem in group:
                outcome = compare(problem, data, options.tol, options.budget)
                if outcome is None:
                    print(f"left out, no solver arrives: {problem}", flush=True)
                else:
                    outcomes.append(outcome)
                    shown = f"{problem!s:48} {outcome.chosen:10} {outcome.best:10}"
                    print(f"{shown} {outcome.ratio:.2f}", file=sys.stderr, flush=True)
    if not outcomes:
        raise SystemExit("nothing was measured")
    text = document(outcomes, options.tol)
    if options.markdown is None:
        print(text)
    else:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
