"""Lossless resume: a warm start on the same problem goes on as if it had never stopped."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finitesum import _core
from finitesum._fit_result import FitResult
from finitesum._validation import CoreMatrix


@dataclass(frozen=True)
class Saved:
    """What the core needs to go on: its state and the seed that its random numbers come from."""

    seed: int
    state: NDArray[np.float64]


class Resume:
    """The states that the outputs of a fit leave, found again by their problem.

    Parameters
    ----------
    earlier : dict
        Saved states by key, as a previous fit left them in ``kept``.
    X : ndarray or (data, indices, indptr, n_features)
        The samples; read once, to recognize them.
    weight : ndarray of shape (n_samples,), dtype float64, or None
        Sample weights.
    options : hashable
        All options that shape the iterates.
    enabled : bool
        Otherwise nothing is read, found or kept.
    """

    def __init__(
        self,
        earlier: dict[Hashable, Saved],
        X: CoreMatrix,
        weight: NDArray[np.float64] | None,
        options: Hashable,
        enabled: bool,
    ) -> None:
        self.kept: dict[Hashable, Saved] = {}
        self._earlier = earlier
        self._enabled = enabled
        if enabled:
            parts: tuple[Any, ...] = X if isinstance(X, tuple) else (X,)
            data = tuple(_identity(part) for part in parts)
            self._common = (data, None if weight is None else _identity(weight), options)

    def key(self, target: NDArray[np.float64], problem: Hashable) -> Hashable:
        """Identify a problem: its data and all that shapes its iterates."""
        if not self._enabled:
            return None
        return self._common, _identity(np.ascontiguousarray(target)), problem

    def find(self, key: Hashable) -> Saved | None:
        """Return what an earlier fit of the same problem left."""
        return self._earlier.get(key) if self._enabled else None

    def keep(self, key: Hashable, seed: int, result: FitResult) -> None:
        """Keep what a fit leaves: nothing, if it was interrupted before its first epoch."""
        if self._enabled and result["state"].size > 0:
            found = self._earlier.get(key)
            self.kept[key] = Saved(seed if found is None else found.seed, result["state"])


def _identity(part: NDArray[Any] | int) -> Hashable:
    if isinstance(part, np.ndarray):
        return part.shape, part.dtype.str, _core.fingerprint(part)
    return part
