"""The parameters and attributes that all linear estimators share, written once."""

import inspect
import re
from typing import TypeVar

Class = TypeVar("Class", bound=type)

_CONTROL = """\
tol : float, default=1e-4
    The fit stops when the duality gap is at most ``tol`` times the objective of the null model
    (zero coefficients, best intercept). Without a penalty no finite gap exists; the rule is then
    on the norm of the gradient, and ``stopping_`` says so.
max_iter : int, default=1000
    Largest number of epochs (as many steps as there are samples).
fit_intercept : bool, default=True
    Whether to fit an intercept. It is not penalized (by `LinearSVC`: see there).
solver : {"auto", "sag", "saga", "svrg", "katyusha", "sdca", "newton", "cd", "newton-cg", \
        "lbfgs", "accelerated", "gradient_descent"}, default="auto"
    "auto" takes the solver with the shortest predicted time, by the shape of the data and the
    condition number that the penalty leaves; ``solver_`` names the choice, ``auto_report_`` the
    reason. It depends on nothing else: not on ``tol``, ``n_threads``, the seed or a clock.
    "katyusha" is accelerated svrg, for ill-conditioned problems, "sdca" dual coordinate ascent, for
    sparse or wide data; it needs an L2 part, has no ``step_size``, and visits samples in a new
    random order each epoch, those where little is to gain only now and then. "cd" is coordinate
    descent on working sets, for L1 and elastic net, and keeps a copy of X by columns. The last four
    take all samples at once: "newton-cg" and "lbfgs", for penalties without L1, and "accelerated"
    (FISTA) and "gradient_descent", for any. Several outputs with the same penalty are fitted side
    by side by sag, saga and svrg, up to 64 of them, until the last one meets ``tol``: a sample
    drawn serves them all, each output keeps a number per sample. The other solvers, and options
    that several outputs do not have, fit them one after the other. The classes of a multinomial
    model, one problem, are for sag, saga, svrg, newton and lbfgs.
sampling : {"auto", "uniform", "cyclic", "shuffle", "lipschitz", "adaptive"}, default="auto"
    How the stochastic solvers draw samples: evenly; in order; in an order shuffled anew for each
    epoch; half evenly and half in proportion to the largest curvature of their loss; or to their
    curvature where the model is, learned along the way (Schmidt, Le Roux and
    Bach, 2017). Whatever the choice, the first epoch
    visits every sample once (not katyusha's). "auto" takes "uniform" where samples are alike,
    else "adaptive" (for svrg and katyusha "lipschitz").
step_size : str or float, default="auto"
    "auto" is the solver's own rule; "1/L", "1/16L", "2/(L+n*mu)", "1/3L" and "1/(2(L+n*mu))" are
    formulas in the smoothness L of the sampled losses and the strong convexity mu of the penalty;
    "line-search" finds L along the way (same paper).
solver_options : dict or None, default=None
    What only some solvers have; an option that the solver which runs does not have is refused.

    ``"inner_length"`` (svrg, katyusha): draws from one anchor to the next, as a multiple of the
    number of samples, in (0, 1e6]; default 2 for svrg, 1 for katyusha.

    ``"iterate"`` (svrg): the next anchor, "last" (default), "random" (the iterate after an evenly
    drawn number of steps) or "average" of the iterates.

    ``"batch_size"`` (svrg): samples per step, which follows the mean of their gradients and, left
    to itself, is the longer the more they are; default 1.

    ``"store_derivatives"`` (svrg): False keeps nothing per sample, at two gradients per draw and
    some more passes per anchor. Default True, unless draws by smoothness meet a penalty of L1 alone
    and there is one output: then that alone keeps within 8 bytes per sample.

    ``"scale_columns"`` (sag, saga, svrg, lbfgs, accelerated, gradient_descent): steps of their own
    length for columns, and for the first three centered dense rows if there is an intercept. The
    objective, the penalty and X stay as they are. Default "auto": where columns differ much, unless
    ``step_size`` is a number; steps are then those for columns in units of their own. sag and saga
    do without where they would need more than 16 bytes per sample and 16 per column in all: on
    dense X with fewer than 2.5 samples per column, on sparse X with more than 6.5 columns per
    sample.

    ``"acceleration"`` (sag, saga, svrg): None, ``"catalyst"`` or ``"qning"``, an outer loop for
    badly conditioned problems (Lin, Mairal and Harchaoui, 2018 and 2019).
check_interval : "auto" or int, default="auto"
    Epochs between two checks of the stop rule.
random_state : int, RandomState instance or None, default=None
    Source of the solver's seed. The same seed gives the same bits.
warm_start : bool, default=False
    Go on from the previous fit. On the same data with the same parameters (``tol``, ``max_iter``
    and other limits aside) the solver resumes where it stopped, to the bit, also after pickling;
    otherwise it starts from the coefficients, if their shape (and the classes) are the same.
callback : callable or None, default=None
    Called as ``callback(check)`` after each check, with a dict of ``epoch``, ``passes`` (over the
    data), ``seconds``, ``objective``, ``gap``, ``step_size``, ``nonzeros`` and, with several
    outputs, ``output``. Returning True stops the fit.
verbose : int, default=0
    0 prints nothing; otherwise a progress bar, or plain lines if rich is not installed.
time_limit : float or None, default=None
    Seconds after which the fit stops with what it has, and a ConvergenceWarning. The certificate of
    that point comes on top. Ctrl-C does not wait for one that would read more than 2^24 entries of
    X: sag, saga and sdca then leave ``dual_gap_`` and ``objective_`` infinite
    (:func:`finitesum.certify` computes them), the others return their last certified point.
n_threads : int or None, default=None
    Threads for passes over all samples (certificates, Newton's Hessians, the anchors of svrg); None
    takes what OpenMP would, ``OMP_NUM_THREADS`` and threadpoolctl's limits included. The result is
    the same, to the bit, for any number."""

