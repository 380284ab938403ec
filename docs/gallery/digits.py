"""What the figures made of MNIST's digits share: the digits, a command line, the file at its end.

Every one of them is run by ``python docs/gallery/NAME.py [FILE] [--quick]`` (needs the extra "plot"
and MNIST in the folder ``FINITESUM_DATA``); ``--quick`` is a look at a few hundred digits.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[2]))  # run as a file, Python knows its folder alone

from bench.peers.data import mnist

QUICK = (600, 300)  # digits to learn and to test


@dataclass(frozen=True)
class Digits:
    """Digits to learn and to test, gray values from 0 to 1."""

    X: NDArray[np.float32]
    y: NDArray[np.int64]
    X_test: NDArray[np.float32]
    y_test: NDArray[np.int64]

    def first(self, n: int) -> "Digits":
        """Give as many to test, and n to learn."""
        return Digits(self.X[:n], self.y[:n], self.X_test, self.y_test)


def load(quick: bool) -> Digits:
    """Read the digits, all of them or a few."""
    sizes = QUICK if quick else (None, None)
    parts: list[Any] = []
    for part, size in zip(("train", "t10k"), sizes, strict=True):
        X, y = mnist(part)
        parts += [X[:size].astype(np.float32) / 255, y[:size]]
    return Digits(*parts)


def command(draw: Callable[[bool], Figure], name: str) -> None:
    """Read the command line, draw the figure and save it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?", default=f"{name}.png")
    parser.add_argument("--quick", action="store_true", help="a few hundred digits")
    arguments = parser.parse_args()
    start = time.process_time()
    figure = draw(arguments.quick)
    figure.savefig(arguments.file, dpi=80)
    print(f"{time.process_time() - start:.0f} s of CPU")
