"""SVRG: R. Johnson, T. Zhang, NIPS 2013; proximal: L. Xiao, T. Zhang, SIAM J. Optim. 2014."""

import itertools

import numpy as np

from reference.philox import philox_words


def svrg_epochs(
    problem, rule, w, b, *, seed, inner_length=2.0, iterate="last", outer=None, step_jumps=0.0
):
    """Yields (w, b, u) at each new anchor, where a free b is at its best; u are the derivatives.
    Within an epoch steps follow their rule in jumps by that share."""
    n, S, size = problem.n, problem.S, rule.batch_size
    kept = cut if problem.l2 > 0 and rule.lipschitz else np.asarray
    steps = -(-max(1, round(inner_length * n)) // size)
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
        draws = drawn_rows(rule, seed, n + epoch * steps * size, taken * size)
        for _ in range(taken):
            batch, change = np.zeros(size, int), np.zeros(size)
            for k, i in enumerate(itertools.islice(draws, size)):
                z = rule.X[i] @ w + b
                g = problem.derivative(z, i)
                if rule.search(i, z, g):
                    now = rule.step(True)
                    step = now if abs(now - step) > step_jumps * step else step
                batch[k], change[k] = i, problem.s[i] * (g - u[i]) * rule.unbiased(i) / size
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
    n = rule.problem.n
    while count > 0:
        begin = first % n
        now = min(n - begin, count)
        yield from rule.draws(seed, first // n, begin, now)
        first, count = first + now, count - now
