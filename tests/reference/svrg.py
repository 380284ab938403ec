"""SVRG: R. Johnson, T. Zhang, NIPS 2013; proximal: L. Xiao, T. Zhang, SIAM J. Optim. 2014."""

import numpy as np

from finitesum import _core


def svrg_epochs(problem, rule, w, b, *, seed, inner_length=2.0):
    """Yields (w, b, u) at each new anchor, where a free b is at its best; u are the derivatives."""
    n, S, epoch = problem.n, problem.S, 0
    draws = max(1, round(inner_length * n))
    importance = (
        _core.SmoothnessSampler(rule.rows, 0.0).importance() if rule.lipschitz else np.ones(n)
    )
    while True:
        if problem.intercept:
            b = problem.best_intercept(w, b)
        u = problem.derivatives(problem.X @ w + b)
        mean = (problem.s * u) @ problem.X / S
        mean_b = 0.0 if problem.has_free_intercept else problem.s @ u / S
        if epoch > 0:
            yield w, b, u
        rule.relax(epoch)
        step = rule.step(True)
        for i in drawn_rows(rule, seed, epoch * draws, draws):
            x = problem.X[i]
            z = x @ w + b
            g = problem.derivative(z, i)
            if rule.search(i, z, g):
                step = rule.step(True)
            change = problem.s[i] * (g - u[i]) * importance[i] * n / S
            w = problem.prox(w - step * (mean + change * x), step)
            if problem.intercept:
                b = problem.prox_intercept(b - step * (mean_b + change), step)
        epoch += 1


def drawn_rows(rule, seed, first, count):
    """Draws `first`, `first` + 1, ... of the run, n per epoch of the sampler."""
    n, smoothness = rule.problem.n, rule.rows if rule.lipschitz else None
    epochs = range(first // n, (first + count - 1) // n + 1)
    rows = np.concatenate([_core.draws(seed, epoch, 0, n, n, smoothness) for epoch in epochs])
    return rows[first % n :][:count]
