"""The gallery's figures on few digits: they run as their page says and show what they are about."""

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"
FIGURES = sorted(path.stem for path in GALLERY.glob("*.py") if "digits" in path.read_text("utf-8"))
FIGURES.remove("digits")


@pytest.fixture
def gallery(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("matplotlib").use("Agg")
    if not (data_folder / "mnist").is_dir():
        pytest.skip(f"no MNIST in {data_folder}")
    monkeypatch.syspath_prepend(str(GALLERY))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return GALLERY


def test_every_figure_has_its_command_on_the_page() -> None:
    page = (GALLERY / "README.md").read_text("utf-8")
    for path in GALLERY.glob("*.py"):
        if path.stem != "digits":
            assert f"python docs/gallery/{path.name}" in page, path.name


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_figure(
    name: str, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    target = tmp_path / f"{name}.png"
    monkeypatch.setattr("sys.argv", [f"{name}.py", str(target), "--quick"])
    runpy.run_path(str(gallery / f"{name}.py"), run_name="__main__")
    assert target.stat().st_size > 10_000
    printed = capsys.readouterr().out
    assert printed.count("\n| ") >= 4  # rows of its table


@pytest.mark.slow
def test_batch_normalization_learns_where_sigmoids_alone_do_not(gallery: Path) -> None:
    figure: dict[str, Any] = runpy.run_path(str(gallery / "sigmoid_units.py"))
    digits = figure["load"](True)
    accuracy, percentiles = figure["course"](digits, True, 20, 10)
    without, few = figure["course"](digits, False, 20, 10)
    assert accuracy[-1] > 0.75 > 0.3 > without[-1]
    assert np.all(np.diff(percentiles, axis=1) > 0)
    assert np.ptp(few[-1]) < 0.1 < 1 < np.ptp(percentiles[-1])


@pytest.mark.slow
def test_batch_normalization_bears_a_high_learning_rate(gallery: Path) -> None:
    figure: dict[str, Any] = runpy.run_path(str(gallery / "learning_rates.py"))
    digits = figure["load"](True)
    with_norm, without = (
        figure["accuracy"](digits, "relu", batch_norm, 3.0) for batch_norm in (True, False)
    )
    assert with_norm > 0.6
    assert not without > 0.3
