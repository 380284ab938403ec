"""The command line: info, and the demo that checks every certificate."""

import subprocess
import sys
from typing import Any

import pytest

import finitesum
from finitesum import _core
from finitesum.cli import demo, main


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines)
    assert facts["finitesum"] == finitesum.__version__
    assert all(isa in lines[2] for isa in [_core.isa(), *_core.available_isas()])
    assert {"numpy", "scipy", "scikit-learn", "solvers"} <= facts.keys()


@pytest.mark.parametrize("argv", [[], ["fit"], ["demo", "--tol", "small"]])
def test_bad_arguments(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == 2
    assert "usage: finitesum" in capsys.readouterr().err


def test_module_is_the_same_program() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "finitesum", "info"], capture_output=True, text=True, check=True
    )
    assert finished.stdout.startswith("finitesum ")
    assert not finished.stderr


@pytest.fixture
def one_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the demo to its last data set."""
    monkeypatch.setattr(demo, "_classification", lambda *_, **__: iter(()))


@pytest.mark.usefixtures("one_regression")
def test_demo_of_one_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--tol", "1e-5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["data", "estimator", "solver"]
    rows = [line for line in lines if line.startswith("diabetes")]
    assert len(rows) == 3 * len(_core.solver_names())
    assert all(row.split()[-1] in {"holds", "none"} or "refused" in row for row in rows)


@pytest.mark.usefixtures("one_regression")
def test_demo_exposes_a_false_certificate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = _core.fit

    def lying(*args: Any, **kwargs: Any) -> Any:
        return {**fit(*args, **{**kwargs, "max_iter": 1}), "dual_gap": 0.0}

    monkeypatch.setattr(_core, "fit", lying)
    assert main(["demo"]) == 1
    assert "FALSE" in capsys.readouterr().out


@pytest.mark.slow
def test_whole_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    for name in ("cancer scaled", "digits even", "diabetes", "False ones: 0"):
        assert name in out
