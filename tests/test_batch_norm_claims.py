"""What batch normalization's paper says of it (Ioffe and Szegedy, ICML 2015), on small examples."""

import numpy as np
import pytest

from finitesum import batch_norm, batch_norm_backward
from network_data import ROWS, N, design, network, targets_of


def test_a_bias_explodes_if_the_gradient_does_not_know_of_the_normalization() -> None:
    """Section 2: the step in b is undone by the mean that follows it; the loss stays, b grows."""
    rng = np.random.default_rng(0)
    u, wanted = rng.normal(size=32), rng.normal(1.0, 1.0, size=32)
    b, biases, losses = 0.0, [], []
    for _ in range(200):
        x_hat, cache = batch_norm((u + b)[:, None])
        residual = x_hat - wanted[:, None]
        losses.append(0.5 * np.mean(residual**2))
        dx = batch_norm_backward(residual / 32, cache)[0]
        assert abs(dx.sum()) < 1e-14  # the gradient in b that knows
        b -= 0.1 * residual.mean()
        biases.append(b)
    assert np.ptp(losses) < 1e-12
    np.testing.assert_allclose(np.diff(biases), 0.1 * wanted.mean(), rtol=1e-10)
    assert abs(b) > 15


@pytest.mark.parametrize("factor", [4.0, 0.25])
def test_the_scale_of_weights_does_not_matter_and_divides_their_gradient(factor: float) -> None:
    """Section 3.3, why high learning rates are borne: BN((c W) u) = BN(W u), and the gradient in
    c W is that in W over c."""
    layers = [("dense", {"n_outputs": 4.0, "bias": 0.0}), ("batch_norm", {"eps": 1e-300})]
    results = []
    for scale in (1.0, factor):
        made = network(layers)
        made.weights()[0][...] *= scale
        loss = made.core.differentiate(design(), targets_of("softmax"), None, ROWS)
        gradients = [array.copy() for _, name, array in made.core.gradients if name == "weights"]
        results.append((loss, gradients))
    (loss, (first, last)), (scaled_loss, (scaled_first, scaled_last)) = results
    assert scaled_loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(factor * scaled_first, first, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(scaled_last, last, rtol=1e-10, atol=1e-14)
    weights = network(layers).weights()[0]  # and steps are at right angles to the weights of a unit
    assert np.abs((first * weights).sum(axis=0)).max() < 1e-14 * N
