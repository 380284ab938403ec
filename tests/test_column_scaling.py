"""Steps of their own length for columns: the slow twins, what may not depend on units, raw data."""

from dataclasses import replace
from itertools import islice, product

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer

from finitesum import LogisticRegression
from reference.column_scaling import column_scaling
from reference.problem import LAYOUTS, csr_tuple, fit
from reference.random_problems import PENALTIES, random_problem
from reference.step_size import StepRule
from reference.svrg import svrg_epochs
from reference.table import table_epochs

EPOCHS = (1, 2, 5)
STOCHASTIC = ["sag", "saga", "svrg"]
SCALES = 2.0 ** np.array([0, 5, -4, 9, 1, -7, 3, 0])
each_solver = pytest.mark.parametrize("solver", STOCHASTIC)


def uneven(loss="logistic", penalty="l2", offset=0.0, **options):
    """Columns in very different units, and far from zero; representable in float32."""
    problem = random_problem(loss, penalty, density=0.6, **options)
    X = ((problem.X + offset) * SCALES).astype(np.float32).astype(float)
    X[:, 7] = 0
    return replace(problem, X=X)


def twin(problem, solver, *, sparse, w, b, step_size, sampling, **svrg):
    scaling = column_scaling(problem, sparse)
    rule = StepRule(
        problem, solver, step_size, sampling == "lipschitz", svrg.pop("batch_size", 1), scaling
    )
    if solver == "svrg":
        epochs = svrg_epochs(problem, rule, w, b, seed=0, **svrg)
    else:
        jumps = 1 / 16 if sparse and problem.l1 > 0 else 0.0
        epochs = table_epochs(problem, rule, w, b, seed=0, mass_growth=jumps)
    return [(w, b) for w, b, _ in islice(epochs, max(EPOCHS))]


def assert_twins(problem, solver, *, w, step_size=0.0, sampling="uniform", rtol=1e-12, **svrg):
    b = 0.2 if problem.intercept else 0.0
    options = {"step_size": step_size, "sampling": sampling}
    for sparse in (False, True):
        path = twin(problem, solver, sparse=sparse, w=w, b=b, **options, **svrg)
        layouts = [name for name in LAYOUTS if ("csr" in name) == sparse]
        for layout, k in product(layouts, EPOCHS):
            result = fit(
                problem, LAYOUTS[layout](problem.X), solver=solver, max_iter=k, tol=0.0,
                coef_init=w, intercept_init=b, **options,
                solver_options={"scale_columns": True, **svrg},
            )  # fmt: skip
            coef, intercept = path[result["n_iter"] - 1]
            # In the units of the columns.
            scale = max(1.0, np.abs(coef * SCALES).max())
            assert_allclose(result["coef"] * SCALES, coef * SCALES, rtol=rtol, atol=rtol * scale)
            assert_allclose(result["intercept"], intercept, rtol=rtol, atol=10 * rtol * scale)


