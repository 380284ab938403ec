"""From derivatives of the losses to a feasible point of the dual."""

import numpy as np


def balanced(problem, u):
    """Shrinks the heavier side of s_i u_i, on every 128th, 16th, 4th or each row, to sum to 0."""
    mass = problem.s * u
    excess = mass.sum()
    if abs(excess) <= 1e-15 * np.abs(mass).sum():
        return u
    for stride, least in ((128, 0.9), (16, 0.5), (4, 0.5), (1, 0.0)):
        side = (np.arange(problem.n) % stride == 0) & (u * excess > 0)
        heavier = np.abs(mass[side]).sum()
        factor = 1 - abs(excess) / heavier if heavier > 0 else -np.inf
        if factor >= least:
            break
    return np.where(side, max(factor, 0.0) * u, u)


def feasible(problem, u):
    """Balanced for a free intercept, scaled into |X^T (s u)| / S <= l1 where l2 = 0."""
    if problem.has_free_intercept:
        u = balanced(problem, u)
    if problem.l2 == 0:
        largest = np.abs(problem.image(u)).max()
        inside = 1 - 1e-15  # the image is computed again, with other roundings
        u = u * min(1.0, inside * problem.l1 / largest) if largest > 0 else u
    return u
