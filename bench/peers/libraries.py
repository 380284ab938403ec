"""The solvers of all libraries, brought to one objective (`problems.py`) and one meaning of a fit.

With strength = n alpha, scikit-learn, liblinear, celer and snapml minimize n F / strength (C = 1 /
strength) or n F, cyanure and skglm F. Where a library penalizes the intercept, as liblinear and
snapml do, it is used for problems without one alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.data import Dataset
from bench.peers.problems import Problem, coefficients, ours
from finitesum import _core

MAX_ITER = 10**6  # the budget ends a fit, not this
WIDEST_HESSIAN = 3000

_PENALTIES = ("l2", "l1", "elastic-net")

Coefficients = tuple[NDArray[np.float64], NDArray[np.float64]]
Fit = Callable[[Problem, Dataset, float, int], Coefficients]


@dataclass(frozen=True)
class Solver:
    """A solver of a library; fit takes problem, data, tol, threads."""

    name: str
    module: str
    fit: Fit
    losses: tuple[str, ...] = ("logistic",)
    penalties: tuple[str, ...] = _PENALTIES
    intercept: bool = True  # whether it has one that is not penalized
    widest: int | None = None  # the most features it can be given

    @property
    def library(self) -> str:
        """Name of the library."""
        return self.name.split()[0]

    def is_installed(self) -> bool:
        """Whether the library can be imported."""
        try:
            import_module(self.module)
        except ImportError:
            return False
        return True

    def suits(self, problem: Problem, data: Dataset) -> bool:
        """Whether it solves this problem, on such data."""
        n_outputs = len(np.unique(data.y)) if problem.loss == "multinomial" else 1
        return (
            problem.loss in self.losses
            and problem.penalty in self.penalties
            and (self.intercept or not problem.fit_intercept)
            and (self.widest is None or data.X.shape[1] * n_outputs <= self.widest)
        )


def _finitesum(solver: str) -> Fit:
    def fit(problem: Problem, data: Dataset, tol: float, threads: int) -> Coefficients:
        model = ours(problem, data.X.shape[0], solver=solver, tol=tol, max_iter=MAX_ITER,
                     n_threads=threads)  # fmt: skip
        return coefficients(model.fit(data.X, data.y))

    return fit


def _scikit_learn(solver: str) -> Fit:
    def fit(problem: Problem, data: Dataset, tol: float, threads: int) -> Coefficients:
        from sklearn import linear_model, svm

        options = {"tol": tol, "max_iter": 10**5, "fit_intercept": problem.fit_intercept}
        C, ratio = 1.0 / problem.strength, problem.l1_ratio
        model: Any
        if problem.loss == "squared_hinge":
            model = svm.LinearSVC(
                penalty=problem.penalty, C=C, dual=solver == "dual", random_state=0, **options
            )
        elif problem.loss in ("logistic", "multinomial"):
            model = linear_model.LogisticRegression(
                solver=solver, C=C, l1_ratio=ratio, random_state=0, **options
            )
        elif ratio == 0.0:
            model = linear_model.Ridge(problem.strength, solver=solver, random_state=0, **options)
        else:
            alpha = problem.strength / data.X.shape[0]
            model = linear_model.ElasticNet(alpha, l1_ratio=ratio, **options)
        return coefficients(model.fit(data.X, data.y))

    return fit


def _liblinear(kind: int) -> Fit:
    def fit(problem: Problem, data: Dataset, tol: float, threads: int) -> Coefficients:
        from liblinear import liblinearutil

        # -s 11 and 12: C sum_i (y_i - z_i)^2, for -p 0; the others C sum_i l_i
        C = 1.0 / problem.strength / (2.0 if problem.loss == "squared" else 1.0)
        intercept = "-B 1 -R" if problem.fit_intercept else ""
        model = liblinearutil.train(
            data.y, data.X, f"-s {kind} -c {C!r} -e {tol!r} -p 0 -q {intercept}"
        )
        sign = 1.0 if problem.loss == "squared" else float(model.label[0])  # of the first class
        w = sign * np.ctypeslib.as_array(model.w, (data.X.shape[1] + problem.fit_intercept,))
        return w[: data.X.shape[1]], w[data.X.shape[1] :] if problem.fit_intercept else np.zeros(1)

    return fit


def _cyanure(solver: str) -> Fit:
    def fit(problem: Problem, data: Dataset, tol: float, threads: int) -> Coefficients:
        from cyanure import estimators

        alpha, ratio = problem.strength / data.X.shape[0], problem.l1_ratio
        if problem.loss == "squared_hinge":
            alpha /= 2.0  # its loss is half of liblinear's
        penalties = {
            "l2": {"penalty": "l2", "lambda_1": alpha},
            "l1": {"penalty": "l1", "lambda_1": alpha},
            "elastic-net": {"penalty": "elasticnet", "lambda_1": alpha * ratio,
                            "lambda_2": alpha * (1.0 - ratio)},
        }  # fmt: skip
        options = {
            "tol": tol, "solver": solver, "max_iter": MAX_ITER, "n_threads": threads,
            "fit_intercept": problem.fit_intercept, "verbose": False, **penalties[problem.penalty],
        }  # fmt: skip
        model: Any
        if problem.loss == "squared":
            model = estimators.Regression(**options)
        else:
            losses = {"squared_hinge": "sqhinge", "multinomial": "multiclass-logistic"}
            model = estimators.Classifier(loss=losses.get(problem.loss, "logistic"), **options)
        model.fit(data.X, data.y)
        if not problem.fit_intercept:
            model.intercept_ = 0.0  # which it does not always set then
        if problem.loss == "multinomial":
            model.coef_ = model.coef_.T
        return coefficients(model)

    return fit


def _snapml(dual: bool) -> Fit:
    def fit(problem: Problem, data: Dataset, tol: float, threads: int) -> Coefficients:
        import snapml

        make = snapml.LinearRegression if problem.loss == "squared" else snapml.LogisticRegression
        model = make(
            regularizer=problem.strength, penalty=problem.penalty, tol=tol, max_iter=MAX_ITER,
            dual=dual, n_jobs=threads, random_state=0,
        ).fit(data.X, data.y)  # fmt: skip
        return np.ravel(model.coef_), np.zeros(1)

    return fit


def _celer(problem: Problem, data: Dataset, tol: float, threads: int) -> Coefficients:
    import celer

    model: Any
    if problem.loss == "logistic":
        model = celer.LogisticRegression(1.0 / problem.strength, tol=tol, fit_intercept=False)
    else:
        model = celer.ElasticNet(
            problem.strength / data.X.shape[0], problem.l1_ratio, tol=tol,
            fit_intercept=problem.fit_intercept,
        )  # fmt: skip
    return coefficients(model.fit(data.X, data.y))


def _skglm(problem: Problem, data: Dataset, tol: float, threads: int) -> Coefficients:
    import skglm
    from skglm import datafits, penalties, solvers

    alpha, ratio = problem.strength / data.X.shape[0], problem.l1_ratio
    solver: Any
    if problem.penalty == "l2":
        solver, penalty = solvers.LBFGS(10**5, tol), penalties.L2(alpha)
        solver.fit_intercept = solver.warm_start = False  # what its estimator asks for
    else:
        make = solvers.ProxNewton if problem.loss == "logistic" else solvers.AndersonCD
        solver = make(max_iter=1000, tol=tol, fit_intercept=problem.fit_intercept)
        penalty = penalties.L1_plus_L2(alpha, ratio)
    datafit = datafits.Logistic() if problem.loss == "logistic" else datafits.Quadratic()
    model = skglm.GeneralizedLinearEstimator(datafit, penalty, solver).fit(data.X, data.y)
    return coefficients(model)


_SMOOTH = ("logistic", "multinomial")
_ALL = ("logistic", "squared_hinge", "multinomial", "squared")


def _penalties_of(name: str) -> tuple[str, ...]:
    if name == "sdca":
        return ("l2", "elastic-net")
    return _PENALTIES if name in _core.solver_names(has_l1=True) else ("l2",)


SOLVERS = (
    Solver("finitesum auto", "finitesum", _finitesum("auto"), _ALL),
    *(
        Solver(f"finitesum {name}", "finitesum", _finitesum(name), _ALL,
               _penalties_of(name),
               widest=WIDEST_HESSIAN if name == "newton" else None)
        for name in _core.solver_names()
    ),
    Solver("scikit-learn saga", "sklearn", _scikit_learn("saga"), _SMOOTH),
    Solver("scikit-learn sag", "sklearn", _scikit_learn("sag"), _SMOOTH, ("l2",)),
    Solver("scikit-learn lbfgs", "sklearn", _scikit_learn("lbfgs"), _SMOOTH, ("l2",)),
    Solver("scikit-learn newton-cg", "sklearn", _scikit_learn("newton-cg"), _SMOOTH, ("l2",)),
    Solver("scikit-learn newton-cholesky", "sklearn", _scikit_learn("newton-cholesky"), _SMOOTH,
           ("l2",), widest=WIDEST_HESSIAN),
    Solver("scikit-learn liblinear", "sklearn", _scikit_learn("liblinear"), ("logistic",),
           ("l2", "l1"), intercept=False),
    Solver("scikit-learn primal", "sklearn", _scikit_learn("primal"), ("squared_hinge",),
           ("l2", "l1"), intercept=False),
    Solver("scikit-learn dual", "sklearn", _scikit_learn("dual"), ("squared_hinge",), ("l2",),
           intercept=False),
    *(
        Solver(f"scikit-learn ridge-{name}", "sklearn", _scikit_learn(name), ("squared",), ("l2",),
               widest=WIDEST_HESSIAN if name == "cholesky" else None)
        for name in ("cholesky", "lsqr", "sparse_cg", "sag", "saga")
    ),
    Solver("scikit-learn cd", "sklearn", _scikit_learn("cd"), ("squared",), ("l1", "elastic-net")),
    Solver("liblinear primal", "liblinear", _liblinear(0), ("logistic",), ("l2",)),
    Solver("liblinear dual", "liblinear", _liblinear(7), ("logistic",), ("l2",), intercept=False),
    Solver("liblinear l1", "liblinear", _liblinear(6), ("logistic",), ("l1",)),
    Solver("liblinear svc-primal", "liblinear", _liblinear(2), ("squared_hinge",), ("l2",)),
    Solver("liblinear svc-dual", "liblinear", _liblinear(1), ("squared_hinge",), ("l2",),
           intercept=False),
    Solver("liblinear svc-l1", "liblinear", _liblinear(5), ("squared_hinge",), ("l1",)),
    Solver("liblinear svr-primal", "liblinear", _liblinear(11), ("squared",), ("l2",)),
    Solver("liblinear svr-dual", "liblinear", _liblinear(12), ("squared",), ("l2",),
           intercept=False),
    *(
        Solver(f"cyanure {name}", "cyanure", _cyanure(name), _ALL)
        for name in ("auto", "acc-svrg")
    ),
    *(  # with an elastic net these end elsewhere: 0.7 % above the optimum on breast_cancer
        Solver(f"cyanure {name}", "cyanure", _cyanure(name), _ALL, ("l2", "l1"))
        for name in ("qning-miso", "catalyst-miso")
    ),
    Solver("snapml dual", "snapml", _snapml(True), ("logistic", "squared"), ("l2",),
           intercept=False),
    Solver("snapml primal", "snapml", _snapml(False), ("logistic", "squared"), ("l2", "l1"),
           intercept=False),
    Solver("celer logistic", "celer", _celer, ("logistic",), ("l1",), intercept=False),
    Solver("celer squared", "celer", _celer, ("squared",), ("l1", "elastic-net")),
    Solver("skglm lbfgs", "skglm", _skglm, ("logistic", "squared"), ("l2",), intercept=False),
    Solver("skglm working-set", "skglm", _skglm, ("logistic", "squared"), ("l1", "elastic-net")),
)  # fmt: skip


def find_solver(name: str) -> Solver:
    """Give the solver of this name."""
    return next(solver for solver in SOLVERS if solver.name == name)
