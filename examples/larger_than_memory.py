"""Fits text of an svmlight file that is larger than the memory this process allows itself.

    python examples/larger_than_memory.py [--megabytes 300] [--allowed 150] [--folder FOLDER]

1. Parse the text in pieces, fit `SGDClassifier` to each: one pass in constant memory.
2. Write the pieces as a CSR matrix on disk and go through that: passes without parsing.
3. Map the matrix as a whole for `LogisticRegression`, which proves its optimum.

The limit of 1 and 2 is on addresses (``ulimit -v``), which maps of files count for as well; that of
3 on what a process may allocate. Both are set above what Python and its libraries have taken at the
start. Linux only.
"""

import argparse
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from threadpoolctl import threadpool_limits

from finitesum import LogisticRegression, SGDClassifier, streaming

N_FEATURES, ENTRIES, CLASSES = 2000, 30, [-1.0, 1.0]
MEGABYTE = 2**20
CHUNK_BYTES, CHUNK_ROWS = 2 * MEGABYTE, 2**13


def taken(field: str) -> int:
    """Give a line of the process's status in bytes: VmSize, VmData, VmRSS."""
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


@contextmanager
def allowed(kind: int, field: str, megabytes: int) -> Iterator[None]:
    """Allow this much more than what is taken now."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (taken(field) + megabytes * MEGABYTE, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def write_text(path: Path, megabytes: int) -> None:
    """Write samples of a noisy linear rule, a few thousand at a time."""
    rng = np.random.default_rng(0)
    coef = rng.normal(size=N_FEATURES)
    with path.open("wb") as file:
        while file.tell() < megabytes * MEGABYTE:
            columns = rng.integers(N_FEATURES, size=(4000, ENTRIES), dtype=np.int32)
            values = rng.integers(1, 100, size=columns.shape) / 100
            starts = np.arange(0, columns.size + 1, ENTRIES, dtype=np.int32)
            X = sp.csr_array((values.ravel(), columns.ravel(), starts), shape=(4000, N_FEATURES))
            X.sum_duplicates()
            y = np.where(X @ coef + rng.normal(size=4000) > 0, 1, -1)
            dump_svmlight_file(X, y, file, zero_based=False)


def text_chunks(path: Path) -> Iterator[streaming.Chunk]:
    """Parse the text."""
    return streaming.svmlight_chunks(path, N_FEATURES, chunk_bytes=CHUNK_BYTES, dtype=np.float32)


def share_right(model: SGDClassifier | LogisticRegression, matrix: Path) -> float:
    """Predict piece by piece: SciPy's products bring X and the coefficients to one type."""
    chunks = streaming.csr_chunks(matrix, chunk_rows=CHUNK_ROWS)
    return float(np.mean(np.concatenate([model.predict(X) == y for X, y in chunks])))


def main() -> None:
    """Write, fit, and say how much memory it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=300, help="of text, about")
    parser.add_argument("--allowed", type=int, default=150, help="megabytes of memory")
    parser.add_argument("--folder", type=Path, help="for the data; a temporary one by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(1):
        folder = arguments.folder or Path(temporary)
        text, matrix = folder / "rows.svm", folder / "csr"
        write_text(text, arguments.megabytes)

        with allowed(resource.RLIMIT_AS, "VmSize", arguments.allowed):
            try:
                load_svmlight_file(str(text), n_features=N_FEATURES)
            except MemoryError:
                print(f"{text.stat().st_size / MEGABYTE:.0f} MB of text: too much to load")
            model = SGDClassifier(loss="log_loss", alpha=1e-6, random_state=0)
            for X, y in text_chunks(text):
                model.partial_fit(X, y, classes=CLASSES)
            n_rows, _ = streaming.write_csr(matrix, text_chunks(text))
            for X, y in streaming.csr_chunks(matrix, chunk_rows=CHUNK_ROWS):
                model.partial_fit(X, y)
            right = share_right(model, matrix)
            print(f"two passes over {n_rows} rows: {right:.4f} of them right")

        with allowed(resource.RLIMIT_DATA, "VmData", arguments.allowed):
            X, y = streaming.open_csr(matrix)
            proved = LogisticRegression(solver="sag", C=1.0, tol=1e-3, n_threads=1).fit(X, y)
            print(
                f"certified: within {proved.relative_gap_:.1e} of the optimum after "
                f"{proved.n_iter_[0]} epochs; {share_right(proved, matrix):.4f} right"
            )
        size = sum(file.stat().st_size for file in matrix.iterdir())
        print(f"the matrix on disk: {size / MEGABYTE:.0f} MB; allowed: {arguments.allowed} MB")


if __name__ == "__main__":
    main()
