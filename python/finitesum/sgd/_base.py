"""What the two estimators share: parameters, a run through the core per output, the report."""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from finitesum import _core
from finitesum._fit_result import SgdResult
from finitesum._validation import core_matrix, draw_seed, total_weight
from finitesum.linear._model import LinearModel
from finitesum.linear._progress import Show, open_progress
from finitesum.linear._solve import Callback, Start, merged_history
from finitesum.linear._targets import Targets
from finitesum.sgd._options import (
    AVERAGES,
    averaging,
    learning_rates,
    limited,
    optimizer_options,
    per_example_option,
    schedule_options,
    usual_rate,
)

# Names of scikit-learn's that are others in the core.
_CORE_LOSSES = {"squared_error": "squared", "log_loss": "logistic"}


# batch_size="auto" takes exact gradients where an epoch of them, m^2 rows, costs at most so many
# products of numbers, a row about 64 more than it has columns: 0.1 ms, a quarter of the call.
FEW_PRODUCTS = 2**18


@dataclass(frozen=True)
class Validation:
    """Rows whose score decides; ``targets`` belong to the same outputs as the training rows'."""

    X: Any
    targets: Targets
    weight: NDArray[np.float64] | None


@dataclass
class Run:
    """What goes from one call of partial_fit to the next."""

    seed: int
    steps_per_epoch: int  # of the first call, whose epochs an average that begins late counts in
    states: list[NDArray[np.float64]] = field(default_factory=list)


