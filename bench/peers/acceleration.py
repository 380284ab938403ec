"""Passes and CPU seconds to a relative gap of 1e-6 with and without an outer loop, as Markdown.

    python -m bench.peers.acceleration [a9a protein covtype] [--passes 600] [--seed 0] [--unscaled]

Logistic regression with L2 penalty 0.01/n, so badly conditioned; columns of covtype and protein are
standardized. By default columns get steps of their own length where that seems to help, which mends
part of the conditioning; with --unscaled they do not. Solvers are checked after each epoch; a dash:
not within the passes.
"""

import argparse
import time
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import finitesum
from bench.peers.data import Dataset, data_folder, load_dataset

DATASETS = ("a9a", "protein", "covtype")
SOLVERS = ("sag", "saga", "svrg")
ACCELERATIONS = (None, "catalyst", "qning")
TOL = 1e-6


def run(
    data: Dataset,
    solver: str,
    acceleration: str | None,
    passes: int,
    unscaled: bool,
    **options: Any,
) -> str:
    """One cell of the table."""
    of_solver: dict[str, Any] = {} if acceleration is None else {"acceleration": acceleration}
    if unscaled and solver != "katyusha":
        of_solver["scale_columns"] = False
    begin = time.process_time()
    model = finitesum.LogisticRegression(
        C=100.0,
        solver=solver,
        solver_options=of_solver,
        tol=TOL,
        max_iter=passes,
        check_interval=1,
        callback=lambda check: check["passes"] >= passes,  # an epoch of SVRG is three
        **options,
    ).fit(data.X, data.y)
    seconds = time.process_time() - begin
    history = model.history_
    if not model.converged_:
        reached = history["gap"][-1] / model.null_objective_
        return f"- ({reached:.0e})"
    return f"{history['passes'][-1]:.0f} / {seconds:.2f} s"


def main() -> None:
    """Print one line per data set, solver and intercept."""
    parser = argparse.ArgumentParser(description="Outer loops beside their bases.")
    parser.add_argument("datasets", nargs="*", default=DATASETS)
    parser.add_argument("--passes", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unscaled", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # a dash says as much
    names = [acceleration or "base" for acceleration in ACCELERATIONS]
    print(f"| data | intercept | solver | {' | '.join(names)} |")
    print("|---|---|---|" + "--:|" * len(names))
    for name in arguments.datasets:
        try:
            data = load_dataset(name, np.float32)
        except FileNotFoundError:
            print(f"skipped: {name} is not in {data_folder()}")
            continue
        for fit_intercept in (True, False):
            for solver in (*SOLVERS, "katyusha"):  # which is svrg, accelerated from within
                kinds = (None,) if solver == "katyusha" else ACCELERATIONS
                cells = [
                    run(
                        data,
                        solver,
                        acceleration,
                        arguments.passes,
                        arguments.unscaled,
                        fit_intercept=fit_intercept,
                        random_state=arguments.seed,
                    )
                    for acceleration in kinds
                ]
                shown = "yes" if fit_intercept else "no"
                print(
                    f"| {name} | {shown} | {solver} | {' | '.join(cells)} |"
                    + " |" * (len(names) - len(cells)),
                    flush=True,
                )


if __name__ == "__main__":
    main()
