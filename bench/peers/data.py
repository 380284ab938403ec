"""The data sets of the comparisons, read from the folder FINITESUM_DATA.

By default that is ../shared/data beside the repository. Four small ones come with scikit-learn.
"""

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn import datasets


@dataclass(frozen=True)
class Dataset:
    """X dense or CSR; y is +-1, or class numbers, or what a regression predicts."""

    name: str
    X: Any
    y: NDArray[np.float64]

    @property
    def n_stored(self) -> int:
        """Stored entries of X."""
        return int(self.X.nnz if sp.issparse(self.X) else self.X.size)


@dataclass(frozen=True)
class _Recipe:
    read: Callable[[], tuple[Any, NDArray[Any]]]
    task: str  # "binary", "multiclass", "regression"
    X: Callable[[Any], Any] = lambda X: X
    y: Callable[[NDArray[Any]], NDArray[Any]] = lambda y: y


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
    recipe = _RECIPES[name]
    X, y = recipe.read()
    X, y = recipe.X(X), recipe.y(y)
    X = X.astype(dtype) if sp.issparse(X) else np.ascontiguousarray(X, dtype=dtype)
    return Dataset(name, X, y.astype(np.float64))


def dataset_names(task: str) -> list[str]:
    """Names of the data sets of a task: "binary", "multiclass" or "regression"."""
    return [name for name, recipe in _RECIPES.items() if recipe.task == task]


def mnist(part: str = "train") -> tuple[Any, NDArray[Any]]:
    """Ten digits: X dense bytes, class labels; 60000 rows, or the 10000 of part "t10k"."""
    images, labels = (
        np.frombuffer(gzip.decompress((data_folder() / "mnist" / name).read_bytes()), np.uint8)
        for name in (f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz")
    )
    return images[16:].reshape(-1, 784), labels[8:].astype(np.int64)


def _mnist_start() -> tuple[Any, NDArray[np.int64]]:
    X, y = mnist()
    return X[:10000], y[:10000]


def _from(folder: str) -> Callable[[], tuple[Any, NDArray[Any]]]:
    def read() -> tuple[Any, NDArray[Any]]:
        X = sp.csr_matrix(sp.load_npz(data_folder() / folder / "X.npz"))
        with np.load(data_folder() / folder / "y.npz") as arrays:
            return X, arrays["y"]

    return read


def _bundled(load: Callable[..., Any]) -> Callable[[], tuple[Any, NDArray[Any]]]:
    return lambda: load(return_X_y=True)


def _standardized(values: Any) -> NDArray[np.float64]:
    dense = values.toarray() if sp.issparse(values) else values
    dense = dense.astype(np.float64)
    deviation = dense.std(axis=0)
    result: NDArray[np.float64] = (dense - dense.mean(axis=0)) / np.where(deviation, deviation, 1)
    return result


def _to_unit_interval(X: Any) -> Any:
    dense = X.toarray().astype(np.float64)
    low, high = dense.min(axis=0), dense.max(axis=0)
    return sp.csr_matrix((dense - low) / np.where(high > low, high - low, 1))


def _lodgepole_pine(y: NDArray[Any]) -> NDArray[Any]:  # the largest class of covtype
    return np.where(y == 2, 1, -1)


_RECIPES: dict[str, _Recipe] = {
    "news20": _Recipe(
        _from("news20"), "binary", y=lambda y: np.where(np.isin(y, _COMPUTERS_AND_SCIENCE), 1, -1)
    ),
    "a9a": _Recipe(_from("a9a"), "binary"),
    "covtype": _Recipe(_from("covtype"), "binary", _standardized, _lodgepole_pine),
    "covtype_scaled": _Recipe(_from("covtype"), "binary", _to_unit_interval, _lodgepole_pine),
    "covtype_raw": _Recipe(_from("covtype"), "binary", y=_lodgepole_pine),
    "protein": _Recipe(_from("protein"), "binary", _standardized),
    "breast_cancer": _Recipe(
        _bundled(datasets.load_breast_cancer), "binary", _standardized, lambda y: 2 * y - 1
    ),
    "mnist": _Recipe(mnist, "multiclass", lambda X: X / 255),
    "mnist_odd": _Recipe(
        _mnist_start, "binary", lambda X: X / 255, lambda y: np.where(y % 2 == 1, 1, -1)
    ),
    "digits": _Recipe(_bundled(datasets.load_digits), "multiclass", lambda X: X / 16),
    "wine": _Recipe(_bundled(datasets.load_wine), "multiclass", _standardized),
    "california_housing": _Recipe(
        _from("california_housing"), "regression", _standardized, _standardized
    ),
    "bike": _Recipe(_from("bike"), "regression", _standardized, _standardized),
    "diabetes": _Recipe(
        _bundled(datasets.load_diabetes), "regression", _standardized, _standardized
    ),
}
