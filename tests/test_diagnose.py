"""The doctor: planted pathologies are named, healthy data are not, warnings name the remedy."""

import doctest
import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import MaxAbsScaler, StandardScaler, scale

from finitesum import (
    LinearSVC,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    diagnose,
    diagnosis,
    smoothness,
    smoothness_report,
)
from finitesum.linear._findings import separated_objective
from finitesum.linear._solve import Problem
from linear_data import ALL, design, target_of

N, P = 1000, 8


def healthy(dtype=np.float64):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P))
    y = (X @ rng.normal(size=P) + rng.normal(size=N) > 0).astype(int)
    return X.astype(dtype), y


def column_scale():
    X, y = healthy()
    X[:, 3] *= 1e4
    return X, y, LogisticRegression(), None


def offset_columns():
    X, y = healthy()
    X[:, 2] += 500.0
    return X, y, LogisticRegression(), None


def constant_columns():
    X, y = healthy()
    X[:, 5] = 0.7
    return X, y, LogisticRegression(), None


def weight_skew():
    X, y = healthy()
    weight = np.ones(N)
    weight[:3] = 1e3
    return X, y, LogisticRegression(sampling="uniform"), weight


def row_outliers():
    X, y = healthy()
    X[17] *= 100.0
    X[17:24:2] *= 50.0
    return X, y, LogisticRegression(sampling="uniform"), None


def separable():
    X, y = healthy()
    X[:, 0] += 8.0 * (y - 0.5)
    return X, y, LogisticRegression(C=1e6), None


def tol_below_precision():
    X, y = healthy(np.float32)
    return X, y, LogisticRegression(tol=1e-9), None


def ill_conditioned():
    X, y = healthy()
    X[:, 1] = X[:, 0] + 1e-3 * X[:, 1]
    return X, y, LogisticRegression(C=1e3, solver="sag"), None


def duplicate_columns():
    X, y = healthy()
    X[:, 6] = X[:, 1]
    return X, y, LogisticRegression(), None


PLANTED = {
    # number as planted, remedy
    column_scale: (1e4, "StandardScaler"),
    offset_columns: (500.0, "StandardScaler"),
    constant_columns: (1, "VarianceThreshold"),
    weight_skew: (250.0, "sampling='lipschitz'"),
    row_outliers: (None, "sampling='lipschitz'"),
    separable: (None, "Lower C"),
    tol_below_precision: (1.2e-7, "Raise tol to 1e-07, or pass X as float64"),
    ill_conditioned: (None, "solver='newton'"),
    duplicate_columns: (1, "Drop the duplicate columns"),
}


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_pathology_is_named(plant, sparse):
    X, y, estimator, weight = plant()
    found = diagnose(sp.csr_array(X) if sparse else X, y, estimator, sample_weight=weight)
    assert found.names == (plant.__name__,)
    number, change = PLANTED[plant]
    if number is not None:
        assert found.findings[0].number == pytest.approx(number, rel=0.1)
    if plant not in (column_scale, offset_columns) or not sparse:
        assert change in found.change
    assert plant.__name__ in repr(found)
    assert "condition number" in repr(found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sparse", [False, True])
def test_healthy_problem_gets_no_finding(dtype, sparse):
    X, y = healthy(dtype)
    found = diagnose(sp.csr_matrix(X) if sparse else X, y, LogisticRegression(solver="sag"))
    assert found.names == ()
    assert found.change is None
    assert repr(found).startswith("nothing found")


@pytest.mark.parametrize("estimator", ALL)
def test_every_estimator_with_defaults_is_healthy_on_scaled_data(estimator):
    assert diagnose(design(), target_of(estimator()), estimator()).names == ()


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine, load_diabetes])
def test_scaled_bundled_data_are_healthy(load):
    X, y = load(return_X_y=True)
    estimator = Ridge() if load is load_diabetes else LogisticRegression()
    assert diagnose(scale(X), y, estimator).names == ()


def test_three_separable_classes():
    X, y = load_wine(return_X_y=True)
    assert diagnose(scale(X), y, LogisticRegression(C=1e6)).names == ("separable",)
    y[::5] = (y[::5] + 1) % 3
    assert diagnose(scale(X), y, LogisticRegression(C=1e6)).names == ()


def test_separable_data_with_a_squared_hinge_have_an_optimum():
    X, y, _, _ = separable()
    assert diagnose(X, y, LinearSVC(C=1e6)).names == ()
    assert diagnose(X, y, LogisticRegression(C=1e6, l1_ratio=1.0)).names == ("separable",)
    assert diagnose(X, y, LogisticRegression(C=1.0)).names == ()


