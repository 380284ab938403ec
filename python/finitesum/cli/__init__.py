"""The command line: ``finitesum info`` and ``finitesum demo``."""

import argparse
from collections.abc import Sequence

from finitesum.cli import demo, info


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        Exit status: 0 for success, 1 if the demo found a false certificate.
    """
    parser = argparse.ArgumentParser(
        prog="finitesum",
        description="Linear models by stochastic gradient methods, with certified optima.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (info, demo):
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
    status: int = arguments.run(arguments)
    return status
