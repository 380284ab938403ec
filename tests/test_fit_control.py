"""While a fit runs: callback, display, time limit, Ctrl-C, and the interpreter stays free."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from finitesum import LinearSVC, LogisticRegression, Ridge, _core, certify
from interrupting import ctrl_c, ends_early, needs_ctrl_c, stopped_at_the_start

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


@needs_ctrl_c
@pytest.mark.parametrize("classes", [2, 3])
def test_ctrl_c_gives_a_usable_estimator(classes: int) -> None:
    X, y = large()
    if classes == 3:
        y = np.digitize(X[:, 0], [-0.5, 0.5])
    model = endless()
    started = time.perf_counter()
    with ctrl_c() as press:
        press(0.3)
        with pytest.warns(ConvergenceWarning, match="the fit was interrupted"):
            model.fit(X, y)
    assert time.perf_counter() - started < 5  # not minutes
    assert set(np.atleast_1d(model.stopping_)) == {"interrupted"}
    assert np.isfinite(model.relative_gap_).all()
    assert model.predict(X).shape == y.shape


@pytest.fixture(scope="module")
def huge() -> tuple[np.ndarray, np.ndarray]:
    """More entries than the certificate of an interrupted fit may read."""
    rng = np.random.default_rng(0)
    X = np.tile(rng.normal(size=(2000, 100)).astype(np.float32), (100, 1))
    y = X[:, 0] + rng.normal(size=len(X)) > 0
    assert X.size > 2**24
    return X, y


def in_the_second_epoch(press: Callable[[float], None]) -> Callable[[dict[str, float]], None]:
    """Make a callback that presses Ctrl-C once, in the middle of the second epoch."""

    def callback(check: dict[str, float]) -> None:
        if check["epoch"] == 1:
            press(0.02)

    return callback


@needs_ctrl_c
@pytest.mark.parametrize("solver", ["sag", "saga", "sdca"])
def test_ctrl_c_does_not_wait_for_a_long_certificate(
    solver: str, huge: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = huge
    # with a weak penalty one epoch of sdca is worth little
    C = 0.01 if solver == "sdca" else 1e6
    model = endless(solver=solver, check_interval=10**6).set_params(C=C)
    warning = r"no finite duality gap.*finitesum\.certify"
    with ctrl_c() as press, pytest.warns(ConvergenceWarning, match=warning):
        model.set_params(callback=in_the_second_epoch(press)).fit(X, y)
    assert model.stopping_ == "interrupted"
    # not even the objective: it would take a sweep
    assert model.objective_ == model.dual_gap_ == np.inf
    assert model.history_["nonzeros"][-1] == np.count_nonzero(model.coef_)
    assert model.score(X, y) > 0.6
    assert np.isfinite(certify(model, X, y, max_iter=1).gap)


@needs_ctrl_c
@pytest.mark.parametrize(("solver", "classes"), [("svrg", 2), ("katyusha", 2), ("svrg", 3)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ctrl_c_returns_to_the_last_certified_point(
    solver: str, classes: int, huge: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = huge
    if classes == 3:
        y = y.astype(int) + (X[:, 1] > 1)
    model = endless(solver=solver, warm_start=True)
    with ctrl_c() as press:
        model.set_params(callback=in_the_second_epoch(press)).fit(X, y)
    assert model.stopping_ == "interrupted"
    assert np.isfinite(model.dual_gap_)
    known = [
        endless(solver=solver, max_iter=int(np.ravel(model.n_iter_)[0]) - k).fit(X, y)
        for k in (0, 1)
    ]
    objectives = [each.objective_ for each in known if np.array_equal(each.coef_, model.coef_)]
    assert objectives == [model.objective_]
    model.set_params(max_iter=1, callback=None).fit(X, y)  # from an anchor without derivatives
    assert model.objective_ < objectives[0]


@needs_ctrl_c
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ctrl_c_within_a_multinomial_newton_step_returns_a_whole_iterate() -> None:
    """Its sweeps over the samples, which take longer than so narrow a Hessian, are cut short."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=200_000)
    X, y = x[:, None], np.digitize(x + rng.normal(size=len(x)), [-1.0, 0.0, 0.5, 1.0])
    options = {"solver": "newton", "tol": 0.0, "warm_start": True}
    started = time.perf_counter()
    steps = [LogisticRegression(max_iter=k, **options).fit(X, y) for k in range(1, 5)]
    one_step = (time.perf_counter() - started) / 10
    known = {0.0: steps[0].null_objective_}
    known |= {step.coef_[0, 0]: step.objective_ for step in steps}
    seen = set()
    for share in (1.2, 1.6, 2.0, 2.4, 2.8):
        model = LogisticRegression(max_iter=4, **options)
        with ctrl_c() as press:
            press(share * one_step)
            model.fit(X, y)
        seen.add(model.stopping_)
        # at zero either the null model's or, rounded otherwise, the solver's
        assert model.objective_ == pytest.approx(known[model.coef_[0, 0]], rel=1e-11)
        assert np.isfinite(model.dual_gap_) or not model.coef_.any()
        if model.stopping_ == "interrupted" and model.coef_.any():
            model.set_params(max_iter=1, callback=None).fit(X, y)
            assert model.objective_ in known.values()  # from where it was, to the bit
    assert "interrupted" in seen


