"""Bad input is refused with a clear message; good input is neither copied nor changed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning

from finitesum import (
    ElasticNet,
    Lasso,
    LinearSVC,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RobustRegressor,
    _core,
)
from linear_data import skip_unless_solvable, solvers_of

REGRESSORS = [ElasticNet, Lasso, PoissonRegressor, Ridge, RobustRegressor]
CLASSIFIERS = [LinearSVC, LogisticRegression]
ALL = [*CLASSIFIERS, *REGRESSORS]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5))
Y = np.where(
    X[:, 0] + 0.5 * RNG.normal(size=40) > 0, 1.0, 0.0
)  # labels, counts and targets at once


@pytest.fixture
def core_arguments(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect the matrices that reach the core."""
    seen: list[Any] = []
    fit = _core.fit

    def recording(matrix: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(matrix)
        return fit(matrix, *args, **kwargs)

    monkeypatch.setattr(_core, "fit", recording)
    return seen


BAD_CONTROL = [
    ("tol", -1e-3),
    ("tol", np.nan),
    ("tol", np.inf),
    ("tol", "small"),
    ("max_iter", 0),
    ("max_iter", 1.5),
    ("fit_intercept", "yes"),
    ("solver", "bfgs"),
    ("solver", None),
    ("sampling", "importance"),
    ("step_size", 0.0),
    ("step_size", -1.0),
    ("step_size", np.nan),
    ("step_size", np.inf),
    ("step_size", "large"),
    ("check_interval", 0),
    ("check_interval", 2.5),
    ("check_interval", "often"),
    ("random_state", -1),
    ("random_state", "seed"),
    ("warm_start", "maybe"),
    ("callback", "print"),
    ("verbose", -1),
    ("verbose", "loud"),
    ("time_limit", 0.0),
    ("time_limit", -1.0),
    ("time_limit", np.nan),
    ("time_limit", "1h"),
]
BAD_OWN = [
    *[(E, "C", bad) for E in CLASSIFIERS for bad in (0.0, -1.0, np.nan, "1", None)],
    *[(E, "class_weight", bad) for E in CLASSIFIERS for bad in ("uniform", 2.0)],
    *[(E, "alpha", bad) for E in REGRESSORS for bad in (-1.0, np.nan, np.inf, "1", None)],
    *[
        (E, "l1_ratio", bad)
        for E in (ElasticNet, LogisticRegression, RobustRegressor)
        for bad in (-0.1, 1.1, np.nan, "1", None)
    ],
    *[(RobustRegressor, "delta", bad) for bad in (0.0, -1.0, np.nan, np.inf, None)],
    *[(LinearSVC, "gamma", bad) for bad in (0.0, -1.0, np.nan, np.inf, None)],
    *[(Ridge, "n_threads", bad) for bad in (0, -1, 1.5, "2")],
    *[(LinearSVC, "intercept_scaling", bad) for bad in (0.0, -1.0, np.nan, None)],
    *[(LinearSVC, "penalty", bad) for bad in ("elasticnet", None)],
    *[(LinearSVC, "loss", bad) for bad in ("hinge", None)],
]


@pytest.mark.parametrize("Estimator", ALL)
@pytest.mark.parametrize(("name", "bad"), BAD_CONTROL)
def test_bad_control_parameter(Estimator: Any, name: str, bad: Any, core_arguments: list) -> None:
    with pytest.raises(ValueError, match=f"'{name}' parameter of {Estimator.__name__} must be"):
        Estimator(**{name: bad}).fit(X, Y)
    assert not core_arguments


@pytest.mark.parametrize(("Estimator", "name", "bad"), BAD_OWN)
def test_bad_own_parameter(Estimator: Any, name: str, bad: Any, core_arguments: list) -> None:
    with pytest.raises((ValueError, TypeError), match=name):
        Estimator(**{name: bad}).fit(X, Y)
    assert not core_arguments


def test_unknown_solver_names_the_choices() -> None:
    with pytest.raises(ValueError, match="must be a str among") as refusal:
        Lasso(solver="simplex").fit(X, Y)
    assert all(repr(name) in str(refusal.value) for name in ["auto", *_core.solver_names()])


@pytest.mark.parametrize("Estimator", ALL)
def test_parameters_are_checked_before_the_data(Estimator: Any) -> None:
    with pytest.raises(ValueError, match="'tol' parameter"):
        Estimator(tol=-1.0).fit("not an array", None)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix, sp.csc_array])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("Estimator", ALL)
