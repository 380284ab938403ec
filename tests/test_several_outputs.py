"""`Ridge` with several targets and `LinearSVC` with several classes: fitted side by side."""

import pickle
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn import linear_model, svm
from sklearn.exceptions import ConvergenceWarning

from finitesum import LinearSVC, Ridge
from finitesum.linear import _solve
from linear_data import N, P, design, three_classes

SOLVERS = ["sag", "saga", "svrg"]
each_solver = pytest.mark.parametrize("solver", SOLVERS)
TIGHT = {"tol": 1e-11, "max_iter": 50000, "random_state": 0}
WEIGHT = np.random.default_rng(8).exponential(size=N)
RNG = np.random.default_rng(9)
Y = design() @ RNG.normal(size=(P, 4)) + RNG.normal(size=(N, 4)) + [0, 1, -2, 30]
CLASSES = three_classes()


@each_solver
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
def test_ridge_is_scikit_learns(solver, fit_intercept, sparse):
    X = design(sparse)
    for alpha, weight in product([3.0, [1.0, 1.0, 7.0, 7.0]], [None, WEIGHT]):
        ours = Ridge(alpha, solver=solver, fit_intercept=fit_intercept, **TIGHT)
        ours.set_params(tol=1e-13).fit(X, Y, weight)
        dense = X.toarray() if sparse else X
        theirs = linear_model.Ridge(alpha, fit_intercept=fit_intercept).fit(dense, Y, weight)
        assert ours.converged_
        assert set(ours.solver_) == {solver}
        assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=2e-4)
        assert_allclose(ours.intercept_, theirs.intercept_, rtol=0, atol=2e-4)


@each_solver
@pytest.mark.parametrize("loss", ["squared_hinge", "smoothed_hinge"])
@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_each_class_is_its_own_fit(solver, loss, penalty):
    for X, fit_intercept in [(design(), True), (design(sparse=True), False)]:
        options = {"penalty": penalty, "loss": loss, "C": 0.3, "fit_intercept": fit_intercept}
        model = LinearSVC(solver=solver, **options, **TIGHT).fit(X, CLASSES, WEIGHT)
        assert np.all(model.relative_gap_ <= 1e-11)
        for k, label in enumerate(model.classes_):
            alone = LinearSVC(solver="newton", **options, **TIGHT)
            alone.fit(X, label == CLASSES, WEIGHT)
            assert_allclose(model.coef_[k], alone.coef_[0], rtol=0, atol=1e-4)
            assert_allclose(model.intercept_[k], alone.intercept_[0], rtol=0, atol=1e-4)
            assert_allclose(model.objective_[k], alone.objective_, rtol=1e-9)
            assert_allclose(model.null_objective_[k], alone.null_objective_, rtol=1e-12)


@each_solver
def test_linear_svc_without_intercept_is_scikit_learns(solver):
    X = design()
    ours = LinearSVC(solver=solver, C=0.3, fit_intercept=False, **TIGHT).fit(X, CLASSES)
    theirs = svm.LinearSVC(C=0.3, fit_intercept=False, tol=1e-9, max_iter=10**6).fit(X, CLASSES)
    assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=1e-4)
    assert np.array_equal(ours.predict(X), theirs.predict(X))


