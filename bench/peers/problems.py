"""The problems all libraries solve, and their optima.

    F(w, b) = (1/n) sum_i l(x_i.w + b, y_i) + alpha [(1 - l1_ratio)/2 |w|^2 + l1_ratio |w|_1]

An optimum is this package's, with a certificate, and is kept in a file.
"""

import json
import warnings
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

import finitesum
from bench.peers.data import Dataset, dataset_names

LOSSES = {"logistic": "binary", "squared_hinge": "binary", "multinomial": "multiclass",
          "squared": "regression"}  # fmt: skip
PENALTIES = {"l2": 0.0, "elastic-net": 0.5, "l1": 1.0}
_NOT_BY_DEFAULT = ("covtype", "covtype_raw", "breast_cancer", "digits", "wine", "diabetes",
                   "mnist_odd")  # fmt: skip
_CERTIFICATE = 1e-13


@dataclass(frozen=True)
class Problem:
    """What is minimized, on which data; alpha is strength over the number of samples."""

    data: str
    loss: str
    strength: float
    l1_ratio: float = 0.0
    fit_intercept: bool = False

    @property
    def penalty(self) -> str:
        """Name of the penalty."""
        return next(name for name, ratio in PENALTIES.items() if ratio == self.l1_ratio)

    def __str__(self) -> str:
        intercept = ", intercept" if self.fit_intercept else ""
        return f"{self.data}, {self.loss}, {self.penalty}, {self.strength:g}/n{intercept}"


@dataclass(frozen=True)
class Reference:
    """min F is within [optimum - gap, optimum]; null is F without features."""

    optimum: float
    gap: float
    null: float


def make_grid(
    losses: list[str],
    data: list[str] | None,
    penalties: list[str],
    strengths: list[float],
    fit_intercept: bool,
) -> list[Problem]:
    """Problems of each loss on the data sets it is made for, some only if they are named."""
    return [
        Problem(name, loss, strength, PENALTIES[penalty], fit_intercept)
        for loss in losses
        for name in dataset_names(LOSSES[loss])
        if (name not in _NOT_BY_DEFAULT if data is None else name in data)
        for penalty in penalties
        for strength in strengths
        if not (loss == "squared_hinge" and penalty == "elastic-net")  # LinearSVC has none
    ]


def objective(
    problem: Problem, data: Dataset, coef: NDArray[np.float64], intercept: NDArray[np.float64]
) -> float:
    """F in float64; coef is (p,) or (K, p), intercept a number per row of it."""
    n = len(data.y)
    Z = np.asarray(data.X @ coef.T) + intercept
    if problem.loss == "multinomial":
        picked = Z[np.arange(n), data.y.astype(np.int64)]
        loss = float((logsumexp(Z, axis=1) - picked).mean())
    elif problem.loss == "logistic":
        loss = float(np.logaddexp(0.0, -data.y * Z).mean())
    elif problem.loss == "squared_hinge":
        # liblinear's: without the factor 1/2
        loss = float((np.maximum(0.0, 1.0 - data.y * Z) ** 2).mean())
    else:
        loss = float(((data.y - Z) ** 2).mean()) / 2.0
    ratio = problem.l1_ratio
    size = (1.0 - ratio) / 2.0 * float(np.sum(coef**2)) + ratio * float(np.abs(coef).sum())
    return loss + problem.strength / float(n) * size


def ours(problem: Problem, n: int, **options: Any) -> Any:
    """Make this package's estimator of the problem; ValueError where it has none."""
    alpha, ratio = problem.strength / n, problem.l1_ratio
    options = {"fit_intercept": problem.fit_intercept, "random_state": 0, **options}
    if problem.loss in ("logistic", "multinomial"):
        return finitesum.LogisticRegression(C=1.0 / problem.strength, l1_ratio=ratio, **options)
    if problem.loss == "squared_hinge":
        return finitesum.LinearSVC(
            C=1.0 / problem.strength, penalty=problem.penalty, intercept_scaling=np.inf, **options
        )
    if ratio == 0.0:
        return finitesum.Ridge(alpha=problem.strength, **options)
    return finitesum.ElasticNet(alpha=alpha, l1_ratio=ratio, **options)


def find_reference(
    problem: Problem, data: Dataset, folder: Path, time_limit: float = 300.0
) -> Reference:
    """Read the optimum from the folder, or compute it and leave it there."""
    values = data.X.data if sp.issparse(data.X) else data.X
    checksum = zlib.crc32(data.y.data, zlib.crc32(np.ascontiguousarray(values).data))
    key = f"{problem}, {checksum:08x}".replace(", ", "-").replace("/", "_")
    path = folder / f"{key}.json"
    if path.exists():
        return Reference(**json.loads(path.read_text()))
    model = ours(problem, data.X.shape[0], tol=_CERTIFICATE, max_iter=10**6, time_limit=time_limit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gap says as much
        model.fit(data.X, data.y)
    value = objective(problem, data, *coefficients(model))
    found = Reference(value, float(model.dual_gap_), float(model.null_objective_))
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(found)))
    return found


def coefficients(model: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients and intercepts of a fitted estimator as `objective` takes them."""
    coef = np.asarray(model.coef_, dtype=np.float64)
    coef = coef[0] if coef.ndim == 2 and coef.shape[0] == 1 else coef
    intercept = np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
    return coef, intercept if coef.ndim == 2 else intercept[:1]
