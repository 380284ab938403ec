"""The targets of a fit's outputs in the core's terms: one output's, or several side by side."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Targets(ABC):
    """Made when asked for: a fit of one output after the other holds one output's targets."""

    @abstractmethod
    def of(self, output: int) -> NDArray[Any]:
        """Targets of one output, contiguous: of shape (n_samples,), or as bits."""

    @abstractmethod
    def together(self, outputs: range) -> NDArray[Any]:
        """Targets of consecutive outputs: by samples, or one class number (int32) per sample."""


class Columns(Targets):
    """One column of y per output.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        float64 targets, or the class numbers (int32) of a multinomial problem.
    """

    def __init__(self, y: NDArray[Any]) -> None:
        self._y = y.reshape(len(y), -1)

    def of(self, output: int) -> NDArray[Any]:
        """Targets of one output, contiguous, of shape (n_samples,)."""
        return np.ascontiguousarray(self._y[:, output])

    def together(self, outputs: range) -> NDArray[Any]:
        """Targets of consecutive outputs, of shape (n_samples * len(outputs),)."""
        return np.ascontiguousarray(self._y[:, outputs.start : outputs.stop]).ravel()


class OneAgainstRest(Targets):
    """+1 for the class of an output, -1 for all others.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Class labels.
    classes : ndarray of shape (n_outputs,)
        Sorted labels, the class of each output.
    """

    def __init__(self, y: NDArray[Any], classes: NDArray[Any]) -> None:
        self._y = y
        self._classes = classes

    def of(self, output: int) -> NDArray[Any]:
        """Targets of one output as bits, see `_core.fit`."""
        return np.packbits(self._y == self._classes[output], bitorder="little")

    def together(self, outputs: range) -> NDArray[Any]:
        """Class numbers, counted from the first of these outputs; others are of no output here."""
        codes = class_codes(self._y, self._classes)
        codes -= outputs.start
        return codes


def class_codes(y: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int32]:
    """Give each label its number among the sorted classes.

    Labels of no class, of samples without weight, get any number.
    """
    return np.searchsorted(classes, y).clip(max=len(classes) - 1).astype(np.int32)
