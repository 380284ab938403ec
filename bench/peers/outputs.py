"""One epoch of all classes one against the rest: side by side, and one after the other.

    python -m bench.peers.outputs [--repeats 5] [--data mnist_dense]

`LinearSVC` on one thread. An epoch's CPU time is the difference of two fits that differ in max_iter
alone, over the number of epochs between them. The two kinds of fit take turns; the table shows
medians.
"""

import argparse
import os
import time
import warnings
from statistics import median
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from bench.peers import data
from finitesum import LinearSVC, _core

FEWER, MORE = 2, 5


def news20() -> tuple[Any, Any]:
    """Twenty news groups: X sparse, class labels."""
    X = sp.csr_array(sp.load_npz(data.data_folder() / "news20" / "X.npz"))
    with np.load(data.data_folder() / "news20" / "y.npz") as arrays:
        return X, arrays["y"]


def mnist_dense() -> tuple[Any, Any]:
    """Ten digits: X dense, class labels."""
    images, labels = data.mnist()
    return images.astype(np.float32) / 255, labels


def mnist() -> tuple[Any, Any]:
    """Ten digits: X sparse, class labels."""
    X, y = mnist_dense()
    return sp.csr_array(X), y


LOADERS = (news20, mnist, mnist_dense)


def seconds_per_epoch(solver: str, X: Any, targets: list[Any]) -> float:
    """Fit each of the targets for fewer and for more epochs; divide the difference of CPU time."""
    seconds = []
    for max_iter in (FEWER, MORE):
        model = LinearSVC(
            C=0.1, solver=solver, sampling="uniform", tol=0, max_iter=max_iter,
            check_interval=max_iter, random_state=0,
        )  # fmt: skip
        started = time.process_time()
        for y in targets:
            model.fit(X, y)
        seconds.append(time.process_time() - started)
    return (seconds[1] - seconds[0]) / (MORE - FEWER)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Several classes side by side.")
    parser.add_argument("--repeats", type=int, default=5, help="of each pair of fits")
    parser.add_argument("--data", choices=[load.__name__ for load in LOADERS], help="default: all")
    arguments = parser.parse_args()
    repeats = arguments.repeats
    print(f"kernels: {_core.isa()}, load average at the start: {os.getloadavg()[0]:.1f}\n")
    print(
        "| data | classes | solver | apart, ms | together, ms | ratio |\n|---|--:|---|--:|--:|--:|"
    )
    warnings.simplefilter("ignore", ConvergenceWarning)  # tol=0 asks for it
    for load in LOADERS:
        if arguments.data not in (None, load.__name__):
            continue
        X, y = load()
        classes = np.unique(y)
        kinds = [[np.where(y == label, 1, -1) for label in classes], [y]]
        for solver in ("sag", "saga", "svrg"):
            times = [[seconds_per_epoch(solver, X, kind) for kind in kinds] for _ in range(repeats)]
            apart, together = (1e3 * median(column) for column in zip(*times, strict=True))
            print(
                f"| {load.__name__} | {len(classes)} | {solver} | {apart:.1f} | {together:.1f} "
                f"| {together / apart:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
