"""SAG (N. Le Roux, M. Schmidt, F. Bach, NIPS 2012) and SAGA (A. Defazio, F. Bach,
S. Lacoste-Julien, NIPS 2014): a table of derivatives g_i and the sum d = sum_i s_i g_i x_i."""

import itertools

import numpy as np


def table_epochs(problem, rule, w, b, *, seed, mass_growth=0.0, outer=None):
    """Yields (w, b, table) after each epoch. The mass that divides d is the weight of the rows seen
    so far; with `mass_growth` it, and the step, follow only in jumps by that share. From w = 0 the
    table starts empty, else full."""
    n, seen, mass, seen_mass, table = problem.n, set(), 0.0, 0.0, np.zeros(problem.n)
    if np.any(w):
        seen, mass, table = set(range(n)), problem.S, problem.derivatives(problem.X @ w + b)
    d, d_b = (problem.s * table) @ rule.X, problem.s @ table
    b += w @ np.broadcast_to(rule.centers, w.shape)  # the intercept of centered rows
    units = np.sqrt(rule.factors)
    for epoch in itertools.count():
        rule.relax(epoch)
        step = rule.step(len(seen) / n)
        kappa = pull = 0.0
        if outer is not None and len(seen) == n:
            kappa, pull, w = outer.begin_epoch(w, units, n * step)
        for i in rule.draws(seed, epoch, 0, n):
            x, s = rule.X[i], problem.s[i]
            z = x @ w + b
            g = problem.derivative(z, i)
            if i not in seen:
                seen.add(i)
                seen_mass += s
                if seen_mass > mass * (1 + mass_growth) or len(seen) == n:
                    mass = seen_mass
            if mass == 0:
                continue
            if rule.search(i, z, g) or len(seen) < n:
                now = rule.step(len(seen) / n)
                step = now if abs(now - step) > mass_growth * step else step
            change, table[i] = s * (g - table[i]), g
            unbiased = 1 / mass if rule.solver == "sag" else rule.unbiased(i)
            steps = step * rule.factors
            w = problem.prox(w - steps * (d / mass - pull + change * unbiased * x), steps)
            w /= 1 + step * kappa / (1 + steps * problem.l2)
            if problem.intercept:
                b = problem.prox_intercept(b - step * (d_b / mass + change * unbiased), step)
            d, d_b = d + change * x, d_b + change
        yield w, b - w @ np.broadcast_to(rule.centers, w.shape), table
