"""Batch normalization beside PyTorch's on the CPU: training forward and backward, and inference.

    python -m bench.peers.batch_norm [--shapes 128x256 64x64x32x32] [--threads 1] [--relu | --out]

Both make new arrays for what they return; with `--out` both write y into an array that is there,
and finitesum dx, too, for which PyTorch has no function that does not copy. On one thread seconds
are CPU seconds, which other work on the machine hardly changes, on several those of the clock; each
is the best of several runs, the two libraries taking turns. `copy` is the time NumPy takes to copy
x to a new array.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import finitesum
from bench.peers.measure import cpu_seconds

SHAPES = ["128x256", "256x512", "8192x512", "65536x256", "64x64x32x32"]


def best_seconds(
    tasks: list[Callable[[], Any]], count: int, repeats: int, clock: Callable[[], float]
) -> list[float]:
    """Return the seconds of one call of each task, at best."""
    best = [np.inf] * len(tasks)
    for repeat in range(repeats + 1):
        for k, task in enumerate(tasks):
            start = clock()
            for _ in range(count):
                task()
            if repeat > 0:
                best[k] = min(best[k], (clock() - start) / count)
    return best


def tasks_of(
    shape: tuple[int, ...], threads: int, relu: bool, given: bool
) -> list[Callable[[], Any]]:
    """Training steps of both libraries, inference of both, and a copy."""
    import torch

    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(shape, dtype=np.float32) for _ in range(2))
    gamma, beta, mean, var = (np.ones(shape[1], np.float32) for _ in range(4))
    tensor = torch.tensor(x, requires_grad=True)
    parameters = [torch.ones(shape[1], requires_grad=True) for _ in range(2)]
    their_dy, their_x = torch.tensor(dy), torch.tensor(x)
    their_running = [torch.ones(shape[1]) for _ in range(2)]

    y, dx = (np.empty_like(x) if given else None for _ in range(2))
    their_y, their_mean, their_deviation = (torch.empty(size) for size in (shape, *[shape[1]] * 2))

    def theirs_given() -> Any:
        with torch.no_grad():
            torch.native_batch_norm(
                their_x, *parameters, *their_running, True, 0.1, 1e-5,
                out=(their_y, their_mean, their_deviation),
            )  # fmt: skip
            return torch.ops.aten.native_batch_norm_backward(
                their_dy, their_x, parameters[0], *their_running, their_mean, their_deviation,
                True, 1e-5, [True] * 3,
            )  # fmt: skip

    def theirs(x: Any, training: bool) -> Any:
        y = torch.nn.functional.batch_norm(x, *their_running, *parameters, training=training)
        return torch.relu(y) if relu else y

    def ours(training: bool) -> Any:
        return finitesum.batch_norm(
            x,
            gamma,
            beta,
            running_mean=mean,
            running_var=var,
            training=training,
            relu=relu,
            out=y,
            n_threads=threads,
        )

    def their_inference() -> Any:
        with torch.no_grad():
            return theirs(their_x, False)

    return [
        lambda: finitesum.batch_norm_backward(dy, ours(True)[1], out=dx),
        theirs_given
        if given
        else lambda: torch.autograd.grad(theirs(tensor, True), [tensor, *parameters], their_dy),
        lambda: ours(False),
        their_inference,
        x.copy,
    ]


def compared(
    shapes: list[str], threads: int, relu: bool, given: bool, repeats: int
) -> Iterator[tuple[str, list[float]]]:
    """Yield each shape with the seconds of its tasks."""
    import torch

    torch.set_num_threads(threads)
    clock = cpu_seconds if threads == 1 else time.perf_counter
    for name in shapes:
        shape = tuple(int(part) for part in name.split("x"))
        count = max(4, 4_000_000 // int(np.prod(shape)))  # or the caches would be the others'
        yield name, best_seconds(tasks_of(shape, threads, relu, given), count, repeats, clock)


def main() -> None:
    """Print the comparison as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--relu", action="store_true")
    parser.add_argument("--out", action="store_true")
    arguments = parser.parse_args()
    if arguments.relu and arguments.out:
        parser.error("PyTorch has no function for --relu with --out")
    print("| float32 | training, ms | torch | ratio | inference, ms | torch | copy |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, seconds in compared(
        arguments.shapes, arguments.threads, arguments.relu, arguments.out, arguments.repeats
    ):
        ours, theirs, inference, their_inference, copy = (1e3 * each for each in seconds)
        print(
            f"| {name} | {ours:.3f} | {theirs:.3f} | {ours / theirs:.2f} "
            f"| {inference:.3f} | {their_inference:.3f} | {copy:.3f} |"
        )


if __name__ == "__main__":
    main()
