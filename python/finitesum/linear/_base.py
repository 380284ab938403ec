"""What all certified linear estimators share: control, the run through the core, report."""

import math
import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from finitesum import _core
from finitesum._findings import data_findings, summarize
from finitesum._fit_result import FitResult
from finitesum._validation import core_matrix, draw_seed
from finitesum.linear._model import LinearModel
from finitesum.linear._resume import Resume
from finitesum.linear._solve import (
    Callback,
    Control,
    Problem,
    Start,
    convergence_message,
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
            lambda: self._data_advice(X, weight),
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

    def _data_advice(self, X: Any, weight: NDArray[np.float64] | None) -> str | None:
        """One pass over X for the one change that helps; None if the data look sound."""
        found = data_findings(
            summarize(X, weight),
            weight,
            fit_intercept=bool(self.fit_intercept),
            sampling=self.sampling,
            sparse=sp.issparse(X),
        )
        if not found:
            return None
        message = found[0].message
        return f"{message[0].upper()}{message[1:]}. {found[0].change}"

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


def _per_output(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else np.array(values)
