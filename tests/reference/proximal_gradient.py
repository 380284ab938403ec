"""Proximal gradient steps, with momentum: A. Beck, M. Teboulle, SIAM J. Imaging Sci. 2, 2009."""

import numpy as np


def proximal_gradient_epochs(problem, w, b, *, has_momentum):
    """Yields (w, b) after each step, where a free b is at its best; L is searched."""
    b = problem.best_intercept(w, b)
    y, y_b, t, L = w, b, 1.0, 1e-3
    while True:
        y_b = problem.best_intercept(y, y_b)
        g, g_b = problem.gradient(y, y_b)
        last_L, L = L, 0.9 * L
        while True:
            to, to_b = problem.prox(y - g / L, 1 / L), y_b
            move_b = 0.0
            if problem.intercept and not problem.has_free_intercept:
                to_b = problem.prox_intercept(y_b - g_b / L, 1 / L)
                move_b = to_b - y_b
            to_b = problem.best_intercept(to, to_b)
            bound = g @ (to - y) + g_b * move_b + L / 2 * (np.sum((to - y) ** 2) + move_b**2)
            before, after = loss(problem, y, y_b), loss(problem, to, to_b)
            if abs(after - before) > 1e-6 * before:
                if after <= before + bound:
                    break
            elif slope(problem, (y, y_b), (to, to_b)) <= L * (np.sum((to - y) ** 2) + move_b**2):
                break
            L *= 2
        against = (y - to) @ (to - w)
        if problem.intercept and not problem.has_free_intercept:
            against += (y_b - to_b) * (to_b - b)
        next_t = 1.0 if against > 0 else (1 + np.sqrt(1 + 4 * L / last_L * t**2)) / 2
        momentum = (t - 1) / next_t if has_momentum and against <= 0 else 0.0
        t, y, y_b = next_t, to + momentum * (to - w), to_b + momentum * (to_b - b)
        w, b = to, to_b
        yield w, b


def loss(problem, w, b):
    return problem.s @ problem.values(problem.X @ w + b) / problem.S


def slope(problem, start, end):
    """The change of the gradient along the way."""
    z, to = (problem.X @ w + b for w, b in (start, end))
    return problem.s @ ((problem.derivatives(to) - problem.derivatives(z)) * (to - z)) / problem.S
