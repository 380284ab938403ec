"""``finitesum info``: what is installed and what it runs on."""

import argparse
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import finitesum
from finitesum import _core

_DEPENDENCIES = ("numpy", "scipy", "scikit-learn", "matplotlib", "rich")


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("info", help="versions, instruction sets and threads")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print one line per fact.

    Returns
    -------
    int
        Exit status, always 0.
    """
    facts = {
        "finitesum": finitesum.__version__,
        "core": f"{_core.version()}, {_core.compiler()}",
        "instruction set": f"{_core.isa()} (available: {', '.join(_core.available_isas())})",
        "threads": f"{_core.available_threads()} (of {os.cpu_count()} processors)",
        "losses": ", ".join(_core.loss_names()),
        "penalties": ", ".join(_core.penalty_names()),
        "solvers": ", ".join(_core.solver_names()),
        "python": f"{platform.python_version()}, {platform.platform()}",
        **{name: _installed(name) for name in _DEPENDENCIES},
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    return 0


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
