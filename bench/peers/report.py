"""Tables and figures of cells (`measure.py`)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import numpy as np

from bench.peers.measure import CUT_OFF, TARGETS, Cell
from bench.peers.problems import Problem, Reference

OURS = "finitesum"
BASELINE = "finitesum auto"
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


@dataclass(frozen=True)
class Comparison:
    """Seconds to a target on a problem, ours and the best other's; infinite where none arrived."""

    problem: Problem
    target: float
    seconds: float
    theirs: float
    which: str

    @property
    def ratio(self) -> float:
        """Ours over theirs; infinite where only they arrived, not a number without them."""
        return self.seconds / self.theirs if math.isfinite(self.theirs) else math.nan

    def __str__(self) -> str:
        if not math.isfinite(self.theirs):
            return f"{_shown(self.seconds)} / -" + (
                ": alone" if math.isfinite(self.seconds) else ""
            )
        shown = f"{_shown(self.seconds)} / {_shown(self.theirs)} ({self.which})"
        return f"{shown}: {self.ratio:.2f}" if math.isfinite(self.ratio) else shown


def compare(
    cells: Sequence[Cell], target: float, others: Sequence[str] = ("*",), baseline: str = BASELINE
) -> list[Comparison]:
    """Compare the baseline with the best solver of the other libraries that fits a pattern."""
    found = []
    for problem in dict.fromkeys(cell.problem for cell in cells):
        seconds = {name: cell.seconds_to(target) for name, cell in _of(problem, cells).items()}
        theirs = {
            name: time
            for name, time in seconds.items()
            if name.split()[0] != OURS and any(fnmatch(name, pattern) for pattern in others)
        }
        best = min(theirs, key=theirs.__getitem__, default="")
        found.append(
            Comparison(problem, target, seconds.get(baseline, math.inf),
                       theirs.get(best, math.inf), best)
        )  # fmt: skip
    return found


def summary_table(cells: Sequence[Cell]) -> str:
    """One line per problem, a column per target: ours / the best other (which): their ratio."""
    columns = [compare(cells, target) for target in TARGETS]
    rows = [[*_title(line[0].problem), *map(str, line)] for line in zip(*columns, strict=True)]
    head = [*_TITLE, *(f"{target:.0e}" for target in TARGETS)]
    return markdown_table(head, rows, len(head))


@dataclass(frozen=True)
class Aim:
    """The ratio that is aimed at over some problems, in the geometric mean and in each of them."""

    losses: tuple[str, ...]
    penalties: tuple[str, ...]
    others: tuple[str, ...]  # patterns
    mean: float
    each: float = math.inf

    def __str__(self) -> str:
        libraries = "the best other" if self.others == ("*",) else " and ".join(self.others)
        return f"{' and '.join(self.losses)}, {' and '.join(self.penalties)}, over {libraries}"

    def compare(self, cells: Sequence[Cell], target: float) -> list[Comparison]:
        """Ratios of the problems it is about."""
        meant = [
            cell
            for cell in cells
            if cell.problem.loss in self.losses and cell.problem.penalty in self.penalties
        ]
        return compare(meant, target, self.others)


AIMED_AT = 1e-6  # the target that the aims are about
AIMS = (
    Aim(("logistic",), ("l2",), ("*",), 0.5, 1.0),
    Aim(("logistic", "squared"), ("l1",), ("celer *", "skglm *"), 0.7),
    Aim(("multinomial",), ("l2",), ("scikit-learn saga",), 0.3),
    Aim(("multinomial",), ("l2",), ("scikit-learn lbfgs",), 0.8),
)


def aims_table(cells: Sequence[Cell]) -> str:
    """Geometric means of the ratios where both arrive, beside what is aimed at."""
    rows = []
    for aim in AIMS:
        columns = [aim.compare(cells, target) for target in TARGETS]
        if not any(math.isfinite(c.theirs) for column in columns for c in column):
            continue
        means = []
        for column in columns:
            ratios = [c.ratio for c in column if math.isfinite(c.ratio)]
            means.append(f"{geometric_mean(ratios):.2f} ({len(ratios)})" if ratios else "-")
        rows.append([str(aim), f"{aim.mean:g}", *means])
    head = ["geometric mean of ratios (how many)", "aim at 1e-06", *(f"{t:.0e}" for t in TARGETS)]
    return markdown_table(head, rows, 1) if rows else ""


def shortfalls(cells: Sequence[Cell]) -> list[str]:
    """Where the baseline is behind an aim: means, single problems; then all where it is slower."""
    lines = []
    for aim in AIMS:
        found = aim.compare(cells, AIMED_AT)
        ratios = [c.ratio for c in found if math.isfinite(c.ratio)]
        if ratios and geometric_mean(ratios) > aim.mean:
            lines.append(f"{aim}: {geometric_mean(ratios):.2f} in the mean, {aim.mean:g} aimed at")
        lines += [
            f"{c.problem}: {c} at {AIMED_AT:.0e}, at most {aim.each:g} aimed at"
            for c in found
            if c.ratio > aim.each
        ]
    for problem in dict.fromkeys(cell.problem for cell in cells):
        of_problem = [cell for cell in cells if cell.problem == problem]
        behind = [c for target in TARGETS for c in compare(of_problem, target) if c.ratio > 1.0]
        if behind:
            shown = ", ".join(f"{c} at {c.target:.0e}" for c in behind)
            lines.append(f"{problem}, slower than the best other: {shown}")
    return lines


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


def remarks(cells: Sequence[Cell], references: Mapping[Problem, Reference]) -> list[str]:
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
