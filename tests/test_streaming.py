"""Pieces of files are the file; mapped matrices are used where they lie; memory stays constant."""

import bz2
import doctest
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import dump_svmlight_file

from finitesum import LogisticRegression, SGDClassifier, SGDRegressor, _core, streaming
from finitesum.streaming import (
    csr_chunks,
    open_csr,
    parquet_chunks,
    svmlight_chunks,
    write_csr,
)

EXAMPLE = Path(__file__).parents[1] / "examples" / "larger_than_memory.py"
RNG = np.random.default_rng(0)
N, P = 90, 12
X = sp.random_array((N, P), density=0.3, rng=RNG, format="csr").astype(np.float32)
Y = np.where(RNG.random(N) < 0.5, -1.0, 1.0)
CLASSES = [-1.0, 1.0]
ROW_BY_ROW = {"shuffle": False, "batch_size": 1, "tol": None}


def pieces(X=X, size=20):
    for first in range(0, X.shape[0], size):
        yield X[first : first + size], Y[first : first + size]


def stacked(chunks):
    matrices, targets = zip(*chunks, strict=True)
    return sp.vstack(matrices, format="csr"), np.concatenate(targets)


def assert_same(chunk, X=X, y=Y):
    assert_array_equal(chunk[0].toarray(), X.toarray())
    assert_array_equal(chunk[1], y)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "rows.svm"
    dump_svmlight_file(X, Y, str(path), zero_based=False)
    return path


@settings(max_examples=20, deadline=None)
@given(chunk_bytes=st.integers(300, 5000))
def test_svmlight_pieces_are_the_file(text, chunk_bytes):
    assert_same(stacked(svmlight_chunks(text, P, chunk_bytes=chunk_bytes, dtype=np.float32)))


@pytest.mark.parametrize("opened", [open, gzip.open, bz2.open])
def test_svmlight_lines_of_all_kinds(tmp_path, opened):
    """Longer than a piece, without entries, comments, empty, and the last one not ended."""
    path = tmp_path / {open: "rows", gzip.open: "rows.gz", bz2.open: "rows.bz2"}[opened]
    with opened(path, "wb") as file:
        file.write(b"# some\n1 1:1 2:2 3:3 4:4\n\n# a comment longer than that\n-1\n2 2:5 4:6")
    for chunk_bytes in (*range(1, 70), 10**6):
        matrix, y = stacked(svmlight_chunks(path, 4, chunk_bytes=chunk_bytes))
        assert_array_equal(matrix.toarray(), [[1, 2, 3, 4], [0, 0, 0, 0], [0, 5, 0, 6]])
        assert_array_equal(y, [1, -1, 2])


def test_a_pass_over_pieces_is_an_epoch(text):
    """In the file's order, from text and from mapped arrays, as of one matrix."""
    options = {"loss": "log_loss", "average": True, **ROW_BY_ROW}
    whole = SGDClassifier(max_iter=3, **options).fit(X, Y)
    write_csr(text.parent / "csr", pieces())
    for chunks in (
        lambda: svmlight_chunks(text, P, chunk_bytes=700, dtype=np.float32),
        lambda: csr_chunks(text.parent / "csr", chunk_rows=17),
        pieces,
    ):
        model = SGDClassifier(**options)
        for _ in range(3):
            for rows, y in chunks():
                model.partial_fit(rows, y, classes=CLASSES)
        assert_allclose(model.coef_, whole.coef_, rtol=1e-12, atol=1e-15)
        assert_allclose(model.intercept_, whole.intercept_, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["csr", "dense"])
def test_written_pieces_are_mapped(tmp_path, dtype, kind):
    matrix = X.astype(dtype)
    given = pieces(matrix if kind == "csr" else matrix.toarray())
    assert write_csr(tmp_path, given) == (N, P)
    found, y = open_csr(tmp_path)
    assert_same((found, y), matrix)
    arrays = {"data": found.data, "indices": found.indices, "indptr": found.indptr, "y": y}
    types = [dtype, np.int32, np.int64, np.float64]
    for (name, array), of in zip(arrays.items(), types, strict=True):
        assert isinstance(array, np.memmap)
        assert array.dtype == of
        assert not array.flags.writeable
        assert_array_equal(np.load(tmp_path / f"{name}.npy"), array)
    for size in (1, 7, N, 1000):
        assert_same(stacked(csr_chunks(tmp_path, chunk_rows=size)), matrix)
    assert_same(open_csr(tmp_path, 80, 50), matrix[80:], Y[80:])
    assert open_csr(tmp_path, N, 5)[0].shape == (0, P)


def test_what_is_mapped_outlives_a_new_matrix_in_its_place(tmp_path):
    write_csr(tmp_path, pieces())
    before = open_csr(tmp_path)
    write_csr(tmp_path, [(2 * X, -Y)])
    assert_same(before)
    after = open_csr(tmp_path)
    assert_same(after, 2 * X, -Y)
    write_csr(tmp_path, [after, after])  # from the files that it replaces
    assert_same(open_csr(tmp_path, N), 2 * X, -Y)


def test_more_columns_than_32_bits_count(tmp_path):
    wide = sp.csr_array((np.ones(2), np.array([1, 2**31 + 3]), [0, 1, 2]), shape=(2, 2**31 + 5))
    write_csr(tmp_path, [(wide, np.ones(2))])
    found, _ = open_csr(tmp_path)
    assert found.shape == wide.shape
    assert found.indices.dtype == np.int64
    assert_array_equal(found.indices, wide.indices)


