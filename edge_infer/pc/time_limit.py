"""A limit for native code that nobody can stop: it is left behind in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def within(limit_s: float, act: Callable[[], T]) -> T:
    """Return what `act()` returns, or raise what it raises; TimeoutError after `limit_s` seconds.

    What has not ended by then goes on until the process ends; it must let go of Python's lock.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(act())
        except BaseException as error:  # noqa: BLE001 - raised by the caller's thread
            raised.append(error)

    thread = Thread(target=run, name="within a limit", daemon=True)
    thread.start()
    thread.join(limit_s)
    if raised:
        raise raised[0]
    if not returned:
        raise TimeoutError(f"no end after {limit_s:g} seconds")
    return returned[0]
