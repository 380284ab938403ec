"""Seconds to accuracy of solvers that take a tolerance and return coefficients.

A solver climbs a ladder: it fits the problem with tol = 1, 0.1, ... from scratch, until it has
reached the last target or its budget is spent. Each rung is the best of a few runs, each from data
in memory to coefficients; the time to a target is that of the fastest rung below it.

Each pair of solver and data set has a process of its own, started afresh after a cell that was cut
off. Imports, reading the data and, before each problem, one fit of a few rows are not timed: they
compile what is compiled late. On one thread seconds, those of the budget too, are CPU seconds of
the process, so that what else runs on the machine counts little; on several they are seconds of the
clock.
"""

import math
import multiprocessing
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bench.peers.data import Dataset, load_dataset
from bench.peers.libraries import Solver, find_solver
from bench.peers.problems import Problem, objective

TARGETS = (1e-2, 1e-4, 1e-6, 1e-8)  # of (F - F*) / F*
TOLERANCES = tuple(10.0**-k for k in range(15))
_WARM_UP = 60.0  # seconds of the fit of a few rows, which compiles
_PATIENCE = 3600.0  # seconds of the clock until a silent process is given up
CUT_OFF, DIED = "cut off", "the process died"
# Timers that end the process, within compiled code too: CPU seconds and seconds of the clock.
_CPU_TIMER, _CLOCK_TIMER = signal.ITIMER_PROF, signal.ITIMER_REAL
_TIMED_OUT = (-signal.SIGPROF, -signal.SIGALRM)


@dataclass(frozen=True)
class Limits:
    """Seconds per cell, runs per rung, threads."""

    budget: float = 4.0
    repeats: int = 3
    threads: int = 1


@dataclass(frozen=True)
class Rung:
    """One fit: its tolerance, its best time, and (F - F*) / F* of its coefficients."""

    tol: float
    seconds: float
    suboptimality: float


@dataclass(frozen=True)
class Cell:
    """What a solver did on a problem; the note says why it ended early, if it did."""

    solver: str
    problem: Problem
    rungs: tuple[Rung, ...]
    note: str = ""
    limits: Limits = Limits()

    def seconds_to(self, target: float) -> float:
        """Time of the fastest rung that reached the target; infinite if none did."""
        return min((r.seconds for r in self.rungs if r.suboptimality <= target), default=math.inf)


def cpu_seconds() -> float:
    # time.process_time moves in ticks of the kernel's while a timer of CPU seconds runs
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def climb(
    solver: Solver, problem: Problem, data: Dataset, optimum: float, limits: Limits
) -> Iterator[Rung]:
    """Fit with smaller and smaller tolerances, until the last target is reached."""
    clock = cpu_seconds if limits.threads == 1 else time.perf_counter
    for tol in TOLERANCES:
        seconds: list[float] = []
        while len(seconds) < limits.repeats and sum(seconds) <= limits.budget / 20.0:
            started = clock()
            found = solver.fit(problem, data, tol, limits.threads)
            seconds.append(clock() - started)
        with np.errstate(all="ignore"):  # of coefficients that are not finite
            value = objective(problem, data, *found)
        left = (value - optimum) / optimum if math.isfinite(value) else math.inf
        yield Rung(tol, min(seconds), left)
        if left <= TARGETS[-1]:
            return


def few_rows(data: Dataset) -> Dataset:
    """Some rows of each class."""
    labels = np.unique(data.y)[:20]
    rows: NDArray[np.intp] = np.concatenate(
        [np.flatnonzero(data.y == label)[:20] for label in labels]
    )
    return Dataset(data.name, data.X[rows], data.y[rows])


def _serve(
    connection: Connection,
    name: str,
    problems: list[Problem],
    optima: list[float],
    limits: Limits,
) -> None:
    """Climb the ladders of one solver on one data set; send each rung, None after a ladder."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # some libraries print
    os.dup2(silence, 2)
    warnings.simplefilter("ignore")
    solver, data = find_solver(name), load_dataset(problems[0].data, np.float64)
    timer = _CPU_TIMER if limits.threads == 1 else _CLOCK_TIMER
    with threadpool_limits(limits.threads):
        for problem, optimum in zip(problems, optima, strict=True):
            try:
                signal.setitimer(timer, _WARM_UP)  # some never end on so few rows
                solver.fit(problem, few_rows(data), 0.1, limits.threads)
                signal.setitimer(timer, limits.budget)
                for rung in climb(solver, problem, data, optimum, limits):
                    connection.send(rung)
                signal.setitimer(timer, 0.0)
                connection.send(None)
            except Exception as error:  # whatever a library raises is its result
                signal.setitimer(timer, 0.0)
                connection.send(f"{type(error).__name__}: {error}")


class _Worker:
    """A process that climbs the ladders of one solver on one data set."""

    def __init__(
        self, solver: str, problems: list[Problem], optima: list[float], limits: Limits
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_serve, args=(theirs, solver, problems, optima, limits), daemon=True
        )
        self._process.start()
        theirs.close()

    def receive(self) -> Any:
        """Give the next message; EOFError if the process has ended."""
        if not self._connection.poll(_PATIENCE):
            raise EOFError
        return self._connection.recv()

    def end(self) -> bool:
        """End the process; whether its timer had done so."""
        self._process.join(1.0)  # it has ended, or is idle
        self._process.kill()
        self._process.join()
        self._connection.close()
        return self._process.exitcode in _TIMED_OUT


def follow(receive: Callable[[], Any]) -> tuple[list[Rung], str | None]:
    """Collect the rungs of one ladder, and its error or ""; None if the process ended."""
    rungs: list[Rung] = []
    while True:
        try:
            message = receive()
        except EOFError:
            return rungs, None
        if not isinstance(message, Rung):
            return rungs, message or ""
        rungs.append(message)


def measure(
    solver: str, problems: list[Problem], optima: list[float], limits: Limits
) -> Iterator[Cell]:
    """Measure a solver on problems of one data set, each with its optimum."""
    done = 0
    while done < len(problems):
        worker = _Worker(solver, problems[done:], optima[done:], limits)
        try:
            for problem in problems[done:]:
                rungs, error = follow(worker.receive)
                done += 1
                if error is None:
                    note = CUT_OFF if worker.end() else DIED
                    yield Cell(solver, problem, tuple(rungs), note, limits)
                    break
                yield Cell(solver, problem, tuple(rungs), error, limits)
        finally:
            worker.end()


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads(threads: int) -> None:
    """Have the libraries that later processes load start no more threads than these."""
    for prefix in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{prefix}_NUM_THREADS"] = str(threads)


def describe_machine() -> str:
    """Processor and Python, in a line."""
    processor = "unknown processor"
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if line[:10] == "model name"]
        processor = names[0] if names else processor
    version = ".".join(map(str, sys.version_info[:3]))
    return f"{processor}, {os.cpu_count()} cores, Python {version}"
