"""SDCA (S. Shalev-Shwartz, T. Zhang, JMLR 14, 2013); a free b by the method of multipliers."""

import numpy as np
from scipy.optimize import brentq

from finitesum import _core


def dual_step(problem, i, z, u, q):
    """l'(t) where t + q l'(t) = z + q u."""

    def excess(t):
        return t - z + q * (problem.derivative(t, i) - u)

    reach = 1e-3
    while excess(z - reach) > 0 or excess(z + reach) < 0:
        reach *= 2
    return problem.derivative(brentq(excess, z - reach, z + reach, xtol=1e-300, rtol=1e-15), i)


def sdca_epochs(problem, b, *, seed):
    """Yields (w, b, u) after each epoch; `b` is where a free intercept begins."""
    p, S, l1, l2 = problem.X.shape[1], problem.S, problem.l1, problem.l2
    norms = problem.s * (problem.X**2).sum(axis=1) / S
    kappa, l1_b, b_v = 1.0, 0.0, 0.0
    if problem.has_free_intercept:
        bend = problem.smoothness()
        if np.isinf(bend):  # poisson: e^b of the null model
            bend = max(problem.s @ problem.y / S, 1e-3)
        kappa, b_v = 8 * bend / problem.n, b
    elif problem.intercept:  # the coefficient of b / c
        kappa, l1_b = l2 / problem.intercept_scaling**2, l1 / problem.intercept_scaling
    u, v, sum_b = np.zeros(problem.n), np.zeros(p), 0.0
    q = norms / l2 + problem.intercept * problem.s / S / kappa
    gains, bend = np.zeros(problem.n), 1 / problem.smoothness()  # l*'' is at least this
    epochs_of_some, draws_of_some, epoch = 0, problem.n, 0
    while True:
        visit_all = epochs_of_some == 16 or draws_of_some >= problem.n
        rows = np.flatnonzero(visit_all | (gains >= 0.3 * gains.mean()))
        if len(rows) < problem.n // 128:
            visit_all, rows = True, np.arange(problem.n)
        epochs_of_some = 0 if visit_all else epochs_of_some + 1
        draws_of_some = 0 if visit_all else draws_of_some + len(rows)
        b_v -= problem.has_free_intercept * (epoch > 0) * sum_b / (S * kappa)
        for i in rows[_core.draws(seed, epoch, 0, len(rows), len(rows), None, "shuffle")]:
            if problem.s[i] == 0:
                continue
            x, w, b = problem.X[i], shrunk(v, l1 / l2), shrunk(b_v, l1_b / kappa)
            new = dual_step(problem, i, x @ w + problem.intercept * b, u[i], q[i])
            gains[i] = problem.s[i] * (new - u[i]) ** 2 * (q[i] + bend)
            change, u[i] = problem.s[i] * (new - u[i]) / S, new
            v = v - change * x / l2
            sum_b += S * change
            b_v -= change / kappa
        yield shrunk(v, l1 / l2), problem.intercept * shrunk(b_v, l1_b / kappa), u
        epoch += 1


def shrunk(v, threshold):
    return np.sign(v) * np.maximum(np.abs(v) - threshold, 0)
