"""Per-coordinate rules of stochastic gradient descent, for gradients of one's own.

================ ===================================================================== ======
rule             step of a coordinate w with gradient g, learning rate r, at step k    source
================ ===================================================================== ======
sgd              w -= r g                                                              [1]_
momentum         m = momentum m + (1 - dampening) g;  w -= r m                         [2]_
nesterov         m = momentum m + g;  w -= r (g + momentum m)                          [3]_
adagrad          v += g^2;  w -= r g / sqrt(v + eps)                                   [4]_
rmsprop          v = gamma v + (1 - gamma) g^2;  w -= r g / sqrt(v + eps)              [5]_
rmsprop_centered rmsprop with v - a^2 for v, a the gamma-average of g                  [14]_
adam             m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
                 w -= r m' / (sqrt(v') + eps),  m' = m / (1 - beta1^k),
                 v' = v / (1 - beta2^k)                                                [6]_
adamw            adam with w *= 1 - r decoupled_decay first                            [7]_
adamax           u = max(beta2 u, abs(g) + eps);  w -= r m' / u                        [6]_
nadam            adam with Nesterov's momentum, mu_k = beta1 (1 - 0.96^(k psi) / 2)    [8]_
amsgrad          adam with the largest v so far                                        [9]_
adadelta         d = g sqrt(u + eps) / sqrt(v + eps);  w -= r d;  u, v: rho-averages
                 of d^2 and g^2                                                        [10]_
rprop            w -= sign(g) D; D grows while g keeps its sign, else shrinks and the
                 last move is taken back                                               [11]_
irprop           rprop that stays where it is when g changes its sign                  [12]_
quickprop        w += d g / (g_before - g), d the last move                            [13]_
================ ===================================================================== ======

`eps_mode` says whether eps stands "inside" the root or "outside". rprop, irprop and quickprop
compare successive gradients of one function: they are for full batches.

References
----------
.. [1] Robbins, Monro, Ann. Math. Stat. 22 (1951).
.. [2] Polyak, USSR Comp. Math. 4 (1964).
.. [3] Nesterov, Soviet Math. Dokl. 27 (1983); Sutskever et al., ICML 2013. The w kept here is the
   look-ahead point; Nesterov's iterate is w + r momentum m.
.. [4] Duchi, Hazan, Singer, JMLR 12 (2011).
.. [5] Tieleman, Hinton, Coursera lecture 6.5 (2012).
.. [6] Kingma, Ba, ICLR 2015.
.. [7] Loshchilov, Hutter, ICLR 2019.
.. [8] Dozat, ICLR workshop 2016.
.. [9] Reddi, Kale, Kumar, ICLR 2018.
.. [10] Zeiler, arXiv:1212.5701 (2012).
.. [11] Riedmiller, Braun, ICNN 1993.
.. [12] Igel, Huesken, NC 2000.
.. [13] Fahlman, CMU-CS-88-162 (1988).
.. [14] Graves, arXiv:1308.0850 (2013), there with momentum beside it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from finitesum import _core

__all__ = ["PRESETS", "Optimizer", "defaults", "names"]

_BETAS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
_SIGNS = {"growth": 1.2, "shrinkage": 0.5, "smallest": 1e-6, "largest": 50.0}

#: What lectures, the rules' papers and PyTorch take by default.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "slides": {
        "momentum": {"momentum": 0.9},
        "nesterov": {"momentum": 0.9},
        "adagrad": {"learning_rate": 0.01, "eps": 1e-8, "eps_mode": "inside"},
        "rmsprop": {"learning_rate": 0.001, "gamma": 0.9, "eps": 1e-8, "eps_mode": "inside"},
        "adam": {"learning_rate": 0.001, **_BETAS, "eps_mode": "inside"},
        "rprop": {"learning_rate": 0.1, **_SIGNS},
        "irprop": {"learning_rate": 0.1, **_SIGNS},
        "quickprop": {"growth": 1.75},
    },
    "paper": {
        "adagrad": {"eps": 1e-10, "eps_mode": "outside"},
        "adam": {"learning_rate": 0.001, **_BETAS, "eps_mode": "outside"},
        "adamw": {"learning_rate": 0.001, **_BETAS, "eps_mode": "outside"},
        "adamax": {"learning_rate": 0.002, **_BETAS, "eps": 0.0},
        "nadam": {"learning_rate": 0.002, **_BETAS, "eps_mode": "outside"},
        "amsgrad": {"learning_rate": 0.001, **_BETAS, "bias_correction": False},
        "adadelta": {"learning_rate": 1.0, "rho": 0.95, "eps": 1e-6},
        "rprop": {"learning_rate": 0.1, **_SIGNS},
        "irprop": {"learning_rate": 0.1, **_SIGNS},
        "quickprop": {"growth": 1.75},
    },
    "torch": {
        "sgd": {"learning_rate": 0.001},
        "momentum": {"learning_rate": 0.001},
        "nesterov": {"learning_rate": 0.001},
        "adagrad": {"learning_rate": 0.01, "eps": 1e-10, "eps_mode": "outside"},
        "rmsprop": {"learning_rate": 0.01, "gamma": 0.99, "eps": 1e-8, "eps_mode": "outside"},
        "rmsprop_centered": {
            "learning_rate": 0.01,
            "gamma": 0.99,
            "eps": 1e-8,
            "eps_mode": "outside",
        },
        "adam": {"learning_rate": 0.001, **_BETAS, "eps_mode": "outside"},
        "adamw": {"learning_rate": 0.001, **_BETAS, "decoupled_decay": 0.01},
        "adamax": {"learning_rate": 0.002, **_BETAS},
        "nadam": {"learning_rate": 0.002, **_BETAS, "momentum_decay": 0.004},
        "amsgrad": {"learning_rate": 0.001, **_BETAS, "bias_correction": True},
        "adadelta": {"learning_rate": 1.0, "rho": 0.9, "eps": 1e-6},
        "irprop": {"learning_rate": 0.01, **_SIGNS},
    },
}


def names() -> list[str]:
    """Return the names of the rules.

    Returns
    -------
    list of str
        What `Optimizer` takes as `name`.
    """
    return _core.optimizer_names()


def defaults(name: str) -> dict[str, Any]:
    """Return a rule's parameters with their defaults.

    Parameters
    ----------
    name : str
        The rule.

    Returns
    -------
    dict
        "learning_rate", "decoupled_decay" and the rule's own parameters.

    Raises
    ------
    ValueError
        If there is no such rule.
    """
    shared = _core.optimizer_defaults(name)
    return {
        "learning_rate": shared["learning_rate"],
        "decoupled_decay": shared["decoupled"],
        **_core.optimizer_parameters(name),
    }


class Optimizer:
    """A per-coordinate rule with its state, for arrays of parameters changed in place.

    Parameters
    ----------
    name : str
        The rule, one of `names()`.
    learning_rate : float, default=None
        Learning rate, finite and not negative; for rprop and irprop the first step. None takes the
        rule's default.
    preset : {"slides", "paper", "torch"}, default=None
        Where parameters that are not given come from; see `PRESETS`.
    l2 : float, default=0.0
        Coupled decay: l2 w is added to the gradient.
    decoupled_decay : float, default=None
        Decay beside the step: w is multiplied by 1 - learning_rate * decoupled_decay. None means
        0.01 for adamw, else 0.
    l1 : float, default=0.0
        After each step w goes through the prox of l1 abs(w) in the step's own metric, which sets
        coordinates to exact zeros. Not for rprop, irprop and quickprop.
    n_threads : int, default=None
        Threads for arrays of more than 65536 parameters; None takes what OpenMP would. The numbers
        do not depend on it.
    **parameters : float, bool or str
        The rule's own, see `defaults`.

    Attributes
    ----------
    parameters : dict
        Everything that was set, defaults included.
    n_steps : int
        Steps taken.
    slots : list of ndarray
        The rule's state, arrays of the parameters' shape; empty before the first step.

    Raises
    ------
    ValueError
        If a name is unknown or a number out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from finitesum import Optimizer
    >>> w = np.array([1.0, -2.0])
    >>> optimizer = Optimizer("adam", learning_rate=0.1)
    >>> for _ in range(200):
    ...     optimizer.step(w, 2 * w)  # the gradient of |w|^2
    >>> bool(np.all(np.abs(w) < 0.01))
    True
    """

    def __init__(
        self,
        name: str,
        *,
        learning_rate: float | None = None,
        preset: str | None = None,
        l2: float = 0.0,
        decoupled_decay: float | None = None,
        l1: float = 0.0,
        n_threads: int | None = None,
        **parameters: float | bool | str,
    ) -> None:
        if preset is not None and preset not in PRESETS:
            raise ValueError(f"preset must be one of {sorted(PRESETS)}, got {preset!r}")
        chosen = defaults(name) | PRESETS.get(preset or "", {}).get(name, {}) | parameters
        if learning_rate is not None:
            chosen["learning_rate"] = learning_rate
        if decoupled_decay is not None:
            chosen["decoupled_decay"] = decoupled_decay
        if n_threads is not None and n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        self.name = name
        self.n_threads = n_threads
        self.parameters: dict[str, Any] = chosen | {"l2": l2, "l1": l1}
        self.n_steps = 0
        self.slots: list[NDArray[Any]] = []
        self._check_rate(chosen["learning_rate"])
        self._rule = self._make_rule()

    def step(
        self, w: NDArray[Any], gradient: NDArray[Any], learning_rate: float | None = None
    ) -> None:
        """Take one step in place.

        Parameters
        ----------
        w : ndarray of any shape, float32 or float64
            Parameters, C-contiguous and writeable; the same shape and dtype in each call.
        gradient : ndarray of the shape and dtype of w
            Gradient at w, C-contiguous.
        learning_rate : float, default=None
            Of this step, as from a schedule; None takes the optimizer's.

        Raises
        ------
        ValueError
            If an array has another shape, dtype or layout, or the rate is not finite.
        """
        rate = self.parameters["learning_rate"] if learning_rate is None else learning_rate
        self._check_rate(rate)
        for label, array in (("w", w), ("gradient", gradient)):
            if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
                raise ValueError(f"{label} must be an array of float32 or float64")
            if not array.flags.c_contiguous:
                raise ValueError(f"{label} must be C-contiguous")
        if not w.flags.writeable:
            raise ValueError("w must be writeable: it is changed in place")
        if gradient.shape != w.shape or gradient.dtype != w.dtype:
            raise ValueError(
                f"gradient must have the shape and dtype of w, {w.shape} {w.dtype}, "
                f"got {gradient.shape} {gradient.dtype}"
            )
        if self.n_steps == 0:
            self.slots = [np.zeros_like(w) for _ in range(self._rule.n_slots)]
        elif any(slot.shape != w.shape or slot.dtype != w.dtype for slot in self.slots):
            raise ValueError(
                f"w had shape {self.slots[0].shape} and dtype {self.slots[0].dtype} before"
            )
        flat = [slot.reshape(-1) for slot in self.slots]
        self.n_steps += 1
        self._rule.update(
            rate,
            self.n_steps,
            gradient.reshape(-1),
            w.reshape(-1),
            flat,
            n_threads=self.n_threads or 0,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_rule"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._rule = self._make_rule()

    def __repr__(self) -> str:
        set_to = ", ".join(f"{key}={value!r}" for key, value in self.parameters.items())
        return f"Optimizer({self.name!r}, {set_to})"

    def _make_rule(self) -> _core.Optimizer:
        own = self.parameters.copy()
        del own["learning_rate"]
        l2, l1, decoupled = (own.pop(key) for key in ("l2", "l1", "decoupled_decay"))
        return _core.Optimizer(self.name, own, l2, decoupled, l1)

    @staticmethod
    def _check_rate(rate: float) -> None:
        if not 0.0 <= rate < np.inf:
            raise ValueError(f"learning_rate must be finite and not negative, got {rate}")
