"""Catalyst (H. Lin, J. Mairal, Z. Harchaoui, JMLR 2018) and QNing (same authors, SIAM J. Optim.
2019) around SVRG: centers y of min_w F(w, b) + kappa/2 |w - y|^2."""

import numpy as np

PAIRS = 20
PLAIN_EPOCHS = 3


class OuterLoop:
    def __init__(self, problem, kind):
        self.problem, self.kind, self.kappa, self.y = problem, kind, 0.0, 0.0
        self.plain, self.pairs, self.trial, self.last = 0, [], False, None

    def advance(self, w, L):
        """The next center after the inner solution w; None while w is the plain solver's."""
        mu = self.problem.l2
        if self.plain < PLAIN_EPOCHS:
            self.plain += 1
            return None
        if self.kappa == 0:
            self.kappa = (L - mu) / (self.problem.n + 1) - mu
            self.y, self.w = w.copy(), w.copy()
            self.a = np.sqrt(mu / (mu + self.kappa)) if mu > 0 else (np.sqrt(5) - 1) / 2
        elif self.kind == "catalyst":
            self.y, self.w = self.extrapolated(w, mu / (mu + self.kappa)), w
        else:
            self.y = self.quasi_newton(w)
        return self.y

    def prox(self, v, step):
        l2 = self.problem.l2
        return self.problem.prox(v, step) * (1 + step * l2) / (1 + step * (l2 + self.kappa))

    def extrapolated(self, w, q):
        a, square = self.a, self.a**2
        self.a = (q - square + np.sqrt((q - square) ** 2 + 4 * square)) / 2
        return w + a * (1 - a) / (square + self.a) * (w - self.w)

    def quasi_newton(self, w):
        g = self.kappa * (self.y - w)
        if self.trial and g @ g > 4 * self.last[1] @ self.last[1]:
            self.pairs, self.trial = self.pairs[:-1], False
            return self.w
        if self.last is not None:
            s, t = self.y - self.last[0], g - self.last[1]
            if s @ t > 1e-10 * np.linalg.norm(s) * np.linalg.norm(t):
                self.pairs = [*self.pairs, (s, t)][-PAIRS:]
        self.last, self.w, self.trial = (self.y, g), w, bool(self.pairs)
        eye = np.eye(len(w))
        H = eye / self.kappa
        for s, t in self.pairs:
            V = eye - np.outer(s, t) / (s @ t)
            H = V @ H @ V.T + np.outer(s, s) / (s @ t)
        return self.y - H @ g
