"""solver="auto": what it takes, and what it says about that."""

import pickle
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from finitesum import ElasticNet, Lasso, LinearSVC, LogisticRegression, PoissonRegressor, Ridge
from reference.problem import fit
from reference.random_problems import random_problem

RNG = np.random.default_rng(0)
NARROW = RNG.normal(size=(300, 6))
WIDE = sp.random_array((60, 2500), density=0.1, rng=RNG, format="csr")
# Columns too many for a Hessian, rows still more, of 300 entries and a squared norm of about 1.
TALL = sp.random_array((3000, 2900), density=0.1, rng=RNG, format="csr") / 10.0
DIGITS = load_digits().data / 16.0


def fitted(model: Any, X: Any, n_outputs: int = 1) -> Any:
    """After an epoch: only the choice matters."""
    n = X.shape[0]
    regression = isinstance(model, Ridge | Lasso | ElasticNet | PoissonRegressor)
    y = np.arange(n) % max(n_outputs, 2)
    if regression and n_outputs > 1:
        y = np.stack([(y == k) * 1.0 for k in range(n_outputs)], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(model).set_params(max_iter=1).fit(X, y)


CASES = {
    "cheap Hessian": (LogisticRegression(), NARROW, 1, "newton"),
    "cheap Hessian, L1": (Lasso(alpha=0.01), NARROW, 1, "newton"),
    "many columns, L1": (Lasso(alpha=0.01), WIDE, 1, "cd"),
    "many columns, weak elastic net": (ElasticNet(alpha=1e-6), WIDE, 1, "cd"),
    "many columns, elastic net": (ElasticNet(alpha=0.1), WIDE, 1, "sdca"),
    "many columns, L2": (LogisticRegression(C=1.0), WIDE, 1, "sdca"),
    "many columns, weak L2": (LogisticRegression(C=1e4), WIDE, 1, "lbfgs"),
    "no penalty": (LogisticRegression(C=np.inf), WIDE, 1, "lbfgs"),
    "many rows and columns": (LogisticRegression(C=1.0), TALL, 1, "sdca"),
    "many rows and columns, L2": (LogisticRegression(C=30.0), TALL, 1, "sag"),
    "many rows and columns, weak L2": (LogisticRegression(C=1e5), TALL, 1, "newton-cg"),
    "several narrow outputs": (Ridge(), NARROW, 4, "newton"),
    "several wide outputs": (Ridge(), WIDE, 4, "sdca"),
    "several outputs of many rows": (Ridge(alpha=0.2), TALL, 4, "sag"),
    "several classes": (LogisticRegression(), NARROW, 3, "newton"),
    "several classes, weak penalty": (LogisticRegression(C=1e2), DIGITS, 10, "lbfgs"),
    "several wide classes": (LogisticRegression(), WIDE, 3, "lbfgs"),
    "several wide classes, strong penalty": (LogisticRegression(C=0.01), WIDE, 3, "sag"),
    "several wide classes, L1": (LogisticRegression(l1_ratio=1.0), WIDE, 3, "sag"),
    "counts": (PoissonRegressor(), NARROW, 1, "newton"),
}  # fmt: skip


@pytest.mark.parametrize(("model", "X", "n_outputs", "solver"), CASES.values(), ids=CASES)
def test_each_solver_where_it_is_the_fastest(model, X, n_outputs, solver):
    found = fitted(model, X, n_outputs)
    assert set(np.atleast_1d(found.solver_)) == {solver}
    reports = found.auto_report_ if isinstance(found.auto_report_, list) else [found.auto_report_]
    assert len(reports) == np.size(found.solver_)
    for report in reports:
        assert report["solver"] == solver
        assert f"'{solver}'" in report["reason"]
        seconds, passes = report["seconds"], report["passes"]
        assert list(seconds) == sorted(seconds, key=seconds.__getitem__) == list(passes)
        assert all(value > 0.0 for value in [*seconds.values(), *passes.values()])
        if solver != "sag" or n_outputs == 1:  # sag takes outputs together
            assert min(seconds, key=seconds.__getitem__) == solver


def test_the_report_depends_on_the_problem_alone():
    model = LogisticRegression(C=30.0, max_iter=1, solver_options={})
    expected = fitted(model, TALL).auto_report_
    for change in (
        {"tol": 1e-8}, {"n_threads": 1}, {"n_threads": 2}, {"random_state": 5},
        {"warm_start": True}, {"time_limit": 100.0},
    ):  # fmt: skip
        assert fitted(model.set_params(**change), TALL).auto_report_ == expected
    again = pickle.loads(pickle.dumps(fitted(model, TALL)))
    assert again.auto_report_ == expected
    assert clone(again).get_params() == again.get_params()


def test_there_is_a_report_of_automatic_choices_only():
    model = fitted(Ridge(), NARROW)
    assert model.auto_report_["solver"] == "newton"
    model.set_params(solver="cd").fit(NARROW, NARROW[:, 0])
    assert model.auto_report_ is None
    assert fitted(Ridge(solver="sag"), WIDE, 3).auto_report_ is None


def test_statistics():
    X = sp.csr_array(NARROW * (NARROW > 0.5))
    model = fitted(LogisticRegression(C=0.5, fit_intercept=False), X)
    found = model.auto_report_["statistics"]
    norms = np.sum(X.toarray() ** 2, axis=1)
    assert found["n_samples"] == 300
    assert found["n_features"] == 6
    assert found["n_outputs"] == 1
    assert found["n_stored"] == X.nnz
    assert found["sparse"]
    assert found["mean_squared_norm"] == pytest.approx(norms.mean())
    assert found["max_squared_norm"] == pytest.approx(norms.max())
    # sup l'' = 1/4, n alpha = 1 / C
    assert found["condition"] == pytest.approx(0.25 * norms.mean() * 0.5)


def test_weights_count_as_repeated_rows():
    weight = 1.0 + np.arange(60) % 3
    y = np.arange(60) % 2
    model = LogisticRegression(tol=0.5, C=5.0, random_state=0)
    weighted = clone(model).fit(WIDE, y, weight).auto_report_["statistics"]
    rows = np.repeat(np.arange(60), weight.astype(int))
    repeated = clone(model).fit(WIDE[rows], y[rows]).auto_report_["statistics"]
    for name in ("mean_squared_norm", "condition"):
        scale = 1.0 if name == "mean_squared_norm" else len(rows) / 60.0
        assert weighted[name] == pytest.approx(scale * repeated[name])


def test_weaker_penalties_take_more_passes():
    before: dict[str, float] = {}
    for C in (0.1, 10.0, 1e3):
        passes = fitted(LogisticRegression(C=C), TALL).auto_report_["passes"]
        assert all(passes[name] > before.get(name, 0.0) for name in passes)
        before = passes


def test_what_only_sag_has_is_not_passed_over():
    wide = random_problem("logistic", "l2", n=50, p=1200, density=0.05)
    for options in (
        {"sampling": "cyclic"},
        {"step_size": 0.1},
        {"solver_options": {"scale_columns": True}},
    ):
        found = fit(replace(wide, alpha=1.0), max_iter=1, **options)
        assert found["solver"] == "sag"
        assert "asked for" in found["auto_report"]["reason"]
        classes = fitted(LogisticRegression(C=100.0, **options), DIGITS, 10)
        assert classes.solver_ == "sag"
        assert "asked for" in classes.auto_report_["reason"]
    assert fitted(LogisticRegression(C=100.0), DIGITS, 10).solver_ == "lbfgs"


def test_several_classes_take_the_cheaper_way():
    """One after the other with a solver of its own, or side by side."""
    one_by_one = fitted(LinearSVC(C=1e-3, intercept_scaling=np.inf), WIDE, 4)
    assert set(one_by_one.solver_) == {"sdca"}
    assert [r["statistics"]["n_outputs"] for r in one_by_one.auto_report_] == 4 * [1]
    together = fitted(Ridge(alpha=0.2), TALL, 4)
    assert set(together.solver_) == {"sag"}
    assert [r["statistics"]["n_outputs"] for r in together.auto_report_] == 4 * [4]
