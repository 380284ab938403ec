"""The core's network with what it is made of: copied, pickled and continued as one thing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finitesum import _core
from finitesum._validation import CoreMatrix

LayerList = Sequence[tuple[str, Mapping[str, float]]]


class Network:
    """Layers, a loss and an optimizer, with all state.

    Parameters
    ----------
    inputs : tuple of int
        Shape of a row: (n_features,), or (channels, height, width).
    layers : sequence of (str, dict)
        Kind and options of each layer.
    head : {"softmax", "logistic", "squared", "poisson"}
        The loss.
    optimizer : (str, dict)
        Rule and its hyper-parameters.
    label_smoothing : float
        Share of the targets spread over all classes.
    seed : int
        Of all random masks.
    dtype : dtype
        float32 or float64, of all computations.
    isa : str
        Instruction set of the kernels; empty for the active one.
    """

    def __init__(
        self,
        inputs: tuple[int, ...],
        layers: LayerList,
        head: str,
        optimizer: tuple[str, dict[str, Any]],
        *,
        label_smoothing: float = 0.0,
        seed: int = 0,
        dtype: Any = np.float64,
        isa: str = "",
    ) -> None:
        self.description: dict[str, Any] = {
            "inputs": list(inputs),
            "layers": [(kind, {name: float(v) for name, v in o.items()}) for kind, o in layers],
            "head": head,
            "label_smoothing": float(label_smoothing),
            "seed": seed,
            "is_single": np.dtype(dtype) == np.float32,
            "isa": isa,
        }
        self.optimizer = optimizer
        self.core = self._make()

    def _make(self) -> _core.Network:
        core = _core.Network(**self.description)
        core.set_optimizer(*self.optimizer)
        return core

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of all computations."""
        return np.dtype(np.float32 if self.description["is_single"] else np.float64)

    @property
    def layers(self) -> list[tuple[str, dict[str, float]]]:
        """Kind and options of each layer."""
        layers: list[tuple[str, dict[str, float]]] = self.description["layers"]
        return layers

    def arrays(self, layer: int) -> dict[str, NDArray[Any]]:
        """Give views of a layer's parameters and running statistics, by name."""
        of_all = self.core.parameters + self.core.state
        return {name: array for place, name, array in of_all if place == layer}

    def places(self, kind: str) -> list[int]:
        """Give the places of the layers of a kind."""
        return [i for i, (name, _) in enumerate(self.layers) if name == kind]

    def weights(self) -> list[NDArray[Any]]:
        """Give views of the parameters that decay."""
        return [array for _, name, array in self.core.parameters if name.endswith("weights")]

    def with_layers(self, layers: LayerList) -> "Network":
        """Give a new network of other layers, the rest being the same."""
        description = self.description
        return Network(
            tuple(description["inputs"]),
            layers,
            description["head"],
            self.optimizer,
            label_smoothing=description["label_smoothing"],
            seed=description["seed"],
            dtype=self.dtype,
            isa=description["isa"],
        )

    def snapshot(self) -> list[NDArray[Any]]:
        """Copy what predictions depend on: parameters and running statistics."""
        return [self.core.flat_parameters.copy(), *(a.copy() for _, _, a in self.core.state)]

    def restore(self, snapshot: list[NDArray[Any]]) -> None:
        """Put back what `snapshot` has copied."""
        targets = [self.core.flat_parameters, *(array for _, _, array in self.core.state)]
        for target, values in zip(targets, snapshot, strict=True):
            target[...] = values

    def take_over(self, before: "Network") -> None:
        """Go on where another network is, whose parameters are of the same shapes.

        Raises
        ------
        ValueError
            If they are not.
        """
        shapes = [
            [(name, array.shape) for _, name, array in core.parameters + core.state]
            for core in (self.core, before.core)
        ]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "warm_start and partial_fit go on with parameters of the same shapes: layers, "
                "features or outputs differ from those of the fit before."
            )
        self.restore(before.snapshot())
        self.core.n_steps = before.core.n_steps
        if self.optimizer[0] == before.optimizer[0]:  # another rule begins without a past
            self._restore_optimizer(before._optimizer_state())

    def _optimizer_state(self) -> dict[str, Any]:
        return {
            "slots": [slot.copy() for slot in self.core.slots],
            "whitening": [values.copy() for values in self.core.whitening],
            "rule_steps": self.core.rule_steps,
        }

    def _restore_optimizer(self, state: dict[str, Any]) -> None:
        pairs = list(zip(self.core.whitening, state["whitening"], strict=True))
        if len(self.core.slots) == len(state["slots"]):  # other momentum may have none
            pairs += zip(self.core.slots, state["slots"], strict=True)
        for target, values in pairs:
            target[...] = values
        self.core.rule_steps = state["rule_steps"]

    def predict(self, X: CoreMatrix, n: int, *, raw: bool = False) -> NDArray[Any]:
        """Predict probabilities or means of n rows, or, if raw, the last layer's outputs."""
        return self.core.evaluate(X, None, None, np.arange(n), raw=raw)[0]

    def __getstate__(self) -> dict[str, Any]:
        return {
            "description": self.description,
            "optimizer": self.optimizer,
            "snapshot": self.snapshot(),
            "n_steps": self.core.n_steps,
            **self._optimizer_state(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.description, self.optimizer = state["description"], state["optimizer"]
        self.core = self._make()
        self.restore(state["snapshot"])
        self.core.n_steps = state["n_steps"]
        self._restore_optimizer(state)
