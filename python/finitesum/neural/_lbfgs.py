"""Full-batch L-BFGS by SciPy on the core's loss and gradient."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from finitesum._validation import core_matrix
from finitesum.neural._network import Network
from finitesum.neural._training import Rows


def minimize_by_lbfgs(
    network: Network, training: Rows, *, alpha: float, tol: float, max_iter: int, max_fun: int
) -> tuple[float, int]:
    """Minimize the mean loss and alpha ||w||^2 / (2 S) in place.

    Returns
    -------
    (float, int)
        The objective and the number of iterations.
    """
    core = network.core
    matrix = core_matrix(training.X)
    parameters, gradient = core.flat_parameters, core.flat_gradient
    n_decaying = sum(w.size for w in network.weights())  # they come first
    strength = alpha / training.total_weight()

    def objective(point: NDArray[np.float64]) -> tuple[float, NDArray[Any]]:
        parameters[...] = point
        loss = core.differentiate(matrix, training.targets, training.weight, training.rows)
        result = gradient.astype(np.float64)
        decaying = point[:n_decaying]
        result[:n_decaying] += strength * decaying
        return loss + 0.5 * strength * float(decaying @ decaying), result

    found = minimize(
        objective,
        parameters.astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        options={"maxfun": max_fun, "maxiter": max_iter, "gtol": tol},
    )
    parameters[...] = found.x
    if not found.success:
        warnings.warn(
            f"lbfgs failed to converge after {found.nit} iteration(s): {found.message}",
            ConvergenceWarning,
            stacklevel=5,
        )
    return float(found.fun), min(int(found.nit), max_iter)
