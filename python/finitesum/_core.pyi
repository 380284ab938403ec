"""Types of the compiled core (built from ``cpp/bindings``)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finitesum._fit_result import FitResult, MultiFitResult, Outcome, SgdResult

_Float = NDArray[np.float64]
_DenseMatrix = NDArray[Any]
_SparseMatrix = tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]

# y: float64 numbers, or the labels of a classifier as bits (numpy.packbits, bitorder="little").
def fit(
    X: _DenseMatrix | _SparseMatrix,
    y: _Float | NDArray[np.uint8],
    sample_weight: _Float | None,
    *,
    loss: str,
    loss_parameter: float,
    alpha: float,
    l1_ratio: float,
    fit_intercept: bool,
    intercept_scaling: float = ...,
    solver: str,
    sampling: str,
    step_rule: str = ...,
    step_size: float,
    solver_options: dict[str, Any] = ...,
    tol: float,
    max_iter: int,
    check_interval: int,
    time_limit: float,
    n_threads: int = ...,
    seed: int,
    coef_init: _Float | None,
    intercept_init: float | None,
    state: _Float | None = ...,
    keep_state: bool = ...,
    monitor: Callable[[dict[str, float]], bool] | None,
) -> FitResult: ...
def certify(
    X: _DenseMatrix | _SparseMatrix,
    y: _Float | NDArray[np.uint8],
    sample_weight: _Float | None,
    *,
    coef: _Float,
    intercept: float,
    loss: str,
    loss_parameter: float,
    alpha: float,
    l1_ratio: float,
    fit_intercept: bool,
    intercept_scaling: float = ...,
    max_iter: int,
) -> dict[str, float]: ...
def fit_multi(
    X: _DenseMatrix | _SparseMatrix,
    y: NDArray[np.int32] | _Float,
    sample_weight: _Float | None,
    *,
    n_outputs: int,
    loss: str,
    loss_parameter: float = ...,
    alpha: float,
    l1_ratio: float,
    fit_intercept: bool,
    intercept_scaling: float = ...,
    solver: str,
    sampling: str,
    step_rule: str = ...,
    step_size: float,
    solver_options: dict[str, Any] = ...,
    tol: float,
    max_iter: int,
    check_interval: int,
    time_limit: float,
    seed: int,
    coef_init: _Float | None,
    intercepts_init: _Float | None,
    state: _Float | None = ...,
    keep_state: bool = ...,
    monitor: Callable[[dict[str, float]], bool] | None,
) -> MultiFitResult: ...
def fit_folds(
    X: _DenseMatrix | _SparseMatrix,
    y: _Float | NDArray[np.uint8],
    weights: _Float,
    alphas: _Float,
    *,
    n_folds: int,
    n_steps: int,
    l1_ratio: float,
    loss: str,
    loss_parameter: float,
    fit_intercept: bool,
    solver: str,
    tol: float,
    max_iter: int,
    check_interval: int,
    n_threads: int,
    seed: int,
    monitor: Callable[[dict[str, float]], bool] | None,
    report: Callable[[list[Outcome], _Float, _Float, list[_Float | None]], None],
) -> None: ...
def suits_several_outputs(solver: str, solver_options: dict[str, Any]) -> bool: ...
def automatic_solver(
    X: _DenseMatrix | _SparseMatrix,
    sample_weight: _Float | None,
    *,
    loss: str,
    loss_parameter: float,
    alpha: float,
    l1_ratio: float,
    fit_intercept: bool,
    intercept_scaling: float,
    solver: str,
    sampling: str,
    step_rule: str,
    step_size: float,
    solver_options: dict[str, Any],
    n_outputs: int,
) -> str: ...
def check_solver_options(options: dict[str, Any], /) -> None: ...
def loss_names() -> list[str]: ...
def batch_moments(
    x: NDArray[Any], n_threads: int = ..., isa: str = ...
) -> tuple[_Float, _Float]: ...
def batch_normalize(
    x: NDArray[Any],
    mean: _Float,
    variance: _Float,
    gamma: NDArray[Any] | None,
    beta: NDArray[Any] | None,
    eps: float,
    relu: bool,
    y: NDArray[Any],
    n_threads: int = ...,
    isa: str = ...,
) -> None: ...
def batch_norm_training(
    x: NDArray[Any],
    gamma: NDArray[Any] | None,
    beta: NDArray[Any] | None,
    running_mean: NDArray[Any] | None,
    running_var: NDArray[Any] | None,
    momentum: float,
    eps: float,
    relu: bool,
    y: NDArray[Any],
    n_threads: int,
) -> tuple[_Float, _Float]: ...
def batch_norm_gradients(
    x: NDArray[Any],
    dy: NDArray[Any],
    mean: _Float,
    variance: _Float,
    gamma: NDArray[Any] | None,
    beta: NDArray[Any] | None,
    eps: float,
    relu: bool,
    of_batch: bool,
    dx: NDArray[Any],
    dgamma: NDArray[Any],
    dbeta: NDArray[Any],
    n_threads: int = ...,
    isa: str = ...,
) -> None: ...
def optimizer_names() -> list[str]: ...
def check_optimizer(name: str, parameters: dict[str, Any]) -> None: ...
def whitening_parameters() -> dict[str, bool | float | str]: ...
def optimizer_parameters(name: str) -> dict[str, bool | float | str]: ...
def optimizer_defaults(name: str) -> dict[str, Any]: ...
def layer_names() -> list[str]: ...

class Network:
    def __init__(
        self,
        *,
        is_single: bool,
        inputs: list[int],
        layers: list[tuple[str, dict[str, float]]],
        head: str,
        label_smoothing: float = ...,
        seed: int = ...,
        isa: str = ...,
    ) -> None: ...
    # Place of the layer, name, view.
    @property
    def parameters(self) -> list[tuple[int, str, NDArray[Any]]]: ...
    @property
    def gradients(self) -> list[tuple[int, str, NDArray[Any]]]: ...
    @property
    def state(self) -> list[tuple[int, str, _Float]]: ...
    @property
    def slots(self) -> list[NDArray[Any]]: ...
    @property
    def flat_parameters(self) -> NDArray[Any]: ...
    @property
    def flat_gradient(self) -> NDArray[Any]: ...
    @property
    def n_outputs(self) -> int: ...
    n_steps: int
    rule_steps: int
    @property
    def whitening(self) -> list[NDArray[np.float64]]: ...
    def set_optimizer(self, name: str, options: dict[str, Any] = ...) -> None: ...
    @staticmethod
    def n_batches(n_rows: int, batch_size: int) -> int: ...
    def train(
        self,
        X: _DenseMatrix | _SparseMatrix,
        targets: NDArray[Any],
        sample_weight: _Float | None,
        rows: NDArray[np.int64],
        rates: _Float,
        *,
        batch_size: int,
        l2: float = ...,
        l1: float = ...,
        decoupled: float = ...,
        clip: str = ...,
        clip_limit: float = ...,
        n_threads: int = ...,
    ) -> float: ...
    def differentiate(
        self,
        X: _DenseMatrix | _SparseMatrix,
        targets: NDArray[Any],
        sample_weight: _Float | None,
        rows: NDArray[np.int64],
        *,
        n_threads: int = ...,
    ) -> float: ...
    def collect(
        self,
        X: _DenseMatrix | _SparseMatrix,
        rows: NDArray[np.int64],
        batch_size: int,
        *,
        n_threads: int = ...,
    ) -> None: ...
    def evaluate(
        self,
        X: _DenseMatrix | _SparseMatrix,
        targets: NDArray[Any] | None,
        sample_weight: _Float | None,
        rows: NDArray[np.int64],
        *,
        raw: bool = ...,
        n_threads: int = ...,
    ) -> tuple[NDArray[Any], float]: ...

class Optimizer:
    def __init__(
        self,
        name: str,
        parameters: dict[str, bool | float | str],
        l2: float = ...,
        decoupled: float = ...,
        l1: float = ...,
    ) -> None: ...
    @property
    def n_slots(self) -> int: ...
    def update(
        self,
        learning_rate: float,
        k: int,
        gradient: NDArray[Any],
        w: NDArray[Any],
        slots: list[NDArray[Any]],
        isa: str = ...,
        n_threads: int = ...,
    ) -> None: ...
    def sparse_steps(
        self,
        learning_rates: _Float,
        offsets: NDArray[np.int64],
        indices: NDArray[np.int64],
        values: _Float,
        w: _Float,
        capacity: int = ...,
    ) -> _Float: ...

def penalty_names() -> list[str]: ...
def solver_names(has_l1: bool = False) -> list[str]: ...
def sampling_choices() -> list[str]: ...
def step_size_choices() -> list[str]: ...
def fingerprint(array: NDArray[Any]) -> int: ...
def draws(
    seed: int,
    epoch: int,
    first: int,
    count: int,
    n: int,
    smoothness: _Float | None,
    sampling: str = ...,
) -> NDArray[np.int64]: ...

# For the tests and their slow twins.
class SmoothnessSampler:
    def __init__(self, smoothness: _Float, l2: float) -> None: ...
    def draws(self, seed: int, epoch: int, first: int, count: int) -> NDArray[np.int64]: ...
    def importance(self) -> _Float: ...
    def estimates(self) -> _Float: ...
    def set_estimate(self, i: int, smoothness: float) -> None: ...
    def max(self) -> float: ...
    def mean(self) -> float: ...
    def draw_shares(self) -> list[float]: ...
    def refresh(self) -> None: ...

def has_duplicates(indices: NDArray[Any], indptr: NDArray[Any], n_columns: int) -> bool: ...
def isa() -> str: ...
def available_isas() -> list[str]: ...
def compiler() -> str: ...
def version() -> str: ...
def available_threads() -> int: ...
def loss_value(name: str, parameter: float, a: _Float, y: _Float) -> _Float: ...
def loss_derivative(name: str, parameter: float, a: _Float, y: _Float) -> _Float: ...
def loss_curvature(name: str, parameter: float, a: _Float, y: _Float) -> _Float: ...
def loss_conjugate(name: str, parameter: float, a: _Float, y: _Float) -> _Float: ...
def loss_dual_step(
    name: str, parameter: float, z: float, u: float, q: float, y: float
) -> float: ...
def loss_smoothness(name: str, parameter: float) -> float: ...
def loss_target_domain(name: str) -> str: ...
def penalty_value(name: str, alpha: float, l1_ratio: float, v: _Float) -> _Float: ...
def penalty_conjugate(name: str, alpha: float, l1_ratio: float, v: _Float) -> _Float: ...
def penalty_prox(name: str, alpha: float, l1_ratio: float, v: _Float, step: float) -> _Float: ...
def penalty_lazy_prox(
    name: str,
    alpha: float,
    l1_ratio: float,
    w: _Float,
    drift: _Float,
    step: float,
    k: NDArray[np.int64],
) -> _Float: ...
def penalty_lazy_path_sum(
    name: str,
    alpha: float,
    l1_ratio: float,
    w: _Float,
    drift: _Float,
    step: float,
    k: NDArray[np.int64],
) -> _Float: ...

# For the tests of the kernels: every kernel of one instruction set.
class Kernels:
    @property
    def isa(self) -> str: ...
    def dense_dot(self, x: NDArray[Any], w: _Float) -> float: ...
    def squared_norm(self, x: NDArray[Any]) -> float: ...
    def dense_axpy(self, a: float, x: NDArray[Any], w: _Float) -> None: ...
    def dense_step(
        self,
        x: NDArray[Any],
        w: _Float,
        d: _Float,
        direction: float,
        fresh: float,
        change: float,
        threshold: float,
        shrink: float,
    ) -> None: ...
    def dense_step_l1(
        self,
        x: NDArray[Any],
        w: _Float,
        d: _Float,
        direction: float,
        fresh: float,
        change: float,
        threshold: float,
        shrink: float,
    ) -> None: ...
    def centered_dot(self, x: NDArray[Any], centers: _Float, w: _Float) -> float: ...
    def scaled_squared_norm(self, x: NDArray[Any], centers: _Float, factors: _Float) -> float: ...
    def scaled_step(
        self,
        x: NDArray[Any],
        w: _Float,
        d: _Float,
        centers: _Float,
        factors: _Float,
        direction: float,
        fresh: float,
        change: float,
        threshold: float,
        decay: float,
        base: float,
    ) -> None: ...
    def scaled_step_l1(
        self,
        x: NDArray[Any],
        w: _Float,
        d: _Float,
        centers: _Float,
        factors: _Float,
        direction: float,
        fresh: float,
        change: float,
        threshold: float,
        decay: float,
        base: float,
    ) -> None: ...
    def sparse_dot(self, values: NDArray[Any], indices: NDArray[Any], w: _Float) -> float: ...
    def sparse_axpy(
        self, a: float, values: NDArray[Any], indices: NDArray[Any], w: _Float
    ) -> None: ...
    def value_sum(
        self, name: str, parameter: float, z: _Float, y: _Float, s: _Float | None, /
    ) -> float: ...
    def derivatives(self, name: str, parameter: float, z: _Float, y: _Float, /) -> _Float: ...
    def curvatures(self, name: str, parameter: float, z: _Float, y: _Float, /) -> _Float: ...
    def conjugate_sum(
        self, name: str, parameter: float, scale: float, u: _Float, y: _Float, s: _Float | None, /
    ) -> float: ...

def kernels(isa: str, /) -> Kernels: ...
def math_exp(x: _Float, /) -> _Float: ...
def math_log(x: _Float, /) -> _Float: ...
def math_log1p(x: _Float, /) -> _Float: ...
def math_expm1_of_negative(x: _Float, /) -> _Float: ...

# y as in `fit`, or class numbers (int32) below n_classes; validation is (X, y, sample_weight);
# steps count from one; coefficients and intercepts stand output by output.
def fit_sgd(
    X: _DenseMatrix | _SparseMatrix,
    y: _Float | NDArray[np.uint8] | NDArray[np.int32],
    sample_weight: _Float | None,
    *,
    loss: str,
    loss_parameter: float,
    n_classes: int = ...,
    alpha: float,
    l1_ratio: float,
    fit_intercept: bool,
    optimizer: str = ...,
    optimizer_options: dict[str, Any] = ...,
    per_example: bool = ...,
    batch_size: int = ...,
    n_passes: int = ...,
    order: str = ...,
    clip: str = ...,
    clip_limit: float = ...,
    ball: str = ...,
    radius: float = ...,
    average: str = ...,
    average_start: float = ...,
    exact_objective: bool = ...,
    learning_rate: str,
    schedule: dict[str, Any],
    max_iter: int,
    time_limit: float = ...,
    seed: int = ...,
    validation: tuple[Any, Any, Any] | None = ...,
    labels: bool = ...,
    coef_init: _Float | None = ...,
    intercept_init: _Float | None = ...,
    state: _Float | None = ...,
    keep_state: bool = ...,
    monitor: Callable[[dict[str, float]], bool] | None = ...,
) -> SgdResult: ...
def subgradient_loss_names() -> list[str]: ...
def learning_rate_names() -> list[str]: ...

# (value, derivative, smoothness) of a loss in subgradient_loss_names().
def subgradient_loss(
    name: str, parameter: float, z: float, y: float
) -> tuple[float, float, float]: ...
