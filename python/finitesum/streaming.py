"""Data larger than memory, in pieces for `partial_fit` or mapped from disk for any estimator.

`svmlight_chunks` and `parquet_chunks` parse a file piece by piece; `write_csr` turns pieces into a
folder of arrays, once, and `csr_chunks` and `open_csr` map these from disk: no copy is made, and
pages of the file come and go as the system sees fit.
"""

import bz2
import gzip
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray
from sklearn.datasets import load_svmlight_file

__all__ = ["csr_chunks", "open_csr", "parquet_chunks", "svmlight_chunks", "write_csr"]

Chunk = tuple[Any, NDArray[Any]]

_DATA, _INDICES, _INDPTR, _TARGETS, _SHAPE = (
    f"{name}.npy" for name in ("data", "indices", "indptr", "y", "shape")
)
_NO_ROWS = "There are no rows to write."


def svmlight_chunks(
    path: str | os.PathLike[str],
    n_features: int,
    *,
    chunk_bytes: int = 2**24,
    dtype: DTypeLike = np.float64,
    zero_based: bool = False,
) -> Iterator[Chunk]:
    """Parse a file in svmlight's format piece by piece.

    Parameters
    ----------
    path : path-like
        The file; compressed if its name ends with .gz or .bz2.
    n_features : int
        Number of columns, which no piece can know.
    chunk_bytes : int, default=2**24
        Bytes of text per piece, and up to the end of a line. A piece takes several times that in
        memory.
    dtype : dtype, default=float64
        Type of the values.
    zero_based : bool, default=False
        Whether the first column is number 0.

    Yields
    ------
    X : csr_matrix of shape (n_rows, n_features)
        The next rows.
    y : ndarray of shape (n_rows,), dtype float64
        Their targets.

    Raises
    ------
    ValueError
        If chunk_bytes is not positive or a line cannot be parsed.

    See Also
    --------
    sklearn.datasets.load_svmlight_file : Parses the pieces.
    """
    _check_positive("chunk_bytes", chunk_bytes)
    compressed: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
    opened = compressed.get(Path(path).suffix, open)
    with opened(path, "rb") as file:
        # not by load_svmlight_file's offset and length, which give a line after a comment twice
        while text := file.read(chunk_bytes) + file.readline():
            X, y = load_svmlight_file(
                BytesIO(text), n_features=n_features, dtype=dtype, zero_based=zero_based
            )
            if len(y) > 0:
                yield X, y


def parquet_chunks(
    path: str | os.PathLike[str],
    target: str,
    *,
    columns: list[str] | None = None,
    chunk_rows: int = 2**16,
    dtype: DTypeLike = np.float64,
) -> Iterator[Chunk]:
    """Read a Parquet file piece by piece; needs pyarrow.

    Parameters
    ----------
    path : path-like
        The file. Its row groups, which its writer has chosen, are read one at a time.
    target : str
        Column with the targets.
    columns : list of str, default=None
        Columns of X, in this order; None takes all others than the target.
    chunk_rows : int, default=2**16
        Rows per piece, at most.
    dtype : dtype, default=float64
        Type of X.

    Yields
    ------
    X : ndarray of shape (n_rows, n_columns)
        The next rows, NaN where a number is missing.
    y : ndarray of shape (n_rows,)
        Their targets.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    ValueError
        If chunk_rows is not positive or the file lacks a column.
    """
    _check_positive("chunk_rows", chunk_rows)
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        chosen = [name for name in names if name != target] if columns is None else list(columns)
        missing = [name for name in [target, *chosen] if name not in names]
        if missing:
            raise ValueError(f"{path} lacks the columns {missing}; it has {names}")
        for batch in file.iter_batches(batch_size=chunk_rows, columns=[target, *chosen]):
            X = np.empty((batch.num_rows, len(chosen)), dtype)
            for column, name in zip(X.T, chosen, strict=True):
                column[:] = batch.column(name).to_numpy(zero_copy_only=False)
            yield X, batch.column(target).to_numpy(zero_copy_only=False)


def write_csr(folder: str | os.PathLike[str], chunks: Iterable[Chunk]) -> tuple[int, int]:
    """Write pieces one below the other as a CSR matrix and its targets, in constant memory.

    Parameters
    ----------
    folder : path-like
        Where the arrays data, indices, indptr, y and shape go, a .npy file each; made if need be.
        Files of these names are replaced; matrices mapped before keep what they were.
    chunks : iterable of (X, y)
        X an array or sparse matrix of shape (n_rows, n_features), y an array of n_rows numbers, of
        types that those of the first piece can hold: what `svmlight_chunks` and `parquet_chunks`
        give.

    Returns
    -------
    (int, int)
        The shape of the matrix.

    Raises
    ------
    ValueError
        If there are no rows, the numbers of columns differ, rows and targets do not match or
        targets are no numbers.
    TypeError
        If a later piece has a type that the first one's cannot hold.
    """
    chunks = iter(chunks)
    first = next(chunks, None)
    if first is None:
        raise ValueError(_NO_ROWS)
    place, n_features = Path(folder), first[0].shape[1]
    place.mkdir(parents=True, exist_ok=True)
    (place / _SHAPE).unlink(missing_ok=True)  # what is cut short is no matrix
    index = np.int32 if n_features <= np.iinfo(np.int32).max else np.int64
    value = first[0].dtype if first[0].dtype == np.float32 else np.float64
    target = np.asarray(first[1]).dtype
    if target.kind not in "biuf":
        raise ValueError(f"Targets must be numbers, got an array of {target}.")
    types = {_DATA: value, _INDICES: index, _INDPTR: np.int64, _TARGETS: target}
    n_rows, n_stored = 0, 0
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(_GrowingArray(place / name, dtype))
            for name, dtype in types.items()
        }
        files[_INDPTR].append(np.zeros(1, np.int64))
        for X, y in chain([first], chunks):
            if X.shape[1] != n_features or np.shape(y) != X.shape[:1]:
                raise ValueError(
                    f"A piece has X of shape {X.shape} and targets of shape {np.shape(y)}; "
                    f"the first one has {n_features} columns."
                )
            rows = sp.csr_array(X)
            files[_DATA].append(rows.data)
            files[_INDICES].append(rows.indices.astype(index))
            files[_INDPTR].append(n_stored + rows.indptr[1:].astype(np.int64))
            files[_TARGETS].append(np.asarray(y))
            n_rows, n_stored = n_rows + len(y), n_stored + rows.nnz
    if n_rows == 0:
        raise ValueError(_NO_ROWS)
    np.save(place / _SHAPE, (n_rows, n_features))
    return n_rows, n_features


