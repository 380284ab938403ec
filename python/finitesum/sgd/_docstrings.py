"""The parameters and attributes that both estimators share, written once."""

import inspect
from typing import TypeVar

Class = TypeVar("Class", bound=type)

_PARAMETERS = """\
penalty : {"l2", "l1", "elasticnet"} or None, default="l2"
    alpha ||w||^2 / 2, alpha ||w||_1, or both with shares 1 - l1_ratio and l1_ratio. Steps are
    proximal: exact zeros, and the same numbers for sparse and dense X.
alpha : float, default=0.0001
    Strength of the penalty; also sets the steps of ``learning_rate="optimal"``.
l1_ratio : float, default=0.15
    Share of L1 with ``penalty="elasticnet"``.
fit_intercept : bool, default=True
    Whether to fit an intercept, which is not penalized.
max_iter : int, default=1000
    Largest number of epochs.
tol : float or None, default=1e-3
    An epoch counts as no improvement if the objective (with validation rows: the score) has not
    improved on the best one by ``tol``; after ``n_iter_no_change`` of these the fit ends, or the
    steps are shortened. None: it runs to the end.
shuffle : bool or "iid", default=True
    True draws a new order for each epoch, False keeps the rows' own, "iid" draws rows
    independently.
verbose : int, default=0
    0 prints nothing; otherwise a progress bar, or plain lines if rich is not installed.
epsilon : float, default=0.1
    Threshold of the losses "huber", "epsilon_insensitive" and "squared_epsilon_insensitive".
random_state : int, RandomState instance or None, default=None
    Source of the seed. The same seed gives the same bits.
learning_rate : str, default="auto"
    The length eta of step t, counted from one:

    "auto" is {default_rate}, scikit-learn's default, for ``optimizer="sgd"`` and "constant" for all
    others, which find the lengths of coordinates themselves;

    "constant" eta0; "optimal" 1 / (alpha (t0 + t - 1)), scikit-learn's; "invscaling"
    eta0 / t^power_t; "inverse" eta0 / t; "inverse_square" eta0 / t^2, which warns, since its sum is
    finite; "exponential" eta0 exp(-decay (t - 1)), decay 1e-4;

    "bottou" beta / (gamma + t) of Bottou, Curtis and Nocedal's theorem 4.7, where beta is
    2 / alpha and gamma makes the first step 1 / L, L the smoothness of the steepest sample, or of
    the mean where a step takes all (for losses that are not smooth gamma must be given); "minimax"
    the constant radius / (gradient_bound sqrt(n_steps)) of Shalev-Shwartz and Ben-David's theorem
    14.8, to go with ``average=True``, radius and gradient_bound 1, n_steps those of ``max_iter``
    epochs;

    "adaptive" eta0, a fifth after ``n_iter_no_change`` epochs without improvement; "plateau" the
    same with ``factor`` (0.1) and ``patience``; "plateau_test" when the objectives of the last
    ``patience`` epochs are below those of the ``patience`` before by no more than twice the
    standard error; "halving" half of eta0 then, with an estimate of the optimum from the noise
    floors of the last two lengths; "fast_halving" half after each ln(3) / (eta alpha) steps, in
    which the distance to the floor falls to a third;

    "dog" (distance over gradients, Ivgi, Hinder and Carmon, ICML 2023) the largest norm of the
    coefficients so far over the root of the sum of the squared norms of the gradients, from a first
    step of 2 / L on, or of eta0 where the loss is not smooth: no number to choose. For
    ``optimizer="sgd"`` without L1; ``average="polynomial"`` goes with it.
eta0 : float or None, default=None
    The first step. None: 0.01 with ``optimizer="sgd"``, scikit-learn's default, else a step suited
    to the rule: 0.003 for Adam's kin and momentum, 0.01 for "adamax", 0.1 for "adagrad", and the
    rule's usual one for the others.
power_t : float, default={default_power}
    Exponent of "invscaling".
early_stopping : bool, default=False
    Hold out ``validation_fraction`` of the samples, judge each epoch by the score on them, and
    return the coefficients that scored best. So does ``validation_data`` given to `fit`.
validation_fraction : float, default=0.1
    Share of the samples held out.
n_iter_no_change : int, default=5
    Epochs without improvement to wait for.
warm_start : bool, default=False
    Start from the coefficients of the previous fit, if their shape (and the classes) are the same.
average : bool, int, str or (str, int), default=False
    What the result averages: True or "uniform" all iterates, an integer those from this step on;
    "weighted" in proportion to their number t, "polynomial" to t (t + 1) ... (t + 7), which counts
    the last eighth for 70 % (Shamir and Zhang, ICML 2013); "suffix" those since the last
    epoch whose number is a power of two. A pair names the epoch to begin after, too; in
    `partial_fit` epochs are as long as the first call's. Exact for sparse X.
optimizer : str, default="sgd"
    The rule that turns gradients into steps of length eta, coordinate by coordinate: "sgd" itself,
    those of :class:`finitesum.Optimizer`. L2 is part of the gradient
    (of "adamw": decoupled), L1 the prox in the rule's own metric, and coordinates that sparse rows
    do not touch move as if they had been there. An average of sparse rows, or a projection, then
    costs a pass over the columns per step, and so does L2 beside rules that divide by past
    gradients, "adagrad" among them (but not "adamw").
    "whitening" is descent in coordinates in which the columns have mean zero and variance one, by
    running estimates (Lafond, Vasilache, Bottou, 2017); X itself stays as it is, and sparse. It
    takes no projection.
optimizer_options : dict or None, default=None
    Hyper-parameters of the optimizer, such as ``{"momentum": 0.9}`` or ``{"beta1": 0.9}``.
    "rmsprop" and "rmsprop_centered" take ``"per_example": True`` as well: they average the mean of
    the squares of a batch's single gradients (a sample of weight s counts as s samples), larger
    than the square of their mean by the variance within the batch, which `clip` leaves out.
    Those of "whitening" are the ones that `MLPClassifier` names; here "averaging" is 0 (all samples
    alike), "interval" 1024 and "eps" 0.
batch_size : int or "auto", default="auto"
    Samples whose mean gradient makes a step. "auto" is 1, unless there are so few samples that an
    epoch of exact gradients takes no longer than the call around it: then every step takes all of
    them, and an epoch has as many steps as samples, so that weights are the same as repeated
    samples, and no order counts. With m the number of samples, or the sum of their weights if that
    is larger: where m^2 (64 + n_features) <= 2^18, unless ``shuffle="iid"``. In `partial_fit` the
    samples are those of the call.
clip : ("value", float), ("norm", float) or None, default=None
    Cut the entries of a step's gradient to [-limit, limit], or its Euclidean norm to the limit;
    the intercept's is one of them, the penalty's part is not.
projection : ("l2", float), ("l1", float) or None, default=None
    After each step put the coefficients back onto the ball of this norm and radius, at the point
    that is nearest in the metric of the step, so that fits end at the minimum over the ball
    whatever the optimizer. Not for "rprop", "irprop" and "quickprop", whose steps have no lengths
    per unit of gradient and so no such metric.
monitor : {"running", "objective"}, default="running"
    The objective of an epoch: the mean of the losses at the time of the draws, or, at the price of
    a pass, that of its last iterate.
schedule_options : dict or None, default=None
    Numbers of the schedules: ``"decay"``; ``"beta"``, ``"gamma"``; ``"radius"``,
    ``"gradient_bound"``, ``"n_steps"``; ``"factor"``, ``"patience"``.
callback : callable or None, default=None
    Called as ``callback(epoch)`` after each epoch with a dict of what ``history_`` holds. Returning
    True stops the fit, with the classes that come after; in `partial_fit` it changes nothing but
    ``stopping_``.
time_limit : float or None, default=None
    Seconds after which the fit stops with what it has."""