@pytest.mark.parametrize("solver", ["sag", "saga"])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_a_stop_cuts_the_sweep_at_a_restart_short(solver: str, n_outputs: int) -> None:
    """Steps that are far too long go back to the start, whose derivatives take a sweep."""
    X, y = small()
    start = np.full((10, n_outputs), 0.1)
    problem = {**PROBLEM, "step_size": 100.0, "max_iter": 100, "check_interval": 1}
    problem |= {"loss": "squared", "loss_parameter": 1.0, "solver": solver, "sampling": "uniform"}
    problem |= {"alpha": 0.01, "coef_init": start.ravel(), "monitor": lambda c: c["epoch"] == 1}
    if n_outputs == 1:
        result = _core.fit(X, y.astype(float), None, **problem, intercept_init=0.0)
        outcome = result
    else:
        Y = np.repeat(y.astype(float), n_outputs)
        result = _core.fit_multi(
            X, Y, None, n_outputs=n_outputs, intercepts_init=np.zeros(n_outputs), **problem
        )
        outcome = result["outputs"][0]
    assert outcome["stopping"] == "callback"
    assert outcome["history"]["objective"][1] > 100 * outcome["history"]["objective"][0]
    assert np.array_equal(result["coef"].ravel(), start.ravel())
    # one for the start, one for the epoch, none for the restart
    assert outcome["history"]["passes"][-1] == 2.0
    assert outcome["objective"] == outcome["history"]["objective"][0]


@pytest.fixture(scope="module")
def endless_zeros() -> np.ndarray:
    """Data that takes a fifth of a second to sweep over before the first epoch, on unused pages."""
    return np.zeros((4_000_000, 200), dtype=np.float32)


PROBLEM = {
    "alpha": 1.0, "l1_ratio": 0.0, "fit_intercept": True, "sampling": "auto", "step_size": 0.0,
    "tol": 0.0, "max_iter": 1, "check_interval": 0, "time_limit": np.inf, "seed": 0,
    "coef_init": None, "keep_state": True, "monitor": None,
}  # fmt: skip


def assert_is_the_null_model(result: dict[str, Any], outcome: dict[str, Any]) -> None:
    assert (outcome["stopping"], outcome["n_iter"]) == ("interrupted", 0)
    assert outcome["objective"] == outcome["null_objective"]
    assert outcome["dual_gap"] == np.inf
    assert list(outcome["history"]["epoch"]) == [0.0]
    assert not result["coef"].any()
    assert result["state"].size == 0


@needs_ctrl_c
@pytest.mark.parametrize("solver", ["sag", "lbfgs"])
def test_ctrl_c_before_the_first_epoch_returns_the_start(
    solver: str, endless_zeros: np.ndarray
) -> None:
    y = np.zeros(len(endless_zeros))
    y[::3] = 1.0
    result = stopped_at_the_start(
        _core.fit, endless_zeros, y, None, loss="squared", loss_parameter=1.0, solver=solver,
        intercept_init=None, **PROBLEM,
    )  # fmt: skip
    assert_is_the_null_model(result, result)
    assert result["intercept"] == pytest.approx(1 / 3, abs=1e-6)


@needs_ctrl_c
def test_ctrl_c_before_the_first_epoch_of_several_outputs(endless_zeros: np.ndarray) -> None:
    y = (np.arange(len(endless_zeros)) % 3).astype(np.int32)
    result = stopped_at_the_start(
        _core.fit_multi, endless_zeros, y, None, n_outputs=3, loss="multinomial", solver="sag",
        intercepts_init=None, **PROBLEM,
    )  # fmt: skip
    assert_is_the_null_model(result, result["outputs"][0])


@needs_ctrl_c
def test_ctrl_c_while_indices_are_checked() -> None:
    indices = np.zeros(1_000_000_000, dtype=np.int32)  # never allocated either
    assert ends_early(lambda: _core.has_duplicates(indices, np.array([0, indices.size]), 1))


@needs_ctrl_c
@pytest.mark.parametrize("classes", [2, 3])
def test_ctrl_c_within_the_callback_ends_the_fit_as_elsewhere(classes: int) -> None:
    X, y = large()
    if classes == 3:
        y = np.digitize(X[:, 0], [-0.5, 0.5])

    def press(check: dict[str, float]) -> None:
        if check["epoch"] == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.warns(ConvergenceWarning, match="the fit was interrupted"):
        model = endless(callback=press).fit(X, y)
    assert set(np.atleast_1d(model.stopping_)) == {"interrupted"}
    assert np.isfinite(model.relative_gap_).all()


@needs_ctrl_c
def test_ctrl_c_is_not_left_pending() -> None:
    X, y = large()
    with ctrl_c() as press:
        press(0.2)
        with pytest.warns(ConvergenceWarning):
            endless().fit(X, y)
        time.sleep(0.05)  # a KeyboardInterrupt still pending would be raised here
    assert LogisticRegression().fit(*small()).stopping_ == "duality gap"


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
