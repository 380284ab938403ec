"""The certificate of any point is true, tight where it can be, and reads estimators right."""

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn import linear_model as sk

from finitesum import Certificate, _core, certify
from interrupting import ends_early, needs_ctrl_c
from linear_data import N, P, counts, design, labels, margins
from reference.dual_point import feasible
from reference.problem import fit
from reference.random_problems import PARAMETERS, PENALTIES, random_problem

LOSSES = _core.loss_names()
X, Y = design(), margins()
WEIGHT = np.random.default_rng(6).exponential(size=N)


def any_problem(seed):
    """A small problem of a kind drawn by the seed: every loss with every penalty comes up."""
    rng = np.random.default_rng(seed)
    problem = random_problem(
        LOSSES[seed % len(LOSSES)],
        list(PENALTIES)[seed // len(LOSSES) % len(PENALTIES)],
        n=int(rng.integers(2, 60)),
        p=int(rng.integers(1, 15)),
        density=rng.uniform(0.2, 1),
        intercept=bool(rng.random() < 0.7),
        weighted=bool(rng.random() < 0.5),
        seed=seed,
    )
    parameter = float(rng.uniform(0.2, 3)) if problem.loss in PARAMETERS else 1.0
    s = problem.s if problem.S > 0 else np.ones(problem.n)
    y = np.maximum(problem.y, np.arange(problem.n) == 0) if problem.loss == "poisson" else problem.y
    alpha = problem.alpha and float(10 ** rng.uniform(-4, 0.5))
    return replace(problem, y=y, s=s, parameter=parameter, alpha=alpha)


def certify_point(problem, w, b, X=None, **options):
    return certify(
        w, b, problem.X if X is None else X, problem.y, loss=problem.loss, alpha=problem.alpha,
        l1_ratio=problem.l1_ratio, sample_weight=None if np.all(problem.s == 1) else problem.s,
        fit_intercept=problem.intercept, loss_parameter=problem.parameter, **options,
    )  # fmt: skip


def points(problem, best, rng):
    """The optimum, points near it at all distances, and random ones."""
    w, b = best["coef"], best["intercept"]
    yield w, b
    for size in 10.0 ** rng.uniform(-8, 0.5, size=3):
        yield w + size * rng.normal(size=len(w)), b + size * rng.normal() * problem.intercept
    yield 3 * rng.normal(size=len(w)), rng.normal() * problem.intercept


@pytest.mark.parametrize("chunk", range(20))
def test_gap_holds_and_is_tight(chunk):
    """Of 1000 problems: never below the true gap, and near the optimum at most twice as large.

    The latter thanks to Newton's epochs, with L2 and with L1 alike. Without them (max_iter=0) the
    factor is up to the condition number with L2, and has no bound with L1 alone: there the lower
    bound is checked for truth only.
    """
    rng = np.random.default_rng(chunk)
    for seed in range(50 * chunk, 50 * chunk + 50):
        problem = any_problem(seed)
        best = fit(problem, solver="newton", tol=1e-14, max_iter=200)
        smallest = problem.objective(best["coef"], best["intercept"])
        null = best["null_objective"]
        for w, b in points(problem, best, rng):
            objective = problem.objective(w, b)
            true_gap = objective - smallest
            for max_iter in (0, 20):
                found = certify_point(problem, w, b, max_iter=max_iter)
                assert_allclose(found.objective, objective, rtol=1e-10, atol=1e-13 * null)
                assert found.gap >= true_gap - 1e-9 * null - 1e-14 * objective
                assert 0 <= found.lower_bound <= smallest + 1e-12 * null
                assert_allclose(found.gap, max(found.objective - found.lower_bound, 0), rtol=1e-12)
                if problem.l2 > 0:
                    slack = math.sqrt(2e-14 * null / problem.l2)
                    assert np.linalg.norm(w - best["coef"]) <= found.distance + slack
                    assert found.distance == math.sqrt(2 * found.gap / problem.l2)
                elif problem.alpha > 0 or problem.loss != "squared":
                    assert found.distance is None
            if problem.alpha > 0 and 1e-11 * null <= true_gap <= 1e-6 * null:
                assert found.gap <= 2.1 * true_gap


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("penalty", ["l2", "l1", "elastic_net"])
@pytest.mark.parametrize("intercept", [True, False])
def test_bound_is_no_worse_than_the_dual_point_of_the_definition(loss, penalty, intercept):
    rng = np.random.default_rng(2)
    for seed in range(5):
        problem = random_problem(loss, penalty, weighted=True, intercept=intercept, seed=seed)
        w = 0.3 * rng.normal(size=8)
        b = 0.1 * intercept
        best_b = problem.best_intercept(w, b) if intercept else 0.0
        found = certify_point(problem, w, b, max_iter=0)
        for at in (b, best_b):
            u = feasible(problem, problem.derivatives(problem.X @ w + at))
            for scale in (0.3, 0.7, 1.0):
                assert found.lower_bound >= problem.dual_objective(scale * u) - 1e-9


def test_scale_of_the_dual_point_is_the_best_for_the_lasso():
    """In closed form: the u of least squares, scaled to -(u.y)/(u.u) within its bounds."""
    problem = random_problem("squared", "l1", n=40, intercept=False, seed=1)
    for alpha in (1e-3, 0.05, 0.5, 1.5):
        problem = replace(problem, alpha=alpha)
        w = 0.8 * np.linalg.lstsq(problem.X, problem.y)[0]
        u = problem.derivatives(problem.X @ w)
        end = alpha / (np.abs(u @ problem.X).max() / problem.n)
        scale = np.clip(-(u @ problem.y) / (u @ u), 0, min(2, end))
        assert 0 < scale < 2
        expected = -np.mean((scale * u) ** 2 / 2 + scale * u * problem.y)
        found = certify_point(problem, w, 0.0, max_iter=0)
        assert_allclose(found.lower_bound, expected, rtol=1e-9)


@pytest.mark.parametrize(
    "layout",
    [
        sp.csr_array, sp.csr_matrix, sp.csc_array, sp.coo_array, np.asfortranarray,
        lambda A: A.astype(np.float32), lambda A: sp.csr_array(A.astype(np.float32)),
        np.ndarray.tolist,
    ],
)  # fmt: skip
def test_layouts_agree(layout):
    problem = random_problem("logistic", "elastic_net", n=60, weighted=True, seed=4)
    w = np.random.default_rng(0).normal(size=8)
    dense = certify_point(problem, w, 0.2)
    other = certify_point(problem, w, 0.2, X=layout(problem.X))
    for field in ("objective", "lower_bound", "gap", "relative_gap", "distance"):
        assert_allclose(getattr(other, field), getattr(dense, field), rtol=1e-9)


def test_int64_indices_and_duplicates():
    problem = random_problem("squared", "l2", seed=4)
    w = np.ones(8)
    expected = certify_point(problem, w, 0.0)
    wide = sp.csr_array(problem.X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    twice = sp.csr_array(
        (np.repeat(wide.data / 2, 2), np.repeat(wide.indices, 2), 2 * wide.indptr), wide.shape
    )
    for other in (wide, twice):
        assert_allclose(certify_point(problem, w, 0.0, X=other).gap, expected.gap, rtol=1e-12)


def test_without_a_penalty_the_bound_is_zero():
    w = np.zeros(P)
    found = certify(w, 0.0, X, labels(), loss="logistic", alpha=0.0)
    assert found.lower_bound == 0
    assert found.gap == found.objective
    assert_allclose(found.objective, math.log(2))
    assert found.distance is None


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array])
def test_least_squares_without_a_penalty(intercept, layout):
    """On columns of scales from 1e-3 to 1e3 with means to match, and more rows than one block."""
    rng = np.random.default_rng(3)
    scale = np.geomspace(1e-3, 1e3, 6)
    A = (rng.normal(size=(5000, 6)) @ rng.normal(size=(6, 6)) + 2 * intercept) * scale
    y = A @ (rng.normal(size=6) / scale) + rng.normal(size=5000) + 3 * intercept
    s = rng.exponential(size=5000)
    root = np.sqrt(s)[:, None]
    wide = np.column_stack([A / scale, np.ones(5000)])[:, : 6 + intercept]
    solution = np.linalg.lstsq(root * wide, root[:, 0] * y)[0]
    exact, b = solution[:6] / scale, float(solution[6:].sum())

    def certified(w, **options):
        return certify(
            w, b, layout(A), y, loss="squared", alpha=0.0, sample_weight=s,
            fit_intercept=intercept, **options,
        )  # fmt: skip

    found = certified(exact)
    assert found.relative_gap < 1e-12
    for size in 10.0 ** np.arange(-5, 2):
        w = exact + size * rng.normal(size=6) / scale
        moved = certified(w)
        true_gap = moved.objective - found.objective
        assert true_gap <= moved.gap + 1e-12 * found.objective
        assert moved.gap <= 1.001 * true_gap + 1e-12 * found.objective
        assert np.linalg.norm(w - exact) <= moved.distance + found.distance
    assert certified(exact, max_iter=0).lower_bound == 0
    # scikit-learn 1.9 drops directions below 1e-6 of the largest singular value without a word
    theirs = sk.LinearRegression(fit_intercept=intercept).fit(A, y, s)
    judged = certify(theirs, layout(A), y, sample_weight=s)
    assert_allclose(judged.gap, judged.objective - found.objective, rtol=1e-3, atol=1e-12)