_ATTRIBUTES = """\
n_iter_ : int
    Epochs run, of the output that took most.
t_ : float
    One more than the steps made.
stopping_ : str or ndarray of shape (n_outputs,)
    What ended the fit: "tol", "max_iter", "no progress" (no step is short enough), "time_limit",
    "interrupted" or "callback".
history_ : dict of ndarray
    One entry per epoch: ``epoch``, ``seconds``, ``loss``, ``objective``, ``score`` (NaN without
    validation rows), ``step_size``, ``nonzeros``, ``restarts`` and, with several outputs,
    ``output``. A restart is an epoch that begins again from the best epoch's iterate with half the
    step, as its end is no number, exceeds ten times the objective of zero coefficients, or exceeds
    twice that without having come lower for five epochs. Losses that are zero without a model know
    no such scale, and a start or later samples may stand higher.
optimum_estimate_ : (float, float), None, or a list of these per output
    With ``learning_rate="halving"``: the minimum of the objective as extrapolated from the noise
    floors at two step lengths, 2 F(eta/2) - F(eta), and its standard error.
n_features_in_ : int
    Number of features seen during fit.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, where X has string names for all of them."""


def with_shared_sections(cls: Class) -> Class:
    """Fill ``{parameters}`` and ``{attributes}`` in a docstring with the shared sections."""
    if cls.__doc__ is not None:  # stripped under python -OO
        is_classifier = "Classifier" in cls.__name__
        parameters = _PARAMETERS.replace(
            "{default_rate}", '"optimal"' if is_classifier else '"invscaling"'
        ).replace("{default_power}", "0.5" if is_classifier else "0.25")
        text = inspect.cleandoc(cls.__doc__).replace("{parameters}", parameters)
        cls.__doc__ = text.replace("{attributes}", _ATTRIBUTES)
    return cls
