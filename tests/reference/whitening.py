"""Descent in whitened coordinates (Lafond, Vasilache and Bottou, 2017), by its definition."""

import numpy as np


class Whitening:
    """Coordinates of one linear map y = x W + b; W and b move in place."""

    def __init__(self, n, *, averaging=0.05, interval=64, eps=0.01, share=1.0, damping=None):
        self.averaging, self.interval, self.eps, self.damping = averaging, interval, eps, damping
        self.beta2 = 1 / np.sqrt(share * n)
        self.first, self.second = np.zeros(n), np.zeros(n)
        self.total = self.rows = self.k = self.square = 0.0

    def observe(self, x):
        weight = max(1.0, self.averaging * self.total / (len(x) * (1 - self.averaging)))
        self.total, self.rows = self.total + len(x) * weight, self.rows + len(x)
        share = len(x) * weight / self.total
        self.first += share * (x.mean(axis=0) - self.first)
        self.second += share * ((x**2).mean(axis=0) - self.second)
        if self.k == 0:
            self.refresh()

    def refresh(self):
        self.mu = self.first.copy()
        variance = (self.second - self.mu**2) * (1 + 10 / self.rows)
        variance = np.where(variance > 0, np.maximum(variance, self.eps * variance.mean()), 0.0)
        self.alpha = np.divide(1, np.sqrt(variance), out=0 * variance, where=variance > 0)

    def direction(self, x, g):
        """Give dW and db, the mean over the rows; g holds the gradients of the rows' losses."""
        z = self.alpha * (x - self.mu)
        dv = np.sqrt(self.beta2) * np.einsum("bi,bj->ij", z, g) / len(x)  # of v_ij, and of v_0j:
        dv0 = np.sqrt(self.beta2) * g.mean(axis=0)
        dW = np.sqrt(self.beta2) * self.alpha[:, None] * dv
        self.k += 1
        of_rows = self.beta2 * (g**2).sum(axis=1) * (1 + (z**2).sum(axis=1))
        self.square += max(0.05, 1 / self.k) * (np.mean(of_rows) - self.square)
        length = 1 if self.damping is None else 1 / np.sqrt(self.damping + self.square)
        return length * dW, length * (np.sqrt(self.beta2) * dv0 - self.mu @ dW)

    def is_due(self):
        k = int(self.k)
        return k & (k - 1) == 0 if k < self.interval else k % self.interval == 0
