"""Steps of their own length for columns, as cpp/solvers/column_scaling.hpp chooses them."""

import numpy as np


def column_scaling(problem, sparse):
    """Factors c_j = 1 / D_j^2, rounded to powers of four, and centers m_j of the columns."""
    X, weights, curvature = problem.X, problem.s / problem.S, problem.smoothness()
    centered = problem.intercept and problem.has_free_intercept and not sparse
    centers = weights @ X if centered else np.zeros(X.shape[1])
    floor = problem.l2 / (1.0 if np.isinf(curvature) else curvature)
    shares = weights @ (X != 0)
    sizes = weights @ (X - centers) ** 2 + floor
    sizes /= np.sqrt(np.where(shares > 0, shares, 1))
    with np.errstate(divide="ignore"):
        levels = np.clip(np.round(-np.log2(sizes) / 2), -450, 450)
    lowest = min(levels[sizes > 0], default=0.0)
    return 4.0 ** np.minimum(levels, lowest + 31), centers
