"""A step of finitesum.Optimizer beside PyTorch's fused one on the CPU.

    python -m bench.peers.optimizers [--sizes 10000 100000 1000000 10000000] [--repeats 7]

Both change arrays of their own in place, given the same gradient, on one thread, in CPU time, which
other work on the machine hardly changes; the best of several runs of about 4 million parameters.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import finitesum
from bench.peers.measure import cpu_seconds

RULES = {"sgd": "SGD", "adagrad": "Adagrad", "adam": "Adam", "adamw": "AdamW"}  # torch fuses these


def best_seconds(step: Callable[[], Any], n: int, repeats: int) -> float:
    """Return the CPU seconds of one step, at best."""
    count = max(2, 4_000_000 // n)
    step()
    best = np.inf
    for _ in range(repeats):
        start = cpu_seconds()
        for _ in range(count):
            step()
        best = min(best, (cpu_seconds() - start) / count)
    return best


def compared(sizes: list[int], repeats: int) -> Iterator[tuple[str, str, int, float, float]]:
    """Yield rule, dtype, size, and nanoseconds per parameter of finitesum and of torch."""
    import torch

    torch.set_num_threads(1)
    for name, peer in RULES.items():
        for dtype in (np.float32, np.float64):
            for n in sizes:
                w, g = np.ones(n, dtype), np.full(n, 0.1, dtype)
                ours = finitesum.Optimizer(name, preset="torch", n_threads=1)
                parameter = torch.nn.Parameter(torch.ones(n, dtype=torch.from_numpy(w).dtype))
                parameter.grad = torch.full_like(parameter, 0.1)
                rate = ours.parameters["learning_rate"]
                theirs = getattr(torch.optim, peer)([parameter], lr=rate, fused=True)
                seconds = best_seconds(partial(ours.step, w, g), n, repeats)
                peers = best_seconds(theirs.step, n, repeats)
                yield name, np.dtype(dtype).name, n, seconds / n * 1e9, peers / n * 1e9


def main() -> None:
    """Print the comparison as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**4, 10**5, 10**6, 10**7])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    print("| rule | dtype | parameters | finitesum, ns each | torch fused, ns each | ratio |")
    print("|---|---|--:|--:|--:|--:|")
    for name, dtype, n, ours, theirs in compared(arguments.sizes, arguments.repeats):
        print(f"| {name} | {dtype} | {n} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
