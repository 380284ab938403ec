"""Batch normalization made part of the linear maps around it, for inference.

Ioffe and Szegedy, ICML 2015, Algorithm 2, line 12: y = a x + c per unit with
a = gamma / sqrt(variance + eps) and c = beta - a mean.
"""

import numpy as np
from numpy.typing import NDArray

from finitesum.neural._network import Network

_LINEAR = {"dense", "drop_connect", "shakeout", "whiteout"}  # for predictions all the same


def fold_warmup(network: Network) -> None:
    """Fold each batch normalization into the weights and the bias before it, in place.

    The layers around them, noise included, and the statistics of whitening stay; the rule begins
    without a past.
    """
    kinds = [kind for kind, _ in network.layers]
    plain = network.with_layers([each for each in network.layers if each[0] != "batch_norm"])
    places = iter(range(len(plain.layers)))
    target: dict[str, NDArray[np.float64]] = {}
    for place, kind in enumerate(kinds):
        arrays = network.arrays(place)
        if kind != "batch_norm":
            target = plain.arrays(next(places))
            for name, values in arrays.items():
                target[name][...] = values
            continue
        options = network.layers[place][1]
        scale = arrays["gamma"] / np.sqrt(arrays["running_variance"] + options.get("eps", 1e-5))
        target["weights"] *= scale
        target["bias"][...] = (target["bias"] - arrays["running_mean"]) * scale + arrays["beta"]
    plain.core.n_steps = network.core.n_steps
    for mine, theirs in zip(plain.core.whitening, network.core.whitening, strict=True):
        mine[...] = theirs
    network.description, network.core = plain.description, plain.core


def folded(network: Network) -> Network:
    """Give a network without batch normalization and noise that predicts the same.

    Raises
    ------
    ValueError
        If a normalization stands before a layer that cannot take it in: padding, pooling, steps in
        time.
    """
    layers: list[tuple[str, dict[str, float]]] = []
    values: list[dict[str, NDArray[np.float64]]] = []
    pending: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None  # not yet in weights
    for place, (kind, options) in enumerate(network.layers):
        arrays = {name: array.astype(np.float64) for name, array in network.arrays(place).items()}
        if kind == "batch_norm":
            scale = arrays["gamma"] / np.sqrt(arrays["running_variance"] + options.get("eps", 1e-5))
            offset = arrays["beta"] - scale * arrays["running_mean"]
            if layers and layers[-1][0] in _LINEAR | {"conv2d"} and pending is None:
                values[-1]["weights"] = values[-1]["weights"] * scale
                values[-1]["bias"] = values[-1]["bias"] * scale + offset
            else:
                if pending is not None:
                    raise ValueError("Two normalizations in a row cannot be folded.")
                pending = scale, offset
            if options.get("relu", 0.0):
                if pending is not None:
                    raise ValueError("A normalization with ReLU needs weights before it to fold.")
                layers.append(("relu", {}))
                values.append({})
        elif kind not in ("dropout", "gaussian_noise"):
            if "weights" in arrays:
                arrays.setdefault("bias", np.zeros(arrays["weights"].shape[1]))
            if pending is not None:
                if kind not in _LINEAR:
                    raise ValueError(f"Batch normalization before {kind!r} cannot be folded.")
                repeats = len(arrays["weights"]) // len(pending[0])  # numbers of a plane
                scale, offset = (np.repeat(each, repeats) for each in pending)
                arrays["bias"] = arrays["bias"] + offset @ arrays["weights"]
                arrays["weights"] = scale[:, None] * arrays["weights"]
                pending = None
            kept = {name: v for name, v in options.items() if name not in ("bias", "max_norm")}
            layers.append(("dense", {"n_outputs": kept["n_outputs"]}) if kind in _LINEAR
                          else (kind, kept))  # fmt: skip
            values.append(arrays)
    if pending is not None:
        raise ValueError("A normalization behind all weights cannot be folded.")
    plain = network.with_layers(layers)
    for place, found in enumerate(values):
        for name, target in plain.arrays(place).items():
            target[...] = found[name]
    return plain