@each_solver
def test_report_is_per_output(solver):
    model = Ridge(solver=solver, random_state=0).fit(design(sparse=True), Y)
    for name in ("dual_gap_", "relative_gap_", "objective_", "null_objective_", "n_iter_"):
        assert getattr(model, name).shape == (4,)
    assert np.all(model.relative_gap_ <= model.tol)
    assert len(set(model.n_iter_)) == 1  # they run until the last one has converged
    history = model.history_
    assert history["output"].tolist() == np.repeat(range(4), len(history["gap"]) // 4).tolist()
    one, other = (
        {key: values[history["output"] == k] for key, values in history.items()} for k in (0, 3)
    )
    assert np.array_equal(one["passes"], other["passes"])
    assert not np.array_equal(one["gap"], other["gap"])
    assert np.array_equal(model.draw_shares_[0], model.draw_shares_[3])


def test_auto_takes_newton_for_narrow_data():
    model = Ridge(random_state=0).fit(design(), Y)
    assert set(model.solver_) == {"newton"}
    wide = sp.random_array((60, 2000), density=0.1, rng=np.random.default_rng(0), format="csr")
    model = Ridge(random_state=0).fit(wide, Y[:60])
    assert set(model.solver_) == {"sdca"}
    model = LinearSVC("l1", C=0.05, random_state=0).fit(wide, CLASSES[:60])
    assert set(model.solver_) == {"cd"}


def test_groups_of_outputs(monkeypatch):
    """A few at a time where they are many: each group is a fit of its own."""
    y = RNG.integers(5, size=N)
    options = {"solver": "saga", "fit_intercept": True, **TIGHT}
    X = design(sparse=True)
    together = LinearSVC(C=0.1, **options).fit(X, y)
    assert together.history_["passes"].max() == together.n_iter_
    monkeypatch.setattr(_solve, "_MOST_TOGETHER", 2)
    seen = []
    by_two = LinearSVC(C=0.1, callback=lambda check: seen.append(check["output"]), **options)
    by_two.fit(X, y)
    assert set(seen) == set(range(5))
    assert_allclose(by_two.coef_, together.coef_, rtol=0, atol=1e-4)
    assert_allclose(by_two.intercept_, together.intercept_, rtol=0, atol=1e-4)


@each_solver
def test_samples_and_classes_without_weight_are_absent(solver):
    X = sp.csr_array(np.r_[design(), 100 * design()[:6]])
    y = np.r_[CLASSES, ["aaa", "none", "top"] * 2]
    weight = np.r_[WEIGHT, np.zeros(6)]
    model = LinearSVC(solver=solver, C=0.3, **TIGHT).fit(X, y, weight)
    removed = LinearSVC(solver=solver, C=0.3, **TIGHT).fit(design(), CLASSES, WEIGHT)
    assert model.classes_.tolist() == removed.classes_.tolist()
    assert_allclose(model.coef_, removed.coef_, rtol=0, atol=1e-4)
    assert_allclose(model.objective_, removed.objective_, rtol=1e-9)


@each_solver
@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning")
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
def test_resumed_is_uninterrupted(solver, sparse):
    X = design(sparse)
    options = {"solver": solver, "tol": 0.0, "random_state": 1}
    for cls, y in [(Ridge, Y), (LinearSVC, CLASSES)]:
        whole = cls(max_iter=7, **options).fit(X, y)
        cut = cls(max_iter=3, warm_start=True, **options).fit(X, y)
        cut = pickle.loads(pickle.dumps(cut)).set_params(max_iter=4).fit(X, y)
        assert np.array_equal(whole.coef_, cut.coef_)
        assert np.array_equal(whole.intercept_, cut.intercept_)


@each_solver
def test_other_parameters_start_from_the_coefficients(solver):
    X = design()
    model = Ridge(2.0, solver=solver, warm_start=True, random_state=0, tol=1e-9).fit(X, Y)
    optimum = model.objective_
    model.set_params(alpha=2.0001, solver="saga" if solver == "sag" else "sag").fit(X, Y)
    first = model.history_["objective"][model.history_["epoch"] == 0]
    assert_allclose(first, optimum, rtol=1e-3)


@each_solver
def test_outputs_share_their_steps_whatever_the_columns_units(solver):
    """All run until the last one has converged, on scaled columns no longer than on even ones."""
    options = {"solver": solver, "alpha": 0.1, "tol": 1e-6, "max_iter": 5000, "random_state": 0}
    epochs = []
    for X in (design(), design() * 10.0 ** np.arange(-3, P - 3)):
        model = Ridge(**options).fit(X, Y)
        assert model.converged_
        assert len(set(model.n_iter_)) == 1
        epochs.append(model.n_iter_[0])
    assert epochs[1] <= 20 * epochs[0]


@each_solver
def test_float32_is_used_in_place(solver):
    X = design(sparse=True).astype(np.float32)
    options = {"solver": solver, **TIGHT}
    single = Ridge(**options).fit(X, Y)
    double = Ridge(**options).fit(X.astype(float), Y)
    assert_allclose(single.coef_, double.coef_, rtol=0, atol=1e-4)