@each_solver
@pytest.mark.parametrize("loss", ["logistic", "squared", "huber"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_iterates_are_the_twins(solver, loss, penalty):
    kinds = [{}, {"intercept": False, "weighted": True}, {"offset": 3.0}]
    for kind, sampling in product(kinds, ["uniform", "lipschitz"]):
        problem = uneven(loss, penalty, **kind)
        assert_twins(problem, solver, w=np.zeros(8), sampling=sampling, step_size=0.02)
    start = 0.3 * np.random.default_rng(7).normal(size=8) / SCALES
    assert_twins(problem, solver, w=start, rtol=1e-11)
    assert_twins(replace(problem, intercept_scaling=2.0), solver, w=start, rtol=1e-11)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("iterate", ["random", "average"])
def test_svrg_options_are_the_twins(penalty, iterate):
    problem = uneven("logistic", penalty, offset=1.0, weighted=True)
    options = {"step_size": 0.02, "iterate": iterate, "batch_size": 4}
    assert_twins(problem, "svrg", w=np.zeros(8), **options, rtol=1e-11)


@each_solver
@pytest.mark.parametrize("penalty", ["l2", "elastic_net"])
def test_lazy_coefficients_outlive_many_steps(solver, penalty):
    """A strong penalty makes the scales of the classes fold many times."""
    problem = replace(uneven("squared", penalty, n=200), alpha=1e3)
    problem.X[:, 0] = 0
    problem.X[17, 0] = 2.0
    assert_twins(problem, solver, w=np.zeros(8), step_size=0.1)
    if solver == "svrg":
        assert_twins(problem, solver, w=np.zeros(8), step_size=0.1, iterate="average", rtol=1e-11)


@each_solver
@pytest.mark.parametrize("sparse", [False, True])
def test_units_do_not_matter_to_the_unpenalized(solver, sparse):
    """Columns times powers of two: the predictions keep their bits, but for the rounded means."""
    problem = random_problem("logistic", "none", n=60, density=0.6)
    scaled = replace(problem, X=problem.X * SCALES)
    layout = csr_tuple if sparse else np.ascontiguousarray
    options = {"solver": solver, "max_iter": 20, "tol": 0.0}
    options["solver_options"] = {"scale_columns": True}
    one = fit(problem, layout(problem.X), **options)
    other = fit(scaled, layout(scaled.X), **options)
    assert np.array_equal(one["coef"], other["coef"] * SCALES)
    assert one["intercept"] == other["intercept"]


@each_solver
@pytest.mark.parametrize("penalty", ["l2", "elastic_net"])
def test_the_optimum_is_the_users(solver, penalty):
    problem = uneven("logistic", penalty, n=200, offset=1.0)
    exact = fit(problem, solver="newton", tol=1e-14)
    for layout in ("dense float64", "csr int32 float64"):
        result = fit(
            problem, LAYOUTS[layout](problem.X), solver=solver, tol=1e-11, max_iter=20000,
            solver_options={"scale_columns": True},
        )  # fmt: skip
        assert result["converged"]
        assert_allclose(result["objective"], exact["objective"], rtol=1e-9)
        assert result["lower_bound"] <= exact["objective"] * (1 + 1e-14)


def test_it_is_chosen_by_the_data():
    """On, its first epoch differs from that of plain steps; off, it has the same bits."""
    rng = np.random.default_rng(0)
    alike = rng.normal(size=(300, 8))

    def differs(X, **options):
        y = np.where(X[:, 0] > np.median(X[:, 0]), 1.0, -1.0)
        problem = replace(random_problem(), X=X, y=y, s=np.ones(300), loss="logistic", alpha=1e-4)
        fits = [
            fit(problem, LAYOUTS[layout](X), max_iter=2, tol=0.0, **options,
                solver_options={"scale_columns": choice})["coef"]
            for layout in ("dense float64", "csr int32 float64") for choice in (False, "auto")
        ]  # fmt: skip
        return [not np.array_equal(*fits[:2]), not np.array_equal(*fits[2:])]

    for solver in STOCHASTIC:
        assert differs(alike, solver=solver) == [False, False]
        assert differs(alike * 1000 ** rng.random(8), solver=solver) == [True, True]
        assert differs(alike + 1e4, solver=solver)[0]  # only dense columns are centered
        assert differs(alike * 1000 ** rng.random(8), solver=solver, step_size=1e-9) == [
            False, False,
        ]  # fmt: skip


@pytest.mark.parametrize(("sparse", "too_few"), [(False, 98), (True, 6)])
def test_it_needs_rows_enough_for_its_memory(sparse, too_few):
    """16 (n + p) bytes hold the 9.5 n + 32 p of dense X if n >= 2.46 p, the 9.5 n + 17 p of sparse
    X if n >= p / 6.5. SVRG has no such bound."""
    rng = np.random.default_rng(0)
    p = 40

    def is_scaled(n, solver, scale_columns="auto"):
        X = rng.normal(size=(n, p)) * 1000 ** rng.random(p)
        y = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
        problem = replace(random_problem(), X=X, y=y, s=np.ones(n), loss="logistic", alpha=1e-6)
        on, off = (
            fit(problem, csr_tuple(X) if sparse else X, solver=solver, max_iter=2, tol=0.0,
                solver_options={"scale_columns": choice})["coef"]
            for choice in (scale_columns, False)
        )  # fmt: skip
        return not np.array_equal(on, off)

    for solver in ("sag", "saga"):
        assert is_scaled(too_few + 1, solver)
        assert not is_scaled(too_few, solver)
        assert is_scaled(too_few, solver, scale_columns=True)
    assert is_scaled(too_few, "svrg")


@each_solver
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sparse", [False, True])
def test_resumed_is_uninterrupted(solver, sparse):
    problem = uneven(n=200, offset=1.0)
    X = sp.csr_array(problem.X) if sparse else problem.X
    for l1_ratio, sampling in product((0.0, 0.5), ("auto", "uniform")):
        options = {
            "solver": solver, "tol": 0.0, "random_state": 3, "C": 0.1, "l1_ratio": l1_ratio,
            "sampling": sampling, "solver_options": {"scale_columns": True},
        }  # fmt: skip
        whole = LogisticRegression(max_iter=7, **options).fit(X, problem.y)
        cut = LogisticRegression(max_iter=3, warm_start=True, **options).fit(X, problem.y)
        cut.set_params(max_iter=4).fit(X, problem.y)
        assert np.array_equal(whole.coef_, cut.coef_)
        assert np.array_equal(whole.intercept_, cut.intercept_)


def raw(folder, name, n=None):
    if name == "breast_cancer":
        return load_breast_cancer(return_X_y=True)
    if not (folder / name).is_dir():
        pytest.skip(f"no data set {name} in {folder}")
    X, y = sp.load_npz(folder / name / "X.npz"), np.load(folder / name / "y.npz")["y"]
    y = y == 2 if name == "covtype" else y > 0
    rows = np.random.default_rng(0).permutation(len(y))[:n]
    return X[rows], y[rows]


@pytest.mark.parametrize(
    ("name", "solver"),
    [*product(["breast_cancer", "covtype"], ["sag", "saga", "auto"]), ("protein", "sag")],
)
def test_raw_data_need_no_scaler(data_folder, name, solver):
    """The certificate is that of the user's problem. Without scaling, sag stands at 1e1 to 1e3."""
    X, y = raw(data_folder, name, {"covtype": 5000, "protein": 20000}.get(name))
    X = X.toarray() if sp.issparse(X) else X
    model = LogisticRegression(solver=solver, tol=1e-6, max_iter=1000, random_state=0).fit(X, y)
    assert model.converged_
    z = X @ model.coef_[0] + model.intercept_[0]
    objective = np.logaddexp(0, np.where(y, -z, z)).mean() + model.coef_[0] @ model.coef_[0] / (
        2 * len(y)
    )
    assert_allclose(model.history_["objective"][-1], objective, rtol=1e-9)
    newton = LogisticRegression(solver="newton", tol=1e-12).fit(X, y)
    smallest = newton.history_["objective"][-1]
    null = np.log(2) if name == "breast_cancer" else 1.0
    assert smallest * (1 - 1e-12) <= objective <= smallest + 1e-6 * null


@pytest.mark.slow
@pytest.mark.parametrize("name", ["covtype", "protein"])
@pytest.mark.parametrize("dense", [False, True])
def test_whole_raw_data_need_no_scaler(data_folder, name, dense):
    X, y = raw(data_folder, name)
    X = X.toarray() if dense else X
    for solver in ("sag", "auto"):
        model = LogisticRegression(solver=solver, tol=1e-6, max_iter=300, random_state=0)
        assert model.fit(X, y).converged_


@pytest.mark.slow
@pytest.mark.parametrize("name", ["breast_cancer", "covtype", "protein"])
def test_the_default_needs_no_scaler(data_folder, name):
    X, y = raw(data_folder, name)
    model = LogisticRegression(tol=1e-6).fit(X, y)
    assert model.converged_
    assert model.relative_gap_ <= 1e-6


def test_news20_and_a9a_stay_as_they_are(data_folder):
    """The default draws evenly there, with plain steps."""
    for name, positive in [("a9a", [1]), ("news20", range(1, 6))]:
        if not (data_folder / name).is_dir():
            pytest.skip(f"no data set {name} in {data_folder}")
        X = sp.load_npz(data_folder / name / "X.npz")
        y = np.isin(np.load(data_folder / name / "y.npz")["y"], list(positive))
        auto, off = (
            LogisticRegression(
                solver="sag", tol=0.5, random_state=0, solver_options={"scale_columns": choice}
            ).fit(X, y)
            for choice in ("auto", False)
        )
        assert np.array_equal(auto.coef_, off.coef_)
