"""Passes and CPU seconds to a relative gap of 1e-6 with and without an outer loop, as Markdown.

    python -m bench.peers.acceleration [a9a protein covtype] [--columns given scaled]
        [--seeds 1] [--passes N] [--no-intercept]

Logistic regression with L2 penalty 0.01/n, so badly conditioned; columns of covtype and protein are
standardized. Two tables: with the columns as they are given, and with steps of their own length for
columns where the solver takes them by default, which mends part of the conditioning. A pass is n
evaluations of a row's gradient, and those that measure alone do not count. Solvers are checked
after each epoch. A cell is the median of the seeds; "> 300" is a fit that was not there after
so many passes, with the gap it had reached. All of it takes some ten minutes of one core.
"""

import argparse
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import finitesum
from bench.peers.data import Dataset, data_folder, load_dataset

DATASETS = {
    "a9a": 600,
    "protein": 600,
    "covtype": 300,
}  # and the passes after which a fit is given up
SOLVERS = ("sag", "saga", "svrg")
OUTER_LOOPS = ("catalyst", "qning")
TOL = 1e-6


@dataclass(frozen=True)
class Cell:
    """Medians; passes are infinite where the target was not reached."""

    passes: float
    seconds: float
    gap: float
    limit: int

    def __str__(self) -> str:
        if np.isinf(self.passes):
            return f"> {self.limit} ({self.gap:.0e}) / {self.seconds:.1f}"
        return f"{self.passes:g} / {self.seconds:.1f}"

    def beats(self, base: "Cell") -> bool:
        """Fewer passes and less time, or there at all."""
        if np.isinf(base.passes):
            return bool(np.isfinite(self.passes))
        return self.passes < base.passes and self.seconds < base.seconds


def fit(data: Dataset, solver: str, options: dict[str, Any], **arguments: Any) -> Any:
    return finitesum.LogisticRegression(
        C=100.0, solver=solver, solver_options=options, check_interval=1, **arguments
    ).fit(data.X, data.y)


def measure(
    data: Dataset,
    solver: str,
    options: dict[str, Any],
    *,
    intercept: bool,
    passes: int,
    seeds: int,
) -> Cell:
    """One cell of the table."""
    runs = []
    for seed in range(seeds):
        begin = time.process_time()
        model = fit(
            data,
            solver,
            options,
            tol=TOL,
            max_iter=passes,
            callback=lambda check: check["passes"] >= passes,  # an epoch of SVRG is three
            fit_intercept=intercept,
            random_state=seed,
        )
        seconds = time.process_time() - begin
        taken = model.history_["passes"][-1] if model.converged_ else np.inf
        runs.append((taken, seconds, model.dual_gap_ / model.null_objective_))
    taken, seconds, gap = np.median(runs, axis=0)
    return Cell(taken, seconds, gap, passes)


def scales_columns(data: Dataset, solver: str, intercept: bool) -> bool:
    """Whether the solver does so by default: its first epoch is another one then."""
    given, default = (
        fit(data, solver, options, max_iter=1, fit_intercept=intercept, random_state=0).coef_
        for options in ({"scale_columns": False}, {})
    )
    return not np.array_equal(given, default)


def print_table(data: Dataset, columns: str, **of_run: Any) -> list[str]:
    """One line per solver; what has not beaten its base."""
    slower = []
    for solver in SOLVERS:
        if columns == "scaled" and not scales_columns(data, solver, of_run["intercept"]):
            print(f"| {data.name}, {solver} | not scaled by default | | |", flush=True)
            continue
        options = {} if columns == "scaled" else {"scale_columns": False}
        base = measure(data, solver, options, **of_run)
        cells = [
            measure(data, solver, {"acceleration": kind, **options}, **of_run)
            for kind in OUTER_LOOPS
        ]
        shown = " | ".join(str(cell) for cell in (base, *cells))
        print(f"| {data.name}, {solver} | {shown} |", flush=True)
        names = [f"{solver} with {kind}" for kind in OUTER_LOOPS]
        if solver == "svrg" and columns == "given":  # katyusha is svrg, accelerated from within
            cells.append(measure(data, "katyusha", {}, **of_run))
            names.append("katyusha")
            print(f"| {data.name}, katyusha | {cells[-1]} | | |", flush=True)
        slower += [name for name, cell in zip(names, cells, strict=True) if not cell.beats(base)]
    return [f"{name} on {data.name}, columns {columns}" for name in slower]


def main() -> None:
    """Print a table per way to take the columns, and what has not beaten its base."""
    parser = argparse.ArgumentParser(description="Outer loops beside their bases.")
    parser.add_argument("datasets", nargs="*", default=list(DATASETS), metavar="dataset")
    parser.add_argument("--columns", nargs="+", choices=("given", "scaled"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--passes", type=int, help="the same limit for all data sets")
    parser.add_argument("--no-intercept", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # the table says as much
    slower = []
    for columns in arguments.columns or ("given", "scaled"):
        print(f"\n| columns {columns} | base | catalyst | qning |\n|---|--:|--:|--:|")
        for name in arguments.datasets:
            try:
                data = load_dataset(name, np.float32)
            except FileNotFoundError:
                print(f"skipped: {name} is not in {data_folder()}")
                continue
            slower += print_table(
                data,
                columns,
                intercept=not arguments.no_intercept,
                passes=arguments.passes or DATASETS[name],
                seeds=arguments.seeds,
            )
    print("\nNot faster than the base in passes and time:", "; ".join(slower) or "none")


if __name__ == "__main__":
    main()
