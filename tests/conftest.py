"""Fixtures and the report header shared by all tests."""

import os
import signal
from importlib.metadata import version
from pathlib import Path

import pytest

# Read when SciPy is first imported: without it scikit-learn's array API checks are skipped.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

# Read when OpenMP and OpenBLAS are loaded: pytest's workers share the cores, where a thread that
# waits for others by spinning keeps these from working.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from finitesum import _core


def pytest_report_header():
    packages = ("numpy", "scipy", "scikit-learn")
    return [
        f"finitesum {_core.version()}, isa {_core.isa()} of {', '.join(_core.available_isas())}, "
        f"{_core.compiler()}",
        ", ".join(f"{name} {version(name)}" for name in packages),
    ]


@pytest.fixture(scope="session")
def data_folder():
    """Folder of real data sets: FINITESUM_DATA, or ../shared/data beside the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FINITESUM_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no data sets: FINITESUM_DATA is not set to a folder and {folder} is absent")
    return folder


def pytest_configure() -> None:
    """Let the tests press Ctrl-C also where the shell started them in the background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
