"""Whitened coordinates against batch normalization: training cost by epoch and by time.

python docs/gallery/whitening.py [FILE] [--quick]

After J. Lafond, N. Vasilache, L. Bottou (arXiv:1705.09319, 2017), whose network on CIFAR10 is
C6(5x5)-P2-C16(5x5)-F84-F16-F10: here it reads MNIST, beside a multilayer perceptron. Three ways of
plain steps, each with the learning rate of a few that ends with the lowest cost: with batch
normalization, in whitened coordinates, and in these after two epochs with batch normalization.
Costs are means of the cross-entropy over all digits learned, after each epoch; time is that of the
epochs alone, of one thread's CPU.
"""

import time
import warnings
from typing import Any

import numpy as np
from digits import Digits, command, load
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from finitesum import MLPClassifier

Course = tuple[NDArray[np.float64], NDArray[np.float64], float]  # costs, seconds, test error in %


def convolutional(batch_norm: bool) -> list[Any]:
    """List the hidden layers of C6(5x5)-P2-C16(5x5)-F84-F16."""
    norm = ["batch_norm"] if batch_norm else []
    bias = {"bias": float(not batch_norm)}
    first, second = (("conv2d", {"n_outputs": n, "kernel_size": 5, **bias}) for n in (6, 16))
    layers = [first, *norm, "relu", ("max_pool2d", {"size": 2}), second, *norm, "relu"]
    for n in (84, 16):
        layers += [("dense", {"n_outputs": n, **bias}), *norm, "relu"]
    return layers


def network(name: str, batch_norm: bool) -> dict[str, Any]:
    """Give the options of a network by its name."""
    if name == "784-100-100-10":
        return {"hidden_layer_sizes": (100, 100), "batch_norm": batch_norm}
    return {"layers": convolutional(batch_norm), "input_shape": (1, 28, 28)}


NETWORKS = {"784-100-100-10": 3_000, "C6-P2-C16-F84-F16-F10": 1_000}  # and digits to learn
EPOCHS, WARMUP = 10, 2
RATES = {"batch normalization": (0.3, 1.0), "whitening": (0.1, 0.3, 1.0)}
WAYS: dict[str, dict[str, Any]] = {
    "batch normalization": {"optimizer": "sgd"},
    "whitening": {"optimizer": "whitening"},
    f"{WARMUP} epochs, then whitening": {"optimizer": "whitening", "warmup_bn_epochs": WARMUP},
}


def course(digits: Digits, options: dict[str, Any], n_epochs: int) -> Course:
    """Train a network; costs and seconds after each epoch, and the test error at the end."""
    model = MLPClassifier(
        **options, alpha=0.0, batch_size=50, weight_init="he_normal", random_state=0, n_threads=1
    )
    costs, seconds = [], []
    classes = np.arange(10)
    for _ in range(n_epochs):
        start = time.process_time()
        model.partial_fit(digits.X, digits.y, classes=classes)
        seconds.append(time.process_time() - start)
        probabilities = model.predict_proba(digits.X).astype(np.float64)
        probabilities = np.nan_to_num(probabilities, nan=0.1)
        probabilities /= probabilities.sum(axis=1, keepdims=True)  # theirs are sums to float32
        costs.append(log_loss(digits.y, probabilities, labels=classes))
    error = 100.0 * (1.0 - float(model.score(digits.X_test, digits.y_test)))
    return np.array(costs), np.cumsum(seconds), error


def best(digits: Digits, name: str, way: str, n_epochs: int) -> tuple[float, Course]:
    """Give the learning rate with the lowest cost at the end, and what it does."""
    batch_norm = way == "batch normalization"
    options = {**network(name, batch_norm), **WAYS[way]}
    found: list[tuple[float, Course]] = []
    for rate in RATES["batch normalization" if batch_norm else "whitening"]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                found.append(
                    (rate, course(digits, {**options, "learning_rate_init": rate}, n_epochs))
                )
            except ValueError as overflow:
                if "non-finite" not in str(overflow):
                    raise
    return min(found, key=lambda each: each[1][0][-1])


def draw(quick: bool) -> Figure:
    """Train all networks; print costs, seconds and errors, and draw the costs."""
    digits = load(quick)
    n_epochs = 4 if quick else EPOCHS
    shown = sorted({0, 1, 2, n_epochs // 2, n_epochs - 1})
    figure = Figure(figsize=(10, 7), layout="constrained")
    header = " | ".join(f"epoch {k + 1}" for k in shown)
    print(f"| network | steps | rate | {header} | seconds | test error, % |")
    print("|---|---|--:|" + "--:|" * (len(shown) + 2))
    for (name, n), row in zip(NETWORKS.items(), figure.subplots(2, 2), strict=True):
        for way in WAYS:
            rate, (costs, seconds, error) = best(digits.first(n), name, way, n_epochs)
            cells = [f"{costs[k]:.2g}" for k in shown] + [f"{seconds[-1]:.1f}", f"{error:.2f}"]
            print(f"| {name} | {way} | {rate:g} | " + " | ".join(cells) + " |", flush=True)
            row[0].semilogy(np.arange(1, n_epochs + 1), costs, label=way)
            row[1].semilogy(seconds, costs)
        row[0].set(xlabel="epochs", ylabel="training cost", title=name)
        row[1].set(xlabel="seconds")
        row[0].legend()
    return figure


if __name__ == "__main__":
    command(draw, "whitening")
