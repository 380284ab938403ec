"""Tables and figures of cells (`measure.py`)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.peers.measure import CUT_OFF, TARGETS, Cell
from bench.peers.problems import Problem, Reference

OURS = "finitesum"
OTHER_OBJECTIVE = 1e-2  # a solver that never comes this close minimizes something else
_FLOOR = 1e-13  # of suboptimality in a figure: below is rounding


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], n_left: int) -> str:
    """A table whose first columns are aligned to the left, the others to the right."""
    rule = ["---"] * n_left + ["--:"] * (len(head) - n_left)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def geometric_mean(values: Sequence[float]) -> float:
    """Geometric mean; not a number where there are none."""
    return math.exp(float(np.mean(np.log(values)))) if values else math.nan


def _shown(seconds: float) -> str:
    return f"{seconds:.3g}" if math.isfinite(seconds) else "-"


def _of(problem: Problem, cells: Sequence[Cell]) -> dict[str, Cell]:
    return {cell.solver: cell for cell in cells if cell.problem == problem}


def _title(problem: Problem) -> list[str]:
    return [problem.data, problem.loss, problem.penalty, f"{problem.strength:g}"]


_TITLE = ["data", "loss", "penalty", "n alpha"]


def ratio_table(cells: Sequence[Cell], target: float, baseline: str) -> str:
    """One line per problem: the baseline beside the best solver of the other libraries."""
    rows, ratios, alone, missed = [], [], 0, 0
    for problem in dict.fromkeys(cell.problem for cell in cells):
        found = _of(problem, cells)
        others = {n: c.seconds_to(target) for n, c in found.items() if n.split()[0] != OURS}
        seconds = found[baseline].seconds_to(target) if baseline in found else math.inf
        best = min(others, key=others.__getitem__, default="")
        theirs = others.get(best, math.inf)
        ratio = "-"
        if math.isfinite(seconds) and math.isfinite(theirs):
            ratios.append(seconds / theirs)
            ratio = f"{ratios[-1]:.2f}"
        alone += math.isfinite(seconds) and not math.isfinite(theirs)
        missed += math.isfinite(theirs) and not math.isfinite(seconds)
        rows.append(
            [*_title(problem), _shown(seconds), _shown(theirs),
             best if math.isfinite(theirs) else "-", ratio]
        )  # fmt: skip
    head = [*_TITLE, f"{baseline}, s", "best other, s", "which", "ratio"]
    mean = f"Geometric mean of {len(ratios)} ratios: {geometric_mean(ratios):.2f}."
    counts = f"Within the budget reached only here: {alone}, only elsewhere: {missed}."
    return f"{markdown_table(head, rows, 4)}\n\n{mean} {counts}"


def seconds_tables(cells: Sequence[Cell]) -> str:
    """Per data set, loss and penalty: solvers below each other, a column per strength."""
    parts = []
    for data, loss, penalty in dict.fromkeys(_kind(cell.problem) for cell in cells):
        chosen = [cell for cell in cells if _kind(cell.problem) == (data, loss, penalty)]
        strengths = list(dict.fromkeys(cell.problem.strength for cell in chosen))
        times = {
            (cell.solver, cell.problem.strength): " / ".join(
                _shown(cell.seconds_to(target)) for target in TARGETS
            )
            for cell in chosen
        }
        rows = [
            [solver, *(times.get((solver, strength), "") for strength in strengths)]
            for solver in dict.fromkeys(cell.solver for cell in chosen)
        ]
        head = [f"{data}, {loss}, {penalty}", *(f"{strength:g}/n" for strength in strengths)]
        parts.append(markdown_table(head, rows, 1))
    return "\n\n".join(parts)


def _kind(problem: Problem) -> tuple[str, str, str]:
    return problem.data, problem.loss, problem.penalty


def remarks(cells: Sequence[Cell], references: dict[Problem, Reference]) -> list[str]:
    """What the tables do not say: errors, other objectives, weak references."""
    lines = []
    for solver in dict.fromkeys(cell.solver for cell in cells):
        of_solver = [cell for cell in cells if cell.solver == solver]
        for kind in dict.fromkeys((cell.problem.loss, cell.problem.penalty) for cell in of_solver):
            of_kind = [c for c in of_solver if (c.problem.loss, c.problem.penalty) == kind]
            tried = [cell for cell in of_kind if cell.rungs]
            if tried and all(math.isinf(cell.seconds_to(OTHER_OBJECTIVE)) for cell in tried):
                lines.append(f"{solver}, {' '.join(kind)}: other objective, 1e-2 never reached")
        for note in dict.fromkeys(cell.note for cell in of_solver):
            if note not in ("", CUT_OFF):
                count = sum(cell.note == note for cell in of_solver)
                lines.append(f"{solver}: {count} times {note}")
    for problem, reference in references.items():
        if reference.gap > TARGETS[-1] / 10 * reference.optimum:
            relative = reference.gap / reference.optimum
            lines.append(f"{problem}: the optimum is certified to {relative:.0e} only")
    return lines


def draw(cells: Sequence[Cell], path: str) -> None:
    """Write a figure: per problem, suboptimality against seconds, a curve per solver."""
    from matplotlib.figure import Figure  # optional: tables do without

    problems = list(dict.fromkeys(cell.problem for cell in cells))
    solvers = list(dict.fromkeys(cell.solver for cell in cells))
    columns = min(4, len(problems))
    lines = -(-len(problems) // columns)
    figure = Figure(figsize=(4 * columns, 3 * lines + 1), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    handles: dict[str, Any] = {}
    for panel, problem in zip(panels, problems, strict=False):
        for name, cell in _of(problem, cells).items():
            if not cell.rungs:
                continue
            curve = sorted((r.seconds, r.suboptimality) for r in cell.rungs)
            seconds, left = np.array(curve).T
            k = solvers.index(name)
            (handles[name],) = panel.loglog(
                seconds, np.maximum(np.minimum.accumulate(left), _FLOOR), marker=".", ms=4,
                color=f"C{k % 10}", ls=("-", "--", ":")[k // 10 % 3],
                lw=2 if name.startswith(OURS) else 1,
            )  # fmt: skip
        panel.set_title(str(problem), fontsize="small")
        panel.set_xlabel("seconds", fontsize="small")
    for panel in panels[len(problems) :]:
        panel.set_axis_off()
    figure.supylabel("(F - F*) / F*")
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=columns,
        fontsize="small",
    )
    figure.savefig(path, dpi=120)
