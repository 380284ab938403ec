"""What the core reports of one fit."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray


class FitResult(TypedDict):
    """The dict that ``_core.fit`` and ``_core.fit_multinomial`` return."""

    coef: NDArray[np.float64]  # (p,), or p x K for K classes
    intercept: float | NDArray[np.float64]
    objective: float
    dual_gap: float
    lower_bound: float
    null_objective: float
    n_iter: int
    converged: bool
    solver: str
    sampling: str
    stopping: str
    draw_shares: NDArray[np.float64]
    history: dict[str, NDArray[np.float64]]
    state: NDArray[np.float64]  # empty unless asked for