def test_least_squares_with_dependent_columns_has_no_bound():
    A = np.column_stack([X, X[:, 0] - X[:, 1]])
    for matrix in (A, np.column_stack([X, np.ones(N)]), X[: P - 1]):
        found = certify(
            np.zeros(matrix.shape[1]), 0.0, matrix, Y[: len(matrix)], loss="squared", alpha=0
        )
        assert found.lower_bound == 0
        assert found.distance is None


def test_hopeless_points():
    """Infinite objectives have infinite gaps, and still a bound: from the null model."""
    near = certify(np.zeros(P), 0.0, X, counts(), loss="poisson", alpha=0.1)
    far = certify(np.full(P, 1e3), 0.0, X, counts(), loss="poisson", alpha=0.1)
    assert far.objective == far.gap == far.relative_gap == far.distance == math.inf
    assert 0 < far.lower_bound <= near.lower_bound
    huge = certify(np.full(P, 1e200), 0.0, X, Y, loss="squared", alpha=0.1)
    assert huge.objective == huge.gap == math.inf


def test_exact_fit_of_nothing():
    """Zero targets, zero coefficients: the objective, the null model's and the gap are zero."""
    found = certify(np.zeros(P), 0.0, X, np.zeros(N), loss="squared", alpha=0.1)
    assert found.objective == found.gap == found.relative_gap == found.distance == 0
    off = certify(np.ones(P), 0.0, X, np.zeros(N), loss="squared", alpha=0.1)
    assert off.relative_gap == math.inf


