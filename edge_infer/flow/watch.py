"""`cxr-infer FOLDER --watch`: films are screened as they arrive, until Control-C.

The inputs are looked through every half second, everywhere, for network drives give no events; or
four times as long as a look takes (5,000 files: 0.3 s on a busy PC). A new file is in the list at
once, as arriving; when it has stood still it is screened, and any later change of it replaces its
row (`day.arrivals`).

In dated folders a film belongs to the day it was first seen, in exactly one list: films that an
earlier day's list beside today's has are not listed again, and a later change of one goes into its
own day's list. At start the days of these inputs that were cut off are finished first; at midnight
the list of yesterday is finished as its last films arrive. With `--out` there is one list for all.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from edge_infer.errors import FileInUse
from edge_infer.films.find import FoundFilm, FoundFilms, find_films
from edge_infer.films.look import Look
from edge_infer.flow.arrivals import Arrivals, State
from edge_infer.flow.day_rows import arriving
from edge_infer.flow.keep_day import DaySettings, KeptDay, WrittenDay
from edge_infer.pc.long_paths import reachable
from edge_infer.pc.whole_files import require_free
from edge_infer.store.day_folders import name_day, read_earlier_days
from edge_infer.store.outcome import ScoredFilm
from edge_infer.workers.pool import Crew
from edge_infer.worklist.lists import CSV_NAME

POLL_S = 0.5
"""Between two looks through the inputs, or REST times what one took."""
SAY_EVERY_S = 1.0
WRITE_EVERY_S = 2.0
"""Between two writings of a day's lists, or REST times what one took."""
REST = 4


class Clock:
    """Time as the watch sees it; tests give their own."""

    def now(self) -> datetime:
        return datetime.now()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class WatchedDay:
    """A day that films of now belong to, and whether its lists lag behind what is known: another
    program may hold them open."""

    def __init__(self, kept: KeptDay, *, monotonic: Callable[[], float]) -> None:
        self.kept = kept
        self.places: set[bytes] = set()
        """The files it has rows of."""
        self.is_stale = True
        self.written: WrittenDay | None = None
        self._monotonic = monotonic
        self._next_write = -math.inf
        self._refused = ""

    @property
    def is_up_to_date(self) -> bool:
        """Whether its lists, under their own names, say all that is known."""
        return not self.is_stale and not self._has_second_csv

    @property
    def trouble(self) -> str:
        """What another program's open file keeps from being as it should be, or nothing."""
        if self._refused or self.written is None or not self._has_second_csv:
            return self._refused
        return f"{CSV_NAME} is open in another program, the list is in {self.written.csv.name}"

    def follow(self, found: FoundFilms | None) -> None:
        """Write the lists where they are stale; while another program has one open, try later."""
        if self._monotonic() < self._next_write:
            return
        if self.written is not None and self.kept.has_news_from_desk():
            self.is_stale = True
        if self._has_second_csv:
            # Once the spreadsheet lets go of the CSV, what it showed is old.
            with contextlib.suppress(OSError):
                require_free(self.kept.folder / CSV_NAME)
                self.is_stale = True
        if self.is_stale:
            with contextlib.suppress(FileInUse):
                self.write(found)

    def write(self, found: FoundFilms | None) -> None:
        """Write the lists now, if there is a row; raises ReportError and FileInUse."""
        started = self._monotonic()
        self.is_stale, self._refused = True, ""
        try:
            if self.places:
                self.written = self.kept.write(found, with_waiting=True)
            self.is_stale = False
        except FileInUse as error:
            self._refused = str(error)
            raise
        finally:
            ended = self._monotonic()
            self._next_write = ended + max(WRITE_EVERY_S, REST * (ended - started))

    @property
    def _has_second_csv(self) -> bool:
        return self.written is not None and self.written.csv.name != CSV_NAME


