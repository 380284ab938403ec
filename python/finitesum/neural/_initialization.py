"""Where weights begin: random, with the variance that keeps signals and gradients in scale."""

from typing import Any

import numpy as np

from finitesum.neural._network import Network

# Variance of a weight by the numbers of units before and after it: W. LeCun, Bottou, Orr, Mueller,
# "Efficient backprop" (1998); Glorot, Bengio, AISTATS 2010, for X; He et al., ICCV 2015.
VARIANCES = {
    "lecun": lambda n_in, n_out: 1.0 / n_in,
    "xavier": lambda n_in, n_out: 2.0 / (n_in + n_out),
    "he": lambda n_in, n_out: 2.0 / n_in,
}
SCHEMES = [f"{name}_{shape}" for name in VARIANCES for shape in ("normal", "uniform")]


def initialize(network: Network, scheme: str, seed: int, activation: str) -> None:
    """Draw the weights of a network; biases begin at zero, normalizations as the identity.

    Parameters
    ----------
    network : Network
        Is changed in place.
    scheme : str
        "auto" for what scikit-learn does, biases included: uniform within
        sqrt(6 / (n_in + n_out)), with "logistic" sqrt(2 / (n_in + n_out)). Or one of `SCHEMES`.
    seed : int
        Of the draws.
    activation : str
        What follows the hidden layers.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, 0]))
    for place, name, array in network.core.parameters:
        if name == "gamma":
            array[...] = 1.0
        elif name.endswith("weights"):
            n_in, n_out = _fans(array.shape)
            if scheme == "auto":
                bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (n_in + n_out))
                array[...] = random.uniform(-bound, bound, array.shape)
                bias = network.arrays(place).get("bias")
                if bias is not None and name == "weights":
                    bias[...] = random.uniform(-bound, bound, bias.shape)
            else:
                kind, shape = scheme.split("_")
                deviation = np.sqrt(VARIANCES[kind](n_in, n_out))
                array[...] = _draws(random, shape, array.shape) * deviation


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Units before and after: rows and columns of a matrix."""
    return shape[0], shape[1]


def _draws(random: np.random.Generator, shape: str, size: tuple[int, ...]) -> Any:
    """Draw numbers of unit variance."""
    if shape == "normal":
        return random.standard_normal(size)
    return random.uniform(-np.sqrt(3.0), np.sqrt(3.0), size)


def check_scheme(scheme: Any) -> None:
    """Refuse what is no scheme, and zeros with the reason.

    Raises
    ------
    ValueError
        If the scheme is unknown.
    """
    if scheme in ("zero", "zeros") or (isinstance(scheme, int | float) and scheme == 0):
        raise ValueError(
            "weight_init must not be zero: all units of a layer would have the same gradient and "
            "stay equal for ever, and behind relu or tanh even that gradient would be zero."
        )
    if scheme != "auto" and scheme not in SCHEMES:
        raise ValueError(
            f"weight_init must be 'auto' or one of {', '.join(SCHEMES)}, got {scheme!r}"
        )
