"""What all certified linear estimators share: control, the run through the core, report."""

import math
import warnings
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot

from finitesum import _core
from finitesum._findings import Finding
from finitesum._fit_result import FitResult
from finitesum._validation import core_matrix, draw_seed
from finitesum.linear._convergence import convergence_message
from finitesum.linear._findings import (
    fit_findings,
    separable_finding,
    separated_objective,
    summed,
)
from finitesum.linear._model import LinearModel
from finitesum.linear._resume import Resume
from finitesum.linear._solve import (
    Callback,
    Control,
    Problem,
    Start,
    merged_history,
    relative_gap,
    solve_outputs,
)
from finitesum.linear._targets import Targets


class LinearEstimator(LinearModel):
    """Base of the linear estimators; a subclass states its loss, penalty and targets."""

    tol: float
    max_iter: int
    fit_intercept: bool
    solver: str
    sampling: str
    step_size: float | str
    solver_options: dict[str, Any] | None
    check_interval: int | str
    random_state: Any
    warm_start: bool
    callback: Callback | None
    verbose: int
    time_limit: float | None
    n_threads: int | None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "fit_intercept": ["boolean"],
        "solver": [StrOptions({"auto", *_core.solver_names()})],
        "sampling": [StrOptions(set(_core.sampling_choices()))],
        "step_size": [
            StrOptions(set(_core.step_size_choices())),
            Interval(Real, 0.0, None, closed="neither"),
        ],
        "solver_options": [dict, None],
        "check_interval": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "callback": [callable, None],
        "verbose": ["verbose"],
        "time_limit": [Interval(Real, 0.0, None, closed="neither"), None],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def _validate_params(self) -> None:
        super()._validate_params()
        _core.check_solver_options(self.solver_options or {})

    def _solve(
        self,
        X: Any,
        targets: Targets,
        weight: NDArray[np.float64] | None,
        problems: list[Problem],
        start: Start | None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Run the core, set the report, warn; return coef (K, p) and intercept (K,)."""
        control = self._control()
        matrix = core_matrix(X)
        resume = Resume(
            getattr(self, "_saved", {}),
            matrix,
            weight,
            (
                self.solver,
                self.sampling,
                self.step_size,
                frozenset(control.solver_options.items()),
                self.fit_intercept,
            ),
            enabled=bool(self.warm_start),
        )
        results = solve_outputs(matrix, targets, weight, problems, control, start, resume)
        if self.warm_start:
            self._saved = resume.kept
        self._set_report(results)
        message = convergence_message(
            type(self).__name__,
            results,
            control,
            lambda k: self._findings(X, targets.of(k), weight, problems[k], results[k]),
        )
        if message is not None:
            warnings.warn(message, ConvergenceWarning, stacklevel=3)
        return np.vstack([r["coef"] for r in results]), np.hstack([r["intercept"] for r in results])

    def _control(self) -> Control:
        return Control(
            fit_intercept=bool(self.fit_intercept),
            solver=self.solver,
            sampling=self.sampling,
            step_rule=self.step_size if isinstance(self.step_size, str) else "auto",
            step_size=0.0 if isinstance(self.step_size, str) else float(self.step_size),
            solver_options=dict(self.solver_options or {}),
            tol=float(self.tol),
            max_iter=int(self.max_iter),
            check_interval=0 if isinstance(self.check_interval, str) else int(self.check_interval),
            time_limit=math.inf if self.time_limit is None else float(self.time_limit),
            n_threads=0 if self.n_threads is None else int(self.n_threads),
            seed=draw_seed(self.random_state),
            callback=self.callback,
            verbose=int(self.verbose),
            keep_state=bool(self.warm_start),
        )

    def _findings(
        self,
        X: Any,
        target: NDArray[Any],
        weight: NDArray[np.float64] | None,
        problem: Problem,
        result: FitResult,
    ) -> Iterator[Finding]:
        """Look for what hurts the fit of an output, see `finitesum.diagnose`."""
        X = summed(X)
        return fit_findings(
            X,
            weight,
            problem,
            self,
            lambda: separable_finding(_separation(X, target, weight, problem, result)),
        )

    def _set_report(self, results: list[FitResult]) -> None:
        self.n_iter_ = self._epochs([r["n_iter"] for r in results])
        self.dual_gap_ = _per_output([r["dual_gap"] for r in results])
        self.relative_gap_ = _per_output([relative_gap(r) for r in results])
        self.null_objective_ = _per_output([r["null_objective"] for r in results])
        self.objective_ = _per_output([r["objective"] for r in results])
        self.solver_ = _per_output([r["solver"] for r in results])
        reports = [r["auto_report"] for r in results]
        self.auto_report_ = reports[0] if len(results) == 1 else reports
        if self.solver != "auto":
            self.auto_report_ = None
        self.sampling_ = _per_output([r["sampling"] for r in results])
        self.stopping_ = _per_output([r["stopping"] for r in results])
        self.converged_ = all(r["converged"] for r in results)
        self.draw_shares_ = _per_output([r["draw_shares"] for r in results])
        self.history_ = merged_history([r["history"] for r in results])

    def _epochs(self, n_iter: list[int]) -> Any:
        """Give ``n_iter_`` the form it has in scikit-learn's class of the same name."""
        return _per_output(n_iter)


def _separation(
    X: Any,
    target: NDArray[Any],
    weight: NDArray[np.float64] | None,
    problem: Problem,
    result: FitResult,
) -> float:
    """Objective of the best multiple of what was fitted over the null model's; inf if it errs."""
    scores = safe_sparse_dot(X, np.atleast_2d(result["coef"]).T) + result["intercept"]
    if problem.n_classes is None:  # bits
        positive = np.unpackbits(target, count=len(scores), bitorder="little").astype(bool)
        margins = np.where(positive[:, np.newaxis], scores, -scores)
    else:
        own = np.arange(problem.n_classes) == target[:, np.newaxis]
        margins = np.where(own, np.inf, scores[own][:, np.newaxis] - scores)
    weight = np.ones(len(scores)) if weight is None else weight
    rows = weight > 0.0
    share = weight[rows] / weight[rows].sum()
    bound = separated_objective(margins[rows], share, result["coef"], problem)
    null = result["null_objective"]
    return bound / null if null > 0.0 else np.inf


def _per_output(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else np.array(values)
