"""Batch normalization beside PyTorch's, forward, gradients and running statistics."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from finitesum import batch_norm, batch_norm_backward

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")

SHAPES = [(2, 3), (128, 256), (60, 1), (64, 33, 10), (8, 16, 9, 11)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, dtype, tolerance, relu, training):
    rng = np.random.default_rng(0)
    x = rng.normal(0.5, 2.0, size=shape).astype(dtype)
    dy = rng.normal(size=shape).astype(dtype)
    gamma, beta, mean = (rng.normal(size=shape[1]).astype(dtype) for _ in range(3))
    var = rng.uniform(0.5, 2.0, size=shape[1]).astype(dtype)

    tensors = [torch.tensor(each, requires_grad=True) for each in (x, gamma, beta)]
    running = [torch.tensor(each) for each in (mean, var)]
    theirs = torch.nn.functional.batch_norm(
        tensors[0], *running, *tensors[1:], training=training, momentum=0.3, eps=1e-3
    )
    theirs = torch.relu(theirs) if relu else theirs
    theirs.backward(torch.tensor(dy))

    y, cache = batch_norm(
        x,
        gamma,
        beta,
        running_mean=mean,
        running_var=var,
        training=training,
        momentum=0.3,
        eps=1e-3,
        relu=relu,
    )
    found = [y, mean, var, *batch_norm_backward(dy, cache)]
    wanted = [theirs.detach(), *running, *(each.grad for each in tensors)]
    for ours, other in zip(found, wanted, strict=True):
        scale = max(1.0, float(np.abs(other.numpy()).max()))
        assert_allclose(ours, other.numpy(), rtol=0, atol=tolerance * scale)
