"""`solver_options`: what it refuses, and that it is part of what a fit is resumed by."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from finitesum import Lasso, LogisticRegression, PoissonRegressor, Ridge, RobustRegressor, _core
from reference.problem import fit
from reference.random_problems import random_problem

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = (X[:, 0] + RNG.normal(size=60) > 0).astype(float)
LABELS = RNG.integers(3, size=60)
ESTIMATORS = [Lasso, LogisticRegression, PoissonRegressor, Ridge, RobustRegressor]

BAD_VALUES = [
    ("inner_length", 0, r"in \(0, 1000000.0\]"),
    ("inner_length", -1.0, r"in \(0, 1000000.0\]"),
    ("inner_length", np.nan, r"in \(0, 1000000.0\]"),
    ("inner_length", np.inf, r"in \(0, 1000000.0\]"),
    ("inner_length", "2n", "a number"),
    ("inner_length", True, "a number"),
    ("inner_length", None, "a number"),
    ("inner_length", [2.0], "a number"),
    ("scale_columns", 1, "True, False or 'auto'"),
    ("scale_columns", "yes", "True, False or 'auto'"),
    ("scale_columns", None, "True, False or 'auto'"),
    *[("iterate", bad, "one of 'last' 'random' 'average'") for bad in ("mean", "", 1, None, True)],
    *[
        ("batch_size", bad, r"an integer in \[1, 2\^30\]")
        for bad in (0, -1, 1.5, 2.0, True, "4", None, 2**70)
    ],
    *[("acceleration", bad, "one of 'catalyst' 'qning'") for bad in ("Catalyst", "", 1, True)],
    *[("store_derivatives", bad, "True or False") for bad in (0, 1, "no", None)],
]


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_unknown_keys_are_refused_before_the_data_are_read(Estimator):
    for key in ("inner_lenght", "Inner_length", "", 2, ("inner_length",)):
        with pytest.raises(ValueError, match=r"unknown key .*; choose from: 'inner_length'"):
            Estimator(solver="svrg", solver_options={key: 1.0}).fit("no data", None)


@pytest.mark.parametrize(("key", "value", "expected"), BAD_VALUES)
def test_bad_values_are_refused_by_name(key, value, expected):
    message = f"solver_options: '{key}' must be {expected}, got"
    with pytest.raises(ValueError, match=message):
        Ridge(solver="svrg", solver_options={key: value}).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        fit(random_problem(), solver="svrg", solver_options={key: value})


@pytest.mark.parametrize("bad", ["svrg", 2.0, [("inner_length", 2.0)], {"inner_length"}])
def test_other_than_a_dict_is_refused(bad):
    with pytest.raises(ValueError, match="'solver_options' parameter of Ridge must be"):
        Ridge(solver_options=bad).fit(X, Y)


@pytest.mark.parametrize("solver", ["sag", "saga", "newton"])
def test_an_option_of_another_solver_is_refused(solver):
    with pytest.raises(ValueError, match=f"solver '{solver}' has no option 'inner_length'; .*svrg"):
        Ridge(solver=solver, solver_options={"inner_length": 1.0}).fit(X, Y)
    with pytest.raises(ValueError, match=f"'{solver}' has no option 'inner_length' with several"):
        LogisticRegression(solver=solver, solver_options={"inner_length": 1.0}).fit(X, LABELS)


def test_what_several_classes_do_not_have_is_refused():
    with pytest.raises(ValueError, match=r"'acceleration' with several classes .* no solver has"):
        LogisticRegression(solver="svrg", solver_options={"acceleration": "qning"}).fit(X, LABELS)


def test_the_solver_that_auto_takes_decides():
    with pytest.raises(ValueError, match="'newton', which 'auto' has chosen for this problem"):
        Ridge(solver_options={"inner_length": 1.0}).fit(X, Y)
    assert Ridge(solver_options={}).fit(X, Y).converged_


def test_values_may_be_numpys():
    for length in (1, 1.0, np.int32(1), np.float32(1), np.float64(1)):
        model = Ridge(solver="svrg", random_state=0, solver_options={"inner_length": length})
        first = Ridge(solver="svrg", random_state=0, solver_options={"inner_length": 1})
        assert np.array_equal(model.fit(X, Y).coef_, first.fit(X, Y).coef_)
    options = {"batch_size": np.int64(3), "store_derivatives": np.True_, "iterate": np.str_("last")}
    assert Ridge(solver="svrg", solver_options=options).fit(X, Y).converged_


@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning")
@pytest.mark.parametrize("targets", [Y, LABELS])
def test_options_are_part_of_what_is_resumed(targets):
    def run(max_iter, length, **start):
        model = LogisticRegression(
            solver="svrg", tol=0.0, max_iter=max_iter, random_state=0, warm_start=True,
            solver_options={"inner_length": length},
        )  # fmt: skip
        for name, value in start.items():
            setattr(model, name, value)
        return model.fit(X, targets)

    whole, cut = run(5, 0.7), run(2, 0.7)
    start = {name: getattr(cut, name) for name in ("coef_", "intercept_", "classes_")}
    changed = run(2, 0.7).set_params(max_iter=3, solver_options={"inner_length": 0.6})
    assert np.array_equal(changed.fit(X, targets).coef_, run(3, 0.6, **start).coef_)
    assert np.array_equal(cut.set_params(max_iter=3).fit(X, targets).coef_, whole.coef_)
    assert not np.array_equal(changed.coef_, whole.coef_)


def test_the_multinomial_inner_length_counts_draws():
    options = {"solver": "svrg", "max_iter": 3, "tol": 0.0, "random_state": 0}
    for length in (0.5, 2, 3.7):
        model = LogisticRegression(solver_options={"inner_length": length}, **options)
        with pytest.warns(ConvergenceWarning):
            model.fit(X, LABELS)
        assert model.history_["passes"].tolist() == pytest.approx(
            [1 + k * (1 + length) for k in (1, 2, 3)]
        )


def test_check_solver_options():
    _core.check_solver_options({})
    with pytest.raises(ValueError, match="unknown key 'depth'"):
        _core.check_solver_options({"depth": 3})