class Watch:
    """The watch over some inputs; `run` it."""

    def __init__(
        self,
        inputs: Sequence[Path],
        folder: Path,
        settings: DaySettings,
        *,
        is_dated: bool,
        say: Callable[[str], None],
        warn: Callable[[str], None] = lambda _: None,
        tell_trouble: Callable[[str], None] = lambda _: None,
        tell_found: Callable[[FoundFilms], None] = lambda _: None,
        clock: Clock,
        crew: Crew | None = None,
        start_crew: Callable[[int], Crew] | None = None,
    ) -> None:
        """Write into `folder`, today's where days are dated.

        `say` gets the heartbeat line, `warn` each trouble that is in it, once as it comes, and
        `tell_trouble` all of them, every second; an empty text where there is none. `tell_found`
        gets what the inputs hold whenever something else beside films lies there.
        `crew` has started already, for what is there first; `start_crew` starts the worker that
        waits for the next film: with 1 s for starting one at every arrival, a film would be listed
        that much later.
        """
        self._start_crew = start_crew
        self._crew = crew
        self._inputs, self._first_folder, self._settings = inputs, folder, settings
        self._is_dated, self._say, self._warn, self._clock = is_dated, say, warn, clock
        self._tell_trouble, self._tell_found = tell_trouble, tell_found
        self._warned: set[str] = set()
        self._arrivals = Arrivals()
        self._days: dict[Path, WatchedDay] = {}
        self._folder_of: dict[bytes, Path] = {}
        self._found: FoundFilms | None = None
        self._seen: dict[bytes, FoundFilm] = {}
        self._polled_at, self._poll_took, self._said_at = -POLL_S, 0.0, -SAY_EVERY_S
        self._trouble = ""

    def run(self) -> list[WrittenDay]:
        """Watch until KeyboardInterrupt; return the lists last written, today's last.

        Raises ReportError where lists or store cannot be written, ModelError where the model fails;
        what was found until then is on the disk. While another program has a file of the results
        open the watch goes on, and tries again.
        """
        with ExitStack() as stack:
            stack.callback(self._close_all)
            try:
                self._begin()
                while True:
                    self.step()
                    self._clock.sleep(max(POLL_S, REST * self._poll_took))
            except KeyboardInterrupt:
                self._write_all()
            return [day.written for day in self._days.values() if day.written is not None]

    def step(self) -> None:
        """Look through the inputs once, screen what has arrived, and write what changed."""
        self._poll()
        for folder in list(dict.fromkeys(self._folder_of[place] for place in self._to_look_at())):
            day = self._open(folder)
            files = [
                self._seen[place]
                for place in self._to_look_at()
                if self._folder_of[place] == folder
            ]
            looks = day.kept.screen(files, mark=self._mark, crew=self._take_crew())
            with closing(looks):
                for look in looks:
                    if self._arrivals.looked(look, self._clock.monotonic()):
                        day.is_stale = True
                    self._tick()
        if self._crew is None and self._start_crew is not None:
            self._crew = self._start_crew(1)
        self._write_stale()
        self._close_finished()
        self._beat()

    def _take_crew(self) -> Crew | None:
        """Return the workers that wait; they work for one batch."""
        crew, self._crew = self._crew, None
        return crew

    def _begin(self) -> None:
        """Take over what earlier runs know, and finish the days that were cut off."""
        given = {one.place for one in find_films(self._inputs).inputs}
        for earlier in read_earlier_days(self._first_folder) if self._is_dated else ():
            for file in earlier.files:
                self._folder_of[file.found.place] = earlier.folder
                self._trust(file.found.place, (file.size, file.mtime_ns), file.sha256)
            if earlier.is_open and earlier.shares_input(given):
                self._open(earlier.folder)
        self._open(self._first_folder)

    def _open(self, folder: Path) -> WatchedDay:
        """Return the open day in `folder`; opened, all that its last run left is looked at."""
        if folder in self._days:
            return self._days[folder]
        day = self._days[folder] = WatchedDay(
            KeptDay(folder, self._settings), monotonic=self._clock.monotonic
        )
        waiting = {file.place for file in day.kept.files_to_look_at()}
        for file in day.kept.files():
            place = file.found.place
            day.places.add(place)
            self._folder_of[place] = folder
            if place not in waiting:
                self._trust(place, (file.size, file.mtime_ns), file.sha256)
            else:
                self._seen[place] = file.found
                self._arrivals.see(place, _state(file.found.path), self._clock.monotonic())
        return day

    def _poll(self) -> None:
        """See what the inputs hold now; give new files their rows and take vanished ones back."""
        started = self._clock.monotonic()
        if started - self._polled_at < max(POLL_S, REST * self._poll_took):
            return
        try:
            found = find_films(self._inputs)
        except OSError as error:
            self._trouble = f"{error.filename} cannot be opened ({error.strerror}), trying again"
            return
        self._trouble = ""
        now = self._clock.monotonic()
        for file in found.films:
            self._seen[file.place] = file
            self._arrivals.see(file.place, _state(file.path), now)
        self._register(replace(found, films=tuple(self._new(found))))
        if not found.unreadable_folders:
            self._forget({file.place for file in found.films})
        self._note_passed_over(found)
        self._polled_at, self._poll_took = now, self._clock.monotonic() - started

    def _new(self, found: FoundFilms) -> list[FoundFilm]:
        return [file for file in found.films if file.place not in self._folder_of]

    def _register(self, found: FoundFilms) -> None:
        if not found.films:
            return
        day = self._today()
        day.kept.register(found, today=self._clock.now().date())
        for file in found.films:
            self._folder_of[file.place] = day.kept.folder
            day.places.add(file.place)
        day.is_stale = True

    def _forget(self, present: set[bytes]) -> None:
        for place in self._arrivals.list_missing(present):
            file = self._seen.get(place)
            if file is not None and reachable(file.path).exists():
                continue  # a film of the day from another input, or hidden for a moment
            day = self._days.get(self._folder_of[place])
            if self._arrivals.forget(place) and day is not None:
                day.kept.forget([place])
                day.places.discard(place)
                day.is_stale = True
                del self._folder_of[place]

    def _to_look_at(self) -> list[bytes]:
        now = self._clock.monotonic()
        return [place for place in self._seen if self._arrivals.needs_look(place, now)]

    def _mark(self, look: Look[ScoredFilm]) -> Look[ScoredFilm]:
        if self._arrivals.is_arriving(look, self._clock.monotonic()):
            return replace(look, arriving=arriving())
        return look

    def _tick(self) -> None:
        """Keep eyes and lists open while a long batch is screened."""
        self._poll()
        self._write_stale()
        self._beat()

    def _write_stale(self) -> None:
        for day in self._days.values():
            day.follow(self._found)

    def _write_all(self) -> None:
        """Write every day for the last time; FileInUse, once all are tried, if one could not be."""
        for day in self._days.values():
            with contextlib.suppress(FileInUse):
                day.write(self._found)
        for day in self._days.values():
            if day.is_stale:
                raise FileInUse(day.trouble)

    def _close_finished(self) -> None:
        """Close the days that are over and have all their films."""
        today = self._folder_of_date(self._clock.now().date())
        for folder, day in list(self._days.items()):
            if folder != today and day.is_up_to_date and not self._count_arriving(day):
                self._days.pop(folder).kept.close()

    def _close_all(self) -> None:
        with ExitStack() as stack:
            for day in self._days.values():
                stack.callback(day.kept.close)
            if self._crew is not None:
                stack.callback(self._crew.close)

    def _today(self) -> WatchedDay:
        return self._open(self._folder_of_date(self._clock.now().date()))

    def _folder_of_date(self, today: date) -> Path:
        if not self._is_dated:
            return self._first_folder
        return self._first_folder.with_name(name_day(today))

    def _trust(
        self, place: bytes, state: tuple[int | None, int | None], sha256: str | None
    ) -> None:
        size, mtime_ns = state
        known = (size, mtime_ns) if size is not None and mtime_ns is not None else None
        self._arrivals.trust(place, known, sha256)

    def _count_arriving(self, day: WatchedDay) -> int:
        return self._arrivals.count_arriving(day.places)

    def _note_passed_over(self, found: FoundFilms) -> None:
        """Tell of files that are no films, in today's list too if there is one."""
        today = self._days.get(self._folder_of_date(self._clock.now().date()))
        before, self._found = self._found, found
        if before is not None and (before.ignored, before.unreadable_folders, before.archives) == (
            found.ignored,
            found.unreadable_folders,
            found.archives,
        ):
            return
        self._tell_found(found)
        if today is not None and before is not None:
            today.is_stale = True

    def _beat(self) -> None:
        now = self._clock.monotonic()
        if now - self._said_at < SAY_EVERY_S:
            return
        self._said_at = now
        listed = sum(len(day.places) for day in self._days.values())
        waiting = sum(self._count_arriving(day) for day in self._days.values())
        text = f"{self._clock.now():%H:%M:%S} watching: {listed} listed, {waiting} arriving"
        each = [self._trouble, *(day.trouble for day in self._days.values())]
        troubles = list(filter(None, each))
        self._say("; ".join([text, *troubles]))
        self._tell_trouble("; ".join(troubles))
        for trouble in troubles:
            if trouble not in self._warned:
                self._warn(trouble)
        self._warned = set(troubles)


def _state(path: Path) -> State:
    try:
        status = reachable(path).stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
