"""Katyusha: Z. Allen-Zhu, STOC 2017; the rows' sampling of X. Qian, Z. Qu, P. Richtarik, 2021."""

import numpy as np

from reference.svrg import drawn_rows


def katyusha_epochs(problem, rule, w, b, *, seed, inner_length=1.0):
    """Yields (w, b, u) at each new anchor, where a free b is at its best; u are the derivatives."""
    n, S, l2 = problem.n, problem.S, problem.l2
    draws = max(1, round(inner_length * n))
    z = y = w
    z_b = y_b = b
    epoch = 0
    while True:
        w, b = y, problem.best_intercept(y, y_b) if problem.has_free_intercept else y_b
        u = problem.derivatives(problem.X @ w + b)
        mean = (problem.s * u) @ problem.X / S
        mean_b = 0.0 if problem.has_free_intercept else problem.s @ u / S
        if epoch == 0:
            z_b = y_b = b
        else:
            yield w, b, u
        rule.relax(epoch)
        theta = min(0.5, max(np.sqrt(draws * l2 * rule.step(True)), 2 / (epoch + 4)))
        stretch = min(1.0, (epoch + 1) / 4) / theta
        step = stretch * rule.step(True)
        for i in drawn_rows(rule, seed, n + epoch * draws, draws):
            x = problem.X[i]
            point = theta * z + 0.5 * w + (0.5 - theta) * y
            prediction = x @ point + theta * z_b + 0.5 * b + (0.5 - theta) * y_b
            g = problem.derivative(prediction, i)
            if rule.search(i, prediction, g):
                step = stretch * rule.step(True)
            change = problem.s[i] * (g - u[i]) * rule.unbiased(i)
            z = problem.prox(z - step * (mean + change * x), step)
            y = theta * z + 0.5 * w + (0.5 - theta) * y
            if problem.intercept:
                z_b = problem.prox_intercept(z_b - step * (mean_b + change), step)
                y_b = theta * z_b + 0.5 * b + (0.5 - theta) * y_b
        epoch += 1
