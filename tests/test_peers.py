"""Measuring seconds to accuracy: the objective, the ladder, the choice of rungs, the tables."""

import itertools
import math

import numpy as np
import pytest

from bench.peers import __main__ as command
from bench.peers import auto, libraries
from bench.peers.cells import CellFile, Record
from bench.peers.data import load_dataset
from bench.peers.libraries import SOLVERS, Solver
from bench.peers.measure import (
    CUT_OFF,
    TARGETS,
    TOLERANCES,
    Cell,
    Limits,
    Rung,
    climb,
    follow,
    measure,
)
from bench.peers.problems import (
    LOSSES,
    PENALTIES,
    Problem,
    Reference,
    coefficients,
    find_reference,
    make_grid,
    objective,
    ours,
)
from bench.peers.report import (
    aims_table,
    geometric_mean,
    remarks,
    seconds_tables,
    shortfalls,
    summary_table,
)

BUNDLED = {"binary": "breast_cancer", "multiclass": "wine", "regression": "diabetes"}
GRID = make_grid(list(LOSSES), list(BUNDLED.values()), list(PENALTIES), [10.0], False)
PROBLEM = Problem("breast_cancer", "logistic", 1.0)


@pytest.fixture(autouse=True)
def environment_restored(monkeypatch):
    for prefix in ("OMP", "OPENBLAS", "MKL", "NUMBA"):  # which the command sets
        monkeypatch.setenv(f"{prefix}_NUM_THREADS", "1")


def load(problem):
    return load_dataset(problem.data, np.float64)


@pytest.mark.parametrize("problem", GRID, ids=str)
def test_objective_is_that_of_the_fit(problem):
    data = load(problem)
    model = ours(problem, len(data.y), tol=1e-3).fit(data.X, data.y)
    assert objective(problem, data, *coefficients(model)) == pytest.approx(
        model.objective_, rel=1e-12
    )


def other_solvers():
    for solver in SOLVERS:
        if solver.library != "finitesum":
            slow = pytest.mark.slow if solver.library == "skglm" else ()  # it is compiled first
            yield pytest.param(solver, id=solver.name, marks=slow)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("solver", list(other_solvers()))
def test_other_libraries_minimize_the_same(solver, tmp_path):
    if not solver.is_installed():
        pytest.skip(f"{solver.module} is not installed")
    problems = [p for p in GRID if solver.suits(p, load(p))]
    assert problems
    for problem in problems:
        data = load(problem)
        optimum = find_reference(problem, data, tmp_path).optimum
        found = objective(problem, data, *solver.fit(problem, data, 1e-6, 1))
        assert -1e-10 * optimum <= found - optimum <= 1e-3 * optimum, problem


def test_reference_is_certified_and_kept(tmp_path):
    data = load(PROBLEM)
    first = find_reference(PROBLEM, data, tmp_path)
    assert 0.0 <= first.gap <= 1e-12 * first.null
    (path,) = tmp_path.iterdir()
    path.write_text('{"optimum": 1.0, "gap": 2.0, "null": 3.0}')
    assert find_reference(PROBLEM, data, tmp_path) == Reference(1.0, 2.0, 3.0)


def make_solver(fit, module="finitesum"):
    return Solver("other one", module, fit)


def test_ladder_ends_at_the_last_target():
    data = load(PROBLEM)
    exact = ours(PROBLEM, len(data.y), tol=1e-13).fit(data.X, data.y)
    coef, intercept = coefficients(exact)
    tried = []

    def fit(problem, data, tol, threads):
        tried.append(tol)
        return coef * (1.0 + math.sqrt(tol)), intercept  # F - F* falls like tol

    rungs = list(climb(make_solver(fit), PROBLEM, data, exact.objective_, Limits(100.0, 2)))
    assert [rung.tol for rung in rungs] == list(TOLERANCES[: len(rungs)])
    assert tried == [tol for rung in rungs for tol in (rung.tol, rung.tol)]
    left = [rung.suboptimality for rung in rungs]
    assert all(first > then for first, then in itertools.pairwise(left))
    assert left[-1] <= TARGETS[-1] < left[-2]


