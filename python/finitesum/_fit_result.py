"""What the core reports of one fit."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray


class FitResult(TypedDict):
    """The dict that ``_core.fit`` returns."""

    coef: NDArray[np.float64]
    intercept: float
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
