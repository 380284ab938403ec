"""Coordinate descent by one-dimensional bounds, one plain sweep after the other, to the optimum."""

import numpy as np


def soft(v, threshold):
    return np.sign(v) * max(abs(v) - threshold, 0.0)


def cd_optimum(problem, sweeps=20_000, accuracy=1e-14):
    """(w, b): each coordinate steps to the minimum of a parabola above F; the intercept is at its
    best after each of them, or a coordinate like the others where it is penalized."""
    if problem.intercept and not problem.has_free_intercept:
        c = problem.intercept_scaling
        w, _ = cd_optimum(problem.with_intercept_as_column(), sweeps, accuracy)
        return w[:-1], c * w[-1]
    X, share = problem.X, problem.s / problem.S
    bounds = problem.smoothness() * (share @ X**2)
    w, b = np.zeros(X.shape[1]), problem.best_intercept(np.zeros(X.shape[1]))
    for _ in range(sweeps):
        largest = 0.0
        for j in np.flatnonzero(bounds):
            slope = X[:, j] @ (share * problem.derivatives(X @ w + b))
            to = soft(bounds[j] * w[j] - slope, problem.l1) / (bounds[j] + problem.l2)
            largest = max(largest, abs(to - w[j]) * np.sqrt(bounds[j]))
            w[j] = to
            if problem.intercept:
                b -= share @ problem.derivatives(X @ w + b) / problem.smoothness()
        if largest <= accuracy:
            break
    return w, b