def test_ladder_ends_with_the_tolerances_and_bears_what_is_not_finite():
    def fit(problem, data, tol, threads):
        return np.full(30, np.nan), np.zeros(1)

    rungs = list(climb(make_solver(fit), PROBLEM, load(PROBLEM), 1.0, Limits(repeats=1)))
    assert len(rungs) == len(TOLERANCES)
    assert all(rung.suboptimality == math.inf for rung in rungs)


def test_fastest_rung_below_the_target_counts():
    cell = Cell("a", PROBLEM, (Rung(0.1, 1.0, 0.5), Rung(0.01, 3.0, 1e-5), Rung(1e-3, 2.0, 1e-7)))
    assert [cell.seconds_to(t) for t in (0.9, 1e-2, 1e-6, 1e-8)] == [1.0, 2.0, 2.0, math.inf]


@pytest.mark.parametrize(("end", "note"), [(EOFError(), None), (None, ""), ("no", "no")])
def test_rungs_before_an_early_end_are_kept(end, note):
    rung = Rung(0.1, 1.0, 0.5)
    messages = iter([rung, end])

    def receive():
        message = next(messages)
        if isinstance(message, Exception):
            raise message
        return message

    assert follow(receive) == ([rung], note)


def test_cell_over_budget_is_cut_off_and_the_next_one_measured():
    problems = [PROBLEM, Problem("breast_cancer", "logistic", 10.0)]
    found = list(measure("scikit-learn saga", problems, [1e-9, 1e-9], Limits(0.05, 1)))
    assert [cell.problem for cell in found] == problems
    assert {cell.note for cell in found} == {CUT_OFF}


def test_missing_library_is_named(monkeypatch):
    missing = make_solver(lambda *_: None, "no_such_library")
    monkeypatch.setattr(command, "SOLVERS", (*SOLVERS, missing))
    solvers, skipped = command.choose_solvers(["finitesum auto", "other *"])
    assert [solver.name for solver in solvers] == ["finitesum auto"]
    assert skipped == ["no_such_library"]
    text = command.document([record(cell) for cell in cells()], skipped)
    assert "Skipped: no_such_library is not there." in text


def cells():
    second = Problem("breast_cancer", "logistic", 0.1)
    return [
        Cell("finitesum auto", PROBLEM, (Rung(0.1, 1.0, 1e-9),)),
        Cell("finitesum auto", second, (Rung(0.1, 8.0, 1e-9),)),
        Cell("other fast", PROBLEM, (Rung(0.1, 0.5, 1e-3), Rung(0.01, 2.0, 1e-9))),
        Cell("other fast", second, (Rung(0.1, 1.0, 1e-9),)),
        Cell("other slow", PROBLEM, (Rung(0.1, 9.0, 0.5),), CUT_OFF),
        Cell("other slow", second, (), "ValueError: no"),
    ]


def test_summary_shows_the_best_other_and_the_ratio():
    text = summary_table(cells())
    first = "1 / 0.5 (other fast): 2.00 | " + " | ".join(3 * ["1 / 2 (other fast): 0.50"])
    assert f"| breast_cancer | logistic | l2 | 1 | {first} |" in text
    assert " | ".join(4 * ["8 / 1 (other fast): 8.00"]) in text
    alone = [cell for cell in cells() if cell.solver != "other fast"]
    assert " | ".join(4 * ["1 / -: alone"]) in summary_table(alone)
    behind = [cell for cell in cells() if cell.solver == "other fast"]
    assert "| - / 2 (other fast) |" in summary_table(behind)
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)
    assert math.isnan(geometric_mean([]))


def test_means_beside_what_is_aimed_at():
    text = aims_table(cells())
    assert "| logistic, l2, over the best other | 0.5 | 4.00 (2) | 2.00 (2) |" in text
    assert text.count("\n") == 2  # no line where the aim's libraries solved nothing
    assert aims_table([cell for cell in cells() if cell.solver == "finitesum auto"]) == ""


def test_what_falls_short_is_listed():
    first, second = PROBLEM, Problem("breast_cancer", "logistic", 0.1)
    slower = ", ".join(f"8 / 1 (other fast): 8.00 at {target:.0e}" for target in TARGETS)
    assert shortfalls(cells()) == [
        "logistic, l2, over the best other: 2.00 in the mean, 0.5 aimed at",
        f"{second}: 8 / 1 (other fast): 8.00 at 1e-06, at most 1 aimed at",
        f"{first}, slower than the best other: 1 / 0.5 (other fast): 2.00 at 1e-02",
        f"{second}, slower than the best other: {slower}",
    ]
    ahead = [cell for cell in cells() if cell.solver != "other fast"]
    assert shortfalls(ahead) == []
    only_elsewhere = shortfalls([cells()[2]])
    assert only_elsewhere[0] == f"{first}: - / 2 (other fast) at 1e-06, at most 1 aimed at"


