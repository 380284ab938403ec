"""Networks beside PyTorch's and scikit-learn's on the CPU.

    python -m bench.peers.networks steps [--batches 32 128 512] [--threads 1]
    python -m bench.peers.networks text [--epochs 1] [--alpha 0]
    python -m bench.peers.networks mnist [--epochs 12]

`steps`: an Adam step of 784-256-128-10 with batch normalization in float32, PyTorch's with its
fused Adam. `text`: an epoch on news20's 20 classes, sparse, 64 hidden units, batches of 128, beside
scikit-learn's MLPClassifier, both without their set-up. `mnist`: test accuracy and seconds of
784-256-128-10 with batch normalization and dropout. On one thread seconds are CPU seconds, the best
of several runs in turns.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import finitesum
from bench.peers.batch_norm import best_seconds
from bench.peers.data import data_folder, mnist
from bench.peers.measure import cpu_seconds

SIZES = (784, 256, 128, 10)


def our_step(batch: int, threads: int) -> Callable[[], float]:
    """Steps of the core on a batch of random rows."""
    from finitesum.neural._initialization import initialize
    from finitesum.neural._network import Network

    layers: list[tuple[str, dict[str, float]]] = []
    for size in SIZES[1:-1]:
        layers += [("dense", {"n_outputs": size, "bias": 0}), ("batch_norm", {"relu": 1})]
    layers.append(("dense", {"n_outputs": SIZES[-1]}))
    network = Network((SIZES[0],), layers, "softmax", ("adam", {}), dtype=np.float32)
    initialize(network, "he_normal", 0, "relu")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((batch, SIZES[0]), dtype=np.float32)
    y = rng.integers(0, SIZES[-1], batch).astype(np.int32)
    rows, rates = np.arange(batch), np.array([1e-3])

    def step() -> float:
        return network.core.train(X, y, None, rows, rates, batch_size=batch, n_threads=threads)

    return step


def their_step(batch: int) -> Callable[[], Any]:
    """Steps of PyTorch on such a batch."""
    import torch

    modules: list[Any] = []
    for before, size in pairwise(SIZES[:-1]):
        modules += [torch.nn.Linear(before, size, bias=False), torch.nn.BatchNorm1d(size)]
        modules.append(torch.nn.ReLU())
    network = torch.nn.Sequential(*modules, torch.nn.Linear(*SIZES[-2:]))
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    X, y = torch.randn(batch, SIZES[0]), torch.randint(0, SIZES[-1], (batch,))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(X), y).backward()
        optimizer.step()

    return step


def compare_steps(batches: list[int], threads: int, repeats: int) -> None:
    """Print milliseconds of a step."""
    import torch

    torch.set_num_threads(threads)
    clock = cpu_seconds if threads == 1 else time.perf_counter
    print("| batch | finitesum, ms | PyTorch, ms | ratio |")
    print("|--:|--:|--:|--:|")
    for batch in batches:
        tasks: list[Callable[[], Any]] = [our_step(batch, threads), their_step(batch)]
        ours, theirs = best_seconds(tasks, max(10, 4000 // batch), repeats, clock)
        print(f"| {batch} | {1e3 * ours:.3f} | {1e3 * theirs:.3f} | {ours / theirs:.2f} |")


def news20() -> tuple[Any, NDArray[Any]]:
    """Read the texts: X sparse, 20 classes."""
    import scipy.sparse as sp

    folder = data_folder() / "news20"
    X = sp.csr_matrix(sp.load_npz(folder / "X.npz")).astype(np.float32)
    with np.load(folder / "y.npz") as arrays:
        return X, arrays["y"]


def compare_text(epochs: int, alpha: float) -> None:
    """Print seconds of an epoch: the difference of fits of several epochs and of one."""
    from sklearn.neural_network import MLPClassifier

    X, y = news20()
    print("| | seconds per epoch | loss after it |")
    print("|---|--:|--:|")
    for name, Estimator in (
        ("finitesum", finitesum.MLPClassifier),
        ("scikit-learn", MLPClassifier),
    ):
        model = Estimator((64,), batch_size=128, alpha=alpha, random_state=0)
        classes = np.unique(y)
        model.partial_fit(X[:256], y[:256], classes=classes)
        start = cpu_seconds()
        for _ in range(epochs):
            model.partial_fit(X, y)
        print(f"| {name} | {(cpu_seconds() - start) / epochs:.2f} | {model.loss_:.4f} |")


def fit_mnist(epochs: int) -> None:
    """Print test accuracy and seconds."""
    X, y = mnist()
    X_test, y_test = mnist("t10k")
    X, X_test = (np.asarray(A, dtype=np.float32) / 255 for A in (X, X_test))
    model = finitesum.MLPClassifier(
        SIZES[1:-1], batch_norm=True, dropout=0.2, max_iter=epochs, batch_size=128, random_state=0,
        learning_rate_init=2e-3, schedule=lambda k: 2e-3 * max(0.01, 1 - k / (epochs * 469)),
    )  # fmt: skip
    started, start = time.perf_counter(), cpu_seconds()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    seconds = time.perf_counter() - started, cpu_seconds() - start
    print(f"{epochs} epochs: test accuracy {100 * model.score(X_test, y_test):.2f} %, "
          f"{seconds[0]:.1f} s, {seconds[1]:.1f} s of CPU")  # fmt: skip


def main() -> None:
    """Run one of the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", choices=["steps", "text", "mnist"])
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--alpha", type=float, default=1e-4)
    arguments = parser.parse_args()
    with threadpool_limits(arguments.threads):
        if arguments.what == "steps":
            compare_steps(arguments.batches, arguments.threads, arguments.repeats)
        elif arguments.what == "text":
            compare_text(arguments.epochs or 1, arguments.alpha)
        else:
            fit_mnist(arguments.epochs or 12)


if __name__ == "__main__":
    main()
