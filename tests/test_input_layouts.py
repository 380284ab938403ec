"""Data that the core can read passes without a copy; every other layout gives the same fit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from finitesum import LogisticRegression, Ridge, _core
from reference.problem import fit as fit_core
from reference.random_problems import random_problem

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5))
Y = np.where(X[:, 0] + 0.5 * RNG.normal(size=40) > 0, 1.0, 0.0)


def sparse_x() -> sp.csr_matrix:
    return sp.csr_matrix(X * (np.random.default_rng(1).random(X.shape) < 0.5))


@pytest.fixture
def core_arguments(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect the matrices that reach the core."""
    seen: list[Any] = []
    fit = _core.fit

    def recording(matrix: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(matrix)
        return fit(matrix, *args, **kwargs)

    monkeypatch.setattr(_core, "fit", recording)
    return seen


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dense_passes_without_a_copy(
    dtype: type, tmp_path: Path, core_arguments: list[Any]
) -> None:
    contiguous = np.ascontiguousarray(X, dtype=dtype)
    read_only = contiguous.copy()
    read_only.flags.writeable = False
    np.save(tmp_path / "X.npy", contiguous)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for array in (contiguous, read_only, mapped):
        core_arguments.clear()
        LogisticRegression().fit(array, Y)
        assert np.shares_memory(core_arguments[0], array)
        assert core_arguments[0].dtype == dtype


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csr_array])
@pytest.mark.parametrize("mapped", [False, True], ids=["memory", "mapped"])
def test_csr_passes_without_a_copy(
    container: Any,
    dtype: type,
    index_dtype: type,
    mapped: bool,
    tmp_path: Path,
    core_arguments: list[Any],
) -> None:
    matrix = container(sparse_x().astype(dtype))
    parts = {
        "data": matrix.data,
        "indices": matrix.indices.astype(index_dtype),
        "indptr": matrix.indptr.astype(index_dtype),
    }
    for name, part in parts.items():
        part.flags.writeable = False
        if mapped:
            np.save(tmp_path / f"{name}.npy", part)
            part = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        setattr(matrix, name, part)
    LogisticRegression().fit(matrix, Y)
    data, indices, indptr, n_columns = core_arguments[0]
    assert np.shares_memory(data, matrix.data)
    assert np.shares_memory(indices, matrix.indices)
    assert np.shares_memory(indptr, matrix.indptr)
    assert (data.dtype, indices.dtype, indptr.dtype) == (dtype, index_dtype, index_dtype)
    assert n_columns == X.shape[1]


def misaligned(array: np.ndarray) -> np.ndarray:
    raw = np.empty(array.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.astype(">f8"),
        lambda x: x.tolist(),
        misaligned,
        pd.DataFrame,
        sp.csc_matrix,
        sp.coo_array,
        sp.csr_array,
    ],
    ids=[
        "fortran",
        "strided-rows",
        "strided-columns",
        "backwards",
        "big-endian",
        "list",
        "misaligned",
        "frame",
        "csc",
        "coo",
        "csr",
    ],
)
def test_other_layouts_give_the_same_fit(convert: Any) -> None:
    expected = Ridge(tol=1e-10).fit(X, X[:, 0] - X[:, 3])
    converted = convert(X)
    model = Ridge(tol=1e-10).fit(converted, X[:, 0] - X[:, 3])
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-4)
    np.testing.assert_allclose(model.predict(converted), expected.predict(X), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.bool_, np.float16, object])
def test_other_dtypes_are_converted(dtype: Any) -> None:
    whole = (X > 0).astype(dtype)
    expected = Ridge(tol=1e-10).fit((X > 0).astype(float), Y)
    np.testing.assert_array_equal(Ridge(tol=1e-10).fit(whole, Y).coef_, expected.coef_)


def test_duplicate_entries_are_summed() -> None:
    matrix = sparse_x()
    halves = sp.csr_matrix((40, 5))
    halves.indptr = 2 * matrix.indptr
    halves.indices = np.repeat(matrix.indices, 2)
    halves.data = np.repeat(matrix.data / 2, 2)
    before = [part.copy() for part in (halves.data, halves.indices, halves.indptr)]
    ours, expected = (LogisticRegression(tol=1e-8).fit(m, Y) for m in (halves, matrix))
    np.testing.assert_allclose(ours.coef_, expected.coef_, rtol=1e-12)
    for part, kept in zip((halves.data, halves.indices, halves.indptr), before, strict=True):
        assert np.array_equal(part, kept)


def test_duplicate_entries_that_overflow() -> None:
    matrix = sp.csr_matrix((40, 5))
    matrix.indptr = np.r_[0, np.full(40, 2)].astype(np.int32)
    matrix.indices = np.zeros(2, dtype=np.int32)
    matrix.data = np.full(2, 1.5e308)
    with pytest.raises(ValueError, match="infinity"):
        LogisticRegression().fit(matrix, Y)


def test_unsorted_rows_are_used_as_they_are(core_arguments: list[Any]) -> None:
    matrix, shuffled = sparse_x(), sparse_x()
    for begin, end in zip(matrix.indptr, matrix.indptr[1:], strict=False):
        shuffled.indices[begin:end] = matrix.indices[begin:end][::-1]
        shuffled.data[begin:end] = matrix.data[begin:end][::-1]
    shuffled.has_sorted_indices = False
    kept = shuffled.indices.copy()
    ours = LogisticRegression(tol=1e-8).fit(shuffled, Y)
    assert np.shares_memory(core_arguments[0][1], shuffled.indices)
    assert np.array_equal(shuffled.indices, kept)
    expected = LogisticRegression(tol=1e-8).fit(matrix, Y)
    np.testing.assert_allclose(ours.coef_, expected.coef_, rtol=1e-6)


@pytest.mark.parametrize("bad_index", [5, -1, 2**31 - 1])
def test_csr_indices_out_of_range(bad_index: int) -> None:
    matrix = sparse_x()
    matrix.indices[7] = bad_index
    with pytest.raises(ValueError, match=r"(?i)ind(ex|ices)|column"):
        LogisticRegression().fit(matrix, Y)


@pytest.mark.parametrize("pointer", [10**6, -1])
def test_csr_row_pointers_out_of_order(pointer: int) -> None:
    matrix = sparse_x()
    matrix.indptr[7] = pointer
    with pytest.raises(ValueError, match=r"(?i)indptr|row pointer"):
        LogisticRegression().fit(matrix, Y)


@pytest.mark.parametrize("solver", _core.solver_names())
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "smoothed_hinge"])
def test_labels_as_bits_are_labels_as_numbers(solver: str, loss: str) -> None:
    """For more rows than a block has, and a number that fills no byte."""
    problem = random_problem(loss, n=517, weighted=True, seed=3)
    bits = np.packbits(problem.y > 0, bitorder="little")
    options: dict[str, Any] = {"solver": solver, "tol": 1e-6, "seed": 1}
    numbers = fit_core(problem, **options)
    packed = fit_core(replace(problem, y=bits), **options)
    assert np.array_equal(packed["coef"], numbers["coef"])
    for key in ("intercept", "dual_gap", "objective", "n_iter", "null_objective"):
        assert packed[key] == numbers[key]


def test_labels_as_bits_are_refused_by_losses_of_numbers() -> None:
    problem = random_problem("squared", n=20)
    with pytest.raises(ValueError, match=r"no targets of the loss 'squared'"):
        fit_core(replace(problem, y=np.zeros(3, np.uint8)))
    with pytest.raises(ValueError, match="y has the wrong shape"):
        fit_core(replace(problem, loss="logistic", y=np.zeros(20, np.uint8)))
