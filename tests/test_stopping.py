"""No fit stops before it has seen every row, and what it calls converged is by the exact gap."""

import numpy as np
import pytest
import scipy.sparse as sp

import finitesum
from finitesum import Lasso, LogisticRegression, Ridge, _core
from linear_data import SOLVERS, skip_unless_solvable, solvers_of

STOCHASTIC = ["sag", "saga", "svrg"]
SAMPLINGS = [s for s in _core.sampling_choices() if s != "auto"]
GIVEN = [(solver, sampling) for solver in STOCHASTIC for sampling in SAMPLINGS]


def fit(solver, sampling, tol, X, y, **arguments):
    model = LogisticRegression(
        solver=solver, sampling=sampling, tol=tol, max_iter=2000, random_state=0, **arguments
    )
    return model.fit(X, y)


@pytest.mark.parametrize(("solver", "sampling"), GIVEN)
@pytest.mark.parametrize("sparse", [False, True])
def test_every_row_is_seen_before_the_first_stop(solver, sampling, sparse):
    # A column for each row: a coefficient that is not zero is a row that was seen.
    n = 257
    X = np.diag(np.linspace(0.5, 2.0, n))
    y = np.arange(n) % 2
    model = fit(solver, sampling, 0.999, sp.csr_array(X) if sparse else X, y, fit_intercept=False)
    assert model.converged_
    assert model.n_iter_[0] <= 2
    assert np.count_nonzero(model.coef_) == n


def one_row_of_many():
    """All rows but one have a gradient of zero at the start and pull nowhere."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(200, 3))
    X = np.vstack([half, half, [[3.0, -2.0, 1.0]]])
    y = np.r_[np.zeros(200), np.ones(200), 1.0]
    weight = np.r_[np.ones(400), 50.0]
    return X, y, weight


@pytest.mark.parametrize(("solver", "sampling"), GIVEN)
@pytest.mark.parametrize("tol", [0.1, 1e-3, 1e-6])
@pytest.mark.parametrize("step_size", ["auto", 1e-4])
def test_a_small_estimate_of_the_gradient_alone_stops_nothing(solver, sampling, tol, step_size):
    # After a few steps, short ones above all, the mean of stored gradients is far below tol.
    X, y, weight = one_row_of_many()
    model = LogisticRegression(
        solver=solver, sampling=sampling, tol=tol, step_size=step_size, max_iter=20_000,
        random_state=0,
    )  # fmt: skip
    model.fit(X, y, sample_weight=weight)
    assert model.converged_
    found = finitesum.certify(model, X, y, sample_weight=weight)
    assert found.gap <= 1.0001 * tol * model.null_objective_
    best = LogisticRegression(solver="newton", tol=1e-14).fit(X, y, sample_weight=weight)
    assert model.objective_ - best.objective_ <= tol * model.null_objective_


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", [Ridge, Lasso])
def test_the_last_gap_is_the_certificates(solver, Estimator):
    if solver not in solvers_of(Estimator()):
        pytest.skip("not for this penalty")
    skip_unless_solvable(Estimator(), solver)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 6))
    y = X @ rng.normal(size=6) + rng.normal(size=120)
    alpha = 1.0 if Estimator is Ridge else 0.05
    model = Estimator(alpha=alpha, solver=solver, tol=1e-5, max_iter=10_000, random_state=0)
    model.fit(X, y)
    assert model.converged_
    scale = 1.0 / len(y) if Estimator is Ridge else 1.0
    found = finitesum.certify(
        model.coef_, model.intercept_, X, y, loss="squared", alpha=alpha * scale,
        l1_ratio=float(Estimator is Lasso),
    )  # fmt: skip
    assert found.gap <= 1e-5 * model.null_objective_ * 1.5
    assert model.history_["gap"][-1] == model.dual_gap_ <= 1e-5 * model.null_objective_
    assert model.history_["objective"][-1] == pytest.approx(found.objective, rel=1e-12)
