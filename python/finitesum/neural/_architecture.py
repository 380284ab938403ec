"""The layers that the parameters of an estimator ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

# scikit-learn's names of activations and the core's.
ACTIVATIONS = {
    "identity": "identity",
    "logistic": "sigmoid",
    "relu": "relu",
    "softplus": "softplus",
    "tanh": "tanh",
}


# Layers whose gradient has a chance of its own at every evaluation.
RANDOM = {"dropout", "gaussian_noise", "drop_connect", "shakeout", "whiteout", "recurrent"}

# Parameters beside hidden_layer_sizes that add layers or shape them, and what asks for nothing.
ADDS_LAYERS: dict[str, Any] = {
    "batch_norm": False,
    "dropout": 0.0,
    "drop_connect": 0.0,
    "input_dropout": 0.0,
    "input_noise": 0.0,
    "max_norm": None,
}

# Layers of weights with a bias that a batch normalization behind them can become part of.
NORMALIZED = {"dense", "drop_connect", "shakeout", "whiteout", "conv2d"}

Layers = list[tuple[str, Mapping[str, float]]]


@dataclass(frozen=True)
class HiddenLayer:
    """One hidden layer."""

    size: int
    batch_norm: bool
    dropout: float
    drop_connect: float


def hidden_layers(
    sizes: Any, batch_norm: Any, dropout: Any, drop_connect: Any
) -> list[HiddenLayer]:
    """Give each hidden layer its options.

    Parameters
    ----------
    sizes : int or sequence of int
        Units of each layer.
    batch_norm : bool or sequence of bool
        Of all layers, or of each.
    dropout, drop_connect : float or sequence of float
        Likewise.

    Returns
    -------
    list of HiddenLayer
        The layers.

    Raises
    ------
    ValueError
        If a size is not positive and whole, a probability not in [0, 0.95], or there are not as
        many options as layers.
    """
    units = [sizes] if isinstance(sizes, int) or not hasattr(sizes, "__iter__") else list(sizes)
    if any(not size > 0 or size % 1 != 0 for size in units):
        raise ValueError(f"hidden_layer_sizes must be > 0 and whole, got {units}.")
    norms = [bool(norm) for norm in per_layer("batch_norm", batch_norm, len(units))]
    units_dropped, weights_dropped = (
        [check_rate(name, rate) for rate in per_layer(name, given, len(units))]
        for name, given in (("dropout", dropout), ("drop_connect", drop_connect))
    )
    options = zip(map(int, units), norms, units_dropped, weights_dropped, strict=True)
    return [HiddenLayer(*each) for each in options]


def per_layer(name: str, given: Any, n_layers: int) -> list[Any]:
    """Spread one value over all layers, or check that there is one for each."""
    if not isinstance(given, list | tuple):
        return [given] * n_layers
    if len(given) != n_layers:
        raise ValueError(f"{name} must have an entry for each of {n_layers} hidden layers.")
    return list(given)


def check_rate(name: str, rate: Any) -> float:
    """Check the probability to drop something."""
    if not isinstance(rate, Real) or isinstance(rate, bool) or not 0.0 <= float(rate) <= 0.95:
        raise ValueError(
            f"{name} is the probability to drop (keep = 1 - {name}) and must be in the "
            f"range [0, 0.95], got {rate!r}"
        )
    return float(rate)


def multilayer(
    hidden: list[HiddenLayer],
    *,
    activation: str,
    bn_position: str,
    input_dropout: float,
    input_noise: float,
    max_norm: float | None,
) -> Layers:
    """List the layers of a multilayer perceptron, all but the last.

    Parameters
    ----------
    hidden : list of HiddenLayer
        The hidden layers.
    activation : str
        What follows each hidden layer, by scikit-learn's name.
    bn_position : {"pre", "post"}
        Batch normalization before the activation, in place of a bias, or behind it.
    input_dropout : float
        Probability to drop an input.
    input_noise : float
        Standard deviation of noise on the inputs.
    max_norm : float or None
        Largest norm of the weights into a hidden unit.

    Returns
    -------
    list of (str, dict)
        As `Network` takes them.
    """
    layers: Layers = []
    if input_noise > 0:
        layers.append(("gaussian_noise", {"deviation": float(input_noise)}))
    if input_dropout > 0:
        layers.append(("dropout", {"rate": float(input_dropout)}))
    for layer in hidden:
        before = layer.batch_norm and bn_position == "pre"
        weights: dict[str, float] = {"n_outputs": layer.size, "bias": float(not before)}
        if max_norm is not None:
            weights["max_norm"] = float(max_norm)
        if layer.drop_connect > 0:
            layers.append(("drop_connect", {**weights, "rate": layer.drop_connect}))
        else:
            layers.append(("dense", weights))
        fused = before and activation == "relu"
        if before:
            layers.append(("batch_norm", {"relu": float(fused)}))
        if not fused and activation != "identity":
            layers.append((ACTIVATIONS[activation], {}))
        if layer.batch_norm and not before:
            layers.append(("batch_norm", {}))
        if layer.dropout > 0:
            layers.append(("dropout", {"rate": layer.dropout}))
    return layers


def normalized(layers: Layers) -> Layers:
    """Put a batch normalization behind each layer of weights."""
    return [
        each
        for layer in layers
        for each in ([layer, ("batch_norm", {})] if layer[0] in NORMALIZED else [layer])
    ]


def check_warmup(layers: Layers) -> None:
    """Check that batch normalization can be put behind all weights, and folded into them.

    Raises
    ------
    ValueError
        If there is some already, or weights have no bias.
    """
    if any(kind == "batch_norm" for kind, _ in layers):
        raise ValueError("warmup_bn_epochs is for networks with no batch_norm of their own.")
    if any(kind in NORMALIZED and not options.get("bias", 1) for kind, options in layers):
        raise ValueError("warmup_bn_epochs is for layers with a bias, which it is folded into.")


def own_layers(given: Any, parameters: Mapping[str, Any]) -> Layers:
    """Check the form of ``layers``; the core checks kinds and options.

    Raises
    ------
    ValueError
        If it is not a sequence of a name, or of pairs of a name and a dict of numbers, or if a
        parameter beside it asks for layers, too.
    """
    for name, without in ADDS_LAYERS.items():
        if parameters[name] != without:
            raise ValueError(
                f"{name} shapes the layers of hidden_layer_sizes; with layers= it would be lost, "
                f"got {name}={parameters[name]!r}: make it one of the layers."
            )
    layers: Layers = []
    for each in given:
        kind, options = (each, {}) if isinstance(each, str) else tuple(each)
        numbers = isinstance(options, dict) and all(isinstance(v, Real) for v in options.values())
        if not isinstance(kind, str) or not numbers:
            raise ValueError(f"layers must hold names or pairs (name, options), got {each!r}")
        layers.append((kind, {name: float(value) for name, value in options.items()}))
    return layers
