"""Draws and steps that learn the rows' smoothness: M. Schmidt, N. Le Roux, F. Bach, "Minimizing
finite sums with the stochastic average gradient", 2017, section 5.5."""

import numpy as np

from finitesum import _core
from reference.step_size import StepRule


class AdaptiveRule(StepRule):
    """Every row once; then with probability proportional to L_i + L_mean + 2 mu, 32 rows at a time
    by the estimates as they stand. A visit halves L_i and doubles it until it suffices."""

    def __init__(self, problem, solver, given=0.0, batch_size=1, scaling=(1.0, 0.0)):
        super().__init__(problem, solver, given, True, batch_size, scaling)
        self.searches = False
        mu = problem.l2 * np.min(self.factors)
        self.sampler = _core.SmoothnessSampler(self.curvature * self.rows, mu)

    def relax(self, epoch):
        self.sampler.refresh()

    def draws(self, seed, epoch, first, count):
        n, end = self.problem.n, first + count
        for begin in range(first, end, 32):
            now, self.importance = min(32, end - begin), self.sampler.importance()
            if epoch == 0:
                yield from _core.draws(seed, 0, begin, now, n, None)
            else:
                yield from self.sampler.draws(seed, epoch, begin, now)

    def search(self, i, z, g):
        if self.omega[i] == 0:
            return False
        self.sampler.set_estimate(i, self.doubled(self.sampler.estimates()[i] / 2, i, z, g))
        return self.given == 0

    def unbiased(self, i):
        """The importance when the row was drawn; not beyond twice what steps can afford now."""
        inverse = sum(0.5 / L for L in self.largest_and_mean())
        most = 2 / (inverse * self.sampler.estimates()[i]) if self.omega[i] > 0 else np.inf
        return min(self.importance[i], most) * self.problem.n / self.problem.S

    def largest_and_mean(self):
        return self.sampler.max(), self.sampler.mean()


def rule_for(problem, solver, sampling, step_rule="auto", **options):
    """The rule of a solver with these options."""
    if sampling == "adaptive":
        return AdaptiveRule(problem, solver, **options)
    searches = step_rule == "line-search"
    return StepRule(
        problem, solver, lipschitz=sampling == "lipschitz", line_search=searches, **options
    )
