"""Pressing Ctrl-C while something runs, without hitting what runs afterwards."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

needs_ctrl_c = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to this process")


@contextmanager
def ctrl_c() -> Iterator[Callable[[float], None]]:
    """Give a function that presses Ctrl-C so many seconds from its call, but never after the block.

    A press that comes too late would otherwise end pytest itself.
    """
    armed = True
    timers: list[threading.Timer] = []

    def handle(number: int, frame: Any) -> None:
        if armed:
            signal.default_int_handler(number, frame)

    def press(after: float) -> None:
        assert armed, "Ctrl-C must not be pressed after its block"
        timers.append(threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)))
        timers[-1].start()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield press
    finally:
        armed = False
        for timer in timers:
            timer.cancel()
            timer.join()
        signal.signal(signal.SIGINT, before)  # pending signals are handled first


def ends_early(call: Callable[[], object]) -> bool:
    """Tell whether Ctrl-C ends `call` long before its time, in one of five trials."""
    started = time.perf_counter()
    call()
    whole = time.perf_counter() - started
    for _ in range(5):
        started = time.perf_counter()
        with ctrl_c() as press, suppress(KeyboardInterrupt):
            press(0.1 * whole)
            call()
        if time.perf_counter() - started < 0.6 * whole:
            return True
    return False


def stopped_at_the_start(
    fit: Callable[..., dict[str, Any]], *args: Any, **options: Any
) -> dict[str, Any]:
    """Give the result of a core fit stopped by Ctrl-C before its first epoch.

    How long that takes depends on the machine, so shorter and shorter delays are tried.
    """
    for after in (0.1, 0.05, 0.02, 0.01, 0.005, 0.002):
        with ctrl_c() as press:
            try:
                press(after)
                result = fit(*args, **options)
            except KeyboardInterrupt:  # before the core began or after it was done
                continue
        if result["state"].size == 0:  # the solver has not begun
            return result
    pytest.fail("no Ctrl-C was heard before the first epoch")