def test_non_finite_x(Estimator: Any, bad: float, container: Any) -> None:
    broken = X.copy()
    broken[3, 2] = bad
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        Estimator().fit(container(broken), Y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("Estimator", ALL)
def test_non_finite_y(Estimator: Any, bad: float) -> None:
    broken = Y.copy()
    broken[3] = bad
    with pytest.raises(ValueError, match=r"Input y contains (NaN|infinity)"):
        Estimator().fit(X, broken)


@pytest.mark.parametrize("Estimator", ALL)
def test_wrong_shapes(Estimator: Any) -> None:
    estimator = Estimator()
    for broken, y, message in [
        (X[:0], Y[:0], r"0 sample\(s\)"),
        (X[:, :0], Y, r"0 feature\(s\)"),
        (X[:, 0], Y, "Expected 2D array, got 1D array"),
        (X[None], Y, "Found array with dim 3"),
        (X, Y[:-1], "inconsistent numbers of samples"),
        (X, None, "requires y to be passed"),
        (X + 1j, Y, "Complex data not supported"),
        (X.astype(str), np.full(40, "a"), "convert|class|could not|dtype"),
        ([["a", "b"]] * 40, Y, "could not convert"),
    ]:
        with pytest.raises(ValueError, match=message):
            estimator.fit(broken, y)
    estimator.fit(X, Y)
    with pytest.raises(ValueError, match=r"X has 4 features, but .* is expecting 5"):
        estimator.predict(X[:, :4])


@pytest.mark.parametrize("Estimator", [E for E in ALL if E is not Ridge])
def test_two_dimensional_y(Estimator: Any) -> None:
    with pytest.raises(ValueError, match="y should be a 1d array"):
        Estimator().fit(X, np.column_stack([Y, Y]))
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        Estimator().fit(X, Y[:, None])


def test_ridge_targets() -> None:
    with pytest.raises(TypeError, match="Sparse targets"):
        Ridge().fit(X, sp.csr_matrix(np.column_stack([Y, Y])))
    with pytest.raises(ValueError, match="number of penalties do not correspond: 3 != 2"):
        Ridge([1.0, 2.0, 3.0]).fit(X, np.column_stack([Y, Y]))
    with pytest.raises(ValueError, match="Negative values"):
        Ridge([1.0, -2.0]).fit(X, np.column_stack([Y, Y]))


@pytest.mark.parametrize("Estimator", CLASSIFIERS)
def test_labels(Estimator: Any) -> None:
    with pytest.raises(ValueError, match="only one class: 'a'"):
        Estimator().fit(X, np.full(40, "a"))
    with pytest.raises(ValueError, match=r"only one class: 1\.0"):
        Estimator().fit(X, Y, sample_weight=Y)
    with pytest.raises(ValueError, match="Unknown label type"):
        Estimator().fit(X, X[:, 0])


@pytest.mark.parametrize("Estimator", CLASSIFIERS)
def test_class_weights(Estimator: Any) -> None:
    for bad in ({0: -1.0, 1: 1.0}, {0: np.nan, 1: 1.0}, {0: np.inf, 1: 1.0}):
        with pytest.raises(ValueError, match="class_weight must be finite and non-negative"):
            Estimator(class_weight=bad).fit(X, Y)
    with pytest.raises(ValueError, match="not in class_weight"):
        Estimator(class_weight={"a": 1.0, "b": 2.0}).fit(X, Y)


@pytest.mark.parametrize("Estimator", CLASSIFIERS)
def test_extreme_c(Estimator: Any) -> None:
    with pytest.raises(ValueError, match="is too small"):
        Estimator(C=1e-320).fit(X, Y)
    tiny = Estimator(C=1e-12).fit(X, Y)
    assert np.abs(tiny.coef_).max() < 1e-6


@pytest.mark.parametrize("Estimator", ALL)
def test_bad_sample_weights(Estimator: Any) -> None:
    ones = np.ones(40)
    for weight, message in [
        (np.where(np.arange(40) == 3, -1.0, 1.0), "Negative values"),
        (np.where(np.arange(40) == 3, np.nan, 1.0), "Input sample_weight contains NaN"),
        (np.where(np.arange(40) == 3, np.inf, 1.0), "Input sample_weight contains infinity"),
        (ones[:-1], r"sample_weight.shape == \(39,\)"),
        (ones[:, None], "Sample weights must be 1D"),
        (0 * ones, "at least one non-zero number"),
        (1e308 * ones, "sum of the sample weights overflows"),
    ]:
        with pytest.raises(ValueError, match=message):
            Estimator().fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize("Estimator", ALL)
def test_zero_weight_rows_do_not_count(Estimator: Any) -> None:
    weight = np.ones(40)
    weight[::4] = 0.0
    wild, y = X.copy(), Y.copy()
    wild[::4] *= 1e3
    y[::4] = 1.0 - y[::4]
    keep = weight > 0
    ours = Estimator(tol=1e-10, solver="newton").fit(wild, y, sample_weight=weight)
    kept = Estimator(tol=1e-10, solver="newton").fit(X[keep], Y[keep])
    np.testing.assert_allclose(ours.coef_, kept.coef_, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("y", [Y - 2.0, 0 * Y], ids=["negative", "all-zero"])
def test_poisson_targets(y: np.ndarray) -> None:
    with pytest.raises(ValueError, match="out of the valid range of the loss 'poisson'"):
        PoissonRegressor().fit(X, y)


def test_poisson_targets_that_count_are_not_all_zero() -> None:
    with pytest.raises(ValueError, match="out of the valid range of the loss 'poisson'"):
        PoissonRegressor().fit(X, Y, sample_weight=1.0 - Y)


@pytest.mark.parametrize("Estimator", ALL)
def test_failing_fit_leaves_the_estimator_unchanged(Estimator: Any) -> None:
    fresh = Estimator()
    estimator = Estimator().fit(pd.DataFrame(X, columns=list("abcde")), Y)

    def interrupting(_: dict[str, float]) -> bool:
        raise RuntimeError("from the callback")

    for model in (fresh, estimator):
        before = dict(vars(model))
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            model.fit(X[:, :3], Y[:-1])
        with pytest.raises(ValueError, match="at least one non-zero"):
            model.fit(X[:, :3], Y, sample_weight=np.zeros(40))
        assert vars(model) == before
        model.set_params(callback=interrupting)
        with pytest.raises(RuntimeError, match="from the callback"):
            model.fit(X[:, :3], Y)
        model.set_params(callback=None)
        assert vars(model).keys() == before.keys()
        assert all(vars(model)[key] is before[key] for key in before)


@pytest.mark.parametrize("shape", ["empty-rows", "empty-columns", "all-empty"])
@pytest.mark.parametrize("Estimator", ALL)
def test_empty_rows_and_columns(Estimator: Any, shape: str) -> None:
    dense = X.copy()
    if shape != "empty-columns":
        dense[::3] = 0.0
    if shape != "empty-rows":
        dense[:, 1] = 0.0
    if shape == "all-empty":
        dense[:] = 0.0
    sparse, full = (Estimator().fit(m, Y) for m in (sp.csr_matrix(dense), dense))
    assert sparse.converged_
    assert full.converged_
    if shape != "empty-rows":
        assert np.ravel(sparse.coef_)[1] == 0.0
    np.testing.assert_allclose(sparse.predict(dense), full.predict(dense), atol=0.2)


@pytest.mark.parametrize("scale", [1e-310, 1e-150, 1e150, 1e307])
@pytest.mark.parametrize(
    ("Estimator", "solver"),
    [(each, solver) for each in ALL for solver in ("auto", *solvers_of(each()))],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_extreme_scales_end_in_a_fit_or_a_clear_error(
    Estimator: Any, solver: str, scale: float
) -> None:
    estimator = Estimator(solver=solver, max_iter=20, random_state=0)
    skip_unless_solvable(estimator, solver)
    try:
        estimator.fit(scale * X, Y)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = "overflow"
        assert np.isfinite(estimator.coef_).all()
        assert not np.isnan(estimator.dual_gap_)
    assert "overflow" in refusal


def test_one_sample_and_one_feature() -> None:
    model = Ridge().fit([[2.0]], [3.0])
    assert model.predict([[2.0]]) == pytest.approx(3.0)
    assert model.converged_


def test_user_arrays_are_left_alone() -> None:
    x, y, weight = X.copy(), Y.copy(), np.full(40, 2.0)
    LogisticRegression(class_weight="balanced").fit(x, y, sample_weight=weight)
    assert np.array_equal(x, X)
    assert np.array_equal(y, Y)
    assert np.array_equal(weight, np.full(40, 2.0))
