"""What the core reports of a fit."""

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray


class Outcome(TypedDict):
    """What a problem of its own has: one output, or all classes of a multinomial model."""

    objective: float
    dual_gap: float
    lower_bound: float
    null_objective: float
    n_iter: int
    converged: bool
    stopping: str
    history: dict[str, NDArray[np.float64]]


class Run(TypedDict):
    """What outputs fitted together have in common."""

    solver: str
    auto_report: dict[str, Any] | None  # of "auto"
    sampling: str
    draw_shares: NDArray[np.float64]
    state: NDArray[np.float64]  # empty unless asked for


class FitResult(Outcome, Run):
    """The dict that ``_core.fit`` returns."""

    coef: NDArray[np.float64]  # (p,), or (K, p) for the K classes of a multinomial model
    intercept: float | NDArray[np.float64]


class MultiFitResult(Run):
    """The dict that ``_core.fit_multi`` returns."""

    coef: NDArray[np.float64]  # p x K
    intercept: NDArray[np.float64]
    outputs: list[Outcome]  # one of a multinomial model, else K


class SgdResult(TypedDict):
    """The dict that ``_core.fit_sgd`` returns."""

    coef: NDArray[np.float64]  # output by output
    intercepts: NDArray[np.float64]
    n_iter: int
    n_steps: float
    stopping: str
    history: dict[str, NDArray[np.float64]]
    optimum: tuple[float, float] | None
    state: NDArray[np.float64]
