"""Small random problems of every kind; X is exactly representable in float32."""

import numpy as np

from finitesum import _core
from reference.problem import Problem

PENALTIES = {
    "none": (0.0, 0.0),
    "l2": (0.1, 0.0),
    "l1": (0.05, 1.0),
    "elastic_net": (0.1, 0.4),
}
PARAMETERS = {"huber": 1.35, "smoothed_hinge": 0.5}


def solvers_for(*penalties):
    """(solver, penalty) wherever the solver takes the penalty."""
    return [
        (solver, penalty)
        for penalty in penalties
        for solver in _core.solver_names(has_l1=PENALTIES[penalty][1] > 0)
    ]


def random_matrix(rng, n, p, density=1.0):
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < density)
    return X.astype(np.float32).astype(float)


def random_targets(rng, loss, z):
    """Targets that suit the loss, drawn around the predictions z."""
    noisy = z + rng.normal(size=len(z))
    return {
        "real": noisy + (rng.random(len(z)) < 0.2) * 5 * noisy,
        "sign": np.where(noisy < 0, -1.0, 1.0),
        "nonnegative": rng.poisson(np.exp(np.clip(z / 2, -3, 3))).astype(float),
    }[_core.loss_target_domain(loss)]


def random_problem(
    loss="squared", penalty="l2", *, n=30, p=8, density=0.5, intercept=True, weighted=False, seed=0
):
    rng = np.random.default_rng(seed)
    X = random_matrix(rng, n, p, density)
    y = random_targets(rng, loss, X @ rng.normal(size=p) + 0.3)
    s = np.where(rng.random(n) < 0.1, 0.0, rng.exponential(size=n)) if weighted else np.ones(n)
    alpha, l1_ratio = PENALTIES[penalty]
    return Problem(X, y, s, loss, PARAMETERS.get(loss, 1.0), alpha, l1_ratio, intercept)
