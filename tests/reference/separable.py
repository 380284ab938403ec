"""K outputs of one scalar loss that share X, for the twins of multinomial.py."""

from dataclasses import dataclass

import numpy as np

from reference.losses import DERIVATIVE, SMOOTHNESS, VALUE
from reference.multinomial import Multinomial
from reference.problem import Problem


@dataclass(frozen=True)
class Separable(Multinomial):
    """`y` is n x K; W is p x K, scores are z_i = W^T x_i + b."""

    def smoothness(self):
        return SMOOTHNESS[self.loss](self.parameter)

    def derivatives(self, z):
        return DERIVATIVE[self.loss](z, self.y, self.parameter)

    def derivative(self, z, i):
        return DERIVATIVE[self.loss](z, self.y[i], self.parameter)

    def value(self, z, i):
        """Of each output."""
        return VALUE[self.loss](z, self.y[i], self.parameter)

    def output(self, k):
        """The problem that output k is on its own."""
        return Problem(
            self.X, self.y[:, k].copy(), self.s, self.loss, self.parameter, self.alpha,
            self.l1_ratio, self.intercept, intercept_scaling=self.intercept_scaling,
        )  # fmt: skip

    def objectives(self, W, b):
        return np.array([self.output(k).objective(W[:, k], b[k]) for k in range(self.K)])

    def best_intercept(self, W, b):
        return np.array([self.output(k).best_intercept(W[:, k], b[k]) for k in range(self.K)])
