"""Multinomial logistic regression: table.py, svrg.py and descent.py with K outputs."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy.special import logsumexp, softmax

from reference.descent import LimitedMemory
from reference.philox import philox_words
from reference.problem import Problem
from reference.svrg import drawn_rows


@dataclass(frozen=True)
class Multinomial(Problem):
    """`y` holds class numbers; W is p x K, scores are z_i = W^T x_i + b."""

    K: int = 3

    def smoothness(self):
        return 0.5

    def derivatives(self, z):
        return softmax(z, axis=1) - np.eye(self.K)[self.y]

    def derivative(self, z, i):
        return softmax(z) - np.eye(self.K)[self.y[i]]

    def values(self, z):
        return logsumexp(z, axis=1) - z[np.arange(self.n), self.y]

    def value(self, z, i):
        return logsumexp(z) - z[self.y[i]]

    def penalty(self, W):
        return super().penalty(W.ravel())

    def gradient(self, W, b):
        u = self.s[:, None] * self.derivatives(self.X @ W + b) / self.S
        return self.X.T @ u, u.sum(axis=0)

    def best_intercept(self, W, b):
        """Iterative scaling, then Newton; their sum, which changes nothing, stays as it is."""
        weights, mean = np.bincount(self.y, self.s, self.K), np.mean(b)
        for iteration in range(50):
            q = softmax(self.X @ W + b, axis=1)
            masses = self.s @ q
            if iteration < 30:
                b = b + np.log(weights / masses)
                b = b + mean - b.mean()
                continue
            hessian = np.diag(masses) - (self.s[:, None] * q).T @ q + self.S / self.K
            b = b - np.linalg.solve(hessian, masses - weights)
        return b


def table_epochs(problem, rule, W, b, *, seed, mass_growth=0.0):
    """Yields (W, b, table) after each epoch, see table.py."""
    n, K = problem.n, problem.K
    factors, centers = rule.factors_by_rows(), rule.centers_of_columns()
    seen, mass, seen_mass, table = set(), 0.0, 0.0, np.zeros((n, K))
    if np.any(W):
        seen, mass, table = set(range(n)), problem.S, problem.derivatives(problem.X @ W + b)
    d, d_b = rule.X.T @ (problem.s[:, None] * table), problem.s @ table
    b = b + centers @ W  # the intercepts of centered rows
    epoch = 0
    while True:
        rule.relax(epoch)
        step = rule.step(len(seen) / n)
        for i in rule.draws(seed, epoch, 0, n):
            x, s = rule.X[i], problem.s[i]
            z = x @ W + b
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
            steps = step * factors
            W = problem.prox(W - steps * (d / mass + unbiased * np.outer(x, change)), steps)
            if problem.intercept:
                b = problem.prox_intercept(b - step * (d_b / mass + change * unbiased), step)
            d, d_b = d + np.outer(x, change), d_b + change
        yield W, b - centers @ W, table
        epoch += 1


def svrg_epochs(
    problem, rule, W, b, *, seed, inner_length=2.0, iterate="last", batch_size=1, step_jumps=0.0
):
    """Yields (W, b, u) at each new anchor, see svrg.py."""
    n, S, epoch = problem.n, problem.S, 0
    factors, centers = rule.factors_by_rows(), rule.centers_of_columns()
    steps = -(-max(1, round(inner_length * n)) // batch_size)
    while True:
        b = problem.best_intercept(W, b) if problem.intercept else b
        u = problem.derivatives(problem.X @ W + b)
        mean = rule.X.T @ (problem.s[:, None] * u) / S
        mean_b = 0.0 if problem.has_free_intercept else problem.s @ u / S
        if epoch > 0:
            yield W, b, u
        b = b + centers @ W  # the intercepts of centered rows
        rule.relax(epoch)
        step = rule.step(True)
        taken = steps
        if iterate == "random":
            taken = 1 + (philox_words(seed, 2**64 - 1 - epoch, 0)[0] * steps >> 64)
        draws = drawn_rows(rule, seed, n + epoch * steps * batch_size, taken * batch_size)
        path = []
        for _ in range(taken):
            batch, change = [], []
            for i in islice(draws, batch_size):
                z = rule.X[i] @ W + b
                g = problem.derivative(z, i)
                if rule.search(i, z, g):
                    now = rule.step(True)
                    step = now if abs(now - step) > step_jumps * step else step
                batch.append(i)
                change.append(problem.s[i] * rule.unbiased(i) / batch_size * (g - u[i]))
            move, change = mean + rule.X[batch].T @ change, np.array(change)
            W = problem.prox(W - step * factors * move, step * factors)
            if problem.intercept:
                b = problem.prox_intercept(b - step * (mean_b + change.sum(axis=0)), step)
            path.append((W, b))
        if iterate == "average":
            W, b = (np.mean(each, axis=0) for each in zip(*path, strict=True))
        b = b - centers @ W
        epoch += 1


def lbfgs_epochs(problem, W, b):
    """Yields (W, b) after each step, where free intercepts are at their best."""
    model = LimitedMemory(problem, problem.K)

    def best(W, b):
        return problem.best_intercept(W, b) if problem.intercept else b

    b = best(W, b)
    while True:
        g, _ = problem.gradient(W, b)
        slope = np.append((g + problem.l2 * W).ravel(), 0.0)
        move = model(W.ravel(), 0.0, slope, None)[:-1].reshape(W.shape)
        start, t = problem.objective(W, b), 1.0
        promised = np.sum(g * move) + problem.penalty(W + move) - problem.penalty(W)
        while True:
            to = best(W + t * move, b)
            if problem.objective(W + t * move, to) <= start + 1e-4 * t * promised + 1e-15:
                break
            t /= 2
        W, b = W + t * move, to
        yield W, b
