"""The options of a schedule, of clipping, of projection and of averages in the core's terms."""

import math
from numbers import Integral, Real
from typing import Any

from finitesum import _core

# What schedule_options may hold, by learning_rate.
SCHEDULE_OPTIONS = {
    "exponential": ("decay",),
    "bottou": ("beta", "gamma"),
    "minimax": ("radius", "gradient_bound", "n_steps"),
    "plateau": ("factor", "patience"),
    "plateau_test": ("factor", "patience"),
    "halving": ("patience",),
}

# Rules that take per_example beside their own options.
AVERAGE_SQUARES = ("rmsprop", "rmsprop_centered")

# Constant steps for linear models where they are not the rule's usual ones: between what is best
# after one pass over a9a (14 entries of one per row) and news20 (rows of norm one).
_RATES = {
    "momentum": 0.003,
    "nesterov": 0.003,
    "adagrad": 0.1,
    "adam": 0.003,
    "adamw": 0.003,
    "adamax": 0.01,
    "nadam": 0.003,
    "amsgrad": 0.003,
}

AVERAGES = ("uniform", "weighted", "suffix", "polynomial")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def schedule_options(learning_rate: str, given: dict[str, Any] | None) -> dict[str, Any]:
    """Check the options of a schedule.

    Parameters
    ----------
    learning_rate : str
        The schedule.
    given : dict or None
        What is set for it.

    Returns
    -------
    dict
        The options.

    Raises
    ------
    ValueError
        If the schedule has no such option, or the value is out of range.
    """
    known = SCHEDULE_OPTIONS.get(learning_rate, ())
    for name, value in (given or {}).items():
        if name not in known:
            raise ValueError(
                f"learning_rate={learning_rate!r} has no option {name!r} in schedule_options; "
                f"it has: {', '.join(known) or 'none'}"
            )
        must = None
        if name == "patience":
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                must = "an integer in the range [1, inf)"
        elif not _is_number(value) or value < 0 or (value == 0 and name != "gamma"):
            must = "a number in the range " + ("[0, inf)" if name == "gamma" else "(0, inf)")
        elif name == "factor" and value >= 1:
            must = "a number in the range (0, 1)"
        if must is not None:
            raise ValueError(f"schedule_options: {name!r} must be {must}, got {value!r}")
    return dict(given or {})


def optimizer_options(optimizer: str, given: dict[str, Any] | None) -> dict[str, Any]:
    """Check the hyper-parameters of an optimizer.

    Parameters
    ----------
    optimizer : str
        The rule.
    given : dict or None
        What is set for it.

    Returns
    -------
    dict
        The hyper-parameters, numbers as floats.

    Raises
    ------
    ValueError
        If the rule has no such parameter, or the value is out of range.
    """
    options = {
        name: float(value) if isinstance(value, Real) and not isinstance(value, bool) else value
        for name, value in (given or {}).items()
    }
    try:
        _core.check_optimizer(optimizer, options)
    except (TypeError, ValueError) as error:
        message = str(error) if isinstance(error, ValueError) else f"got {given!r}"
        raise ValueError(f"optimizer_options: {message}") from None
    return options


def usual_rate(optimizer: str) -> float:
    """Give eta0 where it is not given.

    Parameters
    ----------
    optimizer : str
        The rule.

    Returns
    -------
    float
        The constant step, or the first one.
    """
    return float(_RATES.get(optimizer, _core.optimizer_defaults(optimizer)["learning_rate"]))


def per_example_option(
    optimizer: str, given: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, bool]:
    """Take ``per_example`` out of an optimizer's options: it asks for a batch's single gradients.

    Parameters
    ----------
    optimizer : str
        The rule.
    given : dict or None
        What is set for it.

    Returns
    -------
    (dict or None, bool)
        The other options, and whether squares of gradients are those of single samples.

    Raises
    ------
    ValueError
        If it is not a bool.
    """
    if not given or "per_example" not in given or optimizer not in AVERAGE_SQUARES:
        return given, False
    per_example = given["per_example"]
    if not isinstance(per_example, bool):
        raise ValueError(
            f"optimizer_options: per_example must be True or False, got {per_example!r}"
        )
    return {name: value for name, value in given.items() if name != "per_example"}, per_example


def limited(name: str, given: Any, kinds: tuple[str, ...]) -> tuple[str, float]:
    """Check a pair of a kind and a positive limit, as ``clip`` and ``projection`` are.

    Parameters
    ----------
    name : str
        The parameter.
    given : (str, float) or None
        Its value.
    kinds : tuple of str
        What it may name.

    Returns
    -------
    (str, float)
        The pair, ("none", 1.0) for None.

    Raises
    ------
    ValueError
        If it is no such pair.
    """
    if given is None:
        return "none", 1.0
    is_pair = isinstance(given, tuple | list) and len(given) == 2
    if is_pair and given[0] in kinds and _is_number(given[1]) and given[1] > 0:
        return given[0], float(given[1])
    choices = " or ".join(f"({kind!r}, limit)" for kind in kinds)
    raise ValueError(
        f"{name} must be None or {choices} with a limit in the range (0, inf), got {given!r}"
    )


def averaging(given: Any, steps_per_epoch: float) -> tuple[str, float]:
    """Give the kind of an average and the step that it begins with.

    Parameters
    ----------
    given : bool, int, str or (str, int)
        As the estimators take it.
    steps_per_epoch : float
        Number of steps of an epoch.

    Returns
    -------
    (str, float)
        The kind, and the first step, counted from one.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    kind, start = given, 1.0
    if isinstance(given, bool):
        kind = "uniform" if given else "none"
    elif isinstance(given, Integral) and int(given) > 0:
        kind, start = "uniform", float(given)
    elif isinstance(given, tuple | list) and len(given) == 2:
        kind, epoch = given
        if isinstance(epoch, Integral) and not isinstance(epoch, bool) and int(epoch) >= 0:
            start = 1.0 + float(epoch) * steps_per_epoch
        else:
            kind = None
    if kind in ("none", *AVERAGES) and given != "none":
        return kind, start
    raise ValueError(
        f"average must be a bool, a positive integer, one of {', '.join(AVERAGES)}, or such a "
        f"name and the epoch to begin with, got {given!r}"
    )


def learning_rates() -> set[str]:
    """Name the schedules."""
    return set(_core.learning_rate_names())
