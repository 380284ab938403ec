"""The epochs of a fit: order, steps, what each epoch is judged by, and when to stop."""

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array

from finitesum import _core
from finitesum._validation import FLOAT_DTYPES, core_matrix
from finitesum.neural._folding import fold_warmup
from finitesum.neural._network import Network

Callback = Callable[[dict[str, float]], Any]


@dataclass
class Rows:
    """Rows of a matrix with targets, as the core takes them."""

    X: Any
    targets: NDArray[Any]
    weight: NDArray[np.float64] | None
    rows: NDArray[np.int64]

    def total_weight(self) -> float:
        """Sum of the weights."""
        return float(len(self.rows) if self.weight is None else self.weight[self.rows].sum())

    def split(
        self, fraction: float, seed: int, stratify: NDArray[Any] | None
    ) -> tuple["Rows", "Rows"]:
        """Hold out a fraction for validation: the rows to learn from, and those."""
        parts = train_test_split(
            self.rows, test_size=fraction, random_state=seed % 2**32, stratify=stratify
        )
        if len(parts[1]) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        training, held = (replace(self, rows=np.sort(part)) for part in parts)
        if min(training.total_weight(), held.total_weight()) == 0:
            raise ValueError(
                "The sample weights for validation set are all zero, consider using a different "
                "random state."
            )
        return training, held


@dataclass
class Plan:
    """What the parameters of an estimator ask for."""

    batch_size: int
    max_iter: int
    shuffle: bool
    learning_rate: str
    rate: float
    power_t: float
    schedule: Callable[[int], float] | None
    decay: Mapping[str, float]  # l2, l1 and decoupled, as the core takes them
    clip: tuple[str, float]
    tol: float
    n_iter_no_change: float
    monitor: str
    restore_best: bool
    population: bool
    warmup: int  # epochs with batch normalization
    augment: Callable[[Any, np.random.Generator], Any] | None
    callbacks: Sequence[Callback]
    n_threads: int
    keeps_interrupted: bool  # or Ctrl-C is meant for the caller


@dataclass
class Progress:
    """What goes from one fit or call of partial_fit to the next."""

    seed: int
    n_epochs: int = 0
    n_seen: int = 0
    rate: float | None = None
    no_improvement: int = 0
    judged_by: str | None = None  # "val_score", "val_loss", or None: the training loss
    best_score: float = -math.inf
    best: list[NDArray[Any]] | None = None
    last: list[NDArray[Any]] | None = None  # where to go on, if the best is what remains
    history: dict[str, list[float]] = field(default_factory=dict)

    def copy(self) -> "Progress":
        """Copy what changes in place: the history grows with every call of partial_fit."""
        return replace(self, history={name: list(each) for name, each in self.history.items()})

    def go_on(self, network: Network, judged_by: str | None) -> None:
        """Restore the last epoch; scores that another measure has given are no longer compared."""
        if self.last is not None:
            network.restore(self.last)
            self.last = None
        if self.judged_by != judged_by:
            self.judged_by, self.best = judged_by, None
            self.best_score, self.no_improvement = -math.inf, 0

    def record(self, epoch: dict[str, float]) -> None:
        """Append an epoch to the history."""
        for name, value in epoch.items():
            self.history.setdefault(name, []).append(value)


Score = Callable[[Network], tuple[float, float]]


def run_epochs(
    network: Network,
    training: Rows,
    plan: Plan,
    progress: Progress,
    validate: Score | None,
    show: Callback | None,
) -> str:
    """Run epochs until a rule ends them.

    Parameters
    ----------
    network : Network
        Is changed in place.
    training : Rows
        What to learn.
    plan : Plan
        How.
    progress : Progress
        Where the last call has ended; is changed in place.
    validate : callable or None
        Gives the score and the loss of a network on rows held out.
    show : callable or None
        Shows an epoch.

    Returns
    -------
    str
        What ended the run: "tol", "max_iter", "callback" or "interrupted".
    """
    matrix = core_matrix(training.X)
    start = time.monotonic()
    if progress.rate is None or plan.learning_rate == "constant":
        progress.rate = plan.rate
    progress.go_on(network, None if validate is None else plan.monitor)
    stopping = "max_iter"
    try:
        for _ in range(plan.max_iter):
            loss, rate = _epoch(network, training, matrix, plan, progress)
            if progress.n_epochs == plan.warmup:
                _end_warmup(network, training, matrix, plan, progress)
            epoch = {
                "epoch": float(progress.n_epochs),
                "seconds": time.monotonic() - start,
                "loss": loss,
                "learning_rate": rate,
            }
            if validate is not None:
                if plan.population:
                    _set_population(network, training, matrix, plan)
                epoch["val_score"], epoch["val_loss"] = validate(network)
            progress.record(epoch)
            ended = _judge(network, plan, progress, epoch)
            epoch["objective"] = loss
            if show is not None:
                show(epoch)
            if any([callback(epoch) is True for callback in plan.callbacks]):  # noqa: C419  # all are called
                stopping = "callback"
                break
            if ended:
                stopping = "tol"
                break
    except KeyboardInterrupt:
        if not plan.keeps_interrupted:
            raise
        warnings.warn("Training interrupted by user.", stacklevel=4)
        stopping = "interrupted"
    if progress.best is not None and plan.restore_best:
        progress.last = network.snapshot()
        network.restore(progress.best)
    elif plan.population:
        _set_population(network, training, matrix, plan)
    return stopping


