"""Seconds to accuracy of this package and of other libraries, as Markdown.

    python -m bench.peers [--everything] [--data a9a news20] [--loss logistic] [--penalty l2]
                          [--alpha 10 1 0.1] [--solver 'finitesum *'] [--budget 4] [--threads 1 0]
                          [--cells FILE] [--report] [--markdown FILE] [--figure FILE]

How it is measured: `measure.py` and docs/benchmarks.md.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path

import numpy as np

from bench.peers.cells import CellFile, Record
from bench.peers.data import Dataset, data_folder, dataset_names, load_dataset
from bench.peers.libraries import SOLVERS, Solver
from bench.peers.measure import (
    TARGETS,
    Cell,
    Limits,
    available_cores,
    describe_machine,
    limit_threads,
    measure,
)
from bench.peers.problems import LOSSES, PENALTIES, Problem, find_reference, make_grid
from bench.peers.report import (
    BASELINE,
    aims_table,
    draw,
    remarks,
    seconds_tables,
    shortfalls,
    summary_table,
)

_BY_DEFAULT = {"data": None, "loss": ["logistic"], "penalty": ["l2"], "threads": [1]}
_EVERYTHING = {
    "data": ["news20", "a9a", "covtype_scaled", "covtype_raw", "protein", "mnist",
             "california_housing", "bike"],
    "loss": ["logistic", "multinomial", "squared"],
    "penalty": list(PENALTIES),
    "threads": [1, 0],
}  # fmt: skip
# Seconds per cell: ten fits of the fastest solvers or more.
_BUDGET, _LARGER_BUDGETS = 4.0, {"covtype": 15.0, "covtype_scaled": 15.0, "covtype_raw": 15.0,
                                 "mnist": 120.0}  # fmt: skip
_PACKAGES = {"sklearn": "scikit-learn", "liblinear": "liblinear-official"}


def choose_solvers(patterns: Sequence[str]) -> tuple[list[Solver], list[str]]:
    """Give the installed solvers whose name fits a pattern, and the libraries that are missing."""
    chosen = [s for s in SOLVERS if any(fnmatch(s.name, pattern) for pattern in patterns)]
    installed = {s.module: s.is_installed() for s in chosen}
    return [s for s in chosen if installed[s.module]], sorted(
        _PACKAGES.get(module, module) for module, there in installed.items() if not there
    )


def run(
    problems: Sequence[Problem],
    solvers: Sequence[Solver],
    limits_of: Callable[[str], Limits],
    cache: Path,
    kept: CellFile,
) -> list[str]:
    """Measure all solvers on all problems that have no cell yet; give data sets not there."""
    missing = []
    for name, group in groupby(problems, key=lambda problem: problem.data):
        try:
            data = load_dataset(name, np.float64)
        except FileNotFoundError:
            missing.append(name)
            continue
        of_data = list(group)
        for solver in solvers:
            _fill(solver, of_data, data, limits_of(name), cache, kept)
    return missing


def _fill(
    solver: Solver,
    problems: Sequence[Problem],
    data: Dataset,
    limits: Limits,
    cache: Path,
    kept: CellFile,
) -> None:
    suited = [problem for problem in problems if solver.suits(problem, data)]
    suited = kept.unmeasured(solver.name, suited, limits.threads)
    references = {problem: find_reference(problem, data, cache) for problem in suited}
    machine, load = describe_machine(), os.getloadavg()[0]
    optima = [references[problem].optimum for problem in suited]
    for cell in measure(solver.name, suited, optima, limits):
        _show(cell)
        package = _package(solver.module)
        kept.add(Record(cell, references[cell.problem], package, machine, load))


def _package(module: str) -> str:
    package = _PACKAGES.get(module, module)
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def _show(cell: Cell) -> None:
    times = "  ".join(f"{cell.seconds_to(target):9.3g}" for target in TARGETS)
    print(f"{cell.problem!s:48} {cell.solver:28} {times}  {cell.note}", file=sys.stderr, flush=True)


def document(records: Sequence[Record], skipped: Sequence[str]) -> str:
    """Everything that was measured, ready to be pasted: the fewest threads first."""
    parts = []
    for threads in sorted({record.cell.limits.threads for record in records}):
        parts += _section([r for r in records if r.cell.limits.threads == threads], threads)
    parts += [f"Skipped: {name} is not there." for name in skipped]
    return "\n\n".join(parts) + "\n"


def _section(records: Sequence[Record], threads: int) -> list[str]:
    cells = [record.cell for record in records]
    budgets = sorted({f"{cell.limits.budget:g}" for cell in cells}, key=float)
    conditions = [
        *dict.fromkeys(record.machine for record in records),
        f"load average at most {max(record.load for record in records):.1f}",
        "one thread, CPU seconds" if threads == 1 else f"{threads} threads, seconds of the clock",
        f"float64, at most {' or '.join(budgets)} s per cell",
        ", ".join(dict.fromkeys(record.package for record in records)),
    ]
    parts = [
        f"{'; '.join(conditions)}. Seconds of `{BASELINE}` / of the best other (which): "
        "their ratio, to each (F - F\\*)/F\\*.",
        summary_table(cells),
        aims_table(cells),
    ]
    short = shortfalls(cells)
    parts += ["Short of the aims, and slower than the best other:", _list(short)] if short else []
    targets = " / ".join(f"{target:.0e}" for target in TARGETS)
    parts += [f"All solvers, seconds to {targets}:", seconds_tables(cells)]
    parts.append(_list(remarks(cells, {r.cell.problem: r.reference for r in records})))
    return [part for part in parts if part]


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description="Seconds to accuracy, beside other libraries."
    )
    names = [name for task in dict.fromkeys(LOSSES.values()) for name in dataset_names(task)]
    parser.add_argument("--everything", action="store_true",
                        help="all of the four options below, and all cores too")  # fmt: skip
    parser.add_argument("--data", nargs="+", choices=names, help="default: the large ones")
    parser.add_argument("--loss", nargs="+", choices=LOSSES, help="default: logistic")
    parser.add_argument("--penalty", nargs="+", choices=PENALTIES, help="default: l2")
    parser.add_argument("--threads", nargs="+", type=int,
                        help="0: all cores; a table for each number; default: 1")  # fmt: skip
    parser.add_argument("--alpha", nargs="+", type=float, default=[10.0, 1.0, 0.1, 0.01],
                        help="times the number of samples")  # fmt: skip
    parser.add_argument("--solver", nargs="+", metavar="PATTERN", default=[BASELINE, "[!f]*"],
                        help="default: finitesum auto and all others")  # fmt: skip
    parser.add_argument("--intercept", action="store_true", help="with one, not penalized")
    parser.add_argument("--budget", type=float, help="seconds per cell; default: by data set")
    parser.add_argument("--repeats", type=int, default=3, help="runs of a short fit")
    parser.add_argument("--cache", type=Path, default=Path("build/peers"),
                        help="folder for the certified optima")  # fmt: skip
    parser.add_argument("--cells", type=Path, metavar="FILE",
                        help="keep cells there; those it has are not measured again")  # fmt: skip
    parser.add_argument("--report", action="store_true",
                        help="measure nothing, print what --cells has")  # fmt: skip
    parser.add_argument("--markdown", type=Path, help="write the tables there, not to stdout")
    parser.add_argument("--figure", help="write suboptimality against seconds there")
    options = parser.parse_args(arguments)
    usual = _EVERYTHING if options.everything else _BY_DEFAULT
    for name, value in usual.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for, write tables and figure."""
    options = _parse(arguments)
    kept = CellFile(options.cells)
    skipped = [] if options.report else _measure(options, kept)
    if not kept.records:
        sys.exit(
            "no cells: "
            + (", ".join(f"{name} is not there" for name in skipped) or "no solver suits")
        )
    text = document(kept.records, skipped)
    if options.markdown is None:
        print(text)
    else:
        options.markdown.write_text(text)
    if options.figure is not None:
        fewest = min(record.cell.limits.threads for record in kept.records)
        cells = [record.cell for record in kept.records]
        draw([cell for cell in cells if cell.limits.threads == fewest], options.figure)


def _limits(options: argparse.Namespace, threads: int, data: str) -> Limits:
    budget = options.budget or _LARGER_BUDGETS.get(data, _BUDGET)
    return Limits(budget, options.repeats, threads)


def _measure(options: argparse.Namespace, kept: CellFile) -> list[str]:
    """Fill the cells; name what is not there."""
    solvers, skipped = choose_solvers(options.solver)
    problems = make_grid(
        options.loss, options.data, options.penalty, options.alpha, options.intercept
    )
    started, before = time.monotonic(), len(kept.records)
    for threads in dict.fromkeys(number or available_cores() for number in options.threads):
        limit_threads(threads)
        missing = run(problems, solvers, partial(_limits, options, threads), options.cache, kept)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{len(kept.records) - before} cells in {time.monotonic() - started:.0f} s, "
        f"{used.ru_utime + used.ru_stime:.0f} CPU seconds of them measuring",
        file=sys.stderr,
    )
    return skipped + [f"{name} in {data_folder()}" for name in missing]


if __name__ == "__main__":
    main()