@pytest.mark.parametrize("core", ["fit", "fit_sgd"])
def test_mapped_arrays_go_to_the_core_as_they_are(tmp_path, monkeypatch, core):
    write_csr(tmp_path, pieces())
    seen, original = [], getattr(_core, core)
    monkeypatch.setattr(
        _core, core, lambda matrix, *a, **k: seen.append(matrix) or original(matrix, *a, **k)
    )
    in_memory = X.copy()
    if core == "fit":
        chunks = [open_csr(tmp_path)]
        models = [LogisticRegression().fit(*chunk) for chunk in (*chunks, (in_memory, Y))]
    else:
        chunks = list(csr_chunks(tmp_path, chunk_rows=40))
        models = [SGDClassifier(random_state=0), SGDClassifier(random_state=0)]
        for rows, y in chunks:
            models[0].partial_fit(rows, y, classes=CLASSES)
        for first in (0, 40, 80):
            part = slice(first, first + 40)
            models[1].partial_fit(in_memory[part], Y[part], classes=CLASSES)
    for (rows, _), (data, indices, indptr, _) in zip(chunks, seen, strict=False):
        assert np.shares_memory(data, rows.data)
        assert np.shares_memory(indices, rows.indices)
        assert np.shares_memory(indptr, rows.indptr)
    assert_array_equal(models[0].coef_, models[1].coef_)


def test_what_cannot_be_written_or_read(tmp_path, text):
    for call, message in (
        (lambda: list(svmlight_chunks(text, P, chunk_bytes=0)), "chunk_bytes must be at least 1"),
        (lambda: list(svmlight_chunks(text, P - 1)), "n_features was set to 11"),
        (lambda: list(csr_chunks(tmp_path, chunk_rows=0)), "chunk_rows must be at least 1"),
        (lambda: write_csr(tmp_path, []), "no rows to write"),
        (lambda: write_csr(tmp_path, [(X, Y), (X[:, 1:], Y)]), "the first one has 12 columns"),
        (lambda: write_csr(tmp_path, [(X, Y[1:])]), r"targets of shape \(89,\)"),
        (lambda: write_csr(tmp_path, [(X, Y[:, None])]), r"targets of shape \(90, 1\)"),
        (lambda: write_csr(tmp_path, [(X[:0], Y[:0])]), "no rows to write"),
        (lambda: write_csr(tmp_path, [(X, Y.astype(str))]), "Targets must be numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    for later in ((X.astype(float), Y.astype(int)), (X, Y)):
        with pytest.raises(TypeError, match="Cannot cast"):
            write_csr(tmp_path, [(X, Y.astype(int)), later])
    with pytest.raises(FileNotFoundError):
        open_csr(tmp_path)  # cut short
    write_csr(tmp_path, pieces())
    with pytest.raises(ValueError, match="must be at least 0"):
        open_csr(tmp_path, -1)
    with pytest.raises(ValueError, match="11 columns"):
        write_csr(tmp_path, [(X[:, 1:], Y), (X, Y)])
    with pytest.raises(FileNotFoundError):
        open_csr(tmp_path)  # no mixture of old and new


def test_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    dense = X.toarray()
    table = {f"x{j}": dense[:, j] for j in range(P)} | {"y": Y, "k": np.arange(N)}
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table(table), path, row_group_size=37)
    names = [f"x{j}" for j in range(P)]
    chunks = list(parquet_chunks(path, "y", columns=names, chunk_rows=25, dtype=np.float32))
    assert max(len(y) for _, y in chunks) <= 25
    assert_array_equal(np.vstack([rows for rows, _ in chunks]), dense)
    assert_array_equal(np.concatenate([y for _, y in chunks]), Y)
    rows, _ = next(parquet_chunks(path, "y"))
    assert rows.shape == (N, P + 1)
    assert rows.dtype == np.float64
    assert rows.flags.c_contiguous
    model = SGDRegressor(max_iter=1, **ROW_BY_ROW)
    for part in chunks:
        model.partial_fit(*part)
    whole = SGDRegressor(max_iter=1, **ROW_BY_ROW).fit(dense, Y)
    assert_allclose(model.coef_, whole.coef_, rtol=1e-12, atol=1e-15)
    with pytest.raises(ValueError, match=r"lacks the columns \['z'\]"):
        next(parquet_chunks(path, "z"))
    gaps = tmp_path / "gaps.parquet"
    parquet.write_table(pa.table({"a": [1, None], "y": [0, 1]}), gaps)
    rows, y = next(parquet_chunks(gaps, "y"))
    assert_array_equal(rows, [[1], [np.nan]])
    assert_array_equal(y, [0, 1])


def test_docstring_examples():
    assert doctest.testmod(streaming).failed == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")
def test_example_in_less_memory_than_its_data(tmp_path):
    """The example itself checks that the data do not fit and what the fits took."""
    finished = subprocess.run(
        [sys.executable, str(EXAMPLE), "--folder", str(tmp_path), "--megabytes", "80",
         "--allowed", "60"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert "too much to load" in finished.stdout
    assert "certified" in finished.stdout
