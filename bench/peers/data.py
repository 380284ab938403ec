"""The data sets of the comparisons, read from the folder FINITESUM_DATA.

By default that is ../shared/data beside the repository.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


@dataclass(frozen=True)
class Dataset:
    """A binary task: X dense or CSR, y = +-1."""

    name: str
    X: Any
    y: NDArray[np.float64]

    @property
    def n_stored(self) -> int:
        """Stored entries of X."""
        return int(self.X.nnz if sp.issparse(self.X) else self.X.size)


# News groups comp.* and sci.*, in the alphabetical order of all twenty.
_COMPUTERS_AND_SCIENCE = (1, 2, 3, 4, 5, 11, 12, 13, 14)


def data_folder() -> Path:
    """Give the folder of the data sets, which need not exist."""
    return Path(os.environ.get("FINITESUM_DATA", Path(__file__).parents[3] / "shared" / "data"))


def load_dataset(name: str, dtype: type[np.floating[Any]]) -> Dataset:
    """Read a data set with the values of X in this type.

    Raises
    ------
    FileNotFoundError
        If it is not in the data folder.
    """
    folder = data_folder() / name
    X = sp.csr_matrix(sp.load_npz(folder / "X.npz"))
    with np.load(folder / "y.npz") as arrays:
        y = arrays["y"]
    return _PREPARE[name](name, X, y, dtype)


def _as_it_is(name: str, X: Any, y: NDArray[Any], dtype: type[np.floating[Any]]) -> Dataset:
    return Dataset(name, X.astype(dtype), y.astype(np.float64))


def _news20(name: str, X: Any, y: NDArray[Any], dtype: type[np.floating[Any]]) -> Dataset:
    return _as_it_is(name, X, np.where(np.isin(y, _COMPUTERS_AND_SCIENCE), 1, -1), dtype)


def _standardized(name: str, X: Any, y: NDArray[Any], dtype: type[np.floating[Any]]) -> Dataset:
    dense = X.toarray().astype(np.float64)
    deviation = dense.std(axis=0)
    deviation[deviation == 0] = 1
    dense = np.ascontiguousarray((dense - dense.mean(axis=0)) / deviation, dtype=dtype)
    return Dataset(name, dense, y.astype(np.float64))


def _covtype(name: str, X: Any, y: NDArray[Any], dtype: type[np.floating[Any]]) -> Dataset:
    return _standardized(name, X, np.where(y == 2, 1, -1), dtype)


_PREPARE: dict[str, Callable[..., Dataset]] = {
    "a9a": _as_it_is,
    "covtype": _covtype,
    "news20": _news20,
    "protein": _standardized,
}
