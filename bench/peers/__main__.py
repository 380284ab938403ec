"""Seconds to accuracy of this package and of other libraries, as Markdown.

    python -m bench.peers [--data a9a news20] [--loss logistic] [--penalty l2] [--alpha 10 1 0.1]
                          [--solver 'finitesum *' 'scikit-learn *'] [--budget 4] [--threads 1]
                          [--markdown FILE] [--figure FILE]

How it is measured: `measure.py` and docs/benchmarks.md.
"""

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path

import numpy as np

from bench.peers.data import data_folder, dataset_names, load_dataset
from bench.peers.libraries import SOLVERS, Solver
from bench.peers.measure import TARGETS, Cell, Limits, describe_machine, limit_threads, measure
from bench.peers.problems import (
    LOSSES,
    PENALTIES,
    Problem,
    Reference,
    find_reference,
    make_grid,
)
from bench.peers.report import draw, ratio_table, remarks, seconds_tables

BASELINE = "finitesum auto"
_PACKAGES = {"sklearn": "scikit-learn", "liblinear": "liblinear-official"}


def choose_solvers(patterns: Sequence[str]) -> tuple[list[Solver], list[str]]:
    """Give the installed solvers whose name fits a pattern, and the libraries that are missing."""
    chosen = [s for s in SOLVERS if any(fnmatch(s.name, pattern) for pattern in patterns)]
    installed = {s.module: s.is_installed() for s in chosen}
    return [s for s in chosen if installed[s.module]], sorted(
        _PACKAGES.get(module, module) for module, there in installed.items() if not there
    )


def run(
    problems: Sequence[Problem], solvers: Sequence[Solver], limits: Limits, cache: Path
) -> tuple[list[Cell], dict[Problem, Reference], list[str]]:
    """Measure all solvers on all problems; also the optima, and data sets that are not there."""
    cells: list[Cell] = []
    references: dict[Problem, Reference] = {}
    missing = []
    for name, group in groupby(problems, key=lambda problem: problem.data):
        of_data = list(group)
        try:
            data = load_dataset(name, np.float64)
        except FileNotFoundError:
            missing.append(name)
            continue
        for problem in of_data:
            references[problem] = find_reference(problem, data, cache)
        for solver in solvers:
            suited = [problem for problem in of_data if solver.suits(problem, data)]
            optima = [references[problem].optimum for problem in suited]
            for cell in measure(solver.name, suited, optima, limits):
                _show(cell)
                cells.append(cell)
    return cells, references, missing


def _show(cell: Cell) -> None:
    times = "  ".join(f"{cell.seconds_to(target):9.3g}" for target in TARGETS)
    print(f"{cell.problem!s:48} {cell.solver:28} {times}  {cell.note}", file=sys.stderr, flush=True)


def document(
    cells: Sequence[Cell],
    references: dict[Problem, Reference],
    skipped: Sequence[str],
    limits: Limits,
) -> str:
    """Everything that was measured, ready to be pasted."""
    versions = []
    for module in dict.fromkeys(s.module for s in SOLVERS if s.name in {c.solver for c in cells}):
        package = _PACKAGES.get(module, module)
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(package)
    threads = "one thread" if limits.threads == 1 else f"{limits.threads} threads"
    parts = [
        f"{describe_machine()}; {threads}, float64, at most {limits.budget:g} s per cell; "
        f"{', '.join(versions)}.",
        *(f"Skipped: {name} is not there." for name in skipped),
    ]
    for target in TARGETS:
        parts += [f"To (F - F\\*)/F\\* = {target:.0e}:", ratio_table(cells, target, BASELINE)]
    targets = " / ".join(f"{target:.0e}" for target in TARGETS)
    parts += [f"All solvers, seconds to {targets}:", seconds_tables(cells)]
    notes = remarks(cells, references)
    if notes:
        parts.append("\n".join(f"* {line}" for line in notes))
    return "\n\n".join(parts) + "\n"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description="Seconds to accuracy, beside other libraries."
    )
    names = [name for task in dict.fromkeys(LOSSES.values()) for name in dataset_names(task)]
    parser.add_argument("--data", nargs="+", choices=names, help="default: the large ones")
    parser.add_argument("--loss", nargs="+", choices=LOSSES, default=["logistic"])
    parser.add_argument("--penalty", nargs="+", choices=PENALTIES, default=["l2"])
    parser.add_argument("--alpha", nargs="+", type=float, default=[10.0, 1.0, 0.1, 0.01],
                        help="times the number of samples")  # fmt: skip
    parser.add_argument("--solver", nargs="+", metavar="PATTERN", default=[BASELINE, "[!f]*"],
                        help="default: finitesum auto and all others")  # fmt: skip
    parser.add_argument("--intercept", action="store_true", help="with one, not penalized")
    parser.add_argument("--budget", type=float, default=4.0, help="seconds per cell")
    parser.add_argument("--repeats", type=int, default=3, help="runs of a short fit")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path("build/peers"),
                        help="folder for the certified optima")  # fmt: skip
    parser.add_argument("--markdown", type=Path, help="write the tables there, not to stdout")
    parser.add_argument("--figure", help="write suboptimality against seconds there")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for, write tables and figure."""
    options = _parse(arguments)
    limits = Limits(options.budget, options.repeats, options.threads)
    limit_threads(limits.threads)
    solvers, missing = choose_solvers(options.solver)
    problems = make_grid(
        options.loss, options.data, options.penalty, options.alpha, options.intercept
    )
    started = time.monotonic()
    cells, references, no_data = run(problems, solvers, limits, options.cache)
    skipped = missing + [f"{name} in {data_folder()}" for name in no_data]
    if not cells:
        sys.exit("nothing to measure: " + (", ".join(skipped) or "no solver suits") + " missing")
    text = document(cells, references, skipped, limits)
    if options.markdown is None:
        print(text)
    else:
        options.markdown.write_text(text)
    if options.figure is not None:
        draw(cells, options.figure)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{len(cells)} cells in {time.monotonic() - started:.0f} s, "
        f"{used.ru_utime + used.ru_stime:.0f} CPU seconds of them measuring",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