_ATTRIBUTES = """\
dual_gap_ : float or ndarray of shape (n_outputs,)
    Certified bound on objective minus optimum, in units of the mean loss. Infinite where none
    exists.
relative_gap_ : float or ndarray of shape (n_outputs,)
    ``dual_gap_ / null_objective_``, comparable with ``tol`` (unless both are rounding errors, as
    for a constant target).
null_objective_ : float or ndarray of shape (n_outputs,)
    Objective of the null model.
objective_ : float or ndarray of shape (n_outputs,)
    Mean loss plus penalty at the solution.
converged_ : bool
    Whether every output met ``tol``.
solver_, sampling_, stopping_ : str or ndarray of shape (n_outputs,)
    The solver and the sampling that ran ("none" where nothing is drawn), and what ended the fit:
    "duality gap", "gradient norm", "max_iter", "no progress" (rounding stands in the way),
    "time_limit", "interrupted" or "callback".
auto_report_ : dict, list of dict or None
    With ``solver="auto"``, a dict (one per output if there are several): the ``solver`` chosen;
    the ``reason``, a sentence; ``seconds`` and ``passes``, dicts of what the candidates were
    predicted to take to a relative gap of 1e-6 on one core, the fastest first; ``statistics``, a
    dict with ``n_samples``, ``n_features``, ``n_outputs`` (fitted together), ``n_stored``,
    ``sparse``, ``mean_squared_norm`` and ``max_squared_norm`` (of the samples, weighted, plus 1
    with an intercept) and ``condition``: the loss's largest curvature times the former, over
    n_samples times the L2 strength (at most 1e8). None if the solver was named.
history_ : dict of ndarray
    One entry per check: ``epoch``, ``passes``, ``seconds``, ``objective``, ``gap``, ``step_size``,
    ``nonzeros`` and, with several outputs, ``output``.
draw_shares_ : ndarray of shape (10,) or (n_outputs, 10)
    Share of the draws that falls to each decile of the samples, ordered by the curvature of their
    loss (as "adaptive" has learned it), at the end of the fit; zeros where nothing is drawn.
n_features_in_ : int
    Number of features seen during fit.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, where X has string names for all of them."""


_GRID = """\
eps : float, default=1e-3
    Smallest over largest alpha of a grid that the data tell.
alphas : int or array-like, default=100
    The grid, or how many alphas it has: spaced evenly on a logarithmic scale down from the
    smallest alpha that makes all coefficients zero."""

_FOLDS = """\
cv : int, cross-validation generator or iterable, default=None
    The folds, as scikit-learn's `check_cv` takes them; None is 5. A fit's training samples are
    those of weight one, X is shared by all. Folds with an L2 penalty alone are fitted side by side
    by solvers "sdca" and "newton", with some 40 bytes per sample and fold.
n_jobs : int or None, default=None
    Threads that run the folds, as joblib counts them: None is 1 outside of a
    `joblib.parallel_config`, -1 all processors. OpenMP's threads are divided among them."""

_WITHOUT_IN_SEARCH = ("warm_start", "callback", "time_limit")


def _search_control() -> str:
    """Give the parameters of a cross-validated estimator: folds, then those of its fits."""
    entries = re.split(r"\n(?=\S)", _CONTROL)
    fits = [entry for entry in entries if entry.split(" :")[0] not in _WITHOUT_IN_SEARCH]
    return "\n".join([_FOLDS, *fits])


def with_shared_sections(cls: Class) -> Class:
    """Fill ``{control}``, ``{attributes}`` and the like in a docstring with the shared sections."""
    if cls.__doc__ is not None:  # stripped under python -OO
        text = inspect.cleandoc(cls.__doc__)
        sections = {
            "control": _CONTROL,
            "attributes": _ATTRIBUTES,
            "grid": _GRID,
            "search": _search_control(),
        }
        for name, section in sections.items():
            text = text.replace(f"{{{name}}}", section)
        cls.__doc__ = text
    return cls
