"""Steps by a model of the objective with a line search: truncated Newton and L-BFGS."""

import numpy as np

from finitesum import _core


def descent_epochs(problem, model, w, b):
    """Yields (w, b) after each step, where a free b is at its best."""
    b = problem.best_intercept(w, b)
    while True:
        g, g_b = problem.gradient(w, b)
        slope_b = 0.0 if problem.has_free_intercept else g_b + ridge(problem)[-1] * b
        move = model(w, b, np.append(g + problem.l2 * w, slope_b), ridge(problem))
        start, t = problem.objective(w, b), 1.0
        promised = g @ move[:-1] + (slope_b - ridge(problem)[-1] * b) * move[-1]
        promised += problem.objective(w + move[:-1], b + move[-1]) - start
        promised -= mean_loss(problem, w + move[:-1], b + move[-1]) - mean_loss(problem, w, b)
        while True:
            to = problem.best_intercept(w + t * move[:-1], b + t * move[-1])
            if problem.objective(w + t * move[:-1], to) <= start + 1e-4 * t * promised + 1e-15:
                break
            t /= 2
        w, b = w + t * move[:-1], to
        yield w, b


def mean_loss(problem, w, b):
    return problem.s @ problem.values(problem.X @ w + b) / problem.S


def ridge(problem):
    of_b = 0.0 if problem.has_free_intercept else problem.l2 / problem.intercept_scaling**2
    return np.append(np.full(problem.X.shape[1], problem.l2), of_b)


class TruncatedNewton:
    """The Newton equations by conjugate gradients, the Hessian's diagonal the preconditioner."""

    def __init__(self, problem):
        self.problem, self.norm, self.eta = problem, 0.0, 0.0

    def __call__(self, w, b, slope, ridge):
        p = self.problem
        columns = np.column_stack([p.X, np.full(p.n, float(p.intercept))])
        h = p.s * _core.loss_curvature(p.loss, p.parameter, p.X @ w + b, p.y) / p.S
        H = columns.T * h @ columns + np.diag(ridge)
        inverse = 1 / np.where(np.diag(H) > 0, np.diag(H), 1.0)
        move, r = 0 * slope, -slope * np.append(np.ones(len(w)), float(p.intercept))
        direction, norm = inverse * r, r @ (inverse * r)
        target = self.forcing(norm) ** 2 * norm
        while True:
            step = norm / (direction @ H @ direction)
            move, r = move + step * direction, r - step * (H @ direction)
            last, norm = norm, r @ (inverse * r)
            if norm <= target:
                return move
            direction = inverse * r + norm / last * direction

    def forcing(self, norm):
        if self.problem.loss == "squared":
            return 1e-3
        eta = 0.9 * norm / self.norm if self.norm > 0 else 0.1
        self.eta = min(max(eta, 0.9 * self.eta**2 if 0.9 * self.eta**2 > 0.1 else 0.0), 0.1)
        self.norm = norm
        return self.eta


class LimitedMemory:
    """The two loops over the last ten pairs, in the columns' own units."""

    def __init__(self, problem, n_outputs=1):
        self.pairs, self.point = [], None
        n_coefficients = problem.X.shape[1] * n_outputs
        self.is_moving = np.append(np.ones(n_coefficients), float(not free_or_none(problem)))

    def __call__(self, w, b, slope, ridge):
        at = np.append(w, b), slope * self.is_moving
        if self.point is not None:
            step, change = (at[0] - self.point[0]) * self.is_moving, at[1] - self.point[1]
            self.pairs = [*self.pairs[-9:], (step, change, step @ change)]
        self.point, q, weights = at, -at[1], []
        for step, change, product in reversed(self.pairs):
            weights.append(step @ q / product)
            q = q - weights[-1] * change
        if self.pairs:
            _, change, product = self.pairs[-1]
            q = product / (change @ change) * q
        for step, change, product in self.pairs:
            q = q + (weights.pop() - change @ q / product) * step
        return q


def free_or_none(problem):
    return problem.has_free_intercept or not problem.intercept
