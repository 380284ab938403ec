"""SVRG: R. Johnson, T. Zhang, NIPS 2013; proximal: L. Xiao, T. Zhang, SIAM J. Optim. 2014."""

import numpy as np

from finitesum import _core


def svrg_epochs(problem, rule, w, b, *, seed):
    """Yields (w, b, u) at each new anchor; b is the best intercept there, u the derivatives."""
    n, S, epoch = problem.n, problem.S, 0
    importance = _core.importance(rule.rows) if rule.lipschitz else np.ones(n)
    smoothness = rule.rows if rule.lipschitz else None
    while True:
        if problem.intercept:
            b = problem.best_intercept(w, b)
        u = problem.derivatives(problem.X @ w + b)
        mean = (problem.s * u) @ problem.X / S
        if epoch > 0:
            yield w, b, u
        rule.relax(epoch)
        step = rule.step(True)
        draws = [_core.draws(seed, 2 * epoch + half, 0, n, n, smoothness) for half in (0, 1)]
        for i in np.concatenate(draws):
            x = problem.X[i]
            z = x @ w + b
            g = problem.derivative(z, i)
            if rule.search(i, z, g):
                step = rule.step(True)
            change = problem.s[i] * (g - u[i]) * importance[i] * n / S
            w = problem.prox(w - step * (mean + change * x), step)
            if problem.intercept:
                b -= step * change
        epoch += 1
