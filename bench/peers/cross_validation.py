"""What a search over ten penalties and five folds costs, in fits of its dearest penalty.

    python -m bench.peers.cross_validation [--tol 1e-4] [--n-jobs 1]
        [--search logistic ridge lasso elastic-net] [--data news20 a9a]

prints, per search and data set, the seconds of the search (ten penalties, cv = 5), those of the
dearest and the cheapest single fit of its penalties on all samples, and the ratio of the search to
the dearest fit. Labels serve as targets of least squares. Best of three; with --n-jobs 1
everything runs on one thread, and seconds are those of its processor.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from bench.peers.data import Dataset, load_dataset
from finitesum import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
)

_REPEATS = 3
_DATA = {
    "logistic": ["news20", "a9a"],
    "ridge": ["a9a", "protein", "bike"],
    "lasso": ["a9a", "protein", "bike"],
    "elastic-net": ["a9a", "protein", "bike"],
}


def seconds(estimator: Any, data: Dataset, clock: Callable[[], float]) -> float:
    """Seconds of a fit, the best of three."""
    taken = []
    for _ in range(_REPEATS):
        start = clock()
        estimator.fit(data.X, data.y)
        taken.append(clock() - start)
    return min(taken)


def largest_alpha(data: Dataset) -> float:
    """From where on all of the lasso's coefficients are zero."""
    return float(np.abs(data.X.T @ (data.y - data.y.mean())).max() / len(data.y))


def estimators(search: str, data: Dataset, jobs: int, given: dict[str, Any]) -> tuple[Any, ...]:
    """Give the search, and the single fits of its penalties."""
    if search == "logistic":
        singles: list[Any] = [
            LogisticRegression(C=float(C), **given) for C in np.logspace(-4, 4, 10)
        ]
        return LogisticRegressionCV(cv=5, n_jobs=jobs, **given), singles
    if search == "ridge":
        alphas: NDArray[np.float64] = np.logspace(-3, 3, 10)
        singles = [Ridge(alpha=float(alpha), **given) for alpha in alphas]
        return RidgeCV(alphas=alphas, cv=5, n_jobs=jobs, **given), singles
    ratio = 1.0 if search == "lasso" else 0.5
    alphas = largest_alpha(data) / ratio * np.logspace(0, -3, 10)
    if search == "lasso":
        singles = [Lasso(alpha=float(alpha), **given) for alpha in alphas]
        return LassoCV(alphas=alphas, cv=5, n_jobs=jobs, **given), singles
    singles = [ElasticNet(alpha=float(alpha), l1_ratio=ratio, **given) for alpha in alphas]
    return ElasticNetCV(l1_ratio=ratio, alphas=alphas, cv=5, n_jobs=jobs, **given), singles


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--search", nargs="+", choices=_DATA, default=list(_DATA))
    parser.add_argument("--data", nargs="+")
    parser.add_argument("--tol", type=float, default=1e-4)
    parser.add_argument("--n-jobs", type=int, default=1)
    arguments = parser.parse_args()
    clock = time.process_time if arguments.n_jobs == 1 else time.perf_counter
    given = {"tol": arguments.tol, "random_state": 0, "n_threads": 1, "max_iter": 5000}
    print("| search | data | search, s | dearest fit, s | cheapest fit, s | search / dearest fit |")
    print("|---|---|--:|--:|--:|--:|")
    warnings.simplefilter("ignore", ConvergenceWarning)
    for search in arguments.search:
        for name in arguments.data or _DATA[search]:
            data = load_dataset(name, np.float64)
            if search != "logistic":
                data = Dataset(name, data.X, np.asarray(data.y, dtype=np.float64))
            whole, singles = estimators(search, data, arguments.n_jobs, given)
            single = [seconds(model, data, clock) for model in singles]
            taken = seconds(whole, data, clock)
            row = (taken, max(single), min(single), taken / max(single))
            print(
                f"| {search} | {name} | " + " | ".join(f"{v:.3g}" for v in row) + " |", flush=True
            )


if __name__ == "__main__":
    main()
