"""Step sizes from the rows' smoothness constants L_i = (n s_i / S) sup l'' (|x_i|^2 + 1)."""

import numpy as np

from finitesum import _core
from reference.smoothness_draws import rounded


class StepRule:
    """The solvers' default steps, or a given one; losses without sup l'' search for theirs."""

    def __init__(
        self, problem, solver, given=0.0, lipschitz=False, batch_size=1, scaling=(1.0, 0.0),
        line_search=False,
    ):  # fmt: skip
        self.problem, self.solver, self.given, self.lipschitz = problem, solver, given, lipschitz
        self.batch_size = batch_size
        self.factors, self.centers = scaling  # see column_scaling.py
        self.X = problem.X - self.centers
        self.q = (self.factors * self.X**2).sum(axis=1) + problem.intercept
        self.omega = problem.n * problem.s / problem.S
        self.rows = self.omega * self.q
        self.searches = given == 0 and (np.isinf(problem.smoothness()) or line_search)
        self.curvature = 1.0 if np.isinf(problem.smoothness()) else problem.smoothness()
        self.importance = np.ones(problem.n)
        if lipschitz:
            self.importance = _core.SmoothnessSampler(self.rows, 0.0).importance()

    def draws(self, seed, epoch, first, count):
        n = self.problem.n
        return _core.draws(seed, epoch, first, count, n, self.rows if self.lipschitz else None)

    def unbiased(self, i):
        """What makes an estimate from row i unbiased."""
        return self.importance[i] * self.problem.n / self.problem.S

    def factors_by_rows(self):
        """For matrices with a row per column of X."""
        return np.reshape(self.factors, (-1, 1))

    def centers_of_columns(self):
        return np.broadcast_to(self.centers, self.X.shape[1])

    def step(self, share_seen):
        if self.given > 0:
            return self.given
        largest, mean = self.largest_and_mean()
        weighted = 2 * largest * mean / (largest + mean) if self.lipschitz else largest
        if self.solver == "svrg":
            return 1 / (2 * (weighted / self.batch_size + (1 - 1 / self.batch_size) * mean))
        if self.solver == "katyusha":
            return 1 / (3 * weighted)
        if self.solver == "saga":
            mu = self.problem.l2 * np.min(self.factors)
            return max(1 / (3 * weighted), 1 / (2 * (weighted + self.problem.n * mu)))
        mixed = (1 / largest + 1 / mean) / 2 if self.lipschitz else 1 / largest
        return (1 - share_seen) / largest + share_seen * mixed

    def largest_and_mean(self):
        rows = rounded(self.rows) if self.lipschitz else self.rows
        return self.curvature * self.rows.max(), self.curvature * rows.mean()

    def relax(self, epoch):
        if self.searches and epoch > 0:
            self.curvature /= 2

    def search(self, i, z, g):
        """Doubles L until f_i(w - f_i'/L) <= f_i(w) - |f_i'|^2 / (2 L); true if it had to."""
        before = self.curvature
        if self.searches:
            self.curvature = self.doubled(before * self.rows.max(), i, z, g) / self.rows.max()
        return self.curvature != before

    def doubled(self, L, i, z, g):
        """Of separable losses every output has its say."""
        q, omega, value = self.q[i], self.omega[i], np.asarray(self.problem.value(z, i))
        squared = g * g if value.ndim > 0 else np.sum(g * g)
        asks = omega**2 * squared * q > 2.0**-26  # the square root of the rounding unit
        while np.any(
            asks
            & (self.problem.value(z - omega * g * q / L, i) > value - omega * squared * q / (2 * L))
        ):
            L *= 2
        return L
