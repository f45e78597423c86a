"""A day while it is watched: its lists follow what is known, though others may hold them open."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

from edge_infer.errors import FileInUse
from edge_infer.films.find import FoundFilms
from edge_infer.flow.keep_day import KeptDay, WrittenDay
from edge_infer.pc.whole_files import require_free
from edge_infer.worklist.lists import CSV_NAME

WRITE_EVERY_S = 2.0
"""Between two writings of a day's lists, or REST times what one took."""
REST = 4


class WatchedDay:
    """A day that films of now belong to, and whether its lists lag behind."""

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
