"""Batch normalization made part of the linear maps around it, for inference.

Ioffe and Szegedy, ICML 2015, Algorithm 2, line 12: y = a x + c per unit with
a = gamma / sqrt(variance + eps) and c = beta - a mean.
"""

import numpy as np
from numpy.typing import NDArray

from finitesum.neural._network import Network


def folded(network: Network) -> Network:
    """Give a network without batch normalization and dropout that predicts the same."""
    layers: list[tuple[str, dict[str, float]]] = []
    values: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    scale: NDArray[np.float64] | None = None  # of the units so far, not yet in any weights
    offset: NDArray[np.float64] | None = None
    for place, (kind, options) in enumerate(network.layers):
        arrays = network.arrays(place)
        if kind == "dense":
            weights = arrays["weights"].astype(np.float64)
            bias = arrays.get("bias", np.zeros(weights.shape[1])).astype(np.float64)
            if scale is not None and offset is not None:
                weights, bias = scale[:, None] * weights, bias + offset @ weights
                scale = offset = None
            layers.append((kind, {"n_outputs": float(weights.shape[1])}))
            values.append((weights, bias))
        elif kind == "batch_norm":
            deviation = np.sqrt(arrays["running_variance"] + options.get("eps", 1e-5))
            a = arrays["gamma"].astype(np.float64) / deviation
            c = arrays["beta"] - a * arrays["running_mean"]
            if layers and layers[-1][0] == "dense":
                weights, bias = values[-1]
                values[-1] = (weights * a, bias * a + c)
            else:
                scale, offset = a, c
            if options.get("relu", 0.0):
                layers.append(("relu", {}))
        elif kind != "dropout":
            layers.append((kind, options))
    description = network.description
    plain = Network(
        tuple(description["inputs"]),
        layers,
        description["head"],
        network.optimizer,
        label_smoothing=description["label_smoothing"],
        seed=description["seed"],
        dtype=np.float32 if description["is_single"] else np.float64,
    )
    for place, (weights, bias) in zip(plain.places("dense"), values, strict=True):
        arrays = plain.arrays(place)
        arrays["weights"][...], arrays["bias"][...] = weights, bias
    return plain
