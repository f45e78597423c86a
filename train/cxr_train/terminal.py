"""What a person sees while a command works; stdout is for its result.

One line says what is going on, from the outermost task to the innermost: "cell 3 of 6, 4 min left,
training: epoch 2 of 6, ...". On a terminal it changes in place; elsewhere it is printed now and
then, more and more seldom; to a command that started this one it is handed on (`SHOWN_BY_PARENT`).
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

Progress = Callable[[int, int], None]
"""Told how many are done, and of how many."""
Say = Callable[[str], None]
SHOWN_BY_PARENT = "CXR_PROGRESS_TO_PARENT"
"""Set in the environment of a process whose stderr another of our commands reads."""
TO_PARENT = "\x02"
"""Begins a line of stderr that is the present state for the parent, not a message."""
_FIRST_PLAIN_S, _MOST_PLAIN_S = 4.0, 60.0
_TICK_S = 0.5
_FRAMES = "|/-\\"


def say(text: str) -> None:
    """Write a message to stderr, above the line that changes."""
    _line.say(text)


def say_nothing(_: str) -> None:
    """Stand in for `say` in all processes of a training but the first."""


class Task:
    """Something that takes a while; `at` says how far it is."""

    def __init__(self, what: str, *, only_live: bool = False) -> None:
        self.only_live = only_live
        self._what, self._detail = what, ""
        self._done = self._total = self._begun = 0
        self._began = time.monotonic()

    def at(self, done: int, total: int, detail: str = "") -> None:
        """Say that `done` of `total` are done, and in `detail` what else is worth a look."""
        self._done, self._total, self._detail = done, total, detail
        self._begun = done

    def on(self, number: int, total: int, detail: str = "") -> None:
        """Say that one of `total` is worked on, the `number`-th, from 1."""
        self.at(number - 1, total, detail)
        self._begun = number

    def note(self, detail: str) -> None:
        """Say what is worth a look, where nothing is counted."""
        self._detail = detail

    def __str__(self) -> str:
        counted = f" {self._begun} of {self._total}" if self._total else ""
        spent = time.monotonic() - self._began
        unknown = self._done == 0 and spent >= _FIRST_PLAIN_S
        left = f"{in_words(spent)} so far" if unknown else ""
        if 0 < self._done < self._total:
            left = f"{in_words(spent / self._done * (self._total - self._done))} left"
        return ", ".join(filter(None, (f"{self._what}{counted}", left, self._detail)))


@contextmanager
def starting() -> Iterator[None]:
    """Show, to those who watch a terminal only, that a command loads its libraries."""
    with working("starting", only_live=True):
        yield


@contextmanager
def working(what: str, *, only_live: bool = False) -> Iterator[Task]:
    """Show `what` as long as the block runs; within another such block, behind it.

    `only_live`: never as a printed line, so that an error which comes first stands alone.
    """
    task = Task(what, only_live=only_live)
    _line.push(task)
    try:
        yield task
    finally:
        _line.pop(task)


@contextmanager
def leave_quickly() -> Iterator[None]:
    """Let the process end without Python's last search for what is no longer used.

    After an export that took 2.5 s of a core for what torch leaves, with nothing on the screen.
    """
    try:
        yield
    finally:
        gc.freeze()


def in_words(seconds: float) -> str:
    """Return a length of time as a person says it: `20 s`, `4 min`, `2 h 10 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class _Line:
    """The one line of this process."""

    def __init__(self) -> None:
        self._tasks: list[Task] = []
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._ended = threading.Event()
        self._spoken = time.monotonic()

    def __str__(self) -> str:
        with self._lock:
            return ": ".join(map(str, self._tasks))

    def __rich__(self) -> Text:
        from rich.text import Text

        frame = _FRAMES[int(time.monotonic() * 4) % len(_FRAMES)]
        return Text(f"{frame} {self}", no_wrap=True, overflow="ellipsis")

    def say(self, text: str) -> None:
        with self._lock:
            self._spoken = time.monotonic()
            if self._live is not None:
                self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                print(text, file=sys.stderr, flush=True)  # noqa: T201

    def push(self, task: Task) -> None:
        with self._lock:
            self._tasks.append(task)
            if len(self._tasks) == 1 and os.environ.get("RANK", "0") == "0":
                self._begin()

    def pop(self, task: Task) -> None:
        with self._lock:
            self._tasks.remove(task)
            if self._tasks:
                return
            live, self._live = self._live, None
            self._ended.set()
        if live is not None:
            live.stop()

    def _begin(self) -> None:
        self._ended, self._spoken = threading.Event(), time.monotonic()
        if SHOWN_BY_PARENT in os.environ:
            self._run(self._hand_on)
        elif sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                get_renderable=lambda: self,
                console=Console(stderr=True),
                refresh_per_second=4,
                transient=True,
                # Output stays where it is sent: a result on stdout is often piped.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        else:
            self._run(self._print_seldom)

    def _run(self, show: Callable[[threading.Event], None]) -> None:
        threading.Thread(target=show, args=(self._ended,), daemon=True).start()

    def _hand_on(self, ended: threading.Event) -> None:
        while not ended.wait(_TICK_S):
            with suppress(OSError, ValueError):
                print(f"{TO_PARENT}{self}", file=sys.stderr, flush=True)  # noqa: T201

    def _print_seldom(self, ended: threading.Event) -> None:
        """Print the line after some seconds without a message, each time after more of them."""
        pause = _FIRST_PLAIN_S
        while not ended.wait(_TICK_S):
            shown = not any(task.only_live for task in list(self._tasks))
            if shown and time.monotonic() - self._spoken >= pause:
                pause = min(2 * pause, _MOST_PLAIN_S)
                with suppress(OSError, ValueError):
                    self.say(f"... {self}")


_line = _Line()
