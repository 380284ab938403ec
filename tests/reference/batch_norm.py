"""Batch normalization as in Ioffe and Szegedy (ICML 2015), two passes and the paper's chain."""

import numpy as np


def over_channels(x):
    """The axes to sum over, and how to bring a number per channel to the shape of x."""
    axes = (0, *range(2, x.ndim))
    return axes, lambda v: np.asarray(v).reshape(1, -1, *[1] * (x.ndim - 2))


def forward(x, gamma, beta, mean, variance, eps, relu):
    _, wide = over_channels(x)
    y = wide(gamma) * (x - wide(mean)) / np.sqrt(wide(variance) + eps) + wide(beta)
    return np.maximum(y, 0) if relu else y


def moments(x):
    axes, wide = over_channels(x)
    mean = x.mean(axes)
    return mean, ((x - wide(mean)) ** 2).mean(axes)


def backward(x, dy, gamma, beta, mean, variance, eps, relu, training):
    axes, wide = over_channels(x)
    if relu:
        dy = dy * (forward(x, gamma, beta, mean, variance, eps, relu) > 0)
    deviation = x - wide(mean)
    root = np.sqrt(wide(variance) + eps)
    d_hat = dy * wide(gamma)
    dx = d_hat / root
    if training:
        m = x.size // x.shape[1]
        d_variance = np.sum(d_hat * deviation * -0.5 * root**-3, axes)
        d_mean = np.sum(-d_hat / root, axes) + d_variance * np.mean(-2 * deviation, axes)
        dx = dx + wide(d_variance) * 2 * deviation / m + wide(d_mean) / m
    return dx, np.sum(dy * deviation / root, axes), np.sum(dy, axes)
