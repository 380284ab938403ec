"""solver="auto" beside every solver of this package, to the same certified gap, as Markdown.

    python -m bench.peers.auto [--data a9a] [--loss logistic] [--penalty l2] [--alpha 1 0.01]
                               [--tol 1e-6] [--budget 5] [--markdown FILE]

CPU seconds on one thread, the best of up to ten short fits. "auto" runs first, and every other
solver gets that time over 1.5: one that arrives beats it by more than what it is held to. Where
"auto" misses the budget, the others get the budget.
"""

import argparse
import math
import os
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
from bench.peers.report import markdown_table
from finitesum import _core

CLOSE = 1.5  # times the best single solver: what auto is held to
_REPEATS, _SHORT = 10, 0.1  # a fit is repeated while its runs took less than so many seconds
_DATA = ["news20", "a9a", "covtype_scaled", "protein", "breast_cancer", "digits",
         "california_housing", "bike", "diabetes", "mnist_odd"]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What was chosen for a problem, its seconds, and those of the solvers that beat it clearly."""

    problem: Problem
    chosen: str
    seconds: float  # infinite if auto was cut off
    faster: dict[str, float]

    @property
    def best(self) -> str:
        """The fastest of them; auto's choice where there is none."""
        return min(self.faster, key=self.faster.__getitem__, default=self.chosen)

    @property
    def ratio(self) -> float:
        """Seconds of auto over those of the best single solver; 1 where that is close."""
        return self.seconds / self.faster[self.best] if self.faster else 1.0


def time_solver(
    problem: Problem, data: Dataset, solver: str, tol: float, limit: float
) -> tuple[float, str]:
    """CPU seconds to the certificate, infinite if it was not reached, and the solver that ran."""
    started = 0.0
    model = ours(
        problem, data.X.shape[0], solver=solver, tol=tol, max_iter=10**6, n_threads=1,
        callback=lambda check: time.process_time() - started > limit,
        time_limit=5.0 * limit + 0.01,  # of the clock: within an epoch only this ends the fit
    )  # fmt: skip
    seconds: list[float] = []
    while len(seconds) < _REPEATS and sum(seconds) < _SHORT:
        started = time.process_time()
        model.fit(data.X, data.y)
        if not model.converged_:
            break
        seconds.append(time.process_time() - started)
    fastest = min(seconds, default=math.inf)
    return fastest if fastest <= limit else math.inf, _chosen(model)


def _chosen(model: Any) -> str:
    return " ".join(map(str, np.unique(model.solver_)))  # one per output


def compare(problem: Problem, data: Dataset, tol: float, budget: float) -> Outcome | None:
    """Time auto and then every solver; None where none arrives."""
    seconds, chosen = time_solver(problem, data, "auto", tol, budget)
    limit = seconds / CLOSE if math.isfinite(seconds) else budget
    faster = {}
    for solver in _core.solver_names():
        if solver == chosen or (solver == "newton" and data.X.shape[1] > WIDEST_HESSIAN):
            continue
        try:
            taken, _ = time_solver(problem, data, solver, tol, limit)
        except ValueError:  # refused: not for this loss or penalty
            continue
        if math.isfinite(taken):
            faster[solver] = taken
    if not faster and not math.isfinite(seconds):
        return None
    return Outcome(problem, chosen, seconds, faster)


def document(outcomes: Sequence[Outcome], tol: float) -> str:
    """Table and summary."""
    rows = []
    for outcome in outcomes:
        problem = outcome.problem
        row = [
            problem.data, problem.loss, problem.penalty, f"{problem.strength:g}", outcome.chosen,
            f"{outcome.seconds:.3g}",
        ]  # fmt: skip
        if outcome.faster:
            best = outcome.best
            row += [best, f"{outcome.faster[best]:.3g}", f"{outcome.ratio:.2f}"]
        rows.append(row + [""] * (9 - len(row)))
    head = ["data", "loss", "penalty", "n alpha", "auto takes", "seconds",
            f"{CLOSE} times as fast", "seconds", "ratio"]  # fmt: skip
    close = sum(not outcome.faster for outcome in outcomes)
    return (
        f"{describe_machine()}, load average {os.getloadavg()[0]:.1f}; one thread, float64, "
        f"relative gap {tol:.0e}.\n\n"
        f"{markdown_table(head, rows, 5)}\n\n"
        f"Within {CLOSE} times the best single solver: {close} of {len(outcomes)} problems "
        f"({close / len(outcomes):.0%}).\n"
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
    parser.add_argument("--budget", type=float, default=5.0, help="CPU seconds per fit")
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
                    shown = f"{problem!s:48} {outcome.chosen:10} {outcome.seconds:8.3g}"
                    print(f"{shown} {outcome.faster or ''}", file=sys.stderr, flush=True)
    if not outcomes:
        raise SystemExit("nothing was measured")
    text = document(outcomes, options.tol)
    if options.markdown is None:
        print(text)
    else:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