def test_float32_holds_counts_exactly():
    rng = np.random.default_rng(0)
    X = rng.poisson(3.0, size=(N, P)).astype(np.float32)
    assert diagnose(X, X[:, 0] > 3, LogisticRegression(tol=1e-9)).names == ()
    assert diagnose(X, X[:, 0] > 3, LogisticRegression(tol=0)).names == ("tol_below_precision",)


def test_rows_of_weight_zero_do_not_count():
    X, y = healthy()
    weight = np.ones(N)
    X[:10] *= 1e5
    weight[:10] = 0.0
    assert diagnose(X, y, LogisticRegression(), sample_weight=weight).names == ()
    assert "row_outliers" in diagnose(X, y, LogisticRegression()).names


def test_class_weights_count():
    X, y = healthy()
    y[:] = 0
    y[:5] = 1
    found = diagnose(X, y, LogisticRegression(class_weight="balanced"))
    assert found.names == ("weight_skew",)
    assert "Cap" in found.change  # sampling="auto" draws by smoothness already


def test_without_an_intercept_a_constant_column_is_its_substitute():
    X, y, _, _ = constant_columns()
    assert diagnose(X, y, LogisticRegression(fit_intercept=False)).names == ()


def test_columns_of_zeros_and_rare_columns_are_harmless():
    X, y = healthy()
    rare = np.zeros((N, 4))
    rare[7, :2] = 1e6
    X = np.hstack([X, rare])
    found = diagnose(X, y, LogisticRegression())
    assert not {"constant_columns", "duplicate_columns", "column_scale"} & set(found.names)


def test_duplicate_entries_of_a_sparse_matrix_are_summed():
    X, y, _, _ = duplicate_columns()
    csr = sp.csr_array(X)
    halves = np.repeat(csr.data / 2, 2), np.repeat(csr.indices, 2), 2 * csr.indptr
    split = sp.csr_array(halves, shape=csr.shape)
    assert diagnose(split, y, LogisticRegression()).names == ("duplicate_columns",)
    assert split.nnz == 2 * csr.nnz


def test_diagnose_leaves_the_estimator_alone():
    X, y = healthy()
    estimator = LogisticRegression()
    diagnose(X, y, estimator)
    assert vars(estimator) == vars(LogisticRegression())


def test_diagnose_refuses_what_the_estimator_refuses():
    X, y = healthy()
    with pytest.raises(ValueError, match="contains only one class"):
        diagnose(X, np.zeros(N), LogisticRegression(C=1e6))
    with pytest.raises(ValueError, match="NaN"):
        diagnose(np.full((N, P), np.nan), y, LogisticRegression())
    with pytest.raises(ValueError, match="Negative"):
        diagnose(X, y, LogisticRegression(), sample_weight=-np.ones(N))


# The constant of sup l'' per loss; multinomial is 1/2, not the binary 1/4.
CURVATURE = [
    ("logistic", 1.0, 0.25),
    ("multinomial", 1.0, 0.5),
    ("squared", 1.0, 1.0),
    ("squared_hinge", 1.0, 2.0),
    ("smoothed_hinge", 0.5, 2.0),
    ("huber", 1.35, 1.0),
]


@pytest.mark.parametrize(("loss", "parameter", "curvature"), CURVATURE)
def test_smoothness_of_each_loss(loss, parameter, curvature):
    X, y = healthy()
    s = np.random.default_rng(1).exponential(size=N)
    report = smoothness_report(
        X, y, loss, alpha=0.1, l1_ratio=0.25, loss_parameter=parameter, sample_weight=s
    )
    L_i = curvature * N * s / s.sum() * ((X**2).sum(axis=1) + 1)
    A = np.column_stack([X, np.ones(N)])
    assert report.curvature == curvature
    assert report.L_max == pytest.approx(L_i.max())
    assert report.L_mean == pytest.approx(L_i.mean())
    assert report.L_quantiles[0] == pytest.approx(L_i.min())
    largest = np.linalg.eigvalsh(A.T * s @ A)[-1] / s.sum()
    assert 0.97 * largest <= report.L / curvature <= largest * (1 + 1e-9)
    assert report.mu == pytest.approx(0.075)
    assert report.condition_number == pytest.approx((L_i.max() + 0.075) / 0.075)


def test_poisson_has_no_smoothness_constant():
    X, y = healthy()
    report = smoothness_report(X, y, "poisson", alpha=0.1)
    assert report.L_max == np.inf
    assert set(report.passes.values()) == {np.inf}
    assert diagnose(X, y, PoissonRegressor(solver="saga")).names == ()


def test_without_an_l2_penalty_no_passes_are_predicted():
    X, y = healthy()
    report = smoothness_report(X, y, "squared", alpha=0.1, l1_ratio=1.0)
    assert report.condition_number == np.inf
    assert set(report.passes.values()) == {np.inf}


