"""The per-coordinate rules as in their papers, one step at a time; k counts from one."""

import numpy as np


def root(v, eps, mode):
    return np.sqrt(v + eps) if mode == "inside" else np.sqrt(v) + eps


def sgd(w, g, s, lr, k):
    return w - lr * g


def momentum(w, g, s, lr, k, momentum=0.9, dampening=0.0):
    s["m"] = g if k == 1 else momentum * s["m"] + (1 - dampening) * g
    return w - lr * s["m"]


def nesterov(w, g, s, lr, k, momentum=0.9):
    s["m"] = momentum * s.get("m", 0) + g
    return w - lr * (g + momentum * s["m"])


def adagrad(w, g, s, lr, k, eps=1e-8, eps_mode="inside"):
    s["v"] = s.get("v", 0) + g**2
    return w - lr * g / root(s["v"], eps, eps_mode)


def rmsprop(w, g, s, lr, k, gamma=0.9, eps=1e-8, eps_mode="inside"):
    s["v"] = gamma * s.get("v", 0) + (1 - gamma) * g**2
    return w - lr * g / root(s["v"], eps, eps_mode)


def adam(
    w, g, s, lr, k, beta1=0.9, beta2=0.999, eps=1e-8, eps_mode="outside", bias_correction=True
):
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g**2
    m = s["m"] / (1 - beta1**k) if bias_correction else s["m"]
    v = s["v"] / (1 - beta2**k) if bias_correction else s["v"]
    return w - lr * m / root(v, eps, eps_mode)


RULES = {f.__name__: f for f in (sgd, momentum, nesterov, adagrad, rmsprop, adam)}


def run(name, w, gradients, rates, parameters=None, l2=0.0, decoupled=0.0):
    """The iterates w_1, w_2, ...; decay in the gradient (l2) or beside the step (decoupled)."""
    state, path = {}, []
    for k, (g, lr) in enumerate(zip(gradients, rates, strict=True), 1):
        shrunk = (1 - lr * decoupled) * w
        w = RULES[name](shrunk, g + l2 * w, state, lr, k, **(parameters or {}))
        path.append(w)
    return np.array(path)
