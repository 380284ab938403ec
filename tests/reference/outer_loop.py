"""Catalyst (H. Lin, J. Mairal, Z. Harchaoui, JMLR 2018) and QNing (same authors, SIAM J. Optim.
2019) around SAG and SVRG: centers y of min_v F(v, b) + kappa/2 |v - y|^2, v the scaled
coefficients."""

import numpy as np

PAIRS = 20
PLAIN_EPOCHS = 2
FIRST = (np.sqrt(5) - 1) / 2


class OuterLoop:
    def __init__(self, mu, kind, contraction=1.0, jumps=True):
        self.mu, self.kind, self.kappa, self.plain = mu, kind, 0.0, 0
        self.contraction, self.jumps = contraction, jumps
        self.share = 1.0 if jumps else 1 - np.exp(-contraction)
        self.v, self.move, self.taken_back = 0.0, np.inf, 0

    def begin_epoch(self, w, units, length):
        """kappa, its pull on w, and where the epoch begins, for w = units v."""
        y = self.advance(w / units, length)
        if y is None:
            return 0.0, 0.0, w
        return self.kappa, self.kappa * y / units, y * units if self.jumps else w

    def advance(self, v, length):
        """The next center after the inner solution v; None while v is the plain solver's."""
        if self.plain < PLAIN_EPOCHS:
            self.plain += 1
            return None
        if self.kappa == 0:
            last, self.move = self.move, np.linalg.norm(v - self.v)
            self.v = v
            if self.move < np.exp(-self.contraction) * last:
                return None
        if self.kappa == 0 or length > 2 * self.length:
            self.length, self.kappa = length, max(self.contraction / length - self.mu, 0.0)
            self.y, self.v, self.a, self.begun = v, v, FIRST, 0.0
            self.pairs, self.trial, self.last = [], False, None
        elif self.kind == "catalyst":
            self.y, self.v = self.extrapolated(v, self.mu / (self.mu + self.kappa)), v
        else:
            self.y = self.quasi_newton(v)
        return self.y

    def extrapolated(self, v, q):
        aim = self.v + self.share * (self.y - self.v)
        residual = aim - v
        is_done = not self.jumps and np.linalg.norm(residual) < self.begun / 10
        a = FIRST if residual @ (v - self.v) > 0 or is_done else self.a
        self.begun = np.linalg.norm(residual) if a == FIRST else self.begun
        square = a**2
        self.a = (q - square + np.sqrt((q - square) ** 2 + 4 * square)) / 2
        return v + a * (1 - a) / (square + self.a) / self.share * (v - self.v)

    def quasi_newton(self, v):
        g, risen, radius = self.kappa * (self.y - v), False, np.linalg.norm(self.y - v)
        if self.last is not None:
            s, t = self.y - self.last[0], g - self.last[1]
            if s @ t > t @ t / self.kappa:
                self.pairs = [*self.pairs, (s, t)][-PAIRS:]
            risen = self.trial and s @ g > -s @ self.last[1]
            radius = max(radius, np.linalg.norm(s)) if self.trial else radius
        self.last, self.trial = (self.y, g), bool(self.pairs) and not risen
        if risen:
            self.taken_back += 1
            return self.v
        self.v = v
        eye = np.eye(len(v))
        H = eye / self.kappa
        for s, t in self.pairs:
            V = eye - np.outer(s, t) / (s @ t)
            H = V @ H @ V.T + np.outer(s, s) / (s @ t)
        step = H @ g
        return self.y - min(1.0, 2 * radius / np.linalg.norm(step)) * step
