"""Objective minus optimum against effective passes over the data, one curve per method.

    python bench/peers/convergence.py protein|covtype|a9a [--passes 50] [--output FILE]

The experiment of N. Le Roux, M. Schmidt, F. Bach (NIPS 2012): logistic regression with L2 penalty
1/n and an intercept. A pass is n evaluations of a row's gradient; the line search's evaluations of
the loss alone do not count. The optimum is Newton's, certified.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier
from sklearn.utils.extmath import safe_sparse_dot

sys.path.append(str(Path(__file__).parents[2]))  # run as a file, Python knows its folder alone

import finitesum
from bench.peers.data import Dataset, data_folder, load_dataset

DATASETS = ("protein", "covtype", "a9a")
FLOOR = 1e-14  # of the null objective: below is rounding

OURS: dict[str, dict[str, Any]] = {
    "SAG, uniform": {"solver": "sag", "sampling": "uniform", "step_size": "1/L"},
    "SAG, line search": {"solver": "sag", "sampling": "uniform", "step_size": "line-search"},
    "SAG, by smoothness": {"solver": "sag", "sampling": "lipschitz"},
    "SAG, adaptive": {"solver": "sag", "sampling": "adaptive"},
    "SAGA": {"solver": "saga"},
    "SVRG": {"solver": "svrg"},
    "Katyusha": {"solver": "katyusha"},
}


@dataclass(frozen=True)
class Curve:
    """What a method reached after how many passes."""

    passes: NDArray[np.float64]
    objective: NDArray[np.float64]
    seconds: float


class Task:
    """F(w, b) = mean log(1 + exp(-y (X w + b))) + ||w||^2 / (2 n)."""

    def __init__(self, data: Dataset) -> None:
        self.X, self.y = data.X, data.y
        self.n, self.p = data.X.shape

    def evaluate(self, w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Objective and gradient in (w, b), the intercept last."""
        margin = self.y * (safe_sparse_dot(self.X, w[:-1]) + w[-1])
        value = np.logaddexp(0.0, -margin).mean() + w[:-1] @ w[:-1] / (2 * self.n)
        g = -self.y * expit(-margin) / self.n
        return float(value), np.append(safe_sparse_dot(self.X.T, g) + w[:-1] / self.n, g.sum())

    def objective(self, coef: NDArray[np.float64], intercept: float) -> float:
        """Objective alone."""
        return self.evaluate(np.append(coef.ravel(), intercept))[0]


def run_ours(task: Task, passes: int, options: dict[str, Any]) -> Curve:
    """One of this package's solvers, checked after each epoch."""
    model = finitesum.LogisticRegression(
        tol=0,
        max_iter=passes,
        check_interval=1,
        random_state=0,
        callback=lambda check: check["passes"] >= passes,  # an epoch of SVRG is three
        **options,
    ).fit(task.X, task.y)
    history = model.history_
    return Curve(history["passes"], history["objective"], float(history["seconds"][-1]))


def run_sgd(task: Task, passes: int) -> Curve:
    """scikit-learn's stochastic gradient with its decreasing step, iterates averaged."""
    model = SGDClassifier(loss="log_loss", alpha=1 / task.n, average=True, random_state=0)
    objective, seconds = [], 0.0
    for _ in range(passes):
        started = time.perf_counter()
        model.partial_fit(task.X, task.y, classes=[-1.0, 1.0])
        seconds += time.perf_counter() - started
        objective.append(task.objective(model.coef_, float(model.intercept_[0])))
    return Curve(np.arange(1.0, passes + 1), np.array(objective), seconds)


def run_lbfgs(task: Task, passes: int) -> Curve:
    """SciPy's L-BFGS; every evaluation is a pass, and the best so far counts."""
    values: list[float] = []

    def evaluate(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = task.evaluate(w)
        values.append(value)
        return value, gradient

    started = time.perf_counter()
    minimize(
        evaluate,
        np.zeros(task.p + 1),
        jac=True,
        method="L-BFGS-B",
        options={"maxfun": passes, "maxiter": passes, "ftol": 0.0, "gtol": 0.0},
    )
    seconds = time.perf_counter() - started
    return Curve(np.arange(1.0, len(values) + 1), np.minimum.accumulate(values), seconds)


def run_all(task: Task, passes: int) -> dict[str, Curve]:
    """Run every method that is available; say which are not."""
    methods: dict[str, Callable[[], Curve]] = {
        name: lambda options=options: run_ours(task, passes, options)  # type: ignore[misc]
        for name, options in OURS.items()
    }
    methods["SGD, averaged (scikit-learn)"] = lambda: run_sgd(task, passes)
    methods["L-BFGS (SciPy)"] = lambda: run_lbfgs(task, passes)
    curves = {}
    for name, run in methods.items():
        try:
            curves[name] = run()
        except ValueError as error:
            print(f"skipped: {name}: {error}")
    return curves


def print_table(curves: dict[str, Curve], optimum: float, passes: int) -> None:
    """Print what is left above the optimum at four points of the way."""
    marks = [max(1, passes * k // 10) for k in (1, 2, 5, 10)]
    print("| method | seconds | " + " | ".join(f"after {mark}" for mark in marks) + " |")
    print("|---|--:|" + "--:|" * len(marks))
    for name, curve in curves.items():
        last = np.searchsorted(curve.passes, marks, side="right") - 1
        gaps = [f"{curve.objective[k] - optimum:.1e}" if k >= 0 else "" for k in last]
        print(f"| {name} | {curve.seconds:.2f} | " + " | ".join(gaps) + " |")


def draw(curves: dict[str, Curve], optimum: float, floor: float, title: str, path: str) -> None:
    """Write the figure."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.semilogy(curve.passes, np.maximum(curve.objective - optimum, floor), label=name)
    axes.set(xlabel="effective passes", ylabel="objective minus optimum", title=title)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run the methods, print the table, write the figure."""
    parser = argparse.ArgumentParser(description="Convergence against effective passes.")
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("--passes", type=int, default=50)
    parser.add_argument("--output", help="figure; default convergence-<dataset>.png")
    arguments = parser.parse_args()
    try:
        data = load_dataset(arguments.dataset, np.float32)
    except FileNotFoundError:
        parser.exit(message=f"skipped: {arguments.dataset} is not in {data_folder()}\n")
    task = Task(data)
    exact = finitesum.LogisticRegression(solver="newton", tol=1e-13).fit(task.X, task.y)
    optimum, null = float(exact.objective_), float(exact.null_objective_)
    title = f"{data.name}: {task.n} x {task.p}, alpha = 1/n"
    certified = max(float(exact.dual_gap_), FLOOR * null)
    print(f"{title}; optimum {optimum:.12f}, certified to {certified:.0e}\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # tol=0 asks for it
        curves = run_all(task, arguments.passes)
    print_table(curves, optimum, arguments.passes)
    output = arguments.output or f"convergence-{arguments.dataset}.png"
    draw(curves, optimum, FLOOR * null, title, output)
    print(f"\nfigure: {output}")


if __name__ == "__main__":
    main()
