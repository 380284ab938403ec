"""Stops from outside, Ctrl-C above all: within epochs, steps, sweeps and before the first epoch."""

import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from finitesum import LogisticRegression, _core, certify
from interrupting import ctrl_c, ends_early, needs_ctrl_c, stopped_at_the_start
from test_fit_control import endless, large, small


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
    steps = [LogisticRegression(max_iter=k, **options).fit(X, y) for k in range(1, 6)]
    one_step = (time.perf_counter() - started) / 15
    known = {0.0: steps[0].null_objective_}
    known |= {step.coef_[0, 0]: step.objective_ for step in steps}
    seen = set()
    for share in (0.6, 1.2, 1.6, 2.0, 2.4, 2.8):
        model = LogisticRegression(max_iter=4, **options)
        try:
            with ctrl_c() as press:
                press(share * one_step)
                model.fit(X, y)
        except KeyboardInterrupt:  # before the core began or after it was done
            continue
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
