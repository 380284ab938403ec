"""``finitesum demo``: every solver on bundled data, certificates checked against scikit-learn."""

import argparse
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import linear_model, svm
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import finitesum
from finitesum import _core
from finitesum.linear._solve import Problem

# Rounding in the two objectives that are compared, relative to the null model's.
_SLACK = 1e-9

_HEADER: tuple[str, ...] = (
    "data",
    "estimator",
    "solver",
    "stopped by",
    "epochs",
    "seconds",
    "objective",
    "certified gap",
    "score",
    "to optimum",
    "certificate",
)


@dataclass(frozen=True)
class Data:
    """A data set, split into a training and a test part."""

    name: str
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    X_test: NDArray[np.float64]
    y_test: NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """An estimator, scikit-learn's class of the same optimum run tight, and their objective."""

    data: Data
    name: str
    estimator: Any
    reference: Any
    problem: Problem


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("demo", help="every solver on bundled data, certificates checked")
    parser.add_argument(
        "--tol", type=float, default=1e-4, help="relative duality gap asked for (default 1e-4)"
    )
    parser.add_argument("--max-iter", type=int, default=1000, help="epochs at most (default 1000)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Fit everything and print one table.

    Returns
    -------
    int
        Exit status, 1 if a certificate is false.
    """
    rows = [_HEADER]
    for task in _tasks():
        optimum = _objective(task, _quietly_fitted(task.reference, task.data))
        for solver in _core.solver_names():
            estimator = clone(task.estimator).set_params(
                solver=solver, tol=arguments.tol, max_iter=arguments.max_iter, random_state=0
            )
            rows.append(_row(task, estimator, optimum))
    _print_table(rows)
    n_false = sum(row[-1] == "FALSE" for row in rows)
    print(
        "\ncertified gap: duality gap over the null model's objective, which tol "
        f"({arguments.tol:g}) bounds.\n"
        "to optimum: objective minus that of scikit-learn's class at a tight tolerance, over the "
        "null model's objective; negative where scikit-learn's is the larger.\n"
        f"certificate: holds if the gap is no smaller than that distance. False ones: {n_false}."
    )
    return 1 if n_false else 0


def _row(task: Task, estimator: Any, optimum: float) -> tuple[str, ...]:
    started = time.perf_counter()
    try:
        _quietly_fitted(estimator, task.data)
    except ValueError as refusal:
        return (task.data.name, task.name, estimator.solver, f"refused: {refusal}", *[""] * 7)
    seconds = time.perf_counter() - started
    objective = _objective(task, estimator)
    distance = (objective - optimum) / estimator.null_objective_
    gap = float(estimator.relative_gap_)
    verdict = "holds" if distance <= gap + _SLACK else "FALSE"
    return (
        task.data.name,
        task.name,
        estimator.solver_,
        estimator.stopping_,
        str(int(np.max(estimator.n_iter_))),
        f"{seconds:.3f}",
        f"{objective:.8g}",
        f"{gap:.1e}",
        f"{estimator.score(task.data.X_test, task.data.y_test):.4f}",
        f"{distance:+.1e}",
        verdict if math.isfinite(gap) else "none",
    )


def _quietly_fitted(estimator: Any, data: Data) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the table says so
        return estimator.fit(data.X, data.y)


def _objective(task: Task, model: Any) -> float:
    """Objective of any fitted linear model, of this package or not."""
    problem = task.problem
    coef, intercept = np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])
    losses = _core.loss_value(
        problem.loss, problem.loss_parameter, task.data.X @ coef + intercept, task.data.y
    )
    penalties = _core.penalty_value("elastic_net", problem.alpha, problem.l1_ratio, coef)
    return float(losses.mean() + penalties.sum())


def _tasks() -> Iterator[Task]:
    cancer, cancer_labels = load_breast_cancer(return_X_y=True)
    yield from _classification(
        _split("cancer", cancer, 2.0 * cancer_labels - 1.0, scale=False), l1=False
    )
    yield from _classification(
        _split("cancer scaled", cancer, 2.0 * cancer_labels - 1.0, scale=True), l1=True
    )
    digits, numbers = load_digits(return_X_y=True)
    yield from _classification(
        _split("digits even", digits / 16.0, 1.0 - 2.0 * (numbers % 2), scale=False), l1=False
    )
    yield from _regression(_split("diabetes", *load_diabetes(return_X_y=True), scale=False))


def _split(name: str, X: NDArray[np.float64], y: NDArray[np.float64], *, scale: bool) -> Data:
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
    if scale:
        scaler = StandardScaler().fit(X_train)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    return Data(name, X_train, y_train, X_test, y_test)


def _classification(data: Data, *, l1: bool) -> Iterator[Task]:
    n = len(data.y)
    yield Task(
        data,
        "LogisticRegression",
        finitesum.LogisticRegression(),
        linear_model.LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000),
        Problem("logistic", 1.0 / n),
    )
    if l1:
        yield Task(
            data,
            "LogisticRegression L1",
            finitesum.LogisticRegression(l1_ratio=1.0),
            linear_model.LogisticRegression(
                l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=100000, random_state=0
            ),
            Problem("logistic", 1.0 / n, 1.0),
        )
        yield Task(
            data,
            "LinearSVC",
            finitesum.LinearSVC(),
            svm.LinearSVC(dual=False, tol=1e-10, max_iter=10000),
            Problem("squared_hinge", 1.0 / n),
        )


def _regression(data: Data) -> Iterator[Task]:
    n = len(data.y)
    yield Task(
        data,
        "Ridge",
        finitesum.Ridge(alpha=0.1),
        linear_model.Ridge(alpha=0.1, solver="cholesky"),
        Problem("squared", 0.1 / n),
    )
    yield Task(
        data,
        "Lasso",
        finitesum.Lasso(alpha=0.1),
        linear_model.Lasso(alpha=0.1, tol=1e-12, max_iter=100000),
        Problem("squared", 0.1, 1.0),
    )
    yield Task(
        data,
        "PoissonRegressor",
        finitesum.PoissonRegressor(alpha=1e-3),
        linear_model.PoissonRegressor(
            alpha=1e-3, solver="newton-cholesky", tol=1e-10, max_iter=1000
        ),
        Problem("poisson", 1e-3),
    )


def _print_table(rows: list[tuple[str, ...]]) -> None:
    """Print with the columns aligned: text to the left, numbers to the right."""
    complete = [row for row in rows if row[-1]]
    widths = [max(len(row[k]) for row in complete) for k in range(len(_HEADER))]
    for row in rows:
        cells = [
            cell.ljust(width) if k < 4 or k == len(_HEADER) - 1 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
