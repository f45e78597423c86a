"""What a person sees on the terminal: the progress line and, at the end, the result."""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

import typer

from edge_infer.pc.language import Lang

if TYPE_CHECKING:
    from edge_infer.worklist.rows import ScreenedDay

_TOP = 5
"""Films named in the summary; the rest are in the list."""
_LABEL_WIDTH, _REASON_WIDTH = 18, 34
"""Of the counts' names, in a terminal's cells."""
_REDRAW_S = 0.2
_LINE_EVERY_S = 60.0


class Progress:
    """One line on the terminal that says how far and how long; silent where nobody watches."""

    def __init__(self, total: int, *, is_shown: bool, lang: Lang = Lang.EN) -> None:
        self._total, self._is_shown, self._lang = total, is_shown, lang
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
        """Show a line of English in the language of this terminal, over the one before."""
        if self._is_shown:
            text = say_parts(text, self._lang)
            # Padded instead of erased: older Windows consoles print escape sequences as text.
            typer.echo(f"\r{text}{' ' * (self._width - _cells(text))}", err=True, nl=False)
            self._width = _cells(text)

    def advance(self) -> None:
        now = time.monotonic()
        if self._done == 0:
            self._start = now  # the first film pays for starting the workers
        self._done += 1
        if now - self._drawn < _REDRAW_S or self._done < 2:
            return
        self._drawn = now
        left = (now - self._start) / (self._done - 1) * (self._total - self._done)
        done, total = self._done, self._total
        if left >= 90:
            self.say(f"{done} of {total} films, about {left / 60:.0f} min left")
        else:
            self.say(f"{done} of {total} films, about {left:.0f} s left")


class WatchLine:
    """What a watch says: on a terminal one line that changes, elsewhere a line a minute."""

    def __init__(self, line: Progress, *, is_quiet: bool, lang: Lang = Lang.EN) -> None:
        self._line, self._is_quiet, self._lang = line, is_quiet, lang
        self._said = -_LINE_EVERY_S

    def say(self, text: str) -> None:
        self._line.say(printable(text))
        now = time.monotonic()
        if not self._is_quiet and not sys.stderr.isatty() and now - self._said >= _LINE_EVERY_S:
            self._said = now
            typer.echo(printable(say_parts(text, self._lang)), err=True)

    def warn(self, text: str) -> None:
        """Say a trouble where the line that has it is not shown."""
        if self._is_quiet:
            typer.echo(f"cxr-infer: {printable(say_parts(text, self._lang))}", err=True)


def speaker(lang: Lang) -> Callable[[str], str]:
    """Return what says an English sentence in `lang`; what is not in the catalogue stays as it is.

    In English nothing is loaded for it: `--help` and a usage error answer at once.
    """
    if lang is Lang.EN:
        return lambda sentence: sentence
    from edge_infer.words.sentences import translate

    return lambda sentence: translate(sentence, lang) or sentence


def say_parts(text: str, lang: Lang) -> str:
    """Say a line that may be several sentences, `; ` between them."""
    return "; ".join(map(speaker(lang), text.split("; ")))


def summarise(day: ScreenedDay, folder: Path, csv: Path) -> list[str]:
    """Return the lines of the result; paths, as in the list, but never who a film is of.

    They count examinations and films as the page's tiles do.
    """
    from edge_infer.worklist.lists import PAGE_NAME
    from edge_infer.worklist.rows import MOST_ARCHIVES, Decision

    say = speaker(day.lang)
    screened = sum(row.finding is not None for row in day.rows)
    lines = [say(f"{screened} of {day.n_files} screened with {day.card.name} {day.card.version}.")]
    if day.is_gate_off:
        lines.append(say("--no-gate: pictures that are no frontal chest film have scores too."))
    if day.site is not None:
        site = day.site
        lines.append(say(f"TB threshold {site.threshold:.1f} of {site.site_id} ({site.created})."))
    lines += [say("Examinations, each in the group of its most urgent film:"), *_count_lines(day)]
    referred = [row for row in day.rows if row.decision is Decision.REFER_TB]
    if referred:
        lines.append(say("First in line, by TB score:"))
    for row in referred[:_TOP]:
        assert row.finding is not None, "a referred film has a finding"
        lines.append(f"  {row.finding.tb_score:>5}  {printable(row.path)}")
    drift = day.drift
    if drift is not None and drift.is_shifted:
        lines.append(say(drift.sentence))
    if day.archives:
        lines.append(say(f"Packed files not looked into ({len(day.archives)}), unpack them first:"))
        lines += [f"  {printable(name)}" for name in day.archives[:MOST_ARCHIVES]]
        lines += ["  ..."] if len(day.archives) > MOST_ARCHIVES else []
    return [
        *lines,
        say(f"List: {csv}"),
        say(f"Page: {folder / PAGE_NAME}"),
        say("Research use only: not a diagnosis."),
    ]


def describe_model_faults(day: ScreenedDay) -> list[str]:
    """Return what speaks against the day's model, to be said in red; [] for one to work with."""
    from edge_infer.page.faults import describe_faults
    from edge_infer.page.html import words_in

    words = words_in(day.lang)
    faults = describe_faults(day.card, words)
    return [words.faults.heading, *faults] if faults else []


def say_in_red(text: str) -> None:
    """Print a line in red where somebody sees it and NO_COLOR is not set, else plainly."""
    is_red = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    typer.echo(typer.style(text, fg=typer.colors.RED, bold=True) if is_red else text)


def _count_lines(day: ScreenedDay) -> Iterator[str]:
    from edge_infer.page.html import words_in
    from edge_infer.page.studies import count_examinations, group_by_study
    from edge_infer.worklist.rows import count_decisions, count_reasons

    words, films = words_in(day.lang), count_decisions(day.rows)
    for decision, count in count_examinations(group_by_study(day.rows)).items():
        label = _padded(words.groups[decision].label, _LABEL_WIDTH)
        yield f"  {label}{count:6}   {words.film.count(films[decision])}"
        if decision is None:
            for code, number in count_reasons(day.rows).items():
                yield f"    {_padded(words.reasons[code].why, _REASON_WIDTH)}{number:6}"


def _padded(text: str, width: int) -> str:
    """Pad to a width in a terminal's cells, of which a Korean syllable takes two."""
    return text + " " * max(1, width - _cells(text))


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def print_any_name() -> None:
    """Let stdout and stderr print names that their encoding lacks, with `?` for what is missing."""
    for stream in (sys.stdout, sys.stderr):
        # A Windows code page lacks most of the world's file names; `?` is better than a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def printable(text: str) -> str:
    """Replace what could command a terminal; file names may hold escape sequences."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