class SGDEstimator(LinearModel):
    """Base of the estimators by stochastic gradient descent; a subclass states its targets."""

    loss: str
    penalty: str | None
    alpha: float
    l1_ratio: float
    fit_intercept: bool
    max_iter: int
    tol: float | None
    shuffle: bool | str
    verbose: int
    epsilon: float
    random_state: Any
    learning_rate: str
    eta0: float | None
    power_t: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    average: Any
    optimizer: str
    optimizer_options: dict[str, Any] | None
    batch_size: int | str
    clip: Any
    projection: Any
    monitor: str
    schedule_options: dict[str, Any] | None
    callback: Callback | None
    time_limit: float | None

    t_: float
    _run: Run
    _scores_labels: ClassVar[bool]
    _auto_rate: ClassVar[str]  # learning_rate="auto" of plain descent

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "penalty": [StrOptions({"l2", "l1", "elasticnet"}), None],
        "alpha": [Interval(Real, 0.0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0.0, 1.0, closed="both")],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="left"), None],
        "shuffle": ["boolean", StrOptions({"iid"})],
        "verbose": ["verbose"],
        "epsilon": [Interval(Real, 0.0, None, closed="left")],
        "random_state": ["random_state"],
        "learning_rate": [StrOptions(learning_rates() | {"auto"})],
        "eta0": [Interval(Real, 0.0, None, closed="neither"), None],
        "power_t": [Interval(Real, 0.0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0.0, 1.0, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "average": [
            "boolean",
            Interval(Integral, 0, None, closed="neither"),
            StrOptions(set(AVERAGES)),
            tuple,
            list,
        ],
        "optimizer": [StrOptions({*_core.optimizer_names(), "whitening"})],
        "optimizer_options": [dict, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "clip": [tuple, list, None],
        "projection": [tuple, list, None],
        "monitor": [StrOptions({"running", "objective"})],
        "schedule_options": [dict, None],
        "callback": [callable, None],
        "time_limit": [Interval(Real, 0.0, None, closed="neither"), None],
    }

    def _validate_params(self) -> None:
        super()._validate_params()
        averaging(self.average, 1.0)
        learning_rate = self._learning_rate()
        if learning_rate == "optimal" and self.alpha == 0:
            raise ValueError(
                "alpha must be > 0 since learning_rate is 'optimal'. alpha is used to compute the "
                "optimal learning rate."
            )
        if learning_rate == "inverse_square":
            warnings.warn(
                "learning_rate='inverse_square': the sum of eta0 / t^2 is finite, so that the "
                "steps can end before the optimum (Robbins and Monro, 1951, ask for a sum without "
                "bounds).",
                UserWarning,
                stacklevel=3,
            )
        self._core_options()

    def _loss_parameter(self) -> float:
        return float(self.epsilon)

    def _learning_rate(self) -> str:
        if self.learning_rate != "auto":
            return self.learning_rate
        return self._auto_rate if self.optimizer == "sgd" else "constant"

    def _first_rate(self) -> float:
        return usual_rate(self.optimizer) if self.eta0 is None else float(self.eta0)

    def _core_options(self) -> dict[str, Any]:
        clip, clip_limit = limited("clip", self.clip, ("value", "norm"))
        ball, radius = limited("projection", self.projection, ("l1", "l2"))
        l1_ratio = {"l1": 1.0, "elasticnet": float(self.l1_ratio)}.get(str(self.penalty), 0.0)
        learning_rate = self._learning_rate()
        own_options, per_example = per_example_option(self.optimizer, self.optimizer_options)
        return {
            "loss": _CORE_LOSSES.get(self.loss, self.loss),
            "loss_parameter": self._loss_parameter(),
            "alpha": 0.0 if self.penalty is None else float(self.alpha),
            "l1_ratio": l1_ratio,
            "fit_intercept": bool(self.fit_intercept),
            "optimizer": self.optimizer,
            "optimizer_options": optimizer_options(self.optimizer, own_options),
            "per_example": per_example,
            "order": "iid" if self.shuffle == "iid" else "shuffle" if self.shuffle else "cyclic",
            "clip": clip,
            "clip_limit": clip_limit,
            "ball": ball,
            "radius": radius,
            "exact_objective": self.monitor == "objective",
            "learning_rate": learning_rate,
            "schedule": {
                "alpha": float(self.alpha),  # sets the steps without a penalty, too
                "eta0": self._first_rate(),
                "power_t": float(self.power_t),
                "tol": -math.inf if self.tol is None else float(self.tol),
                "n_iter_no_change": int(self.n_iter_no_change),
                **schedule_options(learning_rate, self.schedule_options),
            },
        }

    def _descend(
        self,
        X: Any,
        targets: Targets,
        n_outputs: int,
        weight: NDArray[np.float64] | None,
        *,
        max_iter: int,
        start: Start | None = None,
        validation: Validation | None = None,
        n_classes: int = 0,
        n_jobs: int | None = None,
        first: bool = True,
        ends_all: tuple[str, ...] = ("interrupted", "callback"),
    ) -> Start:
        """Run the core on each output, set the report; return coef (K, p) and intercept (K,).

        With ``n_classes`` the outputs are one problem, that of the multinomial loss. Unless it is
        the first call, go on from what the last one left. An output that stops for a reason in
        ``ends_all`` leaves those that have not begun where they are.
        """
        total = total_weight(weight, X.shape[0])
        n_counted = X.shape[0] if weight is None else int((weight > 0).sum())
        batch_size, n_passes = self._batches(n_counted, total, X.shape)
        steps_per_epoch = n_passes * math.ceil(n_counted / batch_size)
        run = Run(draw_seed(self.random_state), steps_per_epoch) if first else self._run
        average, average_start = averaging(self.average, run.steps_per_epoch)
        matrix = core_matrix(X)
        deadline = math.inf if self.time_limit is None else time.monotonic() + self.time_limit
        validation_matrix = None if validation is None else core_matrix(validation.X)

        stopped: list[str] = []

        def fit(output: int, show: Show | None) -> SgdResult:
            mine = slice(None) if n_classes else slice(output, output + 1)
            late = bool(stopped)
            result = _core.fit_sgd(
                matrix,
                targets.of(output),
                weight,
                **self._core_options(),
                batch_size=batch_size,
                n_passes=n_passes,
                n_classes=n_classes,
                average=average,
                average_start=average_start,
                max_iter=max_iter,
                time_limit=0.0 if late else max(0.0, deadline - time.monotonic()),
                seed=(run.seed + output) % 2**64,
                validation=None
                if validation is None
                else (validation_matrix, validation.targets.of(output), validation.weight),
                labels=self._scores_labels,
                coef_init=None if start is None else start[0][mine].ravel(),
                intercept_init=None if start is None else start[1][mine].copy(),
                state=run.states[output] if run.states else None,
                keep_state=True,
                monitor=_monitor(self.callback, show, output if n_outputs > 1 else None),
            )
            if late:
                result["stopping"] = stopped[0]
            elif result["stopping"] in ends_all:
                stopped.append(result["stopping"])
            return result

        with open_progress(int(self.verbose), max_iter, n_outputs) as show:
            results: list[SgdResult] = Parallel(n_jobs=n_jobs, require="sharedmem")(
                delayed(fit)(output, show) for output in range(n_outputs)
            )
        self._run = Run(run.seed, run.steps_per_epoch, [result["state"] for result in results])
        self._set_report(results)
        coef = np.concatenate([r["coef"] for r in results]).reshape(-1, X.shape[1])
        return coef, np.concatenate([r["intercepts"] for r in results])

    def _batches(self, n_counted: int, total: float, shape: tuple[int, int]) -> tuple[int, int]:
        """Give the samples per step, and how often an epoch goes through them."""
        if self.batch_size != "auto":
            return min(int(self.batch_size), shape[0]), 1
        # The samples that these stand for: integer weights count as repetition.
        n_steps = max(n_counted, round(total))
        is_exact = n_steps**2 * (64 + shape[1]) <= FEW_PRODUCTS and self.shuffle != "iid"
        return (shape[0], n_steps) if is_exact else (1, 1)

    def _set_report(self, results: list[SgdResult]) -> None:
        single = len(results) == 1
        self.n_iter_ = max(r["n_iter"] for r in results)
        self.t_ = 1.0 + max(r["n_steps"] for r in results)
        self.history_ = merged_history([r["history"] for r in results])
        stopping = [r["stopping"] for r in results]
        optima = [r["optimum"] for r in results]
        self.stopping_ = stopping[0] if single else np.array(stopping)
        self.optimum_estimate_ = optima[0] if single else optima

    def _warn_unless_stopped(self, max_iter: int) -> None:
        if self._was_interrupted():
            warnings.warn(
                "The fit was interrupted. The coefficients are usable as they are; partial_fit "
                "and warm_start=True go on from them.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if self.tol is not None and "max_iter" in np.atleast_1d(self.stopping_):
            warnings.warn(
                "Maximum number of iteration reached before convergence. Consider increasing "
                f"max_iter={max_iter} to improve the fit.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _was_interrupted(self) -> bool:
        return "interrupted" in np.atleast_1d(self.stopping_)

    def _run_one_epoch(self, *args: Any, **options: Any) -> Start:
        """Do what `_descend` does, for partial_fit, whose caller Ctrl-C is meant for.

        A callback has no epochs to stop here: every output gets the samples.
        """
        found = self._descend(*args, max_iter=1, ends_all=("interrupted",), **options)
        if self._was_interrupted():
            raise KeyboardInterrupt
        return found

    def _first_start(
        self,
        n_outputs: int,
        n_features: int,
        coef_init: Any,
        intercept_init: Any,
        goes_on: bool = True,
    ) -> Start | None:
        """Where a fit begins: what is given, else the previous fit's if asked for, else zero."""
        before = self._start(n_outputs, n_features) if goes_on else None
        if coef_init is None and intercept_init is None:
            return before
        coef, intercept = before or (np.zeros((n_outputs, n_features)), np.zeros(n_outputs))
        if coef_init is not None:
            coef = np.atleast_2d(np.asarray(coef_init, dtype=np.float64))
            if coef.shape != (n_outputs, n_features):
                raise ValueError("Provided coef_init does not match dataset.")
        if intercept_init is not None:
            intercept = np.atleast_1d(np.asarray(intercept_init, dtype=np.float64))
            if intercept.shape != (n_outputs,):
                raise ValueError("Provided intercept_init does not match dataset.")
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError("Provided coef_init and intercept_init must be finite.")
        return coef, intercept


def _monitor(
    callback: Callback | None, show: Show | None, output: int | None
) -> Callable[[dict[str, float]], bool] | None:
    if callback is None and show is None:
        return None

    def monitor(epoch: dict[str, float]) -> bool:
        if output is not None:
            epoch["output"] = output
        if show is not None:
            show(epoch)
        return callback is not None and callback(epoch) is True

    return monitor