def _generator(progress: Progress, purpose: int) -> np.random.Generator:
    """Random numbers that depend on the seed and the epoch alone."""
    return np.random.Generator(
        np.random.Philox(key=[progress.seed, progress.n_epochs * 4 + purpose])
    )


def _epoch(
    network: Network, training: Rows, matrix: Any, plan: Plan, progress: Progress
) -> tuple[float, float]:
    """Run one epoch; return the mean loss, penalty included, and the first step's length."""
    rows = training.rows
    if plan.shuffle:
        rows = rows[_generator(progress, 1).permutation(len(rows))]
    n_batches = _core.Network.n_batches(len(rows), plan.batch_size)
    rates = _rates(network, plan, progress, n_batches)
    options: dict[str, Any] = {
        **plan.decay,
        "clip": plan.clip[0],
        "clip_limit": plan.clip[1],
        "n_threads": plan.n_threads,
    }
    if plan.augment is None:
        total = network.core.train(
            matrix, training.targets, training.weight, rows, rates,
            batch_size=plan.batch_size, **options,
        )  # fmt: skip
    else:
        random = _generator(progress, 2)
        targets = training.targets.reshape(training.X.shape[0], -1)
        total = 0.0
        for k in range(n_batches):
            end = len(rows) if k + 1 == n_batches else (k + 1) * plan.batch_size
            batch = rows[k * plan.batch_size : end]
            X = check_array(
                plan.augment(training.X[batch], random),
                accept_sparse="csr", dtype=FLOAT_DTYPES, order="C", input_name="augmented X",
            )  # fmt: skip
            if X.shape != (len(batch), training.X.shape[1]):
                raise ValueError("augment must keep the shape of its batch.")
            total += network.core.train(
                core_matrix(X),
                targets[batch].ravel(),
                None if training.weight is None else training.weight[batch],
                np.arange(len(batch)), rates[k : k + 1], batch_size=len(batch), **options,
            )  # fmt: skip
    progress.n_epochs += 1
    progress.n_seen += len(rows)
    if plan.learning_rate == "invscaling":
        progress.rate = plan.rate / (progress.n_seen + 1) ** plan.power_t  # scikit-learn's
    sum_of_weights = training.total_weight()
    return (total + n_batches * _penalty(network, plan)) / sum_of_weights, float(rates[0])


def _rates(network: Network, plan: Plan, progress: Progress, n_batches: int) -> NDArray[np.float64]:
    if plan.schedule is None:
        return np.full(n_batches, progress.rate, dtype=np.float64)
    first = network.core.n_steps + 1
    return np.array([plan.schedule(first + k) for k in range(n_batches)], dtype=np.float64)


def _penalty(network: Network, plan: Plan) -> float:
    """Penalty at the end of the epoch; a batch counts it once, whatever its size."""
    l2, l1 = plan.decay["l2"], plan.decay["l1"]
    value = 0.0
    for weights in network.weights() if l2 > 0 or l1 > 0 else []:
        flat = weights.ravel()
        value += 0.5 * l2 * float(flat @ flat)
        if l1 > 0:
            value += l1 * float(np.abs(flat).sum())
    return value


def _set_population(network: Network, training: Rows, matrix: Any, plan: Plan) -> None:
    if not network.places("batch_norm"):
        return
    network.core.collect(matrix, training.rows, plan.batch_size, n_threads=plan.n_threads)


def _end_warmup(
    network: Network, training: Rows, matrix: Any, plan: Plan, progress: Progress
) -> None:
    """Go on without batch normalization; the best epoch is one of those to come."""
    if plan.population:
        _set_population(network, training, matrix, plan)
    fold_warmup(network)
    progress.best, progress.best_score, progress.no_improvement = None, -math.inf, 0


def _judge(network: Network, plan: Plan, progress: Progress, epoch: dict[str, float]) -> bool:
    """Count epochs without improvement, as scikit-learn does; tell whether they are too many."""
    validated = "val_score" in epoch
    if not validated:
        score = -epoch["loss"]
    elif plan.monitor == "val_loss":
        score = -epoch["val_loss"]
    else:
        score = epoch["val_score"]
    progress.no_improvement = (
        progress.no_improvement + 1 if score < progress.best_score + plan.tol else 0
    )
    if score > progress.best_score:
        progress.best_score = score
        progress.best = network.snapshot() if validated and plan.restore_best else None
    if progress.no_improvement <= plan.n_iter_no_change:
        return False
    if plan.learning_rate == "adaptive" and progress.rate is not None and progress.rate > 1e-6:
        progress.rate /= 5.0
        progress.no_improvement = 0
        return False
    return True
