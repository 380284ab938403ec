"""Learning rates that networks bear with and without batch normalization.

python docs/gallery/learning_rates.py [FILE] [--quick]

S. Ioffe, C. Szegedy (ICML 2015), section 3.3: batch normalization enables higher learning rates.
Here 784-100-100-100-10 after two epochs of plain SGD in batches of 60, by learning rate, for ReLU
and sigmoid units; a fit whose weights overflow counts as guessing.
"""

import warnings

import numpy as np
from digits import Digits, command, load
from matplotlib.figure import Figure

from finitesum import MLPClassifier

RATES = np.geomspace(1e-3, 1e2, 11)
ACTIVATIONS = ("relu", "logistic")


def accuracy(digits: Digits, activation: str, batch_norm: bool, rate: float) -> float:
    """Test accuracy after two epochs."""
    model = MLPClassifier(
        (100, 100, 100),
        activation=activation,
        optimizer="sgd",
        learning_rate_init=rate,
        alpha=0.0,
        batch_size=60,
        max_iter=2,
        weight_init="he_normal" if activation == "relu" else "lecun_normal",
        batch_norm=batch_norm,
        random_state=0,
        n_threads=1,
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # two epochs are not meant to converge
        try:
            return float(model.fit(digits.X, digits.y).score(digits.X_test, digits.y_test))
        except ValueError as overflow:
            if "non-finite" not in str(overflow):
                raise
            return float("nan")


def draw(quick: bool) -> Figure:
    """Fit a network for each rate, print the accuracies and draw them."""
    digits = load(quick)
    rates = RATES[2::4] if quick else RATES
    figure = Figure(figsize=(9, 4), layout="constrained")
    header = " | ".join(f"{rate:.2g}" for rate in rates)
    print(f"| learning rate | {header} |\n|---|" + "--:|" * len(rates))
    for axes, activation in zip(figure.subplots(1, 2), ACTIVATIONS, strict=True):
        for batch_norm in (False, True):
            name = "batch normalization" if batch_norm else "none"
            found = np.array([accuracy(digits, activation, batch_norm, rate) for rate in rates])
            print(f"| {activation}, {name} | " + " | ".join(f"{a:.3f}" for a in found) + " |")
            axes.semilogx(rates, np.where(np.isnan(found), 0.1, found), "o-", label=name)
        axes.set(title=activation, xlabel="learning rate", ylabel="test accuracy", ylim=(0, 1))
    axes.legend()
    return figure


if __name__ == "__main__":
    command(draw, "learning_rates")
