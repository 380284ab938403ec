"""What ``verbose`` shows: a progress bar if rich is installed, plain lines otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[dict[str, float]], None]


@contextmanager
def open_progress(verbose: int, max_iter: int, n_outputs: int) -> Iterator[Show | None]:
    """Open the display of a fit and close it with the fit.

    Parameters
    ----------
    verbose : int
        0 shows nothing.
    max_iter : int
        Epochs at most, per output.
    n_outputs : int
        Number of problems solved one after the other.

    Yields
    ------
    callable or None
        Shows one check of the stop rule.
    """
    if not verbose:
        yield None
        return
    try:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )
    except ImportError:
        yield _print_line
        return

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("epochs", total=max_iter, state="")

        def show(check: dict[str, float]) -> None:
            output = int(check.get("output", 0))
            name = f"output {output + 1}/{n_outputs}, epochs" if n_outputs > 1 else "epochs"
            state = f"objective {check['objective']:.6g}{_gap(check, ', ')}"
            bar.update(task, completed=check["epoch"], description=name, state=state)

        yield show


def _print_line(check: dict[str, float]) -> None:
    output = f"output {int(check['output'])}  " if "output" in check else ""
    print(
        f"{output}epoch {int(check['epoch']):5d}  {check['seconds']:8.3f} s  "
        f"objective {check['objective']:.8g}{_gap(check, '  ')}",
        flush=True,
    )


def _gap(check: dict[str, float], separator: str) -> str:
    return f"{separator}gap {check['gap']:.2e}" if "gap" in check else ""
