"""One SAG epoch of finitesum beside scikit-learn's, the price of certificates, SGD and AdaGrad.

    python -m bench.peers.epoch [--repeats 7] [--epochs 10]

Logistic regression with L2 penalty 1/n, both libraries on one thread, in CPU time, which other work
on the machine hardly changes. An epoch's time is the difference of two fits that differ in max_iter
alone, over the number of epochs between them, so that validation and set-up do not count; a fit of
one epoch comes first, since the library that takes its turn finds the caches and the memory as the
other one has left them. The kinds of fit take turns; the tables show medians.
"""

import argparse
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.linear_model import SGDClassifier as SklearnSGDClassifier
from threadpoolctl import threadpool_limits

import finitesum
from bench.peers.data import Dataset, data_folder, load_dataset
from bench.peers.measure import cpu_seconds
from finitesum import _core

FIRST_EPOCHS = 2  # the core checks the first and the last epoch in any case: both fits have these
CHECK_TARGET = 1.40  # an epoch with its check, over one without

MakeModel = Callable[[int], Any]


@dataclass(frozen=True)
class Task:
    """A data set and the largest ratio to scikit-learn's epoch that is aimed for."""

    name: str
    dtype: type[np.floating[Any]]
    target: float


TASKS = (
    Task("news20", np.float64, 0.45),
    Task("a9a", np.float64, 0.50),
    Task("protein", np.float32, 0.25),
)


CONSTANT: dict[str, Any] = {"learning_rate": "constant", "eta0": 0.05}
ADAGRAD_TARGET = 1.30  # an epoch of AdaGrad over one of plain SGD, on news20
SGD_TARGET = 0.50  # SGDClassifier's epoch over scikit-learn's, logistic loss, on news20


def scikit_learn_sgd(max_iter: int) -> Any:
    """Make scikit-learn's SGD, which adds up the objective as finitesum's does."""
    return _sgd(SklearnSGDClassifier, max_iter)


def finitesum_sgd(max_iter: int) -> Any:
    """Make finitesum's SGD."""
    return _sgd(finitesum.SGDClassifier, max_iter)


def plain_steps(max_iter: int) -> Any:
    """Make finitesum's SGD without a penalty, for AdaGrad to compare with."""
    return _sgd(finitesum.SGDClassifier, max_iter, penalty=None, **CONSTANT)


def adagrad_steps(max_iter: int) -> Any:
    """Make the same with AdaGrad's steps."""
    return _sgd(finitesum.SGDClassifier, max_iter, penalty=None, optimizer="adagrad", **CONSTANT)


def plain_l1_steps(max_iter: int) -> Any:
    """Make finitesum's SGD with an L1 penalty, for AdaGrad to compare with."""
    return _sgd(finitesum.SGDClassifier, max_iter, penalty="l1", **CONSTANT)


def adagrad_l1_steps(max_iter: int) -> Any:
    """Make the same with AdaGrad's steps."""
    return _sgd(finitesum.SGDClassifier, max_iter, penalty="l1", optimizer="adagrad", **CONSTANT)


def _sgd(estimator: Any, max_iter: int, **options: Any) -> Any:
    return estimator("log_loss", alpha=1e-5, tol=None, max_iter=max_iter, random_state=0, **options)


def scikit_learn(max_iter: int) -> Any:
    """Make scikit-learn's SAG, as C = 1 and weights of one make alpha 1/n."""
    return SklearnLogisticRegression(solver="sag", tol=0, max_iter=max_iter, random_state=0)


def unchecked(max_iter: int) -> Any:
    """Make finitesum's SAG without certificates in between."""
    return _finitesum(max_iter, check_interval=max_iter)


def checked(max_iter: int) -> Any:
    """Make finitesum's SAG with a certificate after each epoch."""
    return _finitesum(max_iter, check_interval=1)


