"""The parameters and attributes that both estimators share, written once."""

import inspect
from typing import TypeVar

Class = TypeVar("Class", bound=type)

_PARAMETERS = """\
hidden_layer_sizes : int or array-like of int, default=(100,)
    Units of each hidden layer.
activation : {"identity", "logistic", "tanh", "relu", "softplus"}, default="relu"
    What follows each hidden layer.
solver : {"lbfgs", "sgd", "adam"}, default="adam"
    "sgd" is descent with momentum, "lbfgs" full batches by SciPy, without epochs and what concerns
    them (``augment``, ``callbacks``, ``clip``, ``schedule``, validation rows). See ``optimizer``.
alpha : float, default=0.0001
    Strength of the penalty. As in scikit-learn a step takes alpha over the sum of its batch's
    weights. Biases and batch normalization's parameters are not penalized.
batch_size : int or "auto", default="auto"
    Samples per step; "auto" is min(200, n_samples). A last batch of one sample joins the one
    before.
learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
    With ``solver="sgd"`` or an ``optimizer``: constant; learning_rate_init / (t + 1)^power_t after
    t samples; or a fifth after ``n_iter_no_change`` epochs without improvement.
learning_rate_init : float, default=0.001
    First learning rate.
power_t : float, default=0.5
    Exponent of "invscaling".
max_iter : int, default=200
    Largest number of epochs.
shuffle : bool, default=True
    Whether each epoch has an order of its own.
random_state : int, RandomState instance or None, default=None
    Source of the seed. The same seed gives the same bits with ``n_threads=1``.
tol : float, default=1e-4
    An epoch counts as no improvement if loss or score has not improved on the best by ``tol``.
verbose : bool or int, default=False
    Whether to show progress.
warm_start : bool, default=False
    Whether a fit goes on where the last one has ended, optimizer and random numbers included: two
    fits of five epochs are one of ten, to the bit.
momentum : float, default=0.9
    Of ``solver="sgd"``, in [0, 1).
nesterovs_momentum : bool, default=True
    Whether that momentum is Nesterov's.
early_stopping : bool, default=False
    Whether ``validation_fraction`` of the samples is held out and judges the epochs. As in
    scikit-learn "lbfgs" takes no notice.
validation_fraction : float, default=0.1
    Share that is held out.
beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
    Of ``solver="adam"``.
n_iter_no_change : int, default=10
    Epochs without improvement after which the fit ends.
max_fun : int, default=15000
    Evaluations at most with "lbfgs".
optimizer : str or None, default=None
    A rule of :class:`finitesum.Optimizer` in place of ``solver``. With "adamw" the L2 part is
    decoupled: a step of length r multiplies weights by 1 - r alpha (1 - l1_ratio). "whitening" is
    descent in whitened coordinates of each layer [4]_, for all but ``drop_connect``, "shakeout" and
    "whiteout", and without ``clip``; a good ``learning_rate_init`` is of the order of 0.1.
optimizer_options : dict or None, default=None
    Its hyper-parameters. Of "whitening": "momentum" (0), "whiten" (True; False leaves steps per
    layer, proportional to 1 / sqrt(share * fan-in)), "averaging" (0.05, least share of a batch in
    the running means and variances), "interval" (64, steps after which the coordinates follow
    them), "eps" (0.01, least variance of an input in mean variances of its layer), "normalize"
    ("none", "layer" or "network": whether a step is divided by sqrt(damping + R), R the running
    average of the squared gradients in the new coordinates), "smoothing" (0.05, least share of a
    batch in R) and "damping" (1e-8).
schedule : callable or None, default=None
    ``schedule(k)`` is the learning rate of step k = 1, 2, ..., in place of ``learning_rate``.
l1_ratio : float, default=0.0
    Share rho of L1 in alpha [(1 - rho)/2 ||w||^2 + rho ||w||_1]; its steps are proximal and set
    weights to zero.
clip : ("value", float), ("norm", float) or None, default=None
    Cut the entries of a step's gradient to [-limit, limit], or its Euclidean norm to the limit.
batch_norm : bool or sequence of bool, default=False
    Whether hidden layers, all or each, are batch normalized [1]_.
bn_position : {"pre", "post"}, default="pre"
    Before the activation, where it takes the place of the biases, or behind it.
bn_stats : {"running", "population"}, default="running"
    Predictions normalize by running averages of the batches' statistics, or by those of the final
    network, from another pass over the training data ([1]_, Algorithm 2).
warmup_bn_epochs : int, default=0
    Epochs, counted over all fits that go on, in which a batch normalization follows each "dense"
    and "conv2d" layer but the last. It is folded into their weights thereafter, and training goes
    on without. For networks with no ``batch_norm`` of their own.
dropout : float or sequence of float, default=0.0
    Probability to drop a unit of a hidden layer in training; what is kept is divided by
    1 - dropout [2]_.
drop_connect : float or sequence of float, default=0.0
    Probability to drop a weight into a hidden layer, drawn once per batch; not in the first layer
    with sparse X. Predictions take the mean weights [3]_.
input_dropout : float, default=0.0
    Likewise of the inputs. Of sparse X only stored entries are drawn: the others are zero anyway.
input_noise : float, default=0.0
    Standard deviation of normal noise added to the inputs in training; not with sparse X.
max_norm : float or None, default=None
    Largest Euclidean norm of the weights into a hidden unit.
layers : sequence or None, default=None
    Layers in place of ``hidden_layer_sizes`` and all that shapes it, which is refused beside them;
    a dense layer with an output per class or target follows. Each is a name or a pair of a name and
    a dict of numbers: "dense", "shakeout" (rate, c) and "whiteout" (sigma, gamma, lambda), which
    are experimental, "drop_connect" (rate), each with n_outputs, bias and max_norm; "conv2d"
    (n_outputs, kernel_size, stride, padding, bias); "max_pool2d" (size, stride); "recurrent"
    (n_outputs, n_steps, zoneout); "batch_norm" (momentum, eps, relu); "dropout" (rate);
    "gaussian_noise" (deviation); "relu", "tanh", "sigmoid", "softplus", "identity".
input_shape : (channels, height, width) or None, default=None
    What a row of X is for "conv2d" and "max_pool2d".
weight_init : str, default="auto"
    "auto" is scikit-learn's, else "lecun", "xavier" or "he" with "_normal" or "_uniform", and
    biases of zero. Zero weights are refused: equal units would stay equal.
augment : callable or None, default=None
    ``augment(X, random)`` gives the batch that is learned in place of X, whose labels it keeps;
    ``random`` is a `numpy.random.Generator`.
callbacks : callable, sequence of callables or None, default=None
    Called with a dict of what ``history_`` holds after each epoch. Returning True ends the fit.
monitor : {"val_score", "val_loss"}, default="val_score"
    What is to improve on held-out rows. A fit that goes on but is judged by something else has no
    best epoch yet.
restore_best : bool, default=True
    Whether the best epoch on held-out rows is what remains.
dtype : {"float32", "float64"} or None, default=None
    Type of all computations. None takes that of X, as scikit-learn does; "float32" takes half of
    the time.
n_threads : int or None, default=None
    Threads of a fit, those of BLAS included; None leaves both to their own. Short steps are often
    faster on one."""

