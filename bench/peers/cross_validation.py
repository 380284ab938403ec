"""What a search over ten penalties and five folds costs, in fits of its weakest penalty.

    python -m bench.peers.cross_validation [--tol 1e-4] [--n-jobs 1] [--data news20 a9a]

prints, per data set, the seconds of `LogisticRegressionCV` (Cs = 10, cv = 5), those of the dearest
and the cheapest single fit of its Cs on all samples, and the ratio of the search to the dearest
fit. With --n-jobs 1 everything runs on one thread, and seconds are those of its processor.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from bench.peers.data import load_dataset
from finitesum import LogisticRegression, LogisticRegressionCV


def seconds(estimator: Any, X: Any, y: Any, clock: Callable[[], float]) -> float:
    """Seconds of a fit."""
    start = clock()
    estimator.fit(X, y)
    return clock() - start


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["news20", "a9a"])
    parser.add_argument("--tol", type=float, default=1e-4)
    parser.add_argument("--n-jobs", type=int, default=1)
    arguments = parser.parse_args()
    clock = time.process_time if arguments.n_jobs == 1 else time.perf_counter
    options = {"tol": arguments.tol, "random_state": 0, "n_threads": 1, "max_iter": 5000}
    print("| data | search, s | dearest fit, s | cheapest fit, s | search / dearest fit |")
    print("|---|--:|--:|--:|--:|")
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name in arguments.data:
        data = load_dataset(name, np.float64)
        single = [
            seconds(LogisticRegression(C=float(C), **options), data.X, data.y, clock)
            for C in np.logspace(-4, 4, 10)
        ]
        search = seconds(
            LogisticRegressionCV(cv=5, n_jobs=arguments.n_jobs, **options), data.X, data.y, clock
        )
        row = (search, max(single), min(single), search / max(single))
        print(f"| {name} | " + " | ".join(f"{value:.3g}" for value in row) + " |")


if __name__ == "__main__":
    main()
