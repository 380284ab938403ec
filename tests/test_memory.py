"""How much a fit needs besides its data: the peak of a process that does nothing else."""

import json
import os
import subprocess
import sys

import pytest

WIDE, TALL, DENSE = (400_000, 2_000_000), (1_500_000, 1000), (1_500_000, 4)  # rows, columns
SLACK = 2_000_000  # bytes: pages, the allocator, the interpreter

MEASURE = """
import json
import sys
import numpy as np
from reference.problem import Problem, fit

solver, sampling, loss, kind, rows, columns = *sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6])
rng = np.random.default_rng(0)
row_scale = rng.lognormal(0, 1.5, size=rows) if "uneven" in kind else np.ones(rows)
column_scale = 1000 ** rng.random(columns) if "uneven" in kind else np.ones(columns)
if "dense" in kind:
    X = row_scale[:, None] * (np.sign(rng.normal(size=(rows, columns))) * column_scale)
    small = X[:2]
else:
    indices = rng.integers(0, columns, size=2 * rows, dtype=np.int32)
    values = np.repeat(row_scale, 2) * column_scale[indices]
    X = (values, indices, np.arange(0, 2 * rows + 1, 2, dtype=np.int64), columns)
    small = (np.ones(2), np.zeros(2, np.int32), np.arange(3, dtype=np.int64), 1)
s = np.ones(rows)
if loss == "logistic":
    y, few = np.packbits(rng.random(rows) < 0.5), np.array([1], np.uint8)
else:
    y, few = rng.normal(size=rows), np.zeros(2)


def status(field):
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


options = {"solver": solver, "sampling": sampling, "max_iter": 2, "tol": 0.0}
options["solver_options"] = json.loads(sys.argv[7])
fit(Problem(None, few, s[:2], loss, alpha=1e-6), small, **options)  # loaded once: not counted
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak starts again from here
before = status("VmRSS")
result = fit(Problem(None, y, s, loss, alpha=1e-6), X, **options)
print(status("VmHWM") - before, result["sampling"])
"""


def peak_bytes(
    solver, shape, *, sampling="auto", loss="squared", kind="even", expected=None, **options
):
    """`expected`: the sampling that it should have come to."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("needs /proc/self/clear_refs to measure a peak")
    finished = subprocess.run(
        [
            *[sys.executable, "-c", MEASURE, solver, sampling, loss, kind],
            *[str(size) for size in shape],
            json.dumps(options),
        ],
        cwd=os.path.dirname(__file__),
        # What is freed goes back to the system, and none of it is used again unseen.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"},
        capture_output=True,
        text=True,
        check=True,
    )
    peak, used = finished.stdout.split()
    assert expected in (None, used)
    return int(peak)


# Per row, per column; eight bytes of each column are the result.
BUDGETS = {
    ("sag", "uniform", WIDE): (8, 16 + 8),
    ("saga", "uniform", WIDE): (8, 16 + 8),
    ("svrg", "uniform", WIDE): (8, 16 + 8 + 16),  # it can go back to its last anchor but one
    ("katyusha", "uniform", WIDE): (8, 32 + 8),
    # To draw by smoothness, also while that is prepared and reported.
    ("sag", "lipschitz", TALL): (8 + 1.5, 16 + 8),
    ("sag", "adaptive", TALL): (8 + 1.5, 16 + 8),
    ("svrg", "lipschitz", TALL): (6 + 1.5, 16 + 8 + 16),
}


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize(("solver", "sampling", "shape"), BUDGETS)
def test_peak_memory(solver, sampling, shape, loss):
    """The labels of a classifier, one bit per row, are not counted."""
    per_row, per_column = BUDGETS[solver, sampling, shape]
    rows, columns = shape
    options = {"sampling": sampling, "loss": loss}
    if solver != "katyusha":
        options["scale_columns"] = False
    peak = peak_bytes(solver, shape, **options)
    assert peak <= per_row * rows + per_column * columns + SLACK
    assert peak >= 6 * rows + 24 * columns - SLACK  # else the measurement is broken


@pytest.mark.parametrize("shape", [WIDE, DENSE, TALL])
@pytest.mark.parametrize(("kind", "loss"), [("uneven", "logistic"), ("even", "squared")])
@pytest.mark.parametrize("solver", ["sag", pytest.param("saga", marks=pytest.mark.slow), "svrg"])
def test_peak_memory_by_default(solver, kind, shape, loss):
    """16 bytes per row and 16 per column for a table and for whatever is chosen by itself, SVRG 8
    per row and columns of whatever size; the coefficients are not counted."""
    rows, columns = shape
    learns = {"sag": "adaptive", "saga": "adaptive", "svrg": "lipschitz"}[solver]
    peak = peak_bytes(
        solver, shape, loss=loss, kind=f"{kind} dense" if shape == DENSE else kind,
        expected=learns if kind == "uneven" else "uniform",
    ) - 8 * columns  # fmt: skip
    if solver == "svrg":
        assert peak <= 8 * rows + (16 + 16 + 16) * columns + SLACK
        assert peak >= 6 * rows + 24 * columns - SLACK
    else:
        assert peak <= 16 * (rows + columns) + SLACK
        assert peak >= (9.5 if kind == "uneven" else 8) * rows + 16 * columns - SLACK


def test_scaled_columns_of_sparse_data_take_a_byte():
    by_default, without = (
        peak_bytes("sag", WIDE, kind="uneven", **options)
        for options in ({}, {"scale_columns": False})
    )
    assert abs(by_default - without - WIDE[1]) <= SLACK / 2


@pytest.mark.parametrize(("iterate", "per_column"), [("last", 40), ("random", 40), ("average", 48)])
def test_peak_memory_of_svrg_without_stored_derivatives(iterate, per_column):
    """Nothing per row: it would be 3.2 MB."""
    options = {"iterate": iterate, "store_derivatives": False, "scale_columns": False}
    peak = peak_bytes("svrg", WIDE, sampling="uniform", **options)
    assert (per_column - 1) * WIDE[1] <= peak <= per_column * WIDE[1] + SLACK


def test_peak_memory_of_dual_coordinate_ascent():
    """Two numbers per row, its last gain, and the list of the rows to visit."""
    rows, columns = TALL
    peak = peak_bytes("sdca", TALL, sampling="uniform", loss="logistic")
    assert peak <= 28 * rows + 16 * columns + SLACK
    assert peak >= 28 * rows - SLACK
