"""The per-coordinate rules as in their papers, one step at a time; k counts from one."""

import numpy as np

from tests.reference import sign_rules


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


def rmsprop_centered(w, g, s, lr, k, gamma=0.9, eps=1e-8, eps_mode="inside"):
    s["v"] = gamma * s.get("v", 0) + (1 - gamma) * g**2
    s["a"] = gamma * s.get("a", 0) + (1 - gamma) * g
    return w - lr * g / root(np.maximum(s["v"] - s["a"] ** 2, 0), eps, eps_mode)


def adam(
    w, g, s, lr, k, beta1=0.9, beta2=0.999, eps=1e-8, eps_mode="outside", bias_correction=True
):
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g**2
    m = s["m"] / (1 - beta1**k) if bias_correction else s["m"]
    v = s["v"] / (1 - beta2**k) if bias_correction else s["v"]
    return w - lr * m / root(v, eps, eps_mode)


def adamw(*arguments, **parameters):
    return adam(*arguments, **parameters)


def adamax(w, g, s, lr, k, beta1=0.9, beta2=0.999, eps=1e-8):
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["u"] = np.maximum(beta2 * s.get("u", 0), np.abs(g) + eps)
    return w - lr / (1 - beta1**k) * s["m"] / s["u"]


def nadam(
    w, g, s, lr, k, beta1=0.9, beta2=0.999, eps=1e-8, eps_mode="outside", momentum_decay=0.004
):
    mu, following = (beta1 * (1 - 0.5 * 0.96 ** (i * momentum_decay)) for i in (k, k + 1))
    s["product"] = s.get("product", 1) * mu
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g**2
    fresh = (1 - mu) / (1 - s["product"]) * g
    ahead = following / (1 - s["product"] * following) * s["m"]
    return w - lr * (fresh + ahead) / root(s["v"] / (1 - beta2**k), eps, eps_mode)


def amsgrad(
    w, g, s, lr, k, beta1=0.9, beta2=0.999, eps=1e-8, eps_mode="outside", bias_correction=True
):
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g**2
    s["largest"] = np.maximum(s.get("largest", 0), s["v"])
    m = s["m"] / (1 - beta1**k) if bias_correction else s["m"]
    v = s["largest"] / (1 - beta2**k) if bias_correction else s["largest"]
    return w - lr * m / root(v, eps, eps_mode)


def adadelta(w, g, s, lr, k, rho=0.9, eps=1e-6):
    s["v"] = rho * s.get("v", 0) + (1 - rho) * g**2
    move = np.sqrt(s.get("u", 0) + eps) / np.sqrt(s["v"] + eps) * g
    s["u"] = rho * s.get("u", 0) + (1 - rho) * move**2
    return w - lr * move


RULES = {
    rule.__name__: rule
    for rule in (
        *(sgd, momentum, nesterov, adagrad, rmsprop, rmsprop_centered, adam, adamw, adamax, nadam),
        *(amsgrad, adadelta),
        *(sign_rules.rprop, sign_rules.irprop, sign_rules.quickprop),
    )
}
BY_COORDINATE = {"rprop", "irprop", "quickprop"}


def step(name, w, g, states, lr, k, parameters):
    if name not in BY_COORDINATE:
        return RULES[name](w, g, states[0], lr, k, **parameters)
    return np.array(
        [RULES[name](w[j], g[j], states[j], lr, k, **parameters) for j in range(len(w))]
    )


def run(name, w, gradients, rates, parameters=None, l2=0.0, decoupled=0.0):
    """The iterates w_1, w_2, ...; decay in the gradient (l2) or beside the step (decoupled)."""
    states, path = [{} for _ in w], []
    for k, (g, lr) in enumerate(zip(gradients, rates, strict=True), 1):
        shrunk = (1 - lr * decoupled) * w
        w = step(name, shrunk, g + l2 * w, states, lr, k, parameters or {})
        path.append(w)
    return np.array(path)
