"""While a fit runs: callback, display, time limit, and the interpreter stays free."""

import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from finitesum import LinearSVC, LogisticRegression, Ridge, _core

KEYS = {"epoch", "passes", "seconds", "objective", "gap", "step_size", "nonzeros"}


def small() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 10))
    return X, (X[:, 0] + rng.normal(size=200) > 0).astype(int)


def endless(cls: type = LogisticRegression, **kwargs: Any) -> Any:
    """Build an estimator whose fit on `large` data would take minutes."""
    options = {"solver": "sag", "C": 1e6, "tol": 0.0, "max_iter": 10**7, "random_state": 0}
    return cls(**{**options, **kwargs})


def large() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20000, 50)) * np.logspace(0, -3, 50)
    y = np.digitize(X[:, 0] + rng.normal(size=20000), [0.0])
    return X @ np.linalg.qr(rng.normal(size=(50, 50)))[0], y  # no column is the bad one


@pytest.mark.parametrize("solver", _core.solver_names())
def test_callback_sees_every_check(solver: str) -> None:
    seen: list[dict[str, float]] = []
    X, y = small()
    model = LogisticRegression(solver=solver, callback=seen.append, random_state=0).fit(X, y)
    assert all(set(check) == KEYS for check in seen)
    assert [check["epoch"] for check in seen] == list(model.history_["epoch"])
    assert [check["gap"] for check in seen] == list(model.history_["gap"])


@pytest.mark.parametrize("solver", _core.solver_names())
def test_callback_does_not_change_the_numbers(solver: str) -> None:
    X, y = small()
    plain = LogisticRegression(solver=solver, random_state=0).fit(X, y)
    watched = LogisticRegression(solver=solver, random_state=0, callback=lambda _: None).fit(X, y)
    assert plain.coef_.tobytes() == watched.coef_.tobytes()


@pytest.mark.parametrize("true", [True, 1, np.True_])
def test_callback_stops_the_fit_without_a_warning(true: Any) -> None:
    X, y = small()
    model = endless(check_interval=1, callback=lambda check: true if check["epoch"] >= 3 else None)
    model.fit(X, y)
    assert model.stopping_ == "callback"
    assert model.converged_ is False
    assert model.history_["epoch"][-1] == 3
    assert np.isfinite(model.relative_gap_)
    assert model.predict(X).shape == y.shape


def test_error_in_the_callback_reaches_the_caller() -> None:
    def broken(_: dict[str, float]) -> bool:
        raise LookupError("mine")

    X, y = small()
    model = endless(callback=broken)
    with pytest.raises(LookupError, match="mine"):
        model.fit(X, y)
    assert not hasattr(model, "coef_")


def test_check_interval() -> None:
    X, y = small()
    options = {"max_iter": 12, "check_interval": 5}
    with pytest.warns(ConvergenceWarning):
        epochs = endless(**options).fit(X, y).history_["epoch"]
    assert list(epochs) == [1, 6, 11, 12]  # the first, every fifth from there, the last


def test_time_limit() -> None:
    X, y = large()
    model = endless(time_limit=0.3)
    started = time.perf_counter()
    with pytest.warns(ConvergenceWarning, match="time_limit ended the fit.*relative duality gap"):
        model.fit(X, y)
    assert 0.3 <= time.perf_counter() - started < 5  # not minutes
    assert model.stopping_ == "time_limit"
    assert np.isfinite(model.relative_gap_)
    assert model.score(X, y) > 0.6


def test_time_limit_is_for_all_outputs_together() -> None:
    X, y = large()
    y = np.digitize(X[:, 0], [-0.5, 0.0, 0.5])
    X = sp.csr_array(X)
    model = endless(LinearSVC, time_limit=0.3)
    started = time.perf_counter()
    with pytest.warns(ConvergenceWarning, match="4 of 4 outputs"):
        model.fit(X, y)
    assert time.perf_counter() - started < 5  # not minutes
    assert set(model.stopping_) == {"time_limit"}
    assert model.n_iter_ > 0
    assert all(coef.any() for coef in model.coef_)  # they are fitted side by side
    assert model.relative_gap_.shape == (4,)
    assert model.predict(X).shape == y.shape


def test_time_limit_is_for_all_outputs_one_after_the_other() -> None:
    X, y = large()
    Y = X @ np.ones((50, 3)) + y[:, None]
    model = Ridge(
        [1e-9, 1e-8, 1e-7], solver="sag", tol=0.0, max_iter=10**7, time_limit=0.3, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="3 of 3 outputs"):
        model.fit(X, Y)
    assert set(model.stopping_) == {"time_limit"}
    assert model.coef_[0].any()
    assert not model.coef_[1:].any()  # no time was left: the null model


# sag works on sparse rows for all outputs side by side, newton on one after the other, each done in
# one check.
@pytest.mark.parametrize(
    ("solver", "stopping"),
    [("sag", ["callback"] * 3), ("newton", ["duality gap", "duality gap", "callback"])],
)
def test_callback_stops_all_outputs(solver: str, stopping: list[str]) -> None:
    X = sp.csr_array(small()[0])
    y = np.digitize(small()[0][:, 0], [-0.5, 0.5])
    seen: list[dict[str, float]] = []

    def second_output(check: dict[str, float]) -> bool:
        seen.append(check)
        return check["output"] == 1

    model = LinearSVC(callback=second_output, solver=solver, random_state=0).fit(X, y)
    assert set(seen[0]) == KEYS | {"output"}
    assert {check["output"] for check in seen} == {0, 1}
    assert list(model.stopping_) == stopping
    assert model.converged_ is False


def test_other_threads_run_during_a_fit() -> None:
    X, y = large()
    wakes: list[float] = []
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            wakes.append(time.perf_counter())
            time.sleep(0.005)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        with pytest.warns(ConvergenceWarning):
            endless(time_limit=0.5).fit(X, y)
    finally:
        done.set()
        thread.join()
    assert len(wakes) > 20
    assert max(np.diff(wakes)) < 0.2


def test_two_fits_at_once() -> None:
    X, y = small()
    expected = Ridge(solver="saga", random_state=0).fit(X, y).coef_
    found: list[np.ndarray] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(Ridge(solver="saga", random_state=0).fit(X, y).coef_)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(coef, expected) for coef in found)
    assert len(found) == 4


def test_silent_by_default(capfd: pytest.CaptureFixture[str]) -> None:
    LogisticRegression().fit(*small())
    captured = capfd.readouterr()
    assert not captured.out
    assert not captured.err


def test_verbose_shows_progress(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    model = LogisticRegression(verbose=1, solver="sag").fit(*small())
    out = capsys.readouterr().out
    assert "epochs" in out
    assert f"{model.objective_:.6g}" in out


def test_verbose_without_rich(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    X, _ = small()
    model = LinearSVC(verbose=1, solver="sag").fit(X, np.digitize(X[:, 0], [-0.5, 0.5]))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(model.history_["epoch"])
    assert lines[0].startswith("output 0  epoch")
    assert "gap" in lines[-1]