def test_aims_are_about_their_own_libraries():
    lasso = Problem("diabetes", "squared", 1.0, 1.0)
    found = [
        Cell("finitesum auto", lasso, (Rung(0.1, 1.0, 1e-9),)),
        Cell("cyanure auto", lasso, (Rung(0.1, 0.1, 1e-9),)),
        Cell("celer squared", lasso, (Rung(0.1, 4.0, 1e-9),)),
        Cell("skglm working-set", lasso, (Rung(0.1, 2.0, 1e-9),)),
    ]
    assert "over celer * and skglm * | 0.7 | 0.50 (1)" in aims_table(found)
    assert all("slower than the best other" in line for line in shortfalls(found))


def test_solver_that_minimizes_something_else_is_named():
    weak = Reference(1.0, 1e-3, 2.0)
    lines = remarks(cells(), {PROBLEM: weak})
    assert lines == [
        "other slow, logistic l2: other objective, 1e-2 never reached",
        "other slow: 1 times ValueError: no",
        f"{PROBLEM}: the optimum is certified to 1e-03 only",
    ]
    assert "| other fast | 0.5 / 2 / 2 / 2 | 1 / 1 / 1 / 1 |" in seconds_tables(cells())


def record(cell):
    return Record(cell, Reference(1.0, 1e-12, 2.0), "other 1.0", "a machine", 0.5)


def test_cells_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "folder" / "cells.jsonl"
    kept = CellFile(path)
    never = Cell("other", PROBLEM, (Rung(1.0, 2.0, math.inf),), "no", Limits(3.0, 1, 2))
    for cell in [*cells(), never]:
        kept.add(record(cell))
    again = CellFile(path)
    assert again.records == kept.records
    third = Problem("breast_cancer", "logistic", 10.0)
    assert again.unmeasured("finitesum auto", [PROBLEM, third], 1) == [third]
    assert again.unmeasured("finitesum auto", [PROBLEM, third], 2) == [PROBLEM, third]
    assert again.unmeasured("other", [PROBLEM], 2) == []


def test_a_table_for_each_number_of_threads():
    of_two = [Cell(c.solver, c.problem, c.rungs, c.note, Limits(9.0, 3, 2)) for c in cells()]
    text = command.document([record(cell) for cell in [*of_two, *cells()]], [])
    one, two = text.index("one thread, CPU seconds"), text.index("2 threads, seconds of the clock")
    assert one < two
    assert text.count("Short of the aims") == 2
    assert "at most 4 s" in text[one:two]
    assert "at most 9 s" in text[two:]


def test_command(tmp_path, capsys):
    arguments = ["--data", "breast_cancer", "--alpha", "1", "--budget", "30", "--repeats", "1"]
    arguments += ["--solver", "finitesum auto", "--cache", str(tmp_path), "--threads", "1", "2"]
    table, kept = tmp_path / "table.md", tmp_path / "cells.jsonl"
    arguments += ["--cells", str(kept), "--markdown", str(table)]
    command.main(arguments)
    text = table.read_text()
    assert "| breast_cancer | logistic | l2 | 1 |" in text
    assert text.count(": alone") == 2 * len(TARGETS)
    assert "2 cells in" in capsys.readouterr().err
    command.main(arguments)  # all is there
    assert "0 cells in" in capsys.readouterr().err
    assert table.read_text() == text
    command.main(["--report", "--cells", str(kept)])
    printed = capsys.readouterr()
    assert printed.out == text + "\n"
    assert printed.err == ""
    with pytest.raises(SystemExit, match="no cells"):
        command.main(["--report"])


def test_figure(tmp_path):
    pytest.importorskip("matplotlib")
    from bench.peers.report import draw

    draw(cells(), str(tmp_path / "figure.png"))
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_auto_beside_every_solver(tmp_path):
    table = tmp_path / "table.md"
    arguments = ["--data", "breast_cancer", "--loss", "logistic", "--penalty", "l1", "--alpha", "1"]
    auto.main([*arguments, "--tol", "1e-3", "--markdown", str(table)])
    assert "of 1 problems" in table.read_text()


