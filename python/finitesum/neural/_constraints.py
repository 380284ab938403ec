"""What values the parameters of both estimators may have, as scikit-learn checks them."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from finitesum import _core
from finitesum.neural._architecture import ACTIVATIONS

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "optimizer": [StrOptions({*_core.optimizer_names(), "whitening"}), None],
    "optimizer_options": [dict, None],
    "schedule": [callable, None],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "clip": [tuple, list, None],
    "batch_norm": ["boolean", list, tuple],
    "bn_position": [StrOptions({"pre", "post"})],
    "warmup_bn_epochs": [Interval(Integral, 0, None, closed="left")],
    "bn_stats": [StrOptions({"running", "population"})],
    "dropout": [Real, list, tuple],
    "drop_connect": [Real, list, tuple],
    "input_dropout": [Real],
    "input_noise": [Interval(Real, 0, None, closed="left")],
    "layers": [list, tuple, None],
    "input_shape": [list, tuple, None],
    "max_norm": [Interval(Real, 0, None, closed="neither"), None],
    "weight_init": [str, Real],
    "augment": [callable, None],
    "callbacks": [callable, list, tuple, None],
    "monitor": [StrOptions({"val_score", "val_loss"})],
    "restore_best": ["boolean"],
    "dtype": [StrOptions({"float32", "float64"}), type, np.dtype, None],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
}