def _finitesum(max_iter: int, check_interval: int) -> Any:
    return finitesum.LogisticRegression(
        solver="sag",
        sampling="uniform",  # as scikit-learn
        tol=0,
        max_iter=max_iter,
        check_interval=check_interval,
        random_state=0,
    )


def seconds_per_epoch(make_model: MakeModel, data: Dataset, epochs: int) -> float:
    """Time a short and a long fit and divide the difference."""
    make_model(1).fit(data.X, data.y)
    seconds = []
    for max_iter in (FIRST_EPOCHS, FIRST_EPOCHS + epochs):
        model = make_model(max_iter)
        started = cpu_seconds()
        model.fit(data.X, data.y)
        seconds.append(cpu_seconds() - started)
        if np.max(model.n_iter_) != max_iter:
            raise RuntimeError(f"{model} stopped after {model.n_iter_} epochs")
    return (seconds[1] - seconds[0]) / epochs


def compare(
    data: Dataset, makers: tuple[MakeModel, ...], epochs: int, repeats: int
) -> tuple[float, ...]:
    """Medians of the seconds per epoch, by maker."""
    times: list[list[float]] = [[] for _ in makers]
    for _ in range(repeats):
        for make_model, seconds in zip(makers, times, strict=True):
            seconds.append(seconds_per_epoch(make_model, data, epochs))
    return tuple(median(seconds) for seconds in times)


def print_sag(epochs: int, repeats: int) -> None:
    """Print the table of SAG."""
    print(
        "\n| data | X | scikit-learn, ms | finitesum, ms | ns per entry | ratio | target "
        "| with checks | target |\n|---|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    for task in TASKS:
        try:
            data = load_dataset(task.name, task.dtype)
        except FileNotFoundError:
            print(f"| {task.name} | skipped: not in {data_folder()} |||||||")
            continue
        theirs, ours, ours_checked = compare(
            data, (scikit_learn, unchecked, checked), epochs, repeats
        )
        n, p = data.X.shape
        print(
            f"| {task.name} | {n} x {p} {np.dtype(task.dtype)} | {1e3 * theirs:.2f} "
            f"| {1e3 * ours:.2f} | {1e9 * ours / data.n_stored:.2f} | {ours / theirs:.2f} "
            f"| {task.target:.2f} | {ours_checked / ours:.2f} | {CHECK_TARGET:.2f} |",
            flush=True,
        )


def print_sgd(epochs: int, repeats: int) -> None:
    """Print the tables of stochastic gradient descent."""
    for heading, makers, target in (
        ("scikit-learn's SGD, ms | SGD, ms", (scikit_learn_sgd, finitesum_sgd), SGD_TARGET),
        ("SGD, no penalty, ms | AdaGrad, ms", (plain_steps, adagrad_steps), ADAGRAD_TARGET),
        ("SGD, L1, ms | AdaGrad, ms", (plain_l1_steps, adagrad_l1_steps), ADAGRAD_TARGET),
    ):
        print(f"\n| data | {heading} | ratio | target |\n|---|--:|--:|--:|--:|")
        for task in TASKS[:2]:
            try:
                data = load_dataset(task.name, task.dtype)
            except FileNotFoundError:
                continue
            one, other = compare(data, makers, epochs, repeats)
            print(
                f"| {task.name} | {1e3 * one:.2f} | {1e3 * other:.2f} | {other / one:.2f} "
                f"| {target:.2f} |",
                flush=True,
            )


METHODS = {"sag": print_sag, "sgd": print_sgd}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="One epoch beside scikit-learn's.")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--epochs", type=int, default=10, help="between the two fits of a pair")
    parser.add_argument("--repeats", type=int, default=7, help="of each pair")
    arguments = parser.parse_args()
    print(f"kernels: {_core.isa()}, load average at the start: {os.getloadavg()[0]:.1f}")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # tol=0 asks for it
        for method in arguments.methods:
            METHODS[method](arguments.epochs, arguments.repeats)


if __name__ == "__main__":
    main()
