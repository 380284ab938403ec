"""Test errors of networks regularized by L2, L1, max-norm, dropout and their combinations.

python docs/gallery/regularizers.py [FILE] [--quick]

The ordering of table 9 of N. Srivastava et al. (JMLR 15, 2014) on a small run: two hidden layers
of 256 ReLU units, 2000 digits, 40 epochs of Adam. The strength of each penalty is the one with the
fewest errors on 5000 other digits of the training set; the digits to test are then classified by
networks from three other seeds. The table's L2 with a Kullback-Leibler term for sparse activations
has no counterpart here.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from digits import Digits, command, load
from matplotlib.figure import Figure

from finitesum import MLPClassifier

SIZES, BATCH = (256, 256), 50
N_TRAIN, N_CHOOSE, EPOCHS, SEEDS = 2000, 5000, 40, (1, 2, 3)
DROPOUT: dict[str, Any] = {"dropout": 0.5, "input_dropout": 0.2}
L2 = [{"alpha": alpha} for alpha in (0.01, 0.1, 1.0)]
MAX_NORM = [{"max_norm": limit} for limit in (1.0, 2.0, 3.0)]


@dataclass(frozen=True)
class Method:
    """A row: options to choose among, and the source's errors in per cent."""

    name: str
    candidates: list[dict[str, Any]]
    claimed: float | None = None


METHODS = [
    Method("none", [{}]),
    Method("L2", L2, 1.62),
    Method("L2 + L1", [{"alpha": a, "l1_ratio": 0.1} for a in (0.01, 0.1, 1.0)], 1.60),
    Method("max-norm", MAX_NORM, 1.35),
    Method("dropout", [DROPOUT]),
    Method("dropout + L2", [{**DROPOUT, **each} for each in L2], 1.25),
    Method("dropout + max-norm", [{**DROPOUT, **each} for each in MAX_NORM], 1.05),
]


def error(digits: Digits, options: dict[str, Any], seed: int, epochs: int) -> float:
    """Per cent of the digits to test that a network gets wrong."""
    model = MLPClassifier(
        SIZES,
        **{"alpha": 0.0, **options},
        batch_size=BATCH,
        max_iter=epochs,
        n_iter_no_change=np.inf,
        schedule=lambda k: 1e-3 * max(0.02, 1 - k * BATCH / (epochs * len(digits.y))),
        weight_init="he_normal",
        random_state=seed,
        n_threads=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the number of epochs is what ends every fit
        model.fit(digits.X, digits.y)
    return 100.0 * (1.0 - float(model.score(digits.X_test, digits.y_test)))


def chosen(method: Method, digits: Digits, n_train: int, epochs: int) -> dict[str, Any]:
    """Options with the fewest errors on digits of the training set that are not learned."""
    n = n_train + N_CHOOSE
    split = Digits(digits.X[:n_train], digits.y[:n_train], digits.X[n_train:n], digits.y[n_train:n])
    if len(method.candidates) == 1:
        return method.candidates[0]
    return min(method.candidates, key=lambda options: error(split, options, 0, epochs))


def draw(quick: bool) -> Figure:
    """Choose, fit and test; print the table and draw its errors."""
    digits = load(quick)
    n_train, epochs, seeds = (300, 3, (1,)) if quick else (N_TRAIN, EPOCHS, SEEDS)
    print("| | chosen | test error, % | by seed | source, % |\n|---|---|--:|---|--:|")
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for method in METHODS:
        options = chosen(method, digits, n_train, epochs)
        found = [error(digits.first(n_train), options, seed, epochs) for seed in seeds]
        strength = ", ".join(f"{k}={v}" for k, v in options.items() if k not in DROPOUT)
        by_seed = " ".join(f"{each:.2f}" for each in found)
        row = (method.name, strength, f"{np.mean(found):.2f}", by_seed, method.claimed or "")
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
        axes.plot(found, [method.name] * len(found), "o", color="tab:blue")
        axes.plot(np.mean(found), method.name, "|", color="black", markersize=14)
    axes.invert_yaxis()
    axes.set(xlabel="test error, %", title=f"{n_train} digits, {epochs} epochs")
    return figure


if __name__ == "__main__":
    command(draw, "regularizers")
