"""One run over the inputs: finish a day that was cut off, then keep today's."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Protocol

from edge_infer.films.find import FoundFilms
from edge_infer.flow.keep_day import DaySettings, KeptDay, WrittenDay
from edge_infer.store.day_folders import read_earlier_days
from edge_infer.workers.pool import Crew


class Progress(Protocol):
    """Where it is told how far the run is."""

    def expect(self, total: int) -> None:
        """Say how many films there are to look at."""

    def advance(self) -> None:
        """Say that one more was looked at."""


def run_day(
    found: FoundFilms,
    folder: Path,
    settings: DaySettings,
    *,
    is_dated: bool,
    today: date,
    progress: Progress,
    crew: Crew | None = None,
) -> list[WrittenDay]:
    """Screen what is new and write the list; of several lists, today's is last.

    `crew` are workers that have started already, for the first of them.

    Where `folder` `is_dated`, an earlier day of the same inputs beside it that was cut off is
    finished first, and today's list has what is not in that one. After Control-C the last list has
    the rows so far; KeyboardInterrupt where it would have none. Raises ReportError and ModelError.
    """
    given = {one.place for one in found.inputs}
    written: list[WrittenDay] = []
    listed: set[bytes] = set()
    for earlier in read_earlier_days(folder) if is_dated else ():
        if earlier.is_open and earlier.shares_input(given):
            with KeptDay(earlier.folder, settings) as day:
                written.append(_run(day, FoundFilms(), None, today, progress, crew))
            crew = None
            listed |= {file.found.place for file in earlier.files}
            if not written[-1].day.is_complete:
                return written
    rest = replace(found, films=tuple(film for film in found.films if film.place not in listed))
    if rest.films or not written:
        with KeptDay(folder, settings) as day:
            written.append(_run(day, rest, found, today, progress, crew))
    return written


def _run(
    day: KeptDay,
    new: FoundFilms,
    found: FoundFilms | None,
    today: date,
    progress: Progress,
    crew: Crew | None,
) -> WrittenDay:
    if new.films:
        day.register(new, today=today)
    try:
        waiting = day.files_to_look_at({film.place for film in new.films})
        progress.expect(len(waiting))
        for _ in day.screen(waiting, crew=crew):
            progress.advance()
    except KeyboardInterrupt:
        if not day.has_rows():
            raise
        # Otherwise the caller sees that rows are missing.
    return day.write(found)
