"""Stochastic gradient descent as written down: every coordinate at every step, rows in order."""

import numpy as np


def onto_ball(w, kind, radius):
    norm = np.abs(w).sum() if kind == "l1" else np.linalg.norm(w)
    if kind == "none" or norm <= radius:
        return w
    if kind == "l2":
        return w * (radius / norm)
    m = np.sort(np.abs(w))[::-1]  # Duchi et al. (2008), figure 1
    thresholds = (np.cumsum(m) - radius) / np.arange(1, len(m) + 1)
    return soft(w, thresholds[m > thresholds][-1])


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


def clipped(g, kind, limit):
    if kind == "value":
        return np.clip(g, -limit, limit)
    return g * min(1, limit / np.linalg.norm(g)) if kind == "norm" and g.any() else g


def sgd(
    X, y, derivative, rate, *, s=None, l1=0.0, l2=0.0, intercept=True, batch=1, epochs=3,
    clip=("none", 1), ball=("none", 1), average=None, start=1,
):  # fmt: skip
    """`average`: None, or the weight of iterate t; those before step `start` have none."""
    s = np.ones(len(y)) if s is None else np.asarray(s)
    X, y, s = X[s > 0], y[s > 0], s[s > 0] / s[s > 0].mean()
    w, total, weight, t = np.zeros(X.shape[1] + 1), 0, 0, 1  # the intercept comes last
    for rows in [np.arange(i, min(i + batch, len(y))) for i in range(0, len(y), batch)] * epochs:
        f = s[rows] * derivative(X[rows] @ w[:-1] + w[-1], y[rows]) / len(rows)
        g = clipped(np.append(f @ X[rows], f.sum()), *clip)
        eta = rate(t)
        w[:-1] = soft(max(1 - eta * l2, 0) * w[:-1] - eta * g[:-1], eta * l1)
        w[:-1] = onto_ball(w[:-1], *ball)
        w[-1] -= eta * g[-1] * intercept
        if average is not None and t >= start:
            total, weight = total + average(t - start + 1) * w, weight + average(t - start + 1)
        t += 1
    return w if average is None else total / weight


def multinomial_sgd(
    X, classes, eta, *, l1=0.0, l2=0.0, batch=1, epochs=3, clip=("none", 1), average=False
):
    """The same for the loss log sum_k exp(z_k) - z_y: (K, p + 1) numbers, intercepts last."""
    A, onehot = np.column_stack([X, np.ones(len(X))]), np.eye(classes.max() + 1)[classes]
    W, total, t = np.zeros((onehot.shape[1], A.shape[1])), 0, 0
    for rows in [np.arange(i, min(i + batch, len(A))) for i in range(0, len(A), batch)] * epochs:
        e = np.exp(A[rows] @ W.T)
        G = (e / e.sum(axis=1, keepdims=True) - onehot[rows]).T @ A[rows] / len(rows)
        G = clipped(G.ravel(), *clip).reshape(W.shape)
        W[:, :-1] = soft((1 - eta * l2) * W[:, :-1] - eta * G[:, :-1], eta * l1)
        W[:, -1] -= eta * G[:, -1]
        total, t = total + W, t + 1
    return total / t if average else W