def test_labels_of_a_margin_loss():
    w = np.linspace(-1, 1, P)
    sign = np.where(labels() == "yes", 1.0, -1.0)
    expected = certify(w, 0.1, X, sign, loss="logistic", alpha=0.1)
    for y in (labels(), sign > 0, (sign > 0).astype(int), sign.astype(int)):
        assert certify(w, 0.1, X, y, loss="logistic", alpha=0.1) == expected
    assert certify(w[None], [0.1], X, sign, loss="logistic", alpha=0.1) == expected


def test_certificate_is_a_readable_frozen_record():
    found = certify(sk.Ridge().fit(X, Y), X, Y)
    assert isinstance(found, Certificate)
    with pytest.raises(FrozenInstanceError):
        found.gap = 0.0
    text = repr(found)
    for part in ("Certificate(relative_gap=", "gap=", "distance=", "loss='squared'", "l1_ratio=0)"):
        assert part in text
    assert len(text) < 250
    assert "distance=None" in repr(certify(sk.Lasso().fit(X, Y), X, Y))


def test_inputs_stay_as_they_are():
    A, y, w = X.copy(), Y.copy(), np.ones(P)
    for array in (A, y, w):
        array.flags.writeable = False
    model = sk.Ridge().fit(A, y)
    before = dict(vars(model))
    certify(w, 0.0, A, y, loss="squared", alpha=0.1)
    certify(model, A, y)
    assert vars(model) == before


def call(**changes):
    arguments = {
        "coef": np.zeros(P), "intercept": 0.0, "X": X, "y": Y, "loss": "squared", "alpha": 0.1,
        **changes,
    }  # fmt: skip
    return certify(arguments.pop("coef"), **arguments)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("alpha", -1.0), ("alpha", math.nan), ("alpha", math.inf), ("alpha", "1"),
        ("l1_ratio", 1.5), ("l1_ratio", None), ("loss", "hinge"), ("loss", None),
        ("loss_parameter", 0.0), ("loss_parameter", -1.0), ("max_iter", -1), ("max_iter", 1.5),
        ("fit_intercept", "no"),
        ("sample_weight", "heavy"), ("intercept", "none"), ("y", None), ("X", "data"),
    ],
)  # fmt: skip
def test_parameters_are_refused_in_scikit_learns_words(name, bad):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of certify must be"):
        call(**{name: bad})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coef": np.zeros(P + 1)}, f"X has {P} features, but coef has {P + 1}"),
        ({"coef": np.zeros((2, P))}, "coef must have shape"),
        ({"coef": np.full(P, np.nan)}, "coef contains NaN"),
        ({"intercept": math.nan}, "contains NaN"),
        ({"intercept": [1.0, 2.0]}, "intercept must be one number"),
        ({"intercept": 1.0, "fit_intercept": False}, "intercept must be 0"),
        ({"X": X * np.inf}, "contains"),
        ({"X": X[0]}, "Expected 2D array, got 1D"),
        ({"y": Y[:-1]}, "inconsistent numbers of samples"),
        ({"y": np.full(N, np.nan)}, "Input y contains NaN"),
        ({"y": counts(), "loss": "logistic"}, "needs targets of -1 and 1, or two labels"),
        ({"y": -counts(), "loss": "poisson"}, "out of the valid range of the loss 'poisson'"),
        ({"y": np.zeros(N), "loss": "poisson"}, "not all zero"),
        ({"sample_weight": -WEIGHT}, "Negative values in data"),
        ({"sample_weight": np.zeros(N)}, "at least one non-zero"),
        ({"sample_weight": WEIGHT[:-1]}, "sample_weight.shape"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_data_are_refused_in_scikit_learns_words(changes, message):
    with pytest.raises(ValueError, match=message):
        call(**changes)


@needs_ctrl_c
def test_ctrl_c_ends_the_search_for_a_better_bound():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4000, 1200)) * np.geomspace(0.1, 10, 1200)
    y = A @ rng.normal(size=1200) + rng.normal(size=4000)
    w = np.linalg.solve(A.T @ A, A.T @ y)
    A, y = np.tile(A, (5, 1)), np.tile(y, 5)  # half a second to certify
    options = {"loss": "squared", "alpha": 1e-9, "max_iter": 10**6}
    assert ends_early(lambda: certify(w, 0.0, A, y, **options))
