"""How much a fit needs besides its data: the peak of a process that does nothing else."""

import os
import subprocess
import sys

import pytest

ROWS, COLUMNS = 400_000, 2_000_000
SLACK = 2_000_000  # bytes: pages, the allocator, the interpreter

MEASURE = """
import sys
import numpy as np
from reference.problem import Problem, fit

solver, rows, columns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
indices = rng.integers(0, columns, size=2 * rows, dtype=np.int32)
X = (np.ones(2 * rows), indices, np.arange(0, 2 * rows + 1, 2, dtype=np.int64), columns)
y, s = rng.normal(size=rows), np.ones(rows)


def status(field):
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


small = (np.ones(2), np.zeros(2, np.int32), np.arange(3, dtype=np.int64), 1)
options = {"solver": solver, "sampling": sys.argv[4], "max_iter": 2, "tol": 0.0}
fit(Problem(None, y[:2], s[:2]), small, **options)  # what is loaded once is not counted
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak starts again from here
before = status("VmRSS")
result = fit(Problem(None, y, s), X, **options)
print(status("VmHWM") - before)
"""


def peak_bytes(solver, sampling="uniform"):
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("needs /proc/self/clear_refs to measure a peak")
    finished = subprocess.run(
        [sys.executable, "-c", MEASURE, solver, str(ROWS), str(COLUMNS), sampling],
        cwd=os.path.dirname(__file__),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(finished.stdout)


# Per row, per column; eight bytes of each column are the result.
BUDGETS = {
    ("sag", "uniform"): (16, 16 + 8),
    ("saga", "uniform"): (16, 16 + 8),
    ("svrg", "uniform"): (8, 16 + 8 + 8),  # it can go back to its last anchor
    ("sag", "lipschitz"): (8 + 12 + 40, 16 + 8),  # 12 to draw; the rest to build the tables
}


@pytest.mark.parametrize(("solver", "sampling"), BUDGETS)
def test_peak_memory(solver, sampling):
    per_row, per_column = BUDGETS[solver, sampling]
    peak = peak_bytes(solver, sampling)
    assert peak <= per_row * ROWS + per_column * COLUMNS + SLACK
    assert peak >= 8 * ROWS + 24 * COLUMNS - SLACK  # else the measurement is broken
