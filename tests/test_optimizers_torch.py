"""The rules against PyTorch's, 1000 steps on a convex problem and on a small network's loss."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

import finitesum

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 6))
Y = np.sign(X @ RNG.normal(size=6) + 0.5 * RNG.normal(size=30))


def logistic_gradient(w):
    return -X.T @ (Y / (1 + np.exp(Y * (X @ w)))) / len(Y) + 0.01 * w


def network_gradient(w):
    """Squared loss of 5 tanh units: 6 x 5 weights, then 5."""
    inner, outer = w[:30].reshape(6, 5), w[30:]
    hidden = np.tanh(X @ inner)
    residual = (hidden @ outer - Y) / len(Y)
    back = np.outer(residual, outer) * (1 - hidden**2)
    return np.concatenate([(X.T @ back).ravel(), hidden.T @ residual])


PROBLEMS = {"logistic": (logistic_gradient, 6), "network": (network_gradient, 35)}
optim = torch.optim
PEERS = {
    "sgd": (optim.SGD, {}, {}),
    "momentum": (optim.SGD, {"momentum": 0.9, "dampening": 0.3}, {"dampening": 0.3}),
    "nesterov": (optim.SGD, {"momentum": 0.9, "nesterov": True}, {}),
    "adagrad": (optim.Adagrad, {}, {}),
    "rmsprop": (optim.RMSprop, {}, {}),
    "rmsprop_centered": (optim.RMSprop, {"centered": True}, {}),
    "adam": (optim.Adam, {}, {}),
    "adamw": (optim.AdamW, {}, {}),
    "adamax": (optim.Adamax, {}, {}),
    "nadam": (optim.NAdam, {}, {}),
    "amsgrad": (optim.Adam, {"amsgrad": True}, {}),
    "adadelta": (optim.Adadelta, {}, {}),
    "irprop": (optim.Rprop, {}, {}),
}
OURS_ALONE = {"rprop", "quickprop"}


def test_every_rule_that_torch_has_is_compared():
    assert set(finitesum.optimizers.names()) == set(PEERS) | OURS_ALONE


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("name", PEERS)
def test_a_thousand_steps_end_where_torchs_do(name, problem, decay):
    if name == "irprop" and decay:
        pytest.skip("torch.optim.Rprop has no weight decay")
    gradient, size = PROBLEMS[problem]
    peer, settings, ours = PEERS[name]
    kind = "decoupled_decay" if name == "adamw" else "l2"
    optimizer = finitesum.Optimizer(name, preset="torch", **{kind: decay}, **ours)
    w = np.random.default_rng(1).normal(size=size) * 0.5
    parameter = torch.nn.Parameter(torch.tensor(w.copy()))
    rate = optimizer.parameters["learning_rate"]
    settings = settings if name == "irprop" else {**settings, "weight_decay": decay}
    theirs = peer([parameter], lr=rate, **settings)
    values = parameter.detach().numpy()  # shares the memory
    parameter.grad = torch.zeros_like(parameter)
    start = w.copy()
    for _ in range(1000):
        # One path's gradients for both: near an optimum some rules, left alone, blow up roundings.
        g = gradient(w)
        optimizer.step(w, g)
        parameter.grad.copy_(torch.from_numpy(g))
        theirs.step()
    assert np.abs(w - start).max() > 1e-2
    assert_allclose(w, values, rtol=0, atol=1e-6)


def test_presets_are_torchs_defaults():
    names = {"betas": ("beta1", "beta2"), "alpha": ("gamma",), "etas": ("shrinkage", "growth")}
    names |= {"step_sizes": ("smallest", "largest"), "lr": ("learning_rate",)}
    for name, (peer, settings, _) in PEERS.items():
        theirs = peer([torch.nn.Parameter(torch.zeros(1))], **settings).defaults
        theirs = {k: v for k, v in theirs.items() if k in {*names, "eps", "rho", "momentum_decay"}}
        ours = finitesum.Optimizer(name, preset="torch").parameters
        for key, value in theirs.items():
            for label, number in zip(names.get(key, (key,)), np.atleast_1d(value), strict=True):
                assert ours[label] == number, (name, label)