def open_csr(
    folder: str | os.PathLike[str], first_row: int = 0, n_rows: int | None = None
) -> Chunk:
    """Map rows of a matrix that `write_csr` has written, read-only and without a copy.

    Parameters
    ----------
    folder : path-like
        The folder.
    first_row : int, default=0
        The first row.
    n_rows : int, default=None
        Number of rows, None for all that follow; fewer where the matrix ends before.

    Returns
    -------
    X : csr_array of shape (n_rows, n_features)
        Views of the files, which the estimators use where they lie.
    y : ndarray of shape (n_rows,)
        A view, too.

    Raises
    ------
    FileNotFoundError
        If there is no such matrix, or it was not written to its end.
    ValueError
        If first_row or n_rows is negative.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from finitesum import Ridge, streaming
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pieces = ((np.eye(3), np.arange(3.0) + k) for k in range(10))
    ...     shape = streaming.write_csr(folder, pieces)
    ...     model = Ridge().fit(*streaming.open_csr(folder))
    >>> shape, model.coef_.round(2).tolist()
    ((30, 3), [-0.91, -0.0, 0.91])
    """
    place = Path(folder)
    total, n_features = (int(size) for size in np.load(place / _SHAPE))
    if first_row < 0 or (n_rows is not None and n_rows < 0):
        raise ValueError(f"first_row and n_rows must be at least 0, got {first_row}, {n_rows}")
    first = min(first_row, total)
    stop = total if n_rows is None else min(first + n_rows, total)
    starts = _mapped(place / _INDPTR, first, stop + 1)
    entries = int(starts[0]), int(starts[-1])
    data = _mapped(place / _DATA, *entries)
    X = sp.csr_array((stop - first, n_features), dtype=data.dtype)
    # one by one: the constructor would bring indices and indptr to one type
    X.data, X.indices = data, _mapped(place / _INDICES, *entries)
    X.indptr = starts if entries[0] == 0 else starts - entries[0]
    return X, _mapped(place / _TARGETS, first, stop)


def csr_chunks(folder: str | os.PathLike[str], *, chunk_rows: int = 2**16) -> Iterator[Chunk]:
    """Map a matrix that `write_csr` has written piece by piece.

    Unlike `open_csr` of all rows this takes no more addresses than a piece, where these are
    limited (``ulimit -v``).

    Parameters
    ----------
    folder : path-like
        The folder.
    chunk_rows : int, default=2**16
        Rows per piece, at most.

    Yields
    ------
    X : csr_array of shape (n_rows, n_features)
        The next rows.
    y : ndarray of shape (n_rows,)
        Their targets.

    Raises
    ------
    FileNotFoundError
        If there is no such matrix, or it was not written to its end.
    ValueError
        If chunk_rows is not positive.
    """
    _check_positive("chunk_rows", chunk_rows)
    total = int(np.load(Path(folder) / _SHAPE)[0])
    for first in range(0, total, chunk_rows):
        yield open_csr(folder, first, chunk_rows)


class _GrowingArray:
    """A .npy file of a one-dimensional array to which entries are appended."""

    def __init__(self, path: Path, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._length = 0
        path.unlink(missing_ok=True)  # what is mapped stays as it is
        self._file = path.open("wb")
        self._write_header()

    def append(self, entries: NDArray[Any]) -> None:
        self._file.write(entries.astype(self._dtype, casting="safe", copy=False).tobytes())
        self._length += len(entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        """NumPy leaves room for the length to grow: the header has the same size at the end."""
        npy.write_array_header_1_0(
            self._file,
            {
                "descr": npy.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (self._length,),
            },
        )


def _mapped(path: Path, start: int, stop: int) -> NDArray[Any]:
    """Map the entries from start to stop, these and no more."""
    with path.open("rb") as file:
        npy.read_magic(file)
        _, _, dtype = npy.read_array_header_1_0(file)
        offset = file.tell()
    if start == stop:
        return np.empty(0, dtype)  # of which there is no map
    return np.memmap(path, dtype, "r", offset + start * dtype.itemsize, (stop - start,))


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