def test_auto_is_held_to_the_best_single_solver():
    beaten = auto.Outcome(PROBLEM, "saga", 4.0, {"sag": 2.0, "newton": 1.0})
    assert (beaten.best, beaten.ratio) == ("newton", 4.0)
    cut_off = auto.Outcome(PROBLEM, "saga", math.inf, {"sag": 2.0})
    assert (cut_off.best, cut_off.ratio) == ("sag", math.inf)
    close = auto.Outcome(PROBLEM, "newton", 4.0, {})
    assert (close.best, close.ratio) == ("newton", 1.0)
    text = auto.document([beaten, close, cut_off], 1e-6)
    assert "1 of 3 problems (33%)" in text
    assert "| saga | 4 | newton | 1 | 4.00 |" in text


def test_who_beats_auto(monkeypatch):
    seconds = {"auto": 3.0, "sag": 1.9, "newton": 2.0, "cd": 2.1}

    def timed(problem, data, solver, tol, limit):
        taken = seconds.get(solver, math.inf)
        return (taken if taken <= limit else math.inf), "saga" if solver == "auto" else solver

    monkeypatch.setattr(auto, "time_solver", timed)
    found = auto.compare(PROBLEM, load(PROBLEM), 1e-6, 5.0)
    assert found == auto.Outcome(PROBLEM, "saga", 3.0, {"sag": 1.9, "newton": 2.0})
    assert auto.compare(PROBLEM, load(PROBLEM), 1e-6, 2.5).faster == {
        "sag": 1.9, "newton": 2.0, "cd": 2.1,
    }  # fmt: skip
    assert auto.compare(PROBLEM, load(PROBLEM), 1e-6, 1.0) is None


def test_default_grid_is_the_large_data():
    problems = make_grid(["logistic", "multinomial"], None, ["l2"], [1.0], True)
    names = [problem.data for problem in problems]
    assert names == ["news20", "a9a", "covtype_scaled", "protein", "mnist"]
    assert all(problem.fit_intercept for problem in problems)


def test_everything_is_what_the_documents_name(monkeypatch, tmp_path):
    asked = []

    def measured(solver, problems, optima, limits):
        asked.extend((problem, limits) for problem in problems)
        return iter(())

    def loaded(name, dtype):
        return load_dataset("wine" if name == "mnist" else "diabetes", dtype)

    monkeypatch.setattr(command, "measure", measured)
    monkeypatch.setattr(command, "load_dataset", loaded)
    monkeypatch.setattr(command, "find_reference", lambda *_: Reference(1.0, 0.0, 2.0))
    monkeypatch.setattr(command, "available_cores", lambda: 7)
    arguments = ["--everything", "--solver", "finitesum auto"]
    with pytest.raises(SystemExit, match="no cells"):
        command.main(arguments)
    classified = ["news20", "a9a", "covtype_scaled", "covtype_raw", "protein"]
    expected = {(name, "logistic") for name in classified} | {("mnist", "multinomial")}
    expected |= {("california_housing", "squared"), ("bike", "squared")}
    assert {(p.data, p.loss, p.penalty, p.strength, limits.threads) for p, limits in asked} == {
        (*each, penalty, strength, threads)
        for each in expected
        for penalty in ("l2", "l1", "elastic-net")
        for strength in (10.0, 1.0, 0.1, 0.01)
        for threads in (1, 7)
    }
    assert {limits.budget for p, limits in asked if p.data == "a9a"} == {4.0}
    assert {limits.budget for p, limits in asked if p.data == "mnist"} == {120.0}
    asked.clear()
    with pytest.raises(SystemExit, match="no cells"):
        command.main([*arguments, "--data", "a9a", "--threads", "1", "--budget", "2"])
    assert {(p.data, limits.threads, limits.budget) for p, limits in asked} == {("a9a", 1, 2.0)}


def test_data_that_are_not_there_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("FINITESUM_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=f"a9a in {tmp_path}"):
        command.main(["--data", "a9a", "--solver", "finitesum auto"])


def test_names_are_unique():
    names = [solver.name for solver in libraries.SOLVERS]
    assert len(set(names)) == len(names)
