"""Log loss on held-out rows after one pass of stochastic gradient, beside scikit-learn's.

    python -m bench.peers.sgd [--data a9a news20] [--alpha 1e-4] [--seeds 5]

Both fit the official training split with log loss and L2, means over seeds. scikit-learn's
SGDClassifier may choose the best of five constant steps with the held-out rows in sight;
finitesum's settings are what they are for all data.
"""

import argparse
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import SGDClassifier as SklearnSGDClassifier
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

import finitesum
from bench.peers.data import data_folder, load_dataset

STEPS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_OWN_RATE = {"optimizer": "adamw", "learning_rate": "constant", "eta0": 1e-3}
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "default, average=True": {"average": True},
    "bottou": {"learning_rate": "bottou"},
    "bottou, average='weighted'": {"learning_rate": "bottou", "average": "weighted"},
    "dog, average='polynomial'": {"learning_rate": "dog", "average": "polynomial"},
    "adamw, its own rate": _OWN_RATE,
    "adamw, its own rate, average='weighted'": _OWN_RATE | {"average": "weighted"},
}
MOST_COLUMNS = 10_000  # for averages of rules, a pass over the columns per step

Split = tuple[Any, NDArray[np.float64], Any, NDArray[np.float64]]


def official_split(name: str) -> Split:
    """Give X and y to train with, and those held out."""
    data = load_dataset(name, np.float64)
    with np.load(data_folder() / name / "y.npz") as arrays:
        is_train = arrays["is_train"].astype(bool)
    return data.X[is_train], data.y[is_train], data.X[~is_train], data.y[~is_train]


def held_out_loss(estimator: Any, split: Split, seeds: int, **options: Any) -> float:
    """Mean over seeds of the log loss of the rows that one pass has not seen."""
    X, y, X_test, y_test = split
    losses = []
    for seed in range(seeds):
        model = estimator(loss="log_loss", max_iter=1, tol=None, random_state=seed, **options)
        losses.append(log_loss(y_test, model.fit(X, y).predict_proba(X_test)))
    return float(np.mean(losses))


def main() -> None:
    """Print a line for each setting."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["a9a", "news20"])
    parser.add_argument("--alpha", type=float, default=1e-4)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print("| data | setting | held-out log loss |\n|---|---|--:|")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scikit-learn's probabilities of the worst
        for name in arguments.data:
            split = official_split(name)
            common = {"alpha": arguments.alpha, "seeds": arguments.seeds}
            theirs = {
                step: held_out_loss(
                    SklearnSGDClassifier, split, learning_rate="constant", eta0=step, **common
                )
                for step in STEPS
            }
            best = min(theirs, key=theirs.__getitem__)
            print(f"| {name} | scikit-learn, constant {best:g} | {theirs[best]:.4f} |")
            default = held_out_loss(SklearnSGDClassifier, split, **common)
            print(f"| {name} | scikit-learn, default | {default:.4f} |")
            for setting, options in SETTINGS.items():
                if {"optimizer", "average"} <= options.keys() and split[0].shape[1] > MOST_COLUMNS:
                    print(f"| {name} | finitesum, {setting} | takes minutes |")
                    continue
                loss = held_out_loss(finitesum.SGDClassifier, split, **options, **common)
                print(f"| {name} | finitesum, {setting} | {loss:.4f} |", flush=True)


if __name__ == "__main__":
    main()
