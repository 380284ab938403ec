"""The losses by their definitions: value, derivative and conjugate, elementwise."""

import numpy as np
from scipy.special import xlogy

INF = np.inf


def squared_hinge(z, y, _):
    return np.maximum(0, 1 - y * z) ** 2


def smoothed_hinge(z, y, gamma):
    h = 1 - y * z
    return np.where(h <= 0, 0, np.where(h >= gamma, h - gamma / 2, h**2 / (2 * gamma)))


def huber(z, y, delta):
    r = np.abs(z - y)
    return np.where(r <= delta, r**2 / 2, delta * (r - delta / 2))


VALUE = {
    "squared": lambda z, y, _: (z - y) ** 2 / 2,
    "logistic": lambda z, y, _: np.logaddexp(0, -y * z),
    "squared_hinge": squared_hinge,
    "smoothed_hinge": smoothed_hinge,
    "huber": huber,
    "poisson": lambda z, y, _: np.exp(z) - y * z + xlogy(y, y) - y,
}

DERIVATIVE = {
    "squared": lambda z, y, _: z - y,
    "logistic": lambda z, y, _: -y * np.exp(-np.logaddexp(0, y * z)),
    "squared_hinge": lambda z, y, _: -2 * y * np.maximum(0, 1 - y * z),
    "smoothed_hinge": lambda z, y, gamma: -y * np.clip((1 - y * z) / gamma, 0, 1),
    "huber": lambda z, y, delta: np.clip(z - y, -delta, delta),
    "poisson": lambda z, y, _: np.exp(z) - y,
}

CONJUGATE = {
    "squared": lambda u, y, _: u**2 / 2 + u * y,
    "logistic": lambda u, y, _: np.where(
        (-u * y < 0) | (-u * y > 1), INF, xlogy(-u * y, -u * y) + xlogy(1 + u * y, 1 + u * y)
    ),
    "squared_hinge": lambda u, y, _: np.where(-u * y < 0, INF, u**2 / 4 + u * y),
    "smoothed_hinge": lambda u, y, gamma: np.where(
        (-u * y < 0) | (-u * y > 1), INF, gamma * u**2 / 2 + u * y
    ),
    "huber": lambda u, y, delta: np.where(np.abs(u) > delta, INF, u**2 / 2 + u * y),
    "poisson": lambda u, y, _: np.where(
        u + y < 0, INF, xlogy(u + y, u + y) - (u + y) - xlogy(y, y) + y
    ),
}

SMOOTHNESS = {
    "squared": lambda _: 1.0,
    "logistic": lambda _: 0.25,
    "squared_hinge": lambda _: 2.0,
    "smoothed_hinge": lambda gamma: 1 / gamma,
    "huber": lambda _: 1.0,
    "poisson": lambda _: INF,
}
