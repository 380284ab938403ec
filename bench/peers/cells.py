"""Cells in a file, a line of JSON each: what was measured stays there, not to be measured again."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.peers.measure import Cell, Limits, Rung
from bench.peers.problems import Problem, Reference


@dataclass(frozen=True)
class Record:
    """A cell, the optimum it was measured against, and what measured it."""

    cell: Cell
    reference: Reference
    package: str  # with its version
    machine: str
    load: float  # average of the last minute before its data set


class CellFile:
    """Records in memory, and in a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.records: list[Record] = []
        if path is not None and path.exists():
            self.records = [_record(json.loads(line)) for line in path.read_text().splitlines()]

    def add(self, record: Record) -> None:
        """Keep a record."""
        self.records.append(record)
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write(json.dumps(asdict(record)) + "\n")

    def unmeasured(self, solver: str, problems: Iterable[Problem], threads: int) -> list[Problem]:
        """Problems without a cell of this solver on so many threads."""
        measured = {
            record.cell.problem
            for record in self.records
            if record.cell.solver == solver and record.cell.limits.threads == threads
        }
        return [problem for problem in problems if problem not in measured]


def _record(line: dict[str, Any]) -> Record:
    cell = line.pop("cell")
    problem, limits = Problem(**cell.pop("problem")), Limits(**cell.pop("limits"))
    rungs = tuple(Rung(**rung) for rung in cell.pop("rungs"))
    return Record(
        Cell(problem=problem, limits=limits, rungs=rungs, **cell),
        Reference(**line.pop("reference")),
        **line,
    )