def test_predicted_passes_order_the_methods():
    X, y = healthy()
    X[0] *= 100.0
    passes = smoothness_report(X, y, "logistic", alpha=1e-4).passes
    assert passes["sag-lipschitz"] < passes["sag"] < passes["svrg"]
    assert passes["agd"] < passes["gd"]


@pytest.mark.parametrize(
    "change", [{"alpha": -1.0}, {"alpha": np.nan}, {"l1_ratio": 2.0}, {"loss": "hinge"}]
)
def test_smoothness_report_refuses(change):
    X, y = healthy()
    with pytest.raises(ValueError, match=r"alpha|l1_ratio|hinge"):
        smoothness_report(X, y, **{"loss": "logistic", "alpha": 0.1, **change})


def warning_of(estimator, X, y, **fit):
    with pytest.warns(ConvergenceWarning) as caught:
        estimator.fit(X, y, **fit)
    return str(caught[0].message)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_warning_names_the_change_that_helps(plant):
    X, y, estimator, weight = plant()
    # A separator is looked for in what has been fitted; few epochs alone are a finding, too.
    epochs = {separable: 30, duplicate_columns: 80}.get(plant, 3)
    if plant is duplicate_columns:
        estimator.set_params(step_size=1e-3)
    tol = 1e-9 if plant is tol_below_precision else 1e-12
    estimator.set_params(solver="sag", max_iter=epochs, tol=tol, random_state=0)
    _, remedy = PLANTED[plant]
    assert remedy in warning_of(estimator, X, y, sample_weight=weight)


def test_warning_names_separability_of_three_classes():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), np.arange(300) % 3
    X[:, :3] += 20.0 * np.eye(3)[y]
    model = LogisticRegression(C=1e8, solver="sag", max_iter=30, tol=1e-12, random_state=0)
    message = warning_of(model, X, y)
    assert "Lower C" in message
    bound = float(re.search(r"objective is below (\S+) of", message)[1])
    model.set_params(solver="auto", tol=1e-12, max_iter=1000).fit(X, y)
    assert model.objective_ / model.null_objective_ <= 1.05 * bound  # it is printed to two digits


@pytest.mark.parametrize("size", [1e-310, 1e-160, 1.0])
def test_a_separator_with_tiny_margins_is_expensive_or_cheap_but_no_error(size):
    margins, share = np.full((3, 1), size), np.full(3, 1.0 / 3.0)
    problem = Problem("logistic", 1e-3)
    bound = separated_objective(margins, share, np.array([1.0]), problem)
    if size < 1.0:
        assert bound == np.inf
    else:  # multiples 1, 2, 4, ... of a margin of one
        t = 2.0 ** np.arange(11)
        assert bound == pytest.approx((np.log1p(np.exp(-t)) + 0.5e-3 * t**2).min(), rel=1e-12)


def test_newton_is_not_told_to_scale_columns():
    X, y, estimator, _ = column_scale()
    estimator.set_params(solver="newton", max_iter=1, tol=1e-12)
    assert "Scaler" not in warning_of(estimator, X, y)


def test_warning_names_the_scaler_for_sparse_data():
    X, y, estimator, _ = column_scale()
    estimator.set_params(solver="sag", max_iter=3, random_state=0)
    assert "MaxAbsScaler" in warning_of(estimator, sp.csr_array(X), y)


@pytest.mark.parametrize(
    ("Scaler", "plant"), [(StandardScaler, column_scale), (StandardScaler, offset_columns),
                          (MaxAbsScaler, column_scale)]
)  # fmt: skip
def test_the_named_change_helps(Scaler, plant):
    X, y, _, _ = plant()
    model = LogisticRegression(
        solver="sag", max_iter=100, random_state=0, solver_options={"scale_columns": False}
    )
    warning_of(model, X, y)
    before = model.relative_gap_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(Scaler().fit_transform(X), y)
    assert model.relative_gap_ < 1e-2 * before


def test_warning_on_sound_data_names_the_epochs_that_suffice():
    X, y = healthy()
    options = {"solver": "sag", "tol": 1e-10, "random_state": 0}
    message = warning_of(LogisticRegression(max_iter=20, **options), X, y)
    found = re.search(r"max_iter=(\d+) would reach tol", message)
    assert found
    model = LogisticRegression(max_iter=int(found[1]), **options).fit(X, y)
    assert model.converged_
    assert model.n_iter_[0] > 20


@pytest.mark.parametrize("module", [diagnosis, smoothness], ids=lambda module: module.__name__)
def test_docstring_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_more_than_two_classes_curve_by_one_half():
    X, y = load_iris(return_X_y=True)
    found = diagnose(X, y, LogisticRegression())
    expected = smoothness_report(X, y, "multinomial", alpha=1 / len(y))
    assert found.smoothness.L_max == pytest.approx(expected.L_max)
