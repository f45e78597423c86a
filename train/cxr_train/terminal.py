"""What a person sees while a command works; stdout is for its result."""

from __future__ import annotations

import sys
from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Told how many are done, and of how many."""
Say = Callable[[str], None]


def say(text: str) -> None:
    """Write a message to stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def say_nothing(_: str) -> None:
    """Stand in for `say` in all processes of a training but the first."""


def show_progress(what: str) -> Progress:
    """Return a progress that rewrites one line of a terminal; silent elsewhere."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() and (done % 50 == 0 or done == total):
            sys.stderr.write(f"\r{what} {done}/{total}" + ("\n" if done == total else ""))

    return show
