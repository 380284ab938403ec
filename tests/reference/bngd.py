"""Gradient descent with batch normalization on least squares, with H written out."""

import numpy as np


def bngd(X, y, s, w, rate, scale_rate, n_steps):
    """Coefficients, intercept and |w| after n_steps from w (Cai, Li and Shen, ICML 2019)."""
    s = s / s.sum()
    x_mean, y_mean = s @ X, s @ y
    Z, r = X - x_mean, y - y_mean
    H, g = Z.T @ (s[:, None] * Z), Z.T @ (s * r)
    w = np.array(w, dtype=float)
    a = w @ g / np.sqrt(w @ H @ w)
    for _ in range(n_steps):
        sigma = np.sqrt(w @ H @ w)
        along = w @ g / sigma
        w, a = (
            w + rate * a / sigma * (g - along / sigma * (H @ w)),
            a + scale_rate * (along - a),
        )
    coef = a * w / np.sqrt(w @ H @ w)
    return coef, y_mean - x_mean @ coef, np.linalg.norm(w)
