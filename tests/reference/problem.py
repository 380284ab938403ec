"""A problem min F(w, b), its primal and dual objectives, and the core's fit of it in any layout."""

from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp
from scipy.optimize import brentq

from finitesum import _core
from reference.losses import CONJUGATE, DERIVATIVE, SMOOTHNESS, VALUE


@dataclass(frozen=True)
class Problem:
    X: np.ndarray  # dense float64, whatever the layout handed to the core
    y: np.ndarray
    s: np.ndarray
    loss: str = "squared"
    parameter: float = 1.0
    alpha: float = 0.1
    l1_ratio: float = 0.0
    intercept: bool = True
    # c: finite adds the penalty of a coefficient of b / c
    intercept_scaling: float = field(default=np.inf, kw_only=True)

    @property
    def n(self):
        return len(self.y)

    @property
    def S(self):  # noqa: N802 the letter of the mathematics
        return self.s.sum()

    @property
    def l1(self):
        return self.alpha * self.l1_ratio

    @property
    def l2(self):
        return self.alpha * (1 - self.l1_ratio)

    @property
    def has_free_intercept(self):
        return self.intercept and (np.isinf(self.intercept_scaling) or self.alpha == 0)

    def with_intercept_as_column(self):
        """The same problem, its penalized intercept the coefficient of a constant column."""
        X = np.column_stack([self.X, np.full(self.n, self.intercept_scaling)])
        return replace(self, X=X, intercept=False, intercept_scaling=np.inf)

    def values(self, z):
        return VALUE[self.loss](z, self.y, self.parameter)

    def derivatives(self, z):
        return DERIVATIVE[self.loss](z, self.y, self.parameter)

    def value(self, z, i):
        return float(VALUE[self.loss](z, self.y[i], self.parameter))

    def derivative(self, z, i):
        return float(DERIVATIVE[self.loss](z, self.y[i], self.parameter))

    def smoothness(self):
        return SMOOTHNESS[self.loss](self.parameter)

    def penalty(self, w):
        return self.l2 / 2 * w @ w + self.l1 * np.abs(w).sum()

    def prox(self, v, step):
        return np.sign(v) * np.maximum(np.abs(v) - step * self.l1, 0) / (1 + step * self.l2)

    def prox_intercept(self, b, step):
        c = self.intercept_scaling
        return np.sign(b) * np.maximum(abs(b) - step * self.l1 / c, 0) / (1 + step * self.l2 / c**2)

    def objective(self, w, b):
        of_b = self.penalty(np.array([b / self.intercept_scaling]))
        return self.s @ self.values(self.X @ w + b) / self.S + self.penalty(w) + of_b

    def gradient(self, w, b):
        """Of the smooth part without the penalty: in the coefficients, and in the intercept."""
        u = self.s * self.derivatives(self.X @ w + b) / self.S
        return u @ self.X, u.sum()

    def penalty_conjugate(self, v):
        excess = np.maximum(np.abs(v) - self.l1, 0)
        if self.l2 > 0:
            return excess @ excess / (2 * self.l2)
        return np.inf if np.any(excess > 1e-15 * self.l1) else 0.0

    def image(self, u):
        """X^T (s u) / S, with an entry for the column that a penalized intercept stands for."""
        mass = self.s * u / self.S
        if not self.intercept or self.has_free_intercept:
            return mass @ self.X
        return np.append(mass @ self.X, self.intercept_scaling * mass.sum())

    def dual_objective(self, u):
        conjugates = CONJUGATE[self.loss](u, self.y, self.parameter)
        image = self.image(u)
        return -(self.s @ conjugates) / self.S - self.penalty_conjugate(-image)

    def best_intercept(self, w, near=0.0, rounded=np.asarray):
        """A root of sum_i s_i l'(x_i.w + b, y_i), which grows with b; of many, `near` if it is.
        A penalized intercept moves by steps alone."""
        if not self.has_free_intercept:
            return near
        z = rounded(self.X @ w)

        def slope(b):
            return self.s @ self.derivatives(z + b)

        if abs(slope(near)) <= 1e-15 * (self.s @ np.abs(self.derivatives(z + near))):
            return near
        reach = 1.0
        while slope(near - reach) > 0 or slope(near + reach) < 0:
            reach *= 2
        return brentq(slope, near - reach, near + reach, xtol=1e-300, rtol=1e-15, maxiter=1000)


def can_solve(solver, problem):
    """Dual coordinate ascent needs a strongly convex penalty, others a smooth one."""
    takes_l1 = solver in _core.solver_names(has_l1=True)
    return (solver != "sdca" or problem.l2 > 0) and (takes_l1 or problem.l1 == 0)


LAYOUTS = {
    "dense float64": lambda X: np.ascontiguousarray(X, np.float64),
    "dense float32": lambda X: np.ascontiguousarray(X, np.float32),
    "csr int32 float64": lambda X: csr_tuple(X, np.float64, np.int32),
    "csr int32 float32": lambda X: csr_tuple(X, np.float32, np.int32),
    "csr int64 float64": lambda X: csr_tuple(X, np.float64, np.int64),
    "csr int64 float32": lambda X: csr_tuple(X, np.float32, np.int64),
}


def csr_tuple(X, dtype=np.float64, index_dtype=np.int32, pointer_dtype=None):
    csr = sp.csr_array(X)
    return (
        csr.data.astype(dtype),
        csr.indices.astype(index_dtype),
        csr.indptr.astype(pointer_dtype or index_dtype),
        csr.shape[1],
    )


def fit(problem, X=None, **options):
    """The core's result for a problem; `X` replaces the matrix by another layout of it."""
    defaults = {
        "solver": "auto", "sampling": "auto", "step_size": 0.0, "tol": 1e-4, "max_iter": 1000,
        "check_interval": 0, "time_limit": np.inf, "seed": 0, "coef_init": None,
        "intercept_init": None, "monitor": None,
    }  # fmt: skip
    return _core.fit(
        problem.X if X is None else X,
        problem.y,
        None if np.all(problem.s == 1) else problem.s,
        loss=problem.loss,
        loss_parameter=problem.parameter,
        alpha=problem.alpha,
        l1_ratio=problem.l1_ratio,
        fit_intercept=problem.intercept,
        intercept_scaling=problem.intercept_scaling,
        **{**defaults, **options},
    )
