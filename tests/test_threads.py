"""The same bits on any number of threads."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from finitesum import LogisticRegression, PoissonRegressor, Ridge, _core
from linear_data import solvers_of

SOLVERS = _core.solver_names()
ROWS, COLUMNS = 6000, 50  # more entries than a pass on one thread is left with
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, COLUMNS)).astype(np.float32)
X[:, 0] *= RNG.exponential(size=ROWS) ** 3  # rows of different smoothness
COEF = 0.1 * RNG.normal(size=COLUMNS)
LAYOUTS = {"dense": X, "sparse": sp.csr_array(np.where(np.arange(COLUMNS) % 9 == 8, 0, X))}
LABELS = X @ COEF + RNG.logistic(size=ROWS) > 0
COUNTS = RNG.poisson(np.exp(np.clip(X @ COEF, -3, 3)))
WEIGHT = RNG.integers(0, 3, size=ROWS)


def bits(model):
    history = [model.history_[key] for key in ("objective", "gap", "step_size", "passes")]
    return b"".join(
        np.asarray(each).tobytes()
        for each in (model.coef_, model.intercept_, model.dual_gap_, *history)
    )


FITS = {
    "l2": (LogisticRegression(C=0.01), LABELS),
    "elastic-net": (LogisticRegression(C=0.01, l1_ratio=0.5), LABELS),
    "no-penalty": (LogisticRegression(C=np.inf), LABELS),
    "poisson": (PoissonRegressor(alpha=0.1), COUNTS),
    "ridge": (Ridge(alpha=10.0), X @ COEF),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("name", "solver"), [(name, solver) for name in FITS for solver in solvers_of(FITS[name][0])]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_n_threads_does_not_show_in_the_result(name, layout, solver):
    estimator, target = FITS[name]
    if solver == "sdca" and getattr(estimator, "C", 1) == np.inf:
        pytest.skip("sdca needs a penalty")
    estimator.set_params(solver=solver, max_iter=3, tol=0.0, check_interval=1, random_state=0)
    results = {
        bits(estimator.set_params(n_threads=n).fit(LAYOUTS[layout], target, WEIGHT))
        for n in (1, 2, 3, None)
    }
    assert len(results) == 1


CLASSES = np.digitize(X @ COEF + RNG.logistic(size=ROWS), [-1.0, 1.0])
SEVERAL = {
    "multinomial": (LogisticRegression(C=0.01), CLASSES),
    "targets": (Ridge(alpha=10.0), np.column_stack([X @ COEF, X[:, 1] * X[:, 2]])),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("solver", ["sag", "saga", "svrg", "newton"])
@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_n_threads_does_not_show_in_several_outputs(name, solver, layout):
    estimator, target = SEVERAL[name]
    estimator.set_params(solver=solver, max_iter=3, tol=0.0, check_interval=1, random_state=0)
    results = set()
    for n in (1, 2, 3):
        model = estimator.set_params(n_threads=n).fit(LAYOUTS[layout], target, WEIGHT)
        parts = (model.coef_, model.intercept_, model.dual_gap_)
        results.add(b"".join(np.asarray(part).tobytes() for part in parts))
    assert len(results) == 1


PROGRAM = """
import hashlib
from test_threads import LABELS, LAYOUTS, SOLVERS, LogisticRegression, bits

found = hashlib.sha256()
for X in LAYOUTS.values():
    for solver in SOLVERS:
        model = LogisticRegression(solver=solver, tol=0.5, random_state=0).fit(X, LABELS)
        found.update(bits(model))
with open("/proc/self/status") as lines:
    threads = next(int(line.split()[1]) for line in lines if line.startswith("Threads"))
print(threads, found.hexdigest())
"""


def test_omp_num_threads_is_respected_and_does_not_show() -> None:
    if not os.path.exists("/proc/self/status"):
        pytest.skip("needs /proc/self/status to count threads")
    found = {}
    for n in ("1", "2", "3"):
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=os.path.dirname(__file__),
            env={**os.environ, "OMP_NUM_THREADS": n, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        threads, digest = finished.stdout.split()
        found[int(threads)] = digest
    first = min(found)
    assert sorted(found) == [first, first + 1, first + 2]
    assert len(set(found.values())) == 1


LIMITED = """
import joblib
from threadpoolctl import threadpool_limits
from test_threads import fitted_threads

with threadpool_limits(1):
    alone = fitted_threads()
with joblib.parallel_config("loky", inner_max_num_threads=1):
    of_workers = joblib.Parallel(2)(joblib.delayed(fitted_threads)() for _ in range(2))
print(alone, *of_workers, fitted_threads())
"""


def fitted_threads():
    """Threads that a fit adds to those of its process."""

    def count():
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("Threads"))

    before = count()
    LogisticRegression(solver="newton", tol=0.5).fit(X, LABELS)
    return count() - before


def test_limits_of_threadpoolctl_and_joblib_are_respected() -> None:
    if not os.path.exists("/proc/self/status"):
        pytest.skip("needs /proc/self/status to count threads")
    finished = subprocess.run(
        [sys.executable, "-c", LIMITED],
        cwd=os.path.dirname(__file__),
        env={**os.environ, "OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.split() == ["0", "0", "0", "2"]
