"""SVRG: R. Johnson, T. Zhang, NIPS 2013; proximal: L. Xiao, T. Zhang, SIAM J. Optim. 2014."""

import itertools

import numpy as np

from finitesum import _core
from reference.philox import philox_words


def svrg_epochs(problem, rule, w, b, *, seed, inner_length=2.0, iterate="last", outer=None):
    """Yields (w, b, u) at each new anchor, where a free b is at its best; u are the derivatives."""
    n, S, size = problem.n, problem.S, rule.batch_size
    kept = cut if problem.l2 > 0 and rule.lipschitz else np.asarray
    steps = -(-max(1, round(inner_length * n)) // size)
    importance = (
        _core.SmoothnessSampler(rule.rows, 0.0).importance() if rule.lipschitz else np.ones(n)
    )
    for epoch in itertools.count():
        if problem.intercept:
            b = problem.best_intercept(w, b, kept)
        u = problem.derivatives(kept(problem.X @ w) + b)
        mean = (problem.s * u) @ rule.X / S
        mean_b = 0.0 if problem.has_free_intercept else problem.s @ u / S
        if epoch > 0:
            yield w, b, u
        b += w @ np.broadcast_to(rule.centers, w.shape)  # the intercept of centered rows
        rule.relax(epoch)
        step = rule.step(True)
        units, kappa = np.sqrt(rule.factors), 0.0
        if outer is not None:
            kappa, pull, w = outer.begin_epoch(w, units, steps * step)
            mean -= pull
        taken, path = steps, []
        if iterate == "random":
            taken = 1 + (philox_words(seed, 2**64 - 1 - epoch, 0)[0] * steps >> 64)
        for batch in drawn_rows(rule, seed, n + epoch * steps * size, taken * size).reshape(
            -1, size
        ):
            change = np.zeros(size)
            for k, i in enumerate(batch):
                z = rule.X[i] @ w + b
                g = problem.derivative(z, i)
                if rule.search(i, z, g):
                    step = rule.step(True)
                change[k] = problem.s[i] * (g - u[i]) * importance[i] * n / S / size
            steps_of_columns = step * rule.factors
            w = problem.prox(
                w - steps_of_columns * (mean + change @ rule.X[batch]), steps_of_columns
            )
            if kappa > 0:
                w /= 1 + step * kappa / (1 + steps_of_columns * problem.l2)
            if problem.intercept:
                b = problem.prox_intercept(b - step * (mean_b + change.sum()), step)
            path.append(np.append(w, b))
        if iterate == "average":
            w, b = np.mean(path, axis=0)[:-1], np.mean(path, axis=0)[-1]
        b -= w @ np.broadcast_to(rule.centers, w.shape)


def cut(x):
    """The upper 48 bits, which is how an anchor keeps margins where rows are drawn by
    smoothness: 37 significant ones."""
    return (np.asarray(x, float).view(np.int64) & ~0xFFFF).view(float)


def drawn_rows(rule, seed, first, count):
    """Draws `first`, `first` + 1, ... of the run, n per epoch of the sampler."""
    n, smoothness = rule.problem.n, rule.rows if rule.lipschitz else None
    epochs = range(first // n, (first + count - 1) // n + 1)
    rows = np.concatenate([_core.draws(seed, epoch, 0, n, n, smoothness) for epoch in epochs])
    return rows[first % n :][:count]
