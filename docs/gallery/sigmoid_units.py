"""Sigmoid units with and without batch normalization: test accuracy, and what reaches one unit.

python docs/gallery/sigmoid_units.py [FILE] [--quick]

The experiment of S. Ioffe, C. Szegedy (ICML 2015), section 4.1 and figure 1: three hidden layers
of 100 sigmoid units, 50000 steps of 60 digits, plain SGD. Right: the 15th, 50th and 85th
percentile, over the digits to test, of the input to the first sigmoid of the last hidden layer.
"""

from collections.abc import Iterator

import numpy as np
from digits import Digits, command, load
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit

from finitesum import MLPClassifier

BATCH, N_STEPS, N_POINTS = 60, 50_000, 100
LEARNING_RATE = 0.1
PERCENTILES = (15, 50, 85)


def network(batch_norm: bool) -> MLPClassifier:
    """Give the untrained network; both begin with the same normal weights."""
    return MLPClassifier(
        (100, 100, 100),
        activation="logistic",
        optimizer="sgd",
        learning_rate_init=LEARNING_RATE,
        alpha=0.0,
        batch_size=BATCH,
        weight_init="lecun_normal",
        batch_norm=batch_norm,
        random_state=0,
        n_threads=1,
    )


def pieces(n_samples: int, n_steps: int) -> Iterator[slice]:
    """Give rows enough for so many steps, over and over again."""
    size = min(n_steps * BATCH, n_samples)
    while True:
        yield from (slice(begin, begin + size) for begin in range(0, n_samples - size + 1, size))


def input_of_last_sigmoid(model: MLPClassifier, X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute what reaches the first unit of the last hidden layer, behind any normalization."""
    plain = model.fold_batchnorm()  # weights and biases alone
    *before, last = list(zip(plain.coefs_, plain.intercepts_, strict=True))[:-1]
    for weights, bias in before:
        X = expit(X @ weights + bias)
    return X @ last[0][:, 0] + last[1][0]


def course(
    digits: Digits, batch_norm: bool, n_points: int, n_steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Train; give the test accuracy and the percentiles after every ``n_steps`` steps."""
    model = network(batch_norm)
    accuracies, percentiles = [], []
    for rows, _ in zip(pieces(len(digits.y), n_steps), range(n_points), strict=False):
        model.partial_fit(digits.X[rows], digits.y[rows], classes=np.arange(10))
        accuracies.append(model.score(digits.X_test, digits.y_test))
        inputs = input_of_last_sigmoid(model, digits.X_test)
        percentiles.append(np.percentile(inputs, PERCENTILES))
    return np.array(accuracies), np.array(percentiles)


def draw(quick: bool) -> Figure:
    """Train both networks, print what the figure shows, and draw it."""
    digits = load(quick)
    n_points, n_steps = (6, 10) if quick else (N_POINTS, N_STEPS // N_POINTS)
    steps = n_steps * np.arange(1, n_points + 1)
    figure = Figure(figsize=(12, 4), layout="constrained")
    left, *right = figure.subplots(1, 3)
    shown = np.unique([0, n_points // 50, n_points // 10, n_points // 2, n_points - 1])
    print("| | step | test accuracy | 15 % | 50 % | 85 % |\n|---|--:|--:|--:|--:|--:|")
    for axes, batch_norm in zip(right, (False, True), strict=True):
        name = "batch normalization" if batch_norm else "none"
        accuracy, percentiles = course(digits, batch_norm, n_points, n_steps)
        left.plot(steps, accuracy, label=name)
        axes.plot(steps, percentiles, color="tab:blue")
        axes.set(title=f"input of a sigmoid, {name}", xlabel="steps")
        for k in shown:
            row = [f"{steps[k]}", f"{accuracy[k]:.4f}", *(f"{p:.2f}" for p in percentiles[k])]
            print(f"| {name} | " + " | ".join(row) + " |")
    left.set(title="test accuracy", xlabel="steps", ylim=(None if quick else 0.8, 1))
    left.legend()
    return figure


if __name__ == "__main__":
    command(draw, "sigmoid_units")
