"""Step sizes from the rows' smoothness constants L_i = (n s_i / S) sup l'' (|x_i|^2 + 1)."""

import numpy as np

from reference.smoothness_draws import rounded


class StepRule:
    """The solvers' default steps, or a given one; losses without sup l'' search for theirs."""

    def __init__(
        self, problem, solver, given=0.0, lipschitz=False, batch_size=1, scaling=(1.0, 0.0)
    ):
        self.problem, self.solver, self.given, self.lipschitz = problem, solver, given, lipschitz
        self.batch_size = batch_size
        self.factors, self.centers = scaling  # see column_scaling.py
        self.X = problem.X - self.centers
        self.q = (self.factors * self.X**2).sum(axis=1) + problem.intercept
        self.omega = problem.n * problem.s / problem.S
        self.rows = self.omega * self.q
        self.searches = given == 0 and np.isinf(problem.smoothness())
        self.curvature = 1.0 if np.isinf(problem.smoothness()) else problem.smoothness()

    def factors_by_rows(self):
        """For matrices with a row per column of X."""
        return np.reshape(self.factors, (-1, 1))

    def centers_of_columns(self):
        return np.broadcast_to(self.centers, self.X.shape[1])

    def step(self, share_seen):
        if self.given > 0:
            return self.given
        rows = rounded(self.rows) if self.lipschitz else self.rows
        largest, mean = self.curvature * self.rows.max(), self.curvature * rows.mean()
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

    def relax(self, epoch):
        if self.searches and epoch > 0:
            self.curvature /= 2

    def search(self, i, z, g):
        """Doubles L until f_i(w - f_i'/L) <= f_i(w) - |f_i'|^2 / (2 L); true if it had to."""
        q, omega, before = self.q[i], self.omega[i], self.curvature
        if not self.searches or (omega * g) ** 2 * q <= 1e-8:
            return False
        value, largest = self.problem.value(z, i), self.rows.max()
        while True:
            L = self.curvature * largest
            if self.problem.value(z - omega * g * q / L, i) <= value - omega * g**2 * q / (2 * L):
                return self.curvature != before
            self.curvature *= 2
