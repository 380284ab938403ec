"""How much a fit needs besides its data: the peak of a process that does nothing else."""

import json
import os
import subprocess
import sys

import pytest

WIDE, TALL = (400_000, 2_000_000), (1_500_000, 1000)  # rows, columns
SLACK = 2_000_000  # bytes: pages, the allocator, the interpreter

MEASURE = """
import json
import sys
import numpy as np
from reference.problem import Problem, fit

solver, sampling, loss, rows, columns = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
rng = np.random.default_rng(0)
indices = rng.integers(0, columns, size=2 * rows, dtype=np.int32)
X = (np.ones(2 * rows), indices, np.arange(0, 2 * rows + 1, 2, dtype=np.int64), columns)
s = np.ones(rows)
if loss == "logistic":
    y, few = np.packbits(rng.random(rows) < 0.5), np.array([1], np.uint8)
else:
    y, few = rng.normal(size=rows), np.zeros(2)


def status(field):
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


small = (np.ones(2), np.zeros(2, np.int32), np.arange(3, dtype=np.int64), 1)
options = {"solver": solver, "sampling": sampling, "max_iter": 2, "tol": 0.0}
options["solver_options"] = json.loads(sys.argv[6])
fit(Problem(None, few, s[:2], loss), small, **options)  # what is loaded once is not counted
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak starts again from here
before = status("VmRSS")
result = fit(Problem(None, y, s, loss), X, **options)
print(status("VmHWM") - before)
"""


def peak_bytes(solver, sampling, loss, rows, columns, **solver_options):
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("needs /proc/self/clear_refs to measure a peak")
    options = json.dumps(solver_options)
    finished = subprocess.run(
        [
            *[sys.executable, "-c", MEASURE, solver, sampling, loss],
            *[str(rows), str(columns), options],
        ],
        cwd=os.path.dirname(__file__),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(finished.stdout)


# Per row, per column; eight bytes of each column are the result.
BUDGETS = {
    ("sag", "uniform", WIDE): (16, 16 + 8),
    ("saga", "uniform", WIDE): (16, 16 + 8),
    ("svrg", "uniform", WIDE): (8, 16 + 8 + 8),  # it can go back to its last anchor
    ("katyusha", "uniform", WIDE): (8, 32 + 8),
    # Six bytes to draw by smoothness, also while that is prepared and reported.
    ("sag", "lipschitz", TALL): (8 + 6, 16 + 8),
    ("sag", "adaptive", TALL): (8 + 6, 16 + 8),
    ("svrg", "lipschitz", TALL): (8 + 6, 16 + 8 + 8),
}


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize(("solver", "sampling", "shape"), BUDGETS)
def test_peak_memory(solver, sampling, shape, loss):
    """The labels of a classifier, one bit per row, are not counted."""
    per_row, per_column = BUDGETS[solver, sampling, shape]
    rows, columns = shape
    peak = peak_bytes(solver, sampling, loss, rows, columns)
    assert peak <= per_row * rows + per_column * columns + SLACK
    assert peak >= 8 * rows + 24 * columns - SLACK  # else the measurement is broken


@pytest.mark.parametrize(("iterate", "per_column"), [("last", 32), ("random", 32), ("average", 40)])
def test_peak_memory_of_svrg_without_stored_derivatives(iterate, per_column):
    """Nothing per row: it would be 3.2 MB."""
    options = {"iterate": iterate, "store_derivatives": False}
    peak = peak_bytes("svrg", "uniform", "squared", *WIDE, **options)
    assert (per_column - 1) * WIDE[1] <= peak <= per_column * WIDE[1] + SLACK


@pytest.mark.parametrize(("loss", "per_row"), [("logistic", 16), ("huber", 25)])
def test_peak_memory_of_dual_coordinate_ascent(loss, per_row):
    """Two numbers per row, and the rows that are left out where there may be such."""
    rows, columns = TALL
    peak = peak_bytes("sdca", "uniform", loss, rows, columns)
    assert peak <= per_row * rows + 16 * columns + SLACK
    assert peak >= per_row * rows - SLACK