_ATTRIBUTES = """\
coefs_ : list of ndarray
    Weights of each layer, (units before, units behind).
intercepts_ : list of ndarray
    Biases of each layer; zeros where batch normalization stands in their place.
loss_ : float
    Loss of the last epoch: the mean over its batches, each at its step's weights, and the penalty
    at its end. With "lbfgs" the objective.
loss_curve_ : list of float
    That of all epochs. "lbfgs", without epochs, has only ``loss_``, ``n_iter_`` and ``t_``.
validation_scores_ : list of float or None
    Scores on held-out rows.
best_validation_score_ : float or None
    Their maximum.
best_loss_ : float or None
    Minimum of ``loss_curve_`` where nothing is held out.
history_ : dict of ndarray
    One entry per epoch: ``epoch``, ``seconds``, ``loss``, ``learning_rate`` and, with held-out
    rows, ``val_score`` and ``val_loss``.
n_iter_ : int
    Epochs of this fit.
t_ : int
    Samples seen in epochs.
stopping_ : str
    What ended the fit: "tol", "max_iter", "callback" or "interrupted".
n_layers_ : int
    Number of layers, input and output included.
n_outputs_ : int
    Number of outputs.
out_activation_ : str
    What follows the last layer.
n_features_in_ : int
    Number of features seen during fit.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, where X has string names for all of them."""

_REFERENCES = """\
.. [1] Ioffe, Szegedy, Batch normalization, ICML 2015.
.. [2] Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, Dropout, JMLR 15 (2014).
.. [3] Wan, Zeiler, Zhang, LeCun, Fergus, DropConnect, ICML 2013.
.. [4] Lafond, Vasilache, Bottou, Diagonal rescaling for neural networks, 2017."""


def with_shared_sections(cls: Class) -> Class:
    """Fill the shared sections into a docstring."""
    if cls.__doc__ is not None:  # stripped under python -OO
        text = inspect.cleandoc(cls.__doc__).replace("{parameters}", _PARAMETERS)
        text = text.replace("{attributes}", _ATTRIBUTES)
        cls.__doc__ = text.replace("{references}", _REFERENCES)
    return cls
