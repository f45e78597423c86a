"""What a person sees on the terminal: the progress line and, at the end, the result."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import typer

if TYPE_CHECKING:
    from edge_infer.worklist.rows import ScreenedDay

_TOP = 5
"""Films named in the summary; the rest are in the list."""
_REDRAW_S = 0.2
_LINE_EVERY_S = 60.0


class Progress:
    """One line on the terminal that says how far and how long; silent where nobody watches."""

    def __init__(self, total: int, *, is_shown: bool) -> None:
        self._total, self._is_shown = total, is_shown
        self._done, self._width = 0, 0
        self._start = self._drawn = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Clear the line, for the result or the error that comes next."""
        self.say("")
        self.say("\r")

    def expect(self, total: int) -> None:
        """Say how many films there are to look at."""
        self._total, self._done = total, 0

    def say(self, text: str) -> None:
        if self._is_shown:
            # Padded instead of erased: older Windows consoles print escape sequences as text.
            typer.echo(f"\r{text:{self._width}}", err=True, nl=False)
            self._width = len(text)

    def advance(self) -> None:
        now = time.monotonic()
        if self._done == 0:
            self._start = now  # the first film pays for starting the workers
        self._done += 1
        if now - self._drawn < _REDRAW_S or self._done < 2:
            return
        self._drawn = now
        left = (now - self._start) / (self._done - 1) * (self._total - self._done)
        self.say(f"{self._done} of {self._total} films, about {_in_words(left)} left")


class WatchLine:
    """What a watch says: on a terminal one line that changes, elsewhere a line a minute."""

    def __init__(self, line: Progress, *, is_quiet: bool) -> None:
        self._line, self._is_quiet, self._said = line, is_quiet, -_LINE_EVERY_S

    def say(self, text: str) -> None:
        self._line.say(printable(text))
        now = time.monotonic()
        if not self._is_quiet and not sys.stderr.isatty() and now - self._said >= _LINE_EVERY_S:
            self._said = now
            typer.echo(printable(text), err=True)

    def warn(self, text: str) -> None:
        """Say a trouble where the line that has it is not shown."""
        if self._is_quiet:
            typer.echo(f"cxr-infer: {printable(text)}", err=True)


def summarise(day: ScreenedDay, folder: Path, csv: Path) -> list[str]:
    """Return the lines of the result; paths, as in the list, but never who a film is of."""
    from edge_infer.worklist.lists import PAGE_NAME
    from edge_infer.worklist.rows import (
        MOST_ARCHIVES,
        Decision,
        count_decisions,
        count_reasons,
    )

    counts = count_decisions(day.rows)
    screened = len(day.rows) - counts[None]
    lines = [f"{screened} of {day.n_files} screened with {day.card.name} {day.card.version}."]
    if day.is_gate_off:
        lines.append("--no-gate: pictures that are no frontal chest film have scores too.")
    if day.site is not None:
        lines.append(
            f"TB threshold {day.site.threshold:.1f} of {day.site.site_id} ({day.site.created})."
        )
    for decision, count in counts.items():
        lines.append(f"  {decision or 'not screened':13}{count:6}")
        if decision is None:
            reasons = count_reasons(day.rows).items()
            lines += [f"    {code.replace('_', ' '):17}{number:6}" for code, number in reasons]
    referred = [row for row in day.rows if row.decision is Decision.REFER_TB]
    if referred:
        lines.append("First in line, by TB score:")
    for row in referred[:_TOP]:
        assert row.finding is not None, "a referred film has a finding"
        lines.append(f"  {row.finding.tb_score:>5}  {printable(row.path)}")
    drift = day.drift
    if drift is not None and drift.is_shifted:
        lines.append(drift.sentence)
    if day.archives:
        lines.append(f"Packed files not looked into ({len(day.archives)}), unpack them first:")
        lines += [f"  {printable(name)}" for name in day.archives[:MOST_ARCHIVES]]
        lines += ["  ..."] if len(day.archives) > MOST_ARCHIVES else []
    return [
        *lines,
        f"List: {csv}",
        f"Page: {folder / PAGE_NAME}",
        "Research use only: not a diagnosis.",
    ]


def print_any_name() -> None:
    """Let stdout and stderr print names that their encoding lacks, with `?` for what is missing."""
    for stream in (sys.stdout, sys.stderr):
        # A Windows code page lacks most of the world's file names; `?` is better than a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def printable(text: str) -> str:
    """Replace what could command a terminal; file names may hold escape sequences."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _in_words(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
