"""When a fit stops, what it reports, and that it always ends with numbers."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from finitesum import _core
from reference.problem import can_solve, csr_tuple, fit
from reference.random_problems import random_problem

SOLVERS = _core.solver_names()
STOCHASTIC = ["sag", "saga", "svrg", "katyusha"]
each_solver = pytest.mark.parametrize("solver", SOLVERS)
each_solver_without_penalty = pytest.mark.parametrize("solver", sorted({*SOLVERS} - {"sdca"}))
each_stochastic = pytest.mark.parametrize("solver", STOCHASTIC)
FIELDS = {"epoch", "passes", "seconds", "objective", "gap", "step_size", "nonzeros"}


def takes_l1(solver):
    return solver in _core.solver_names(has_l1=True)


def problem_of(loss="logistic", penalty="l2", **options):
    return random_problem(loss, penalty, **{"n": 60, "p": 8, **options})


@each_solver
@pytest.mark.parametrize("loss", _core.loss_names())
@pytest.mark.parametrize("tol", [1e-1, 1e-4, 1e-8])
def test_converged_means_the_relative_gap_is_below_tol(solver, loss, tol):
    for penalty in ("l2", "l1", "elastic_net") if takes_l1(solver) else ("l2",):
        problem = problem_of(loss, penalty, weighted=True)
        if not can_solve(solver, problem):
            continue
        result = fit(problem, solver=solver, tol=tol, max_iter=20000)
        null = problem.objective(np.zeros(8), problem.best_intercept(np.zeros(8)))
        assert_allclose(result["null_objective"], null, rtol=1e-12)
        assert result["converged"]
        assert result["stopping"] == "duality gap"
        assert result["dual_gap"] <= tol * null + 1e-14
        before_last = result["history"]["gap"][:-1]
        assert np.all(before_last > tol * null)


@each_solver
def test_converged_with_a_large_mean_of_the_targets(solver):
    """An offset that the intercept absorbs must not loosen the stop rule."""
    problem = problem_of("squared", "l2")
    problem = replace(problem, y=problem.y + 1e6)
    result = fit(problem, solver=solver, tol=1e-8, max_iter=20000)
    assert result["converged"]
    assert result["dual_gap"] <= 1.01e-8 * result["null_objective"]


@each_solver
def test_without_tol_a_fit_ends_at_max_iter_or_at_rounding(solver):
    for max_iter in (1, 2, 50):
        result = fit(problem_of(), solver=solver, tol=0.0, max_iter=max_iter)
        if result["converged"]:
            assert result["dual_gap"] <= 1e-14 * result["null_objective"]
        else:
            assert result["stopping"] in ("max_iter", "no progress")
            assert (result["stopping"] == "max_iter") == (result["n_iter"] == max_iter)


@each_solver_without_penalty
@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
def test_without_penalty_the_gradient_norm_stops_the_fit(solver, loss):
    problem = problem_of(loss, "none", n=200, p=4, weighted=True)
    result = fit(problem, solver=solver, tol=1e-6, max_iter=20000)
    assert result["converged"]
    assert result["stopping"] == "gradient norm"
    assert result["dual_gap"] == np.inf
    assert result["lower_bound"] == -np.inf
    assert np.all(np.isinf(result["history"]["gap"]))
    zero = np.zeros(4)
    null_norm = np.abs(problem.gradient(zero, problem.best_intercept(zero))[0]).max()
    norm = np.abs(problem.gradient(result["coef"], result["intercept"])[0]).max()
    assert norm <= 1.001e-6 * null_norm


@each_solver_without_penalty
def test_without_penalty_a_null_model_that_is_optimal_converges(solver):
    """A constant column next to an intercept: its gradient is zero up to rounding."""
    problem = problem_of("squared", "none", p=1)
    problem = replace(problem, X=np.full((60, 1), 0.7))
    result = fit(problem, solver=solver, tol=1e-4, max_iter=500)
    assert result["converged"]


@each_solver
def test_history_ends_with_the_result(solver):
    penalty = "elastic_net" if takes_l1(solver) else "l2"
    for tol in (0.0, 1e-6):
        result = fit(problem_of("squared", penalty), solver=solver, tol=tol, max_iter=40)
        history = result["history"]
        assert set(history) == FIELDS
        lengths = {len(column) for column in history.values()}
        assert lengths == {len(history["epoch"])}
        assert {column.dtype for column in history.values()} == {np.dtype(np.float64)}
        assert np.all(np.diff(history["epoch"]) > 0)
        assert np.all(np.diff(history["passes"]) >= 0)
        assert np.all(np.diff(history["seconds"]) >= 0)
        assert history["epoch"][-1] == result["n_iter"]
        assert history["objective"][-1] == result["objective"]
        assert history["gap"][-1] == result["dual_gap"]
        assert history["nonzeros"][-1] == np.count_nonzero(result["coef"])
        assert_allclose(
            max(result["objective"] - result["lower_bound"], 0), result["dual_gap"], atol=1e-15
        )


@each_solver
def test_lower_bound_never_falls(solver):
    history = fit(problem_of(), solver=solver, tol=0.0, max_iter=60, check_interval=1)["history"]
    assert np.all(np.diff(history["objective"] - history["gap"]) >= -1e-14)


def test_passes_count_gradient_evaluations():
    for solver in ("sag", "saga"):
        history = fit(problem_of(), solver=solver, tol=0.0, max_iter=7, check_interval=1)["history"]
        assert history["passes"].tolist() == list(range(1, 8))
    history = fit(problem_of(), solver="svrg", tol=0.0, max_iter=3, check_interval=1)["history"]
    # Two of draws and one anchor; the first epoch needs two anchors.
    assert history["passes"].tolist() == [4, 7, 10]
    history = fit(problem_of(), solver="katyusha", tol=0.0, max_iter=3)["history"]
    assert history["passes"].tolist() == [3, 5, 7]


@pytest.mark.parametrize("solver", ["sag", "saga", "svrg", "katyusha"])
@pytest.mark.parametrize("interval", [1, 2, 3, 7])
def test_check_interval(solver, interval):
    options = {"solver": solver, "tol": 0.0, "check_interval": interval, "step_size": 0.01}
    epochs = fit(problem_of(), max_iter=20, **options)["history"]["epoch"]
    assert epochs.tolist() == [1, *range(1 + interval, 20, interval), 20]
    free = fit(problem_of(), max_iter=20, **{**options, "check_interval": 1})
    assert np.array_equal(fit(problem_of(), max_iter=20, **options)["coef"], free["coef"])


@each_solver
def test_monitor_sees_every_check(solver):
    seen = []

    def monitor(check):
        seen.append(check)
        return False

    result = fit(problem_of(), solver=solver, tol=1e-8, max_iter=100, monitor=monitor)
    for field, column in result["history"].items():
        assert [check[field] for check in seen] == column.tolist()


@each_solver
def test_monitor_stops_the_fit(solver):
    last = 1 if solver == "cd" else 3  # two epochs of which are all that this problem takes
    result = fit(
        problem_of(), solver=solver, tol=0.0, max_iter=100, check_interval=1,
        monitor=lambda check: check["epoch"] >= last,
    )  # fmt: skip
    assert result["n_iter"] == last
    assert result["stopping"] == "callback"
    assert not result["converged"]
    same = fit(problem_of(), solver=solver, tol=0.0, max_iter=last, check_interval=1)
    assert np.array_equal(result["coef"], same["coef"])


@each_solver
def test_error_in_the_monitor_is_the_callers(solver):
    def broken(_):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fit(problem_of(), solver=solver, monitor=broken)


@each_solver
def test_no_time_at_all(solver):
    problem = problem_of()
    result = fit(problem, solver=solver, time_limit=0.0)
    assert result["stopping"] == "time_limit"
    assert result["n_iter"] == 0
    assert_allclose(result["objective"], problem.objective(result["coef"], result["intercept"]))


@each_stochastic
def test_time_limit_interrupts_an_epoch(solver):
    problem = replace(random_problem("logistic", "l2", n=20_000, p=200), alpha=1e-6)
    limit = 0.2  # set-up counts, too
    for X in (problem.X, csr_tuple(problem.X)):
        began = time.perf_counter()
        result = fit(problem, X, solver=solver, tol=0.0, max_iter=10**6, time_limit=limit)
        assert limit <= time.perf_counter() - began < limit + 1
        assert result["stopping"] == "time_limit"
        assert not result["converged"]
        assert result["n_iter"] > 0
        objective = problem.objective(result["coef"], result["intercept"])
        assert_allclose(result["objective"], objective, rtol=1e-12)
        assert result["lower_bound"] <= objective


@each_solver
def test_two_fits_run_at_the_same_time(solver):
    """The interpreter lock is free during a fit, and fits share nothing."""
    alone = fit(problem_of(), solver=solver, tol=0.0, max_iter=50)
    results = [None, None]

    def run(k):
        results[k] = fit(problem_of(), solver=solver, tol=0.0, max_iter=50)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert np.array_equal(result["coef"], alone["coef"])


@each_stochastic
@pytest.mark.parametrize("loss", _core.loss_names())
@pytest.mark.parametrize("step_size", [10.0, 1e6, 1e300])
def test_absurd_steps_end_with_numbers(solver, loss, step_size):
    for penalty in ("none", "l2", "l1", "elastic_net"):
        problem = problem_of(loss, penalty)
        for X in (problem.X, csr_tuple(problem.X)):
            for max_iter in (1, 2, 60):
                result = fit(problem, X, solver=solver, step_size=step_size, max_iter=max_iter)
                assert np.all(np.isfinite(result["coef"]))
                assert np.isfinite(result["intercept"])
                with np.errstate(over="ignore"):
                    objective = problem.objective(result["coef"], result["intercept"])
                assert_allclose(result["objective"], objective, rtol=1e-9)


@each_stochastic
@pytest.mark.parametrize("penalty", ["none", "l2", "elastic_net"])
@pytest.mark.parametrize("intercept", [True, False])
def test_divergence_halves_the_step_until_the_fit_converges(solver, penalty, intercept):
    problem = problem_of("squared", penalty, intercept=intercept)
    for step_size in (1e3, 1e6):
        result = fit(problem, solver=solver, step_size=step_size, max_iter=3000, tol=1e-6)
        assert result["converged"]
        assert result["history"]["step_size"][-1] < 1


@each_solver
def test_warm_start_at_the_optimum_stays_there(solver):
    problem = problem_of("logistic", "elastic_net" if takes_l1(solver) else "l2")
    optimum = fit(problem, solver="newton", tol=1e-13)
    start = {"coef_init": optimum["coef"], "intercept_init": optimum["intercept"]}
    for X in (problem.X, csr_tuple(problem.X)):
        result = fit(problem, X, solver=solver, tol=1e-8, max_iter=1000, **start)
        assert result["converged"]
        assert_allclose(result["coef"], optimum["coef"], rtol=1e-3, atol=1e-4)


@each_solver
def test_the_callers_arrays_are_not_written(solver):
    problem = problem_of(weighted=True)
    start = np.ones(8)
    data, indices, indptr, p = csr_tuple(problem.X)
    for array in (problem.X, problem.y, problem.s, start, data, indices, indptr):
        array.setflags(write=False)
    for X in (problem.X, (data, indices, indptr, p)):
        result = fit(problem, X, solver=solver, max_iter=3, coef_init=start)
        assert np.all(start == 1)
        assert not np.shares_memory(result["coef"], start)


REFUSED = {
    "unknown solver": ({"solver": "sgd"}, "unknown solver 'sgd'"),
    "unknown sampling": (
        {"sampling": "importance", "solver": "sag"},
        "unknown sampling 'importance'",
    ),
    "negative tol": ({"tol": -1.0}, "tol"),
    "tol not a number": ({"tol": np.nan}, "tol"),
    "no epoch": ({"max_iter": 0}, "max_iter"),
    "negative step": ({"step_size": -1.0}, "step_size"),
    "infinite step": ({"step_size": np.inf}, "step_size"),
    "negative time": ({"time_limit": -1.0}, "time_limit"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    options, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        fit(problem_of(), **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": -1.0}, "alpha"),
        ({"alpha": np.inf}, "alpha"),
        ({"l1_ratio": 1.5}, "l1_ratio"),
        ({"s": np.zeros(60)}, "weights"),
        ({"loss": "hinge"}, "hinge"),
        ({"X": np.zeros((0, 8)), "y": np.zeros(0), "s": np.zeros(0)}, "positive|at least one row"),
        ({"X": np.zeros((60, 0))}, "at least one"),
    ],
)
def test_refused_problems(change, message):
    with pytest.raises(ValueError, match=message):
        fit(replace(problem_of(), **change))
